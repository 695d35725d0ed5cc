public import Reasoning

/// What a text has in tokens where no server counted them: more rather than fewer, so that a budget holds.
public enum TokenEstimate {
    /// The bytes of a token: English prose has some four with the vocabularies of today's models, numbers and signs fewer.
    public static let bytesPerToken = 3
    /// The tokens that a message takes beside its text.
    public static let perMessage = 4

    /// The tokens of a text.
    public static func tokens(of text: String) -> Int { (text.utf8.count + bytesPerToken - 1) / bytesPerToken }

    /// The tokens of a conversation.
    public static func tokens(of messages: [PromptMessage]) -> Int {
        messages.reduce(0) { $0 + tokens(of: $1.content) + perMessage }
    }
}
