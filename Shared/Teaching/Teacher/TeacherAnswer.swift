public import Reasoning
import Schemas

/// An answer of the teacher with all that says where it comes from.
public struct TeacherAnswer: Sendable, Hashable {
    /// The longest answer that is used, in bytes; the parsers refuse longer ones too.
    public static let maximumBytes = 1 << 16

    /// The prompt's id.
    public let promptID: String
    /// The prompt's version.
    public let promptVersion: String
    /// The sampling temperature.
    public let temperature: Double
    /// The sampling seed.
    public let seed: Int64
    /// What came back.
    public let reply: ChatReply
    /// Whether it was in the ledger already, so that no call was made.
    public let isRecalled: Bool

    /// Creates an answer from the prompt that was used, how it was asked, and what came back.
    public init(
        promptID: String,
        promptVersion: String,
        temperature: Double,
        seed: Int64,
        reply: ChatReply,
        isRecalled: Bool = false
    ) {
        self.promptID = promptID
        self.promptVersion = promptVersion
        self.temperature = temperature
        self.seed = seed
        self.reply = reply
        self.isRecalled = isRecalled
    }

    /// The text, without the blanks around it.
    public var text: String { reply.text.trimmed }

    /// Why the answer cannot be used whatever it says; `nil` when it can.
    public var failure: String? { refusal?.message }

    /// The same with its kind.
    public var refusal: Refusal? {
        if let refusal = FinishReason(reply.finishReason).refusal { return refusal }
        if text.utf8.count > Self.maximumBytes {
            let message = "the teacher's answer has \(text.utf8.count) bytes; \(Self.maximumBytes) are read"
            return Refusal(.tooLong, message)
        }
        guard text.isEmpty else { return nil }
        return reply.thoughts == nil
            ? Refusal(.empty, "the teacher's answer is empty")
            : Refusal(.cut, "the teacher's answer ends within its thoughts")
    }
}

/// The calls that were made for one trace.
struct CallTally: Sendable {
    private(set) var answers: [TeacherAnswer] = []
    /// Answers about the trace, of which only the cost counts.
    private(set) var furtherAnswers: [TeacherAnswer] = []

    mutating func add(_ answer: TeacherAnswer) { answers.append(answer) }

    /// Adds the calls of another tally for their cost.
    mutating func addCost(of tally: CallTally) { furtherAnswers += tally.answers }

    /// The provenance of a trace: the last call gave it, and its cost is that of all.
    ///
    /// - Parameters:
    ///   - prompt: the prompt that would have been used, for a trace that needed no call.
    ///   - ledger: whose model is named where the endpoint named none, and whose prompt where none was used.
    /// - Returns: the provenance.
    /// - Throws: `ReasoningError` when the prompt cannot be read.
    func provenance(prompt: PromptID, ledger: any TeacherLedger) throws -> TeacherCall {
        guard let last = answers.last else {
            return TeacherCall(
                model: ledger.model,
                promptId: prompt.rawValue,
                promptVersion: try ledger.prompts.prompt(prompt).version,
                temperature: 0,
                promptTokens: 0,
                completionTokens: 0,
                latencyMs: 0,
                finishReason: "not-asked"
            )
        }
        let paid = answers + furtherAnswers
        return TeacherCall(
            model: last.reply.model.isEmpty ? ledger.model : last.reply.model,
            promptId: last.promptID,
            promptVersion: last.promptVersion,
            temperature: last.temperature,
            seed: UInt64(max(0, last.seed)),
            calls: paid.count,
            promptTokens: paid.reduce(0) { $0 + $1.reply.promptTokens },
            completionTokens: paid.reduce(0) { $0 + $1.reply.completionTokens },
            latencyMs: Double(paid.reduce(0) { $0 + $1.reply.latencyMilliseconds }),
            finishReason: last.reply.finishReason
        )
    }
}
