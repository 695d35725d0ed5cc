import Foundation

extension ChatTemplate {
    /// The tokens of a conversation.
    ///
    /// - Parameters:
    ///   - messages: The turns; a system message may only be the first.
    ///   - addGenerationPrompt: Whether the assistant's next turn is opened.
    /// - Returns: The ids, the format's own start token among them.
    /// - Throws: `TokenizationError` for a conversation that the format cannot hold.
    public func render(_ messages: [ChatMessage], addGenerationPrompt: Bool) throws -> [TokenID] {
        try layout(messages, addGenerationPrompt: addGenerationPrompt).ids
    }

    /// The tokens of a conversation, and which of them are the assistant's.
    ///
    /// - Parameters:
    ///   - messages: The turns; a system message may only be the first.
    ///   - first: The assistant's turns before this index are context and not marked.
    ///   - addGenerationPrompt: Whether the assistant's next turn is opened.
    /// - Returns: The ids, each marked as the assistant's or not.
    /// - Throws: `TokenizationError` for a conversation that the format cannot hold.
    public func layout(
        _ messages: [ChatMessage],
        learnedFrom first: Int = 0,
        addGenerationPrompt: Bool = false
    ) throws -> ChatTokens {
        guard !messages.isEmpty else { throw failure("the conversation is empty") }
        for (index, message) in messages.enumerated() where message.role == .system && index > 0 {
            throw failure("message \(index + 1) is a system message; only the first may be")
        }
        if addGenerationPrompt, messages[messages.count - 1].role == .assistant {
            throw failure("the last message is the assistant's already; end with the user's")
        }
        // Some files do not call the markers special; they are control all the same.
        let control = tokenizer.model.isSpecial.union(markers.map(\.id)).union(namedMarks.values.map(\.id))
        var builder = ChatBuilder(model: tokenizer.model, control: control)
        switch format {
        case .chatML: layoutChatML(messages, first, addGenerationPrompt, &builder)
        case .llama2: try layoutLlama2(messages, first, addGenerationPrompt, &builder)
        case .mistral: try layoutMistral(messages, first, &builder)
        case .zephyr: try layoutZephyr(messages, first, addGenerationPrompt, &builder)
        case .llama3: layoutLlama3(messages, first, addGenerationPrompt, &builder)
        }
        builder.flush()
        return ChatTokens(ids: builder.ids, isAssistant: builder.isAssistant)
    }

    private func failure(_ message: String) -> TokenizationError {
        TokenizationError(.malformed, place: "chat", message)
    }

    private func layoutChatML(_ messages: [ChatMessage], _ first: Int, _ opens: Bool, _ builder: inout ChatBuilder) {
        func turn(_ role: String, _ content: String, isLearned: Bool) {
            builder.add(markers[0])
            builder.add("\(role)\n")
            builder.add(content, isLearned: isLearned)
            builder.add(markers[1], isLearned: isLearned)
            builder.add("\n")
        }
        if messages[0].role != .system, let defaultSystem { turn("system", defaultSystem, isLearned: false) }
        // Thoughts are kept after the user's last question only.
        let question = messages.lastIndex { $0.role == .user && !$0.isToolResponse } ?? messages.count - 1
        for (index, message) in messages.enumerated() {
            let isLearned = message.role == .assistant && index >= first
            guard let thinking, message.role == .assistant else {
                turn(message.role.rawValue, message.content, isLearned: isLearned)
                continue
            }
            let (thoughts, answer) = ThinkingLayout.split(message.content)
            guard index > question, index == messages.count - 1 || !thoughts.isEmpty else {
                turn("assistant", answer, isLearned: isLearned)
                continue
            }
            builder.add(markers[0])
            builder.add("assistant\n")
            // What the template says itself before an answer is not the model's to learn.
            builder.add("<think>\n", isLearned: isLearned && !thinking.isOpened)
            builder.add(thoughts + "\n</think>\n\n" + answer.strippingLineFeeds(atEnd: false), isLearned: isLearned)
            builder.add(markers[1], isLearned: isLearned)
            builder.add("\n")
        }
        if opens {
            builder.add(markers[0])
            builder.add("assistant\n")
            if thinking?.isOpened == true { builder.add("<think>\n") }
            if skipsThinking { builder.add("<think>\n\n</think>\n\n") }
        }
    }

