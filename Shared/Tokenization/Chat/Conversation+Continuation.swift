import ModelFiles

extension Conversation {
    /// The conversation with a mark after the text of its last message's `field`, and that text.
    ///
    /// - Throws: `TokenizationError` when the last message has no such text.
    func markingEnd(of field: String, mark: String) throws(TokenizationError) -> (Conversation, String) {
        guard let last = messages.last, let members = last.fields.object else {
            throw TokenizationError(.malformed, place: "chat", "the conversation is empty; it needs a message")
        }
        let key = Array(field.utf8)
        var text: String?
        let marked: [(key: [UInt8], value: JSONNode)] = members.map { member in
            guard member.key == key else { return member }
            if let own = member.value.string {
                text = own
                return (member.key, .string(Array((own + mark).utf8)))
            }
            guard let parts = member.value.array, let index = parts.lastIndex(where: { $0["text"]?.string != nil }),
                let own = parts[index]["text"]?.string
            else { return member }
            text = own
            var changed = parts
            changed[index] = .object(
                (parts[index].object ?? []).map {
                    $0.key == Array("text".utf8) ? ($0.key, .string(Array((own + mark).utf8))) : $0
                }
            )
            return (member.key, .array(changed))
        }
        guard let text else {
            throw TokenizationError(
                .malformed,
                place: "chat",
                "the last message has no text \"\(field)\" that could be continued"
            )
        }
        return (with(messages.dropLast() + [ChatMessage(unchecked: .object(marked))]), text)
    }
}
