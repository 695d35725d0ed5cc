package import ModelFiles

/// What a chat template lays out: turns, and whatever else `transformers`' `apply_chat_template` takes.
public struct Conversation: Sendable, Equatable {
    /// The turns.
    public var messages: [ChatMessage]
    /// JSON schemas of the tools that the model may call; nil where it has none.
    package var tools: JSONNode?
    /// Documents for models that answer from them; nil where there are none.
    package var documents: JSONNode?
    /// Values that the template may read by name, such as `enable_thinking`.
    package var arguments: [Argument]

    /// A value that a template may read by its name.
    package struct Argument: Sendable, Equatable {
        package let name: String
        package let value: JSONNode

        package init(_ name: String, _ value: JSONNode) {
            self.name = name
            self.value = value
        }
    }

    /// A conversation of plain turns.
    public init(_ messages: [ChatMessage]) {
        self.messages = messages
        arguments = []
    }

    /// A conversation from its parts.
    package init(
        _ messages: [ChatMessage],
        tools: JSONNode? = nil,
        documents: JSONNode? = nil,
        arguments: [Argument] = []
    ) {
        self.messages = messages
        self.tools = tools
        self.documents = documents
        self.arguments = arguments
    }

    /// The same values with other turns.
    package func with(_ messages: some Sequence<ChatMessage>) -> Conversation {
        var copy = self
        copy.messages = Array(messages)
        return copy
    }

    /// The same conversation with a value of its own for a name.
    package func setting(_ name: String, _ value: JSONNode) -> Conversation {
        var copy = self
        copy.arguments.removeAll { $0.name == name }
        copy.arguments.append(Argument(name, value))
        return copy
    }

    /// The same conversation with values for names that have none of its own.
    package func adding(_ arguments: [Argument]) -> Conversation {
        arguments.reduce(self) { result, argument in
            self.arguments.contains { $0.name == argument.name }
                ? result : result.setting(argument.name, argument.value)
        }
    }

    /// Turns from a JSON array.
    ///
    /// - Throws: `TokenizationError` that names the message.
    package static func messages(_ node: JSONNode, place: String) throws(TokenizationError) -> [ChatMessage] {
        guard let values = node.array else {
            throw TokenizationError(.malformed, place: place, "is \(node.kind); it must be a list of messages")
        }
        guard !values.isEmpty else {
            throw TokenizationError(.malformed, place: place, "is an empty list; it needs a message")
        }
        var result: [ChatMessage] = []
        for (index, value) in values.enumerated() {
            result.append(try ChatMessage(value, place: "\(place), message \(index + 1)"))
        }
        return result
    }

    /// Tools from a JSON array, or from a text that holds one, as some data sets keep them; none from null or an empty list.
    ///
    /// - Throws: `TokenizationError` when it is neither.
    package static func tools(_ node: JSONNode?, place: String) throws(TokenizationError) -> JSONNode? {
        guard let node, !node.isNull else { return nil }
        var list = node
        if let text = node.bytes {
            do {
                list = try JSONNode.parse(text)
            } catch {
                throw TokenizationError(
                    .malformed,
                    place: place,
                    "is a text that is \(error); it must hold a list of tools"
                )
            }
            if list.isNull { return nil }
        }
        guard let tools = list.array, tools.allSatisfy({ $0.object != nil }) else {
            throw TokenizationError(.malformed, place: place, "is \(list.kind); it must be a list of JSON schemas")
        }
        return tools.isEmpty ? nil : list
    }

    /// Arguments from a JSON object; none from null.
    ///
    /// - Throws: `TokenizationError` when it is something else.
    package static func arguments(_ node: JSONNode?, place: String) throws(TokenizationError) -> [Argument] {
        guard let node, !node.isNull else { return [] }
        guard let members = node.object else {
            throw TokenizationError(.malformed, place: place, "is \(node.kind); it must be an object of values by name")
        }
        return members.map { Argument(String(decoding: $0.key, as: UTF8.self), $0.value) }
    }
}
