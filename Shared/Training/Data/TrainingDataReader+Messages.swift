import Tokenization

/// Rows whose fields are lists of messages.
extension TrainingDataReader {
    func pair(
        of row: TrainingRow,
        messages chosen: [ChatMessage],
        _ rejected: [ChatMessage]
    ) throws -> PreferenceExample {
        var (chosen, rejected) = (chosen, rejected)
        var prompt: [ChatMessage] = []
        var text: String?
        if row.has("prompt") {
            switch try row.content("prompt") {
            case .messages(let messages): prompt = messages
            case .text(let question): text = question
            }
        }
        if prompt.isEmpty {
            // The question may stand in both conversations as well as in a text beside them.
            let shared = zip(chosen, rejected).prefix { $0 == $1 }.count
            prompt = Array(chosen.prefix(shared))
            chosen.removeFirst(shared)
            rejected.removeFirst(shared)
            if prompt.isEmpty, let text { prompt = [ChatMessage("user", text)] }
            guard !prompt.isEmpty else {
                throw TrainingLineError("has no \"prompt\" and the conversations begin differently; give a prompt")
            }
        }
        let before = try encode(conversation(of: row, prompt))
        let first = try completion(conversation(of: row, prompt + chosen), prompt: prompt.count, before)
        let second = try completion(conversation(of: row, prompt + rejected), prompt: prompt.count, before)
        let start = min(first.start, second.start)
        func side(_ completion: Completion) -> (ids: [TokenID], mask: [Bool]?) {
            // Where one side's tokens differ from the prompt's earlier, the other's go with them.
            let own = [Bool](repeating: true, count: completion.start - start) + completion.isLearned
            let ids = Array(completion.ids[start...])
            let end = (own.lastIndex(of: true) ?? -1) + 1
            return (Array(ids[..<end]), own[..<end].contains(false) ? Array(own[..<end]) : nil)
        }
        let (chosenIDs, chosenMask) = side(first)
        let (rejectedIDs, rejectedMask) = side(second)
        return PreferenceExample(
            id: row.name,
            prompt: Array(before[..<start]),
            chosen: chosenIDs,
            rejected: rejectedIDs,
            chosenMask: chosenMask,
            rejectedMask: rejectedMask
        )
    }

    func example(_ conversation: Conversation, prompt: Int) throws -> SupervisedExample {
        let before = try encode(conversation.with(conversation.messages.prefix(prompt)))
        let completion = try completion(conversation, prompt: prompt, before)
        let weights = [Bool](repeating: false, count: completion.start) + completion.isLearned
        return SupervisedExample(tokens: completion.ids, weights: weights.map { $0 ? 1 : 0 })
    }

    func example(_ tokens: ChatTokens) -> SupervisedExample {
        SupervisedExample(tokens: tokens.ids, weights: tokens.isAssistant.map { $0 ? 1 : 0 })
    }

    /// What follows a prompt.
    private struct Completion {
        /// The whole conversation.
        let ids: [TokenID]
        /// Where it differs from the prompt alone.
        let start: Int
        /// For each token from there, whether it is learned.
        let isLearned: [Bool]
    }

    private func completion(_ conversation: Conversation, prompt: Int, _ before: [TokenID]) throws -> Completion {
        let added = conversation.messages.dropFirst(prompt)
        guard added.contains(where: { $0.role == "assistant" }) else {
            throw TrainingLineError("a completion has no assistant message; it must say something")
        }
        // One answer is all that its tokens have more than the prompt's, as in TRL; between several there are turns of
        // others, which are not learned.
        guard added.count > 1 else {
            let ids = try chat { try $0.encode(conversation, addGenerationPrompt: false) }
            let start = sharedCount(before, ids)
            return Completion(ids: ids, start: start, isLearned: [Bool](repeating: true, count: ids.count - start))
        }
        let tokens = try layout(conversation, learnedFrom: prompt)
        let start = min(sharedCount(before, tokens.ids), tokens.isAssistant.firstIndex(of: true) ?? tokens.ids.count)
        return Completion(ids: tokens.ids, start: start, isLearned: Array(tokens.isAssistant[start...]))
    }

    private func encode(_ conversation: Conversation) throws -> [TokenID] {
        try chat { try $0.encode(conversation, addGenerationPrompt: true) }
    }

    func layout(_ conversation: Conversation, learnedFrom first: Int) throws -> ChatTokens {
        try chat { try $0.layout(conversation, learnedFrom: first) }
    }

    /// Runs `body`, whose faults are the line's; a model without a chat template fails the file.
    private func chat<Result>(_ body: (ChatEncoder) throws -> Result) throws -> Result {
        let encoder = try chat.get()
        do {
            return try body(encoder)
        } catch let error as TokenizationError {
            throw TrainingLineError(error.message)
        }
    }
}
