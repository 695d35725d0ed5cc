/// The thoughts that reasoning models put before their answers: `<think>…</think>`, often without the opening tag.
enum Thoughts {
    /// What of a text is meant to be read.
    struct Visible {
        var text: String
        /// Whether nothing stands behind the thoughts, so that the text is what they hold.
        var isDraft: Bool
    }

    private static let names: Set<String> = ["think", "thinking", "thought", "thoughts"]
    private static let longestTag = 14

    /// What stands behind the last closing tag, and before a tag that is never closed.
    ///
    /// Where nothing stands behind the closing tag, what the thoughts hold is all there is. Linear.
    static func visible(_ text: String) -> Visible {
        guard text.utf8.contains(UInt8(ascii: "<")) else { return Visible(text: text, isDraft: false) }
        let bytes = Array(text.utf8)
        var start = 0
        var draft = 0..<0
        var open: (tag: Int, content: Int)?
        var isThought = false
        var index = 0
        while index < bytes.count {
            guard bytes[index] == UInt8(ascii: "<"), let (closes, end) = tag(bytes, at: index) else {
                index += 1
                continue
            }
            isThought = true
            if closes {
                draft = (open?.content ?? start)..<index
                start = end
                open = nil
            } else if open == nil {
                open = (index, end)
            }
            index = end
        }
        guard isThought else { return Visible(text: text, isDraft: false) }
        let visible = String(decoding: bytes[start..<(open?.tag ?? bytes.count)], as: UTF8.self)
        guard visible.trimmed.isEmpty, !draft.isEmpty else { return Visible(text: visible, isDraft: false) }
        return Visible(text: String(decoding: bytes[draft], as: UTF8.self), isDraft: true)
    }

    /// Whether the tag that starts here closes thoughts, and where it ends; nil where it is none of thoughts.
    private static func tag(_ bytes: [UInt8], at start: Int) -> (closes: Bool, end: Int)? {
        var name = ""
        var closes = false
        for index in (start + 1)..<min(start + 1 + longestTag, bytes.count) {
            switch bytes[index] {
            case UInt8(ascii: "/") where name.isEmpty: closes = true
            case UInt8(ascii: ">"): return names.contains(name.lowercased()) ? (closes, index + 1) : nil
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"):
                name.unicodeScalars.append(Unicode.Scalar(bytes[index]))
            case UInt8(ascii: " "): break
            default: return nil
            }
        }
        return nil
    }
}
