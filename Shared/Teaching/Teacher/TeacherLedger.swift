public import Reasoning

/// Asks the teacher and keeps its answers, so that a question that was put before need not be paid again.
public protocol TeacherLedger: Sendable {
    /// The teacher's model.
    var model: String { get }
    /// The prompts that it is asked with.
    var prompts: PromptLibrary { get }

    /// Asks a question about a problem, or recalls the answer to it.
    ///
    /// - Parameters:
    ///   - question: the question.
    ///   - subject: the problem's id, or an attempt's; the answers to one question about two subjects are kept apart.
    ///   - temperature: the sampling temperature.
    ///   - attempt: how often the question was put before; each time has a seed of its own.
    /// - Returns: the answer, with what it cost when it was given.
    /// - Throws: ``TeacherError`` when there is no answer.
    func ask(
        _ question: TeacherRequest,
        subject: String,
        temperature: Double,
        attempt: Int
    ) async throws -> TeacherAnswer
}

extension TeacherLedger {
    /// What is sent for a question, and the prompt that it was made with.
    ///
    /// - Throws: `ReasoningError` when a prompt cannot be read.
    public func request(
        _ question: TeacherRequest,
        subject: String,
        temperature: Double,
        attempt: Int,
        maximumTokens: Int
    ) throws -> (prompt: Prompt, request: ChatRequest) {
        let request = ChatRequest(
            messages: try question.messages(prompts: prompts),
            temperature: temperature,
            seed: Self.seed(subject: subject, prompt: question.promptID, attempt: attempt),
            maximumTokens: maximumTokens
        )
        return (try prompts.prompt(question.promptID), request)
    }

    /// The sampling seed of a question: of at most 31 bits, which every endpoint takes.
    public static func seed(subject: String, prompt: PromptID, attempt: Int) -> Int64 {
        Int64(StableHash.value(of: "\(subject)\n\(prompt.rawValue)\n\(attempt)") & 0x7fff_ffff)
    }
}