    private func layoutZephyr(
        _ messages: [ChatMessage],
        _ first: Int,
        _ opens: Bool,
        _ builder: inout ChatBuilder
    ) throws {
        try checkMarks(messages)
        for (index, message) in messages.enumerated() {
            let isLearned = message.role == .assistant && index >= first
            add("<|\(message.role.rawValue)|>", to: &builder)
            builder.add("\n")
            builder.add(message.content, isLearned: isLearned)
            builder.add(markers[0], isLearned: isLearned)
            builder.add("\n")
        }
        if opens {
            add("<|assistant|>", to: &builder)
            builder.add("\n")
        }
    }

    private func layoutMistral(_ messages: [ChatMessage], _ first: Int, _ builder: inout ChatBuilder) throws {
        try checkMarks(messages)
        let system = messages[0].role == .system ? messages[0].content : nil
        if system != nil, instruct.system == nil {
            throw failure("the model's chat template has no place for a system message; put it into the user's")
        }
        let turns = messages.dropFirst(system == nil ? 0 : 1)
        try checkTurns(turns)
        let host = instruct.system == .last ? turns.lastIndex { $0.role == .user } : turns.startIndex
        func mark(_ name: String, in literal: String) {
            let parts = literal.components(separatedBy: name)
            builder.add(parts[0])
            add(name, to: &builder)
            builder.add(parts[1])
        }
        builder.add(markers[0])
        for index in turns.indices {
            let content = messages[index].content
            if messages[index].role == .user {
                mark("[INST]", in: instruct.opening)
                if let system, index == host { builder.add(system + "\n\n") }
                builder.add(content)
                mark("[/INST]", in: instruct.closing)
            } else {
                let isLearned = index >= first
                builder.add(instruct.answerLead, isLearned: isLearned)
                builder.add(instruct.stripsAnswers ? content.strippingWhitespace() : content, isLearned: isLearned)
                builder.add(markers[1], isLearned: isLearned)
                builder.add(instruct.answerTrail)
            }
        }
    }

    /// Adds a mark of the format: its token where the vocabulary has one, and else its text.
    private func add(_ mark: String, to builder: inout ChatBuilder) {
        if let marker = namedMarks[mark] { builder.add(marker) } else { builder.add(mark) }
    }

    /// Refuses messages that spell marks which are text to the tokenizer: they would be taken for the format's own.
    private func checkMarks(_ messages: [ChatMessage]) throws {
        for (index, message) in messages.enumerated() where message.role != .assistant {
            // By bytes: to Swift a mark that a combining accent follows is another text, to the tokenizer it is not.
            let content = Array(message.content.utf8)
            for mark in textMarks where content.containsSequence(Array(mark.utf8)) {
                throw failure(
                    "message \(index + 1) spells \(mark), which the format \(format.rawValue) keeps for itself"
                )
            }
        }
    }

    /// Refuses turns that do not alternate, the user first.
    private func checkTurns(_ turns: ArraySlice<ChatMessage>) throws {
        guard !turns.isEmpty else {
            throw failure("the format \(format.rawValue) needs a user message after the system message")
        }
        for (offset, index) in turns.indices.enumerated()
        where turns[index].role != (offset % 2 == 0 ? .user : .assistant) {
            throw failure(
                "message \(index + 1): in the format \(format.rawValue) user and assistant take turns, the user first"
            )
        }
    }

