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
        guard value.array != nil else {
            throw TrainingLineError("\"\(key)\" is \(value.kind); it must be a string or a list of messages")
        }
        do {
            return .messages(try Conversation.messages(try Self.renamed(value), place: "\"\(key)\""))
        } catch let error as TrainingLineError {
            throw error
        } catch {
            throw TrainingLineError(
                "\((error as? TokenizationError).map { "\($0.place) \($0.message)" } ?? "\(error)")"
            )
        }
    }

    /// A conversation of these turns, with the row's tools and template arguments.
    package func conversation(_ messages: [ChatMessage]) throws(TrainingLineError) -> Conversation {
        for key in ["images", "image"] where has(key) {
            throw TrainingLineError("has \"\(key)\"; only text can be learned, so leave the line out")
        }
        do {
            return Conversation(
                messages,
                tools: try Conversation.tools(node["tools"], place: "\"tools\""),
                arguments: try Conversation.arguments(node["chat_template_kwargs"], place: "\"chat_template_kwargs\"")
            )
        } catch {
            throw TrainingLineError("\(error.place) \(error.message)")
        }
    }

    /// Fields that mean something only where a line has messages.
    package var conversationFields: [String] { ["tools", "chat_template_kwargs"].filter(has) }

    /// Messages in ShareGPT's layout (`from` and `value`) in the usual one; others are left as they are.
    private static func renamed(_ list: JSONNode) throws(TrainingLineError) -> JSONNode {
        var messages: [JSONNode] = []
        for (index, message) in (list.array ?? []).enumerated() {
            guard let from = message["from"], message["role"] == nil, let members = message.object else {
                messages.append(message)
                continue
            }
            guard let name = from.string, let role = roles[name] else {
                throw TrainingLineError(
                    "message \(index + 1) is from \(from.string.map { "\"\($0)\"" } ?? from.kind); known are "
                        + roles.keys.sorted().joined(separator: ", ")
                )
            }
            messages.append(
                .object(
                    members.map { member in
                        switch String(decoding: member.key, as: UTF8.self) {
                        case "from": (Array("role".utf8), .string(Array(role.utf8)))
                        case "value": (Array("content".utf8), member.value)
                        default: member
                        }
                    }
                )
            )
        }
        return .array(messages)
    }

    /// ShareGPT's names of roles.
    private static let roles = [
        "system": "system", "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant",
        "tool": "tool", "observation": "tool",
    ]
}
