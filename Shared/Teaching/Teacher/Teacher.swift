public import Reasoning

/// What a teacher is asked.
public struct ChatRequest: Sendable, Hashable {
    /// The conversation.
    public let messages: [PromptMessage]
    /// The sampling temperature.
    public let temperature: Double
    /// The sampling seed, for endpoints that honour one.
    public let seed: Int64
    /// Who is asked.
    public let role: TeacherRole
    /// The most tokens that the answer may have; nil leaves it to the teacher's settings.
    public let maximumTokens: Int?

    /// Creates a request.
    public init(
        messages: [PromptMessage],
        temperature: Double,
        seed: Int64,
        maximumTokens: Int? = nil,
        role: TeacherRole = .solver
    ) {
        self.messages = messages
        self.temperature = temperature
        self.seed = seed
        self.role = role
        self.maximumTokens = maximumTokens
    }
}

/// What a teacher answered.
public struct ChatReply: Sendable, Hashable {
    /// The text of the first choice, without the model's thoughts.
    public let text: String
    /// The model's thoughts, where the server told them, in a field of their own or in tags before the answer.
    public let thoughts: String?
    /// `stop`, `length`, `content_filter`, …, as the server calls it; see ``FinishReason``.
    public let finishReason: String
    /// Tokens of the prompt, as the endpoint counts them.
    public let promptTokens: Int
    /// Tokens of the answer.
    public let completionTokens: Int
    /// The model that answered, as the endpoint names it.
    public let model: String
    /// Wall time of the call in milliseconds.
    public let latencyMilliseconds: Int

    /// Creates a reply; thoughts that stand in the text are taken out of it.
    public init(
        text: String,
        thoughts: String? = nil,
        finishReason: String,
        promptTokens: Int,
        completionTokens: Int,
        model: String,
        latencyMilliseconds: Int
    ) {
        let parts = Thoughts.split(text)
        let all = [thoughts, parts.thoughts].compactMap { $0 }.filter { !$0.isEmpty }
        self.text = parts.thoughts == nil ? parts.answer : parts.answer.trimmed
        self.thoughts = all.isEmpty ? nil : all.joined(separator: "\n")
        self.finishReason = finishReason
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
        self.model = model
        self.latencyMilliseconds = latencyMilliseconds
    }
}

/// A teacher model, or several of them by role.
public protocol Teacher: Sendable {
    /// The name of the model that is asked for most.
    var model: String { get }

    /// The name of a role's model.
    func model(of role: TeacherRole) -> String

    /// What an answer depends on beside the conversation, the temperature, the seed and the number of tokens: the model,
    /// and the settings that go with every request of the role.
    func identity(of role: TeacherRole) -> String

    /// Asks the teacher.
    ///
    /// - Throws: ``TeacherError``; those that are transient are worth another try.
    func complete(_ request: ChatRequest) async throws -> ChatReply

    /// Asks the teacher, and tells of each call as it begins and ends.
    func complete(_ request: ChatRequest, hooks: CallHooks) async throws -> ChatReply
}

extension Teacher {
    /// For a teacher whose calls do not fail.
    public func complete(_ request: ChatRequest, hooks: CallHooks) async throws -> ChatReply {
        try await hooks.begins()
        let reply = try await complete(request)
        try await hooks.answered(reply)
        return reply
    }

    /// One model for all roles.
    public func model(of role: TeacherRole) -> String { model }

    /// The model alone.
    public func identity(of role: TeacherRole) -> String { model(of: role) }
}

/// A call that gave no answer.
public struct FailedCall: Sendable, Hashable {
    /// How it ended, such as `timeout`, `unavailable` or `malformed`.
    public let outcome: String
    /// What happened, with the server's words.
    public let message: String
    /// Whether the server may have worked on it.
    public let mayBeBilled: Bool
    /// Wall time of the call in milliseconds.
    public let milliseconds: Int
    /// The most tokens that its answer may have had; nil where that is not known.
    public let maximumTokens: Int?

    /// Makes a record.
    public init(outcome: String, message: String, mayBeBilled: Bool, milliseconds: Int, maximumTokens: Int? = nil) {
        self.outcome = outcome
        self.message = message
        self.mayBeBilled = mayBeBilled
        self.milliseconds = milliseconds
        self.maximumTokens = maximumTokens
    }
}

/// Why a teacher gave no answer.
public struct TeacherError: Error, Sendable, CustomStringConvertible {
    /// What kind of failure it is.
    public enum Code: String, Sendable {
        /// The endpoint could not be reached, broke off, or answered 429 or 5xx.
        case unavailable
        /// The endpoint refuses every request until someone mends it: the key, the model, a setting, the quota.
        case refused
        /// The endpoint refuses this request, and answers others.
        case rejected
        /// The endpoint's answers are not in the form of the chat-completions API.
        case malformedAnswer
        /// The endpoint is not asked for now: it refused or failed every request, or what may be spent is spent.
        case paused
    }

    /// The kind.
    public let code: Code
    /// What happened, with the address and the status; never a key.
    public let message: String
    /// How long to wait before the next try, where that is known.
    public let retryAfter: Duration?

    /// Creates an error.
    public init(_ code: Code, _ message: String, retryAfter: Duration? = nil) {
        self.code = code
        self.message = message
        self.retryAfter = retryAfter
    }

    /// The message and the kind.
    public var description: String { "\(message) [\(code.rawValue)]" }
}
