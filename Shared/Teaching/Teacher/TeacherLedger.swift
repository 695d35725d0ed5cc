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
    ///   - subject: the problem's id, or an attempt's, for whom the answer is paid; one question about two subjects is
    ///     one question.
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
        temperature: Double,
        attempt: Int
    ) throws -> (prompt: Prompt, request: ChatRequest) {
        let messages = try question.messages(prompts: prompts)
        let request = ChatRequest(
            messages: messages,
            temperature: temperature,
            seed: Self.seed(messages: messages, attempt: attempt),
            role: question.promptID.role
        )
        return (try prompts.prompt(question.promptID), request)
    }

    /// The sampling seed of a question: of at most 31 bits, which every endpoint takes.
    ///
    /// It depends on what is asked and not on whom it is about, so that the same text under another name is the same
    /// question.
    public static func seed(messages: [PromptMessage], attempt: Int) -> Int64 {
        let text = messages.map { "\($0.role)\n\($0.content)" }.joined(separator: "\n")
        return Int64(StableHash.value(of: "\(text)\n\(attempt)") & 0x7fff_ffff)
    }
}