    private func layoutLlama3(_ messages: [ChatMessage], _ first: Int, _ opens: Bool, _ builder: inout ChatBuilder) {
        func header(_ role: String) {
            builder.add(markers[1])
            builder.add(role)
            builder.add(markers[2])
            builder.add("\n\n")
        }
        func turn(_ role: String, _ content: String, isLearned: Bool) {
            header(role)
            builder.add(content, isLearned: isLearned)
            builder.add(markers[3], isLearned: isLearned)
        }
        builder.add(markers[0])
        if messages[0].role != .system, let preamble { turn("system", preamble, isLearned: false) }
        for (index, message) in messages.enumerated() {
            let lead = message.role == .system ? preamble ?? "" : ""
            turn(
                message.role.rawValue,
                lead + message.content.strippingWhitespace(),
                isLearned: message.role == .assistant && index >= first
            )
        }
        if opens { header("assistant") }
    }

    private func layoutLlama2(
        _ messages: [ChatMessage],
        _ first: Int,
        _ opens: Bool,
        _ builder: inout ChatBuilder
    ) throws {
        try checkMarks(messages)
        let hasSystem = messages[0].role == .system
        let turns = messages.dropFirst(hasSystem ? 1 : 0)
        try checkTurns(turns)
        for (offset, index) in turns.indices.enumerated() {
            let message = messages[index]
            if message.role == .user {
                let lead = hasSystem && offset == 0 ? "<<SYS>>\n\(messages[0].content)\n<</SYS>>\n\n" : ""
                builder.add(markers[0])
                builder.add("[INST] \((lead + message.content).strippingWhitespace()) [/INST]")
            } else {
                builder.add(" \(message.content.strippingWhitespace()) ", isLearned: index >= first)
                builder.add(markers[1], isLearned: index >= first)
            }
        }
    }
}

/// Puts special tokens and text together; adjacent texts are encoded as one, as in the rendered string.
private struct ChatBuilder {
    let model: TokenizerModel
    private(set) var ids: [TokenID] = []
    private(set) var isAssistant: [Bool] = []
    private var text: [UInt8] = []
    private var isLearned: [Bool] = []
    /// Where `text` stands in the rendered string: some tokenizers treat its very beginning differently.
    private var origin = 0

    /// Tokens that no text may become.
    private let control: Set<TokenID>

    init(model: TokenizerModel, control: Set<TokenID>) {
        self.model = model
        self.control = control
    }

    mutating func add(_ text: String, isLearned: Bool = false) {
        self.text += text.utf8
        self.isLearned += repeatElement(isLearned, count: text.utf8.count)
    }

    mutating func add(_ marker: (id: TokenID, length: Int), isLearned: Bool = false) {
        flush()
        ids.append(marker.id)
        isAssistant.append(isLearned)
        origin += marker.length
    }

    /// Encodes the text so far.
    ///
    /// A token is the assistant's where it begins in the assistant's text: one that begins
    /// before it has to be there already when the assistant's turn begins.
    mutating func flush() {
        guard !text.isEmpty else { return }
        text.withUnsafeBufferPointer { bytes in
            model.encode(bytes, origin: origin, excluding: control, keepsOffsets: true) { id, range in
                ids.append(id)
                isAssistant.append(isLearned[min(range.lowerBound - origin, isLearned.count - 1)])
            }
        }
        origin += text.count
        text.removeAll(keepingCapacity: true)
        isLearned.removeAll(keepingCapacity: true)
    }
}

extension String {
    /// The text without white space at both ends.
    fileprivate func strippingWhitespace() -> String {
        let scalars = unicodeScalars
        guard let start = scalars.firstIndex(where: { !$0.properties.isWhitespace }),
            let end = scalars.lastIndex(where: { !$0.properties.isWhitespace })
        else { return "" }
        return String(scalars[start...end])
    }
}

extension ChatMessage {
    /// Whether a user's message is what a tool answered, as Qwen's templates tell it.
    fileprivate var isToolResponse: Bool {
        content.hasPrefix("<tool_response>") && content.hasSuffix("</tool_response>")
    }
}
