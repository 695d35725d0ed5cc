import ArgumentParser
import Foundation
import ModelFiles
import Tokenization

/// How conversations are laid out, where that is not left to the model.
struct ChatOptions: ParsableArguments {
    @Option(help: "For conversations: a file with a chat template (Jinja) in place of the model's own.")
    var chatTemplate: String?

    @Option(help: "For conversations: a JSON object of values for the template, like {\"enable_thinking\": false}.")
    var chatTemplateKwargs: String?

    func validate() throws { _ = try arguments() }

    /// The values for the template.
    func arguments() throws -> [Conversation.Argument] {
        guard let chatTemplateKwargs else { return [] }
        do {
            return try Conversation.arguments(JSONNode.parse(chatTemplateKwargs.utf8), place: "--chat-template-kwargs")
        } catch let error as JSONSyntaxError {
            throw ValidationError("--chat-template-kwargs is \(error.description)")
        } catch {
            throw ValidationError("\(error)")
        }
    }

    /// The encoder of a model's conversations.
    ///
    /// - Throws: `TokenizationError` when there is no template; ``CLIError`` for a value that the template does not read.
    func encoder(folder: URL, tokenizer: Tokenizer, needs names: [String] = []) throws -> ChatEncoder {
        let encoder = try ChatEncoder(
            folder: folder,
            tokenizer: tokenizer,
            file: chatTemplate.map { URL(fileURLWithPath: $0) }
        )
        for name in try arguments().map(\.name) + names where !encoder.template.mentions(name) {
            throw CLIError(
                "the model's chat template does not read \(name), so that it would have no effect; leave it out"
            )
        }
        return encoder
    }
}
