package import ModelFiles

/// One call of `transformers`' `apply_chat_template` as a JSON object: `messages` and its other parameters by their names.
package struct ConversationRequest: Sendable {
    /// What is laid out.
    package var conversation: Conversation
    /// Whether the assistant's next turn is opened.
    package var addGenerationPrompt = false
    /// The field of the last message that is to be continued and therefore left open; nil closes the turn.
    package var continuedField: String?
    /// A template, or the name of one of the model's, in place of the model's own choice.
    package var template: String?

    /// Parameters that say how tokens are packed for a tensor library; a text has no use for them.
    private static let packing: Set<String> = [
        "tokenize", "padding", "truncation", "max_length", "return_tensors", "return_dict",
        "return_assistant_tokens_mask", "tokenizer_kwargs", "sanitize_control_tokens",
    ]

    /// Reads a request.
    ///
    /// - Parameters:
    ///   - node: The object. Members that are no parameters are values that the template reads by name;
    ///     `chat_template_kwargs` may hold some, too.
    ///   - place: Names the object in errors.
    /// - Throws: `TokenizationError` that names the member and what is wrong with it.
    package init(_ node: JSONNode, place: String) throws(TokenizationError) {
        func failure(_ message: String) -> TokenizationError { TokenizationError(.malformed, place: place, message) }
        guard let members = node.object else {
            throw failure("is \(node.kind); give an object with \"messages\"")
        }
        guard let messages = node["messages"] ?? node["conversation"] else {
            throw failure("has no \"messages\"; give an object with \"messages\"")
        }
        conversation = Conversation(try Conversation.messages(messages, place: "\(place): \"messages\""))
        for (key, value) in members {
            let name = String(decoding: key, as: UTF8.self)
            guard !value.isNull || !Self.parameters.contains(name) else { continue }
            switch name {
            case "messages", "conversation": continue
            case "tools": conversation.tools = try Conversation.tools(value, place: "\(place): \"tools\"")
            case "documents": conversation.documents = value
            case "chat_template_kwargs":
                conversation.arguments += try Conversation.arguments(value, place: "\(place): \"chat_template_kwargs\"")
            case "chat_template":
                guard let text = value.string else { throw failure("\"chat_template\" is \(value.kind), not a text") }
                template = text
            case "add_generation_prompt":
                guard let flag = value.bool else { throw failure("\"\(name)\" is \(value.kind), not true or false") }
                addGenerationPrompt = flag
            case "continue_final_message":
                guard let field = value.string ?? value.bool.map({ $0 ? "content" : "" }) else {
                    throw failure("\"\(name)\" is \(value.kind), not true, false or the name of a field")
                }
                continuedField = field.isEmpty ? nil : field
            case _ where Self.packing.contains(name):
                throw failure("\"\(name)\" has no effect on the text or the tokens of one conversation; leave it out")
            default: conversation.arguments.append(Conversation.Argument(name, value))
            }
        }
        guard !addGenerationPrompt || continuedField == nil else {
            throw failure("\"add_generation_prompt\" and \"continue_final_message\" exclude each other; give one")
        }
    }

    private static let parameters: Set<String> = packing.union([
        "messages", "conversation", "tools", "documents", "chat_template_kwargs", "chat_template",
        "add_generation_prompt",
        "continue_final_message",
    ])
}
