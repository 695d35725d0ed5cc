import Teaching

/// Stands where there is no teacher; whoever asks it all the same is told so.
struct NoTeacher: Teacher {
    let model = "none"

    func complete(_ request: ChatRequest) async throws -> ChatReply {
        throw TeacherError(.refused, "there is no teacher: ERRATA_TEACHER_PARTS is none")
    }
}
