import Reasoning
public import Teaching

/// A simulated teacher without a server: it gives the answers that `teacher-simulator` gives over HTTP.
public struct InProcessTeacher: Teacher {
    /// The name that answers carry, the same as over HTTP.
    public let model = SimulatedTeacher.model
    private let teacher: SimulatedTeacher

    /// Makes a teacher of a simulated one.
    public init(_ teacher: SimulatedTeacher) { self.teacher = teacher }

    /// Answers; never throws, and takes no time that would be worth telling.
    public func complete(_ request: ChatRequest) async throws -> ChatReply {
        let completion = teacher.completion(
            of: request.messages,
            temperature: request.temperature,
            seed: request.seed,
            maximumTokens: request.maximumTokens
        )
        return ChatReply(
            text: completion.text,
            finishReason: completion.isWhole ? "stop" : "length",
            promptTokens: SimulatedTeacher.promptTokens(request.messages),
            completionTokens: completion.tokens,
            model: model,
            latencyMilliseconds: 0
        )
    }
}
