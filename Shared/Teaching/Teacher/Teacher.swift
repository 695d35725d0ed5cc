public import Reasoning

/// What a teacher is asked.
public struct ChatRequest: Sendable, Hashable {
    /// The conversation.
    public let messages: [PromptMessage]
    /// The sampling temperature.
    public let temperature: Double
    /// The sampling seed, for endpoints that honour one.
    public let seed: Int64
    /// The most tokens that the answer may have.
    public let maximumTokens: Int

    /// Creates a request.
    public init(messages: [PromptMessage], temperature: Double, seed: Int64, maximumTokens: Int = 2048) {
        self.messages = messages
        self.temperature = temperature
        self.seed = seed
        self.maximumTokens = maximumTokens
    }
}

/// What a teacher answered.
public struct ChatReply: Sendable, Hashable {
    /// The text of the first choice.
    public let text: String
    /// `stop`, `length`, `content_filter`, …; anything but `stop` counts as a failed answer.
    public let finishReason: String
    /// Tokens of the prompt, as the endpoint counts them.
    public let promptTokens: Int
    /// Tokens of the answer.
    public let completionTokens: Int
    /// The model that answered, as the endpoint names it.
    public let model: String
    /// Wall time of the call in milliseconds.
    public let latencyMilliseconds: Int

    /// Creates a reply.
    public init(
        text: String,
        finishReason: String,
        promptTokens: Int,
        completionTokens: Int,
        model: String,
        latencyMilliseconds: Int
    ) {
        self.text = text
        self.finishReason = finishReason
        self.promptTokens = promptTokens
        self.completionTokens = completionTokens
        self.model = model
        self.latencyMilliseconds = latencyMilliseconds
    }
}

/// A teacher model.
public protocol Teacher: Sendable {
    /// The model's name.
    var model: String { get }

    /// Asks the teacher.
    ///
    /// - Throws: ``TeacherError``; those that are transient are worth another try.
    func complete(_ request: ChatRequest) async throws -> ChatReply
}

/// Why a teacher gave no answer.
public struct TeacherError: Error, Sendable, CustomStringConvertible {
    /// What kind of failure it is.
    public enum Code: String, Sendable {
        /// The endpoint could not be reached, timed out, or answered 429 or 5xx.
        case unavailable
        /// The endpoint refused the request: a wrong address, key or model.
        case refused
        /// The answer is not in the form of the chat-completions API.
        case malformedAnswer
    }

    /// The kind.
    public let code: Code
    /// What happened, with the address and the status; never a key.
    public let message: String
    /// How long the endpoint asked to wait, if it did.
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
