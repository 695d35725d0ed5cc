import Reasoning

/// Keeps a reasoning model's thoughts apart from its answer, where a server sends both as one text.
///
/// What stands before the last `</think>` is thought, with or without the opening tag, which chat templates often write
/// into the prompt. A text that opens its thoughts and never closes them is no answer.
enum ThoughtText {
    private static let names = ["think", "thinking", "thought", "reasoning"]

    /// The thoughts, nil where there are none, and the answer, empty where the thoughts did not end.
    static func split(_ text: String) -> (thoughts: String?, answer: String) {
        var last: Range<String.Index>?
        for name in names {
            guard let found = text.ranges(of: "</\(name)>").last else { continue }
            if last.map({ $0.lowerBound < found.lowerBound }) ?? true { last = found }
        }
        if let last {
            return (withoutOpening(String(text[..<last.lowerBound])), String(text[last.upperBound...]).trimmed)
        }
        let start = text.trimmed
        guard names.contains(where: { start.lowercased().hasPrefix("<\($0)>") }) else { return (nil, text) }
        return (withoutOpening(start), "")
    }

    private static func withoutOpening(_ text: String) -> String {
        let text = text.trimmed
        guard text.hasPrefix("<"), let close = text.firstIndex(of: ">"),
            names.contains(text[text.index(after: text.startIndex)..<close].lowercased())
        else { return text }
        return String(text[text.index(after: close)...]).trimmed
    }
}
