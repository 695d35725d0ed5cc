public import Foundation
public import Tokenization

/// Reads training examples from JSON lines in TRL's layouts.
///
/// A field is a text, or a list of messages with `role` and `content`. Texts are encoded as they stand, special tokens
/// that they spell included, as TRL does; messages are laid out in the model's chat format and can spell none. A bad
/// line is left out and told; the rest goes on.
public struct TrainingDataReader: Sendable {
    /// The model's tokenizer.
    public let tokenizer: Tokenizer
    /// The longest sequence, prompt included, in tokens.
    public let maximumLength: Int
    private let chat: Result<ChatTemplate, any Error>
    private let endOfText: TokenID

    /// A reader.
    ///
    /// - Parameters:
    ///   - tokenizer: The model's tokenizer.
    ///   - chat: The model's chat format, or why it has none; that is an error only where a line has messages.
    ///   - endOfText: Ends a completion that is given as text.
    ///   - maximumLength: The longest sequence, prompt included, in tokens; longer ones are cut at their end.
    /// - Throws: ``TrainingError`` when the maximum is below 2.
    public init(
        tokenizer: Tokenizer,
        chat: Result<ChatTemplate, any Error>,
        endOfText: TokenID,
        maximumLength: Int
    ) throws {
        guard maximumLength >= 2 else {
            throw TrainingError.invalidOption("the maximum length is \(maximumLength); it must be at least 2")
        }
        self.tokenizer = tokenizer
        self.chat = chat
        self.endOfText = endOfText
        self.maximumLength = maximumLength
    }

    /// Examples for fine-tuning.
    ///
    /// A line has `messages`, or `prompt` and `completion`. Only what the assistant says is learned.
    ///
    /// - Throws: ``TrainingError`` when no line can be used; `TokenizationError` when a line has messages and the model
    ///   no known chat format.
    public func supervised(_ data: Data, place: String) throws -> TrainingData<SupervisedExample> {
        try read(data, place: place) { row in
            var example = try supervised(row)
            while example.weights.last == 0 {
                example.tokens.removeLast()
                example.weights.removeLast()
            }
            let isLong = example.tokens.count > maximumLength
            if isLong {
                example.tokens.removeLast(example.tokens.count - maximumLength)
                example.weights.removeLast(example.weights.count - maximumLength)
            }
            guard example.weights.dropFirst().contains(where: { $0 != 0 }) else {
                throw TrainingLineError(
                    isLong
                        ? "nothing that is learned lies in the first \(maximumLength) tokens; raise the maximum length"
                        : "has nothing to learn; give the assistant something to say"
                )
            }
            return ([example], isLong ? 1 : 0)
        }
    }

    /// Pairs for preference training.
    ///
    /// A line has `prompt`, `chosen` and `rejected`; without `prompt`, what two lists of messages begin with alike is the
    /// prompt.
    ///
    /// - Throws: ``TrainingError`` when no line can be used; `TokenizationError` when a line has messages and the model
    ///   no known chat format.
    public func preferences(_ data: Data, place: String) throws -> TrainingData<PreferenceExample> {
        try read(data, place: place) { row in
            let (pair, isTruncated) = try pair(row, chosen: ["chosen"], rejected: ["rejected"])
            return ([pair], isTruncated ? 1 : 0)
        }
    }

    /// Reads the lines with `make`, which gives a line's examples and how many of them were cut.
    package func read<Example>(
        _ data: Data,
        place: String,
        _ make: (TrainingRow) throws -> ([Example], Int)
    ) throws -> TrainingData<Example> {
        var result = TrainingData<Example>()
        let mark: [UInt8] = [0xEF, 0xBB, 0xBF]
        let lines = data.dropFirst(data.starts(with: mark) ? mark.count : 0)
            .split(separator: 0x0A, omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            if line.allSatisfy({ $0 == 0x20 || $0 == 0x09 || $0 == 0x0D }) { continue }
            do {
                let (examples, truncated) = try make(try TrainingRow(line, number: index + 1))
                result.examples += examples
                result.truncated += truncated
            } catch let error as TrainingLineError {
                result.rejected.append(RejectedLine(number: index + 1, reason: error.reason))
            }
        }
        guard !result.examples.isEmpty else {
            let first = result.rejected.first.map { "; the first, \($0)" } ?? ""
            throw TrainingError.invalidExample(
                "\(place) has no line that can be used (\(result.rejected.count) were left out)\(first)"
            )
        }
        return result
    }

    // MARK: One line

    private func supervised(_ row: TrainingRow) throws -> SupervisedExample {
        if row.has("messages") {
            guard case .messages(let messages) = try row.content("messages") else {
                throw TrainingLineError("\"messages\" is a text; it must be a list of messages")
            }
            return try example(messages, learnedFrom: 0)
        }
        guard row.has("prompt"), row.has("completion") else {
            throw TrainingLineError(
                "has \(row.keys), but neither \"messages\" nor \"prompt\" and \"completion\"; give one of these"
            )
        }
        switch (try row.content("prompt"), try row.content("completion")) {
        case (.text(let prompt), .text(let completion)):
            let ids = tokenizer.encodePrompt(prompt)
            return SupervisedExample(prompt: ids, response: response(completion, to: ids))
        case (.messages(let prompt), .messages(let completion)):
            return try example(prompt + completion, learnedFrom: prompt.count)
        default: throw mixed(["prompt", "completion"])
        }
    }

