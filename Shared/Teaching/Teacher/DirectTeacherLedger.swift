public import Reasoning

/// Asks a teacher each time and keeps nothing: for a teacher that costs nothing, and for work that is done in one go.
public struct DirectTeacherLedger: TeacherLedger {
    /// The prompts that the teacher is asked with.
    public let prompts: PromptLibrary
    private let teacher: any Teacher

    /// Creates a ledger.
    public init(teacher: any Teacher, prompts: PromptLibrary = .shipped) {
        self.teacher = teacher
        self.prompts = prompts
    }

    /// The teacher's model.
    public var model: String { teacher.model }

    /// Asks a question; the same question and attempt is sent with the same seed.
    ///
    /// - Throws: ``TeacherError`` when there is no answer.
    public func ask(
        _ question: TeacherRequest,
        subject: String,
        temperature: Double,
        attempt: Int
    ) async throws -> TeacherAnswer {
        let (prompt, request) = try request(question, temperature: temperature, attempt: attempt)
        return TeacherAnswer(
            promptID: prompt.id.rawValue,
            promptVersion: prompt.version,
            temperature: request.temperature,
            seed: request.seed,
            reply: try await teacher.complete(request)
        )
    }
}
