public import Foundation
public import Tokenization

/// Reads training examples from JSON lines in TRL's layouts.
///
/// A field is a text, or a list of messages with `role` and `content` (or ShareGPT's `from` and `value`), which the
/// model's chat template lays out together with the row's `tools` and `chat_template_kwargs`. A prompt and its completion
/// are encoded as one text, and the completion begins where its tokens differ from those of the prompt alone, as in TRL.
/// A bad line is left out and told; the rest goes on.
public struct TrainingDataReader: Sendable {
    /// The model's tokenizer.
    public let tokenizer: Tokenizer
    /// The longest sequence, prompt included, in tokens.
    public let maximumLength: Int
    let chat: Result<ChatEncoder, any Error>
    private let chatArguments: [Conversation.Argument]
    let endOfText: TokenID

    /// A reader.
    ///
    /// - Parameters:
    ///   - tokenizer: The model's tokenizer.
    ///   - chat: The model's chat template, or why it has none; that is an error only where a line has messages.
    ///   - chatArguments: Values for the template, where a row has none of its own for them.
    ///   - endOfText: Ends a completion that is given as text.
    ///   - maximumLength: The longest sequence, prompt included, in tokens; longer ones are cut at their end.
    /// - Throws: ``TrainingError`` when the maximum is below 2.
    package init(
        tokenizer: Tokenizer,
        chat: Result<ChatEncoder, any Error>,
        chatArguments: [Conversation.Argument] = [],
        endOfText: TokenID,
        maximumLength: Int
    ) throws {
        guard maximumLength >= 2 else {
            throw TrainingError.invalidOption("the maximum length is \(maximumLength); it must be at least 2")
        }
        self.tokenizer = tokenizer
        self.chat = chat
        self.chatArguments = chatArguments
        self.endOfText = endOfText
        self.maximumLength = maximumLength
    }

    /// Examples for fine-tuning.
    ///
    /// A line has `messages` (or `conversations`), `prompt` and `completion`, or a whole `text`. Of messages only the
    /// assistant's are learned, of a text everything.
    ///
    /// - Throws: ``TrainingError`` when no line can be used; `TokenizationError` when a line has messages and the model
    ///   no chat template.
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
    /// A line has `prompt`, `chosen` and `rejected`; without `prompt`, or beside a prompt that is a text, what two lists of
    /// messages begin with alike is the prompt.
    ///
    /// - Throws: ``TrainingError`` when no line can be used; `TokenizationError` when a line has messages and the model
    ///   no chat template.
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
        guard !data.starts(with: Array("PAR1".utf8)) else {
            throw TrainingError.invalidExample(
                "\(place) is Parquet; turn it into JSON lines with: python3 -c 'import json, sys, pyarrow.parquet as p; "
                    + "[print(json.dumps(row, default=str)) for row in p.read_table(sys.argv[1]).to_pylist()]' FILE > FILE.jsonl"
            )
        }
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
        for key in ["messages", "conversations"] where row.has(key) {
            guard case .messages(let messages) = try row.content(key) else {
                throw TrainingLineError("\"\(key)\" is a text; it must be a list of messages")
            }
            return example(try layout(conversation(of: row, messages), learnedFrom: 0))
        }
        if row.has("text"), !row.has("prompt") {
            guard case .text(let text) = try row.content("text") else {
                throw TrainingLineError("\"text\" is a list; it must be a string")
            }
            let ids = tokenizer.encodePrompt(ended(text))
            return SupervisedExample(tokens: ids, weights: [Float](repeating: 1, count: ids.count))
        }
        guard row.has("prompt"), row.has("completion") else {
            throw TrainingLineError(
                "has \(row.keys), but neither \"messages\", \"prompt\" and \"completion\", nor \"text\"; give one of these"
            )
        }
        switch (try row.content("prompt"), try row.content("completion")) {
        case (.text(let prompt), .text(let completion)):
            try refuseConversationFields(row)
            let whole = tokenizer.encodePrompt(prompt + ended(completion))
            let start = sharedCount(tokenizer.encodePrompt(prompt), whole)
            return SupervisedExample(prompt: Array(whole[..<start]), response: Array(whole[start...]))
        case (.messages(let prompt), .messages(let completion)):
            return try example(conversation(of: row, prompt + completion), prompt: prompt.count)
        case (.text(let prompt), .messages(let completion)):
            // A completion that holds the question too says it all.
            if completion[0].role != "assistant" {
                return example(try layout(conversation(of: row, completion), learnedFrom: 0))
            }
            return try example(conversation(of: row, [ChatMessage("user", prompt)] + completion), prompt: 1)
        case (.messages, .text): throw mixed(["prompt", "completion"])
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
            try refuseConversationFields(row)
            pair = try self.pair(of: row, texts: chosen, rejected, names: [chosenName, rejectedName])
        case (.messages(let chosen), .messages(let rejected)):
            pair = try self.pair(of: row, messages: chosen, rejected)
        default: throw mixed([chosenName, rejectedName])
        }
        guard !pair.prompt.isEmpty else {
            throw TrainingLineError(
                "\"prompt\" has no token of its own: it is empty, or its end and the answers' beginning make one token; end it "
                    + "with a space or a line feed"
            )
        }
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

    // MARK: For both kinds of rows

    func conversation(of row: TrainingRow, _ messages: [ChatMessage]) throws -> Conversation {
        let own = try row.conversation(messages)
        if let field = try? chat.get().template.unread(in: own) {
            throw TrainingLineError(
                "has \(field), which the model's chat template never reads, so that it would not be learned; leave it out, or "
                    + "give a template that reads it"
            )
        }
        return own.adding(chatArguments)
    }

    func sharedCount(_ left: [TokenID], _ right: [TokenID]) -> Int {
        zip(left, right).prefix { $0 == $1 }.count
    }

    func mixed(_ keys: [String]) -> TrainingLineError {
        let names = keys.map { "\"\($0)\"" }.joined(separator: ", ")
        return TrainingLineError("mixes texts and lists of messages; make \(names) all one or all the other")
    }
}