    /// The pair of a row, its completions under the first of the names that the row has.
    package func pair(
        _ row: TrainingRow,
        chosen chosenNames: [String],
        rejected rejectedNames: [String]
    ) throws -> (pair: PreferenceExample, isTruncated: Bool) {
        guard let chosenName = chosenNames.first(where: row.has), let rejectedName = rejectedNames.first(where: row.has)
        else {
            let wanted = zip(chosenNames, rejectedNames).map { "\"\($0)\" and \"\($1)\"" }.joined(separator: " or ")
            throw TrainingLineError("has \(row.keys), but not \(wanted); give \"prompt\" and these")
        }
        var pair: PreferenceExample
        switch (try row.content(chosenName), try row.content(rejectedName)) {
        case (.text(let chosen), .text(let rejected)):
            guard row.has("prompt") else {
                throw TrainingLineError("has no \"prompt\"; cut what both texts begin with off and give it as such")
            }
            guard case .text(let prompt) = try row.content("prompt") else {
                throw mixed(["prompt", chosenName, rejectedName])
            }
            let ids = tokenizer.encodePrompt(prompt)
            pair = PreferenceExample(
                id: row.name,
                prompt: ids,
                chosen: response(chosen, to: ids),
                rejected: response(rejected, to: ids)
            )
        case (.messages(var chosen), .messages(var rejected)):
            var prompt: [ChatMessage]
            if row.has("prompt") {
                guard case .messages(let messages) = try row.content("prompt") else {
                    throw mixed(["prompt", chosenName, rejectedName])
                }
                prompt = messages
            } else {
                let shared = zip(chosen, rejected).prefix { $0 == $1 }.count
                prompt = Array(chosen.prefix(shared))
                chosen.removeFirst(shared)
                rejected.removeFirst(shared)
                guard !prompt.isEmpty else {
                    throw TrainingLineError("has no \"prompt\" and the conversations begin differently; give a prompt")
                }
            }
            pair = try self.pair(row.name, prompt: prompt, chosen: chosen, rejected: rejected)
        default: throw mixed([chosenName, rejectedName])
        }
        guard !pair.prompt.isEmpty else { throw TrainingLineError("\"prompt\" is empty; it needs a token") }
        let room = maximumLength - pair.prompt.count
        guard room > 0 else {
            throw TrainingLineError(
                "the prompt's \(pair.prompt.count) tokens leave no room for an answer in the maximum length of "
                    + "\(maximumLength); raise it or shorten the prompt"
            )
        }
        let isTruncated = pair.chosen.count > room || pair.rejected.count > room
        pair.chosen = Array(pair.chosen.prefix(room))
        pair.rejected = Array(pair.rejected.prefix(room))
        pair.chosenMask = pair.chosenMask.map { Array($0.prefix(room)) }
        pair.rejectedMask = pair.rejectedMask.map { Array($0.prefix(room)) }
        guard pair.chosen != pair.rejected else {
            throw TrainingLineError(
                "\"\(chosenName)\" and \"\(rejectedName)\" are the same"
                    + (isTruncated
                        ? " up to the maximum length of \(maximumLength); raise it"
                        : "; there is nothing to tell apart")
            )
        }
        return (pair, isTruncated)
    }

    private func pair(
        _ id: String,
        prompt: [ChatMessage],
        chosen: [ChatMessage],
        rejected: [ChatMessage]
    ) throws -> PreferenceExample {
        let first = try layout(prompt + chosen, learnedFrom: prompt.count)
        let second = try layout(prompt + rejected, learnedFrom: prompt.count)
        guard let firstStart = first.isAssistant.firstIndex(of: true),
            let firstEnd = first.isAssistant.lastIndex(of: true),
            let secondStart = second.isAssistant.firstIndex(of: true),
            let secondEnd = second.isAssistant.lastIndex(of: true)
        else { throw TrainingLineError("a completion has no assistant message; it must say something") }
        // Where an answer's first characters and the template's last make one token, the prompts differ by it.
        let start = zip(first.ids[..<firstStart], second.ids[..<secondStart]).prefix { $0 == $1 }.count
        func side(_ tokens: ChatTokens, _ own: Int, _ end: Int) -> (ids: [TokenID], mask: [Bool]?) {
            let marks = tokens.isAssistant[own...end]
            let mask = [Bool](repeating: true, count: own - start) + marks
            return (Array(tokens.ids[start...end]), marks.contains(false) ? mask : nil)
        }
        let (chosenIDs, chosenMask) = side(first, firstStart, firstEnd)
        let (rejectedIDs, rejectedMask) = side(second, secondStart, secondEnd)
        return PreferenceExample(
            id: id,
            prompt: Array(first.ids[..<start]),
            chosen: chosenIDs,
            rejected: rejectedIDs,
            chosenMask: chosenMask,
            rejectedMask: rejectedMask
        )
    }

    private func example(_ messages: [ChatMessage], learnedFrom first: Int) throws -> SupervisedExample {
        let tokens = try layout(messages, learnedFrom: first)
        return SupervisedExample(tokens: tokens.ids, weights: tokens.isAssistant.map { $0 ? 1 : 0 })
    }

    private func layout(_ messages: [ChatMessage], learnedFrom first: Int) throws -> ChatTokens {
        // A model without a known format fails the file, not the line.
        let chat = try chat.get()
        do {
            return try chat.layout(messages, learnedFrom: first)
        } catch let error as TokenizationError {
            throw TrainingLineError(error.message)
        }
    }

    /// Encoded apart from the prompt, so that the prompt's tokens are those of its use.
    private func response(_ text: String, to prompt: [TokenID]) -> [TokenID] {
        let ids = tokenizer.encode(text, continuing: prompt)
        return ids.last == endOfText ? ids : ids + [endOfText]
    }

    private func mixed(_ keys: [String]) -> TrainingLineError {
        let names = keys.map { "\"\($0)\"" }.joined(separator: ", ")
        return TrainingLineError("mixes texts and lists of messages; make \(names) all one or all the other")
    }
}
