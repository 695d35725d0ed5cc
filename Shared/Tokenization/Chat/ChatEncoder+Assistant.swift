import ModelFiles

/// A conversation in tokens, and which of them the model is to learn.
public struct ChatTokens: Sendable, Hashable {
    /// The tokens.
    public var ids: [TokenID]
    /// For each token, whether it is the assistant's: what it says, and what the template writes to end its turn.
    public var isAssistant: [Bool]
}

extension ChatEncoder {
    /// The tokens of a conversation, and which of them are the assistant's.
    ///
    /// Where the template marks them itself (`{% generation %}`), its marks count. Else a turn of the assistant's is what
    /// the conversation up to and with it has more than the conversation before it with the turn opened, as TRL takes a
    /// prompt and its completion; that is the template's end of the turn too (in ChatML the line feed after `<|im_end|>`).
    /// A token that stands on a boundary counts as the assistant's.
    /// - Parameters:
    ///   - conversation: The turns.
    ///   - first: The assistant's turns before this index are context and not marked.
    /// - Returns: The ids, each marked as the assistant's or not.
    /// - Throws: `TokenizationError` with the template's words when it refuses the conversation, or when the template
    ///   gives no way to tell which tokens are the assistant's.
    public func layout(_ conversation: Conversation, learnedFrom first: Int = 0) throws(TokenizationError) -> ChatTokens
    {
        let rendering = try template.render(conversation, date: date)
        let spans: [Range<Int>]
        if rendering.generationSpans.isEmpty {
            spans = try assistantSpans(conversation, in: rendering.text, from: first)
        } else {
            let start =
                first == 0
                ? 0
                : try Self.sharedLength(
                    rendering.text,
                    template.render(
                        conversation.with(conversation.messages.prefix(first)),
                        addGenerationPrompt: true,
                        date: date
                    ).text
                )
            spans = rendering.generationSpans.filter { $0.upperBound > start }
        }
        var tokens = ChatTokens(ids: [], isAssistant: [])
        var span = 0
        for (id, range) in tokenizer.encodeWithOffsets(rendering.text) {
            while span < spans.count, range.lowerBound >= spans[span].upperBound { span += 1 }
            tokens.ids.append(id)
            tokens.isAssistant.append(span < spans.count && range.upperBound > spans[span].lowerBound)
        }
        return tokens
    }

    /// The bytes of the assistant's turns in a text whose template does not mark them.
    private func assistantSpans(
        _ conversation: Conversation,
        in text: String,
        from first: Int
    ) throws(TokenizationError) -> [Range<Int>] {
        let messages = conversation.messages
        var spans: [Range<Int>] = []
        for index in messages.indices where index >= first && messages[index].role == "assistant" {
            let before =
                index == 0
                ? ""
                : try template.render(
                    conversation.with(messages.prefix(index)),
                    addGenerationPrompt: true,
                    date: date
                ).text
            let start = max(Self.sharedLength(text, before), spans.last?.upperBound ?? 0)
            let end = try end(ofTurn: index, in: text, of: conversation)
            if start < end { spans.append(start..<end) }
        }
        return spans
    }

    /// Where a turn of the assistant's ends, its end as the template writes it included.
    private func end(ofTurn index: Int, in text: String, of conversation: Conversation) throws(TokenizationError) -> Int
    {
        let messages = conversation.messages
        guard index < messages.count - 1 else { return text.utf8.count }
        let upToTurn = try? template.render(conversation.with(messages.prefix(index + 1)), date: date).text
        if let upToTurn, text.utf8.starts(with: upToTurn.utf8) { return upToTurn.utf8.count }
        // The template lays the turn out otherwise once others follow it (it drops its thoughts, say). What follows the
        // turn does not depend on what it says, so a mark in its place shows where that begins.
        let mark = "ERRATA-TURN-\(index)"
        var marked = messages
        marked[index] = messages[index].saying(mark)
        let whole = try template.render(conversation.with(marked), date: date).text
        let alone = try? template.render(conversation.with(marked.prefix(index + 1)), date: date).text
        if let alone, let inAlone = alone.lastIndex(ofBytes: mark), let inWhole = whole.lastIndex(ofBytes: mark) {
            let ending = alone.utf8.dropFirst(inAlone + mark.utf8.count)
            let rest = whole.utf8.dropFirst(inWhole + mark.utf8.count)
            if rest.starts(with: ending), text.utf8.count >= rest.count,
                text.utf8.suffix(rest.count).elementsEqual(rest)
            {
                return text.utf8.count - rest.count + ending.count
            }
        }
        throw TokenizationError(
            .unsupported,
            place: "chat template",
            "which tokens of message \(index + 1) are the assistant's cannot be told from how the template lays it out; give "
                + "\"prompt\" and \"completion\", or a template with {% generation %} around what the assistant says"
        )
    }

    /// How many bytes two texts begin with alike.
    private static func sharedLength(_ left: String, _ right: String) -> Int {
        var count = 0
        for (a, b) in zip(left.utf8, right.utf8) {
            guard a == b else { break }
            count += 1
        }
        return count
    }
}
