import Tokenization

/// Rows whose fields are texts.
extension TrainingDataReader {
    func pair(
        of row: TrainingRow,
        texts chosen: String,
        _ rejected: String,
        names: [String]
    ) throws -> PreferenceExample {
        var (prompt, chosen, rejected) = ("", Substring(chosen), Substring(rejected))
        if row.has("prompt") {
            guard case .text(let text) = try row.content("prompt") else { throw mixed(["prompt"] + names) }
            prompt = text
        } else {
            // What both begin with, but for the space before the first difference, which belongs to the answers' words.
            var shared = zip(chosen.unicodeScalars, rejected.unicodeScalars).prefix { $0 == $1 }.map(\.0)
            if shared.last == " " { shared.removeLast() }
            guard !shared.isEmpty else {
                throw TrainingLineError("has no \"prompt\" and the texts begin differently; give a prompt")
            }
            prompt.unicodeScalars.append(contentsOf: shared)
            chosen = Substring(chosen.unicodeScalars.dropFirst(shared.count))
            rejected = Substring(rejected.unicodeScalars.dropFirst(shared.count))
        }
        let before = tokenizer.encodePrompt(prompt)
        let first = tokenizer.encodePrompt(prompt + ended(String(chosen)))
        let second = tokenizer.encodePrompt(prompt + ended(String(rejected)))
        let start = min(sharedCount(before, first), sharedCount(before, second))
        return PreferenceExample(
            id: row.name,
            prompt: Array(before[..<start]),
            chosen: Array(first[start...]),
            rejected: Array(second[start...])
        )
    }

    /// A text with the token that ends it, spelled out as TRL does, unless it ends with it already.
    func ended(_ text: String) -> String {
        guard let end = tokenizer.token(endOfText), !text.utf8.reversed().starts(with: end.utf8.reversed()) else {
            return text
        }
        return text + end
    }

    func refuseConversationFields(_ row: TrainingRow) throws {
        if let field = row.conversationFields.first {
            throw TrainingLineError("has \"\(field)\", which texts have no use for; give messages, or leave it out")
        }
    }
}
