public import Foundation
import ModelFiles

/// Turns conversations into a model's tokens: the template's text, in which spelled-out special tokens become their ids,
/// as `transformers` does it.
public struct ChatEncoder: Sendable {
    /// The model's template.
    public let template: ChatTemplate
    /// The model's tokenizer.
    public let tokenizer: Tokenizer
    /// The moment that templates see as now; one for all conversations, so that they go together.
    public let date: Date

    /// An encoder.
    public init(template: ChatTemplate, tokenizer: Tokenizer, date: Date = Date()) {
        self.template = template
        self.tokenizer = tokenizer
        self.date = date
    }

    /// The encoder of a model folder.
    ///
    /// - Parameters:
    ///   - folder: The model folder.
    ///   - tokenizer: The folder's tokenizer.
    ///   - file: A template to use instead of the folder's.
    /// - Throws: `TokenizationError` when the folder has no template, or one that is not valid.
    public init(folder: URL, tokenizer: Tokenizer, file: URL? = nil) throws {
        self.init(template: try ChatTemplate(folder: folder, tokenizer: tokenizer, file: file), tokenizer: tokenizer)
    }

    /// The tokens of a conversation; those that start a text are there where the template writes them.
    ///
    /// - Throws: `TokenizationError` with the template's words when it refuses the conversation.
    public func encode(_ conversation: Conversation, addGenerationPrompt: Bool) throws(TokenizationError) -> [TokenID] {
        tokenizer.encode(
            try template.render(conversation, addGenerationPrompt: addGenerationPrompt, date: date).text
        )
    }

    /// The tokens with which the assistant's turn can end: the special token that the template writes after what it says.
    ///
    /// None where the template cannot lay a plain exchange out, or ends the turn with text.
    public var endTokens: [TokenID] {
        let mark = "Answer"
        let exchange = Conversation([ChatMessage("user", "Question"), ChatMessage("assistant", mark)])
        guard let text = try? template.render(exchange, date: date).text, let end = text.lastIndex(ofBytes: mark) else {
            return []
        }
        let tail = String(text.utf8.dropFirst(end + mark.utf8.count)) ?? ""
        return tokenizer.encode(tail).first(where: tokenizer.isSpecial).map { [$0] } ?? []
    }
}
