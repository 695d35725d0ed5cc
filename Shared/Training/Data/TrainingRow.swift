import ModelFiles
package import Tokenization

/// The fields of one line, as TRL lays them out.
package struct TrainingRow {
    /// A field: a text, or turns of a conversation.
    package enum Content {
        case text(String)
        case messages([ChatMessage])
    }

    private let node: JSONNode
    /// The line's number, from 1.
    package let number: Int

    package init(_ line: some Collection<UInt8>, number: Int) throws(TrainingLineError) {
        do {
            node = try JSONNode.parse(line)
        } catch {
            throw TrainingLineError("\(error); a line holds one JSON object")
        }
        guard node.object != nil else {
            throw TrainingLineError("is \(node.kind); a line holds one JSON object")
        }
        self.number = number
    }

    /// What the row itself is called, where it says so.
    package var id: String? { node["id"]?.string }

    /// The row's name, for messages about it.
    package var name: String { id ?? "line \(number)" }

    /// The field's names in this row.
    package func has(_ key: String) -> Bool { node[key].map { !$0.isNull } ?? false }

    /// The names of all fields, for messages.
    package var keys: String {
        let names = (node.object ?? []).map { String(decoding: $0.key, as: UTF8.self) }
        return names.isEmpty ? "no field" : names.prefix(8).joined(separator: ", ")
    }

    /// A field that must be there.
    package func content(_ key: String) throws(TrainingLineError) -> Content {
        guard let value = node[key], !value.isNull else { throw TrainingLineError("has no \"\(key)\"") }
        if let text = value.string { return .text(text) }
        guard let values = value.array else {
            throw TrainingLineError("\"\(key)\" is \(value.kind); it must be a string or a list of messages")
        }
        guard !values.isEmpty else { throw TrainingLineError("\"\(key)\" is an empty list; it needs a message") }
        var messages: [ChatMessage] = []
        for (index, value) in values.enumerated() {
            messages.append(try Self.message(value, "\"\(key)\", message \(index + 1)"))
        }
        return .messages(messages)
    }

    private static func message(_ node: JSONNode, _ place: String) throws(TrainingLineError) -> ChatMessage {
        guard node.object != nil else {
            throw TrainingLineError("\(place) is \(node.kind); it must be an object with \"role\" and \"content\"")
        }
        guard let name = node["role"]?.string, let role = ChatMessage.Role(rawValue: name) else {
            let known = ChatMessage.Role.allCases.map(\.rawValue).joined(separator: ", ")
            throw TrainingLineError("\(place) has the role \(node["role"]?.string ?? "of no text"); known are \(known)")
        }
        if let text = node["content"]?.string { return ChatMessage(role, text) }
        // The newer form: a list of parts.
        if let parts = node["content"]?.array {
            let texts = parts.map { $0["type"]?.string == "text" ? $0["text"]?.string : nil }
            if !texts.contains(nil) { return ChatMessage(role, texts.compactMap { $0 }.joined()) }
            throw TrainingLineError("\(place) has a part that is no text; only text can be used")
        }
        throw TrainingLineError("\(place) has no \"content\" that is a text")
    }
}
