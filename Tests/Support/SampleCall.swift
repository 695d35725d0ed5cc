package import Schemas

extension TeacherCall {
    /// A call for traces of which nobody asks how they were paid.
    package static func sample(promptId: String = "p") -> TeacherCall {
        TeacherCall(
            model: "m",
            promptId: promptId,
            promptVersion: "1",
            temperature: 0,
            promptTokens: 1,
            completionTokens: 1,
            latencyMs: 1,
            finishReason: "stop"
        )
    }
}
