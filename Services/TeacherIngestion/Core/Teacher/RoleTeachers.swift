import Teaching

/// Several teachers by role.
struct RoleTeachers: Teacher {
    private let teachers: [TeacherRole: any Teacher]
    private let fallback: any Teacher

    /// Makes a teacher of one for each role; a role without one is asked of `fallback`.
    init(_ teachers: [TeacherRole: any Teacher], fallback: any Teacher) {
        self.teachers = teachers
        self.fallback = fallback
    }

    private func teacher(_ role: TeacherRole) -> any Teacher { teachers[role] ?? fallback }

    var model: String { teacher(.solver).model }

    func model(of role: TeacherRole) -> String { teacher(role).model(of: role) }

    func identity(of role: TeacherRole) -> String { teacher(role).identity(of: role) }

    func complete(_ request: ChatRequest) async throws -> ChatReply {
        try await teacher(request.role).complete(request)
    }

    func complete(_ request: ChatRequest, hooks: CallHooks) async throws -> ChatReply {
        try await teacher(request.role).complete(request, hooks: hooks)
    }
}
