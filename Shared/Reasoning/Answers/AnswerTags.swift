/// Finds `<Answer>` elements as models write them: any case, attributes, blanks and colons, ends without a slash or missing.
enum AnswerTags {
    private static let longestTag = 60

    private enum Tag {
        case open
        case close
        /// Another element of a structured text, which ends an answer that was not closed.
        case other
        /// Mark-up inside an answer.
        case markup
    }

    private static let elements: Set<String> = [
        "step", "key", "generalized", "generalised", "generalization", "generalisation", "cause", "correction",
        "verdict",
        "reason", "reasoning", "explanation", "solution", "question", "problem", "evaluate",
    ]

    /// What the last element holds that holds anything; of one without an end its first line.
    ///
    /// Every byte is looked at twice at most.
    static func last(in bytes: [UInt8]) -> String? {
        guard bytes.hasByte(UInt8(ascii: "<")) else { return nil }
        var answer: String?
        var content: [UInt8]?
        func settle() {
            guard let held = content else { return }
            content = nil
            answer = text(held) ?? answer
        }
        var index = 0
        while index < bytes.count {
            if content == nil {
                // Outside of an answer only tags count.
                guard let next = bytes.place(of: UInt8(ascii: "<"), from: index) else { break }
                index = next
            }
            guard bytes[index] == UInt8(ascii: "<"), let (tag, end) = tag(bytes, at: index) else {
                content?.append(bytes[index])
                index += 1
                continue
            }
            switch tag {
            // `<Answer>12<Answer>`: the second is a closing tag without its slash.
            case .open: if content == nil { content = [] } else { settle() }
            case .close, .other: settle()
            case .markup: content?.append(UInt8(ascii: " "))
            }
            index = end
        }
        if let rest = content {
            let line = String(decoding: rest, as: UTF8.self).split(whereSeparator: \.isNewline)
                .first { !String($0).trimmed.isEmpty }
            answer = line.flatMap { text(Array($0.utf8)) } ?? answer
        }
        return answer
    }

    private static func text(_ bytes: [UInt8]) -> String? {
        let bare = AnswerText.bare(unescaped(bytes))
        return bare.isEmpty ? nil : bare
    }

    private static let escapes: [(text: [UInt8], byte: UInt8)] = [
        (Array("&lt;".utf8), UInt8(ascii: "<")), (Array("&gt;".utf8), UInt8(ascii: ">")),
        (Array("&amp;".utf8), UInt8(ascii: "&")),
    ]

    private static func unescaped(_ bytes: [UInt8]) -> String {
        var result: [UInt8] = []
        var index = 0
        while index < bytes.count {
            if bytes[index] == UInt8(ascii: "&"),
                let escape = escapes.first(where: { bytes[index...].starts(with: $0.text) })
            {
                result.append(escape.byte)
                index += escape.text.count
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    /// The tag that starts here and where it ends; nil where a `<` is a sign.
    private static func tag(_ bytes: [UInt8], at start: Int) -> (Tag, end: Int)? {
        var name = ""
        var words = 0
        var closes = false
        var isAttribute = false
        var isBlank = true
        for index in (start + 1)..<min(start + 1 + longestTag, bytes.count) {
            let byte = bytes[index]
            switch byte {
            case UInt8(ascii: ">"):
                guard !name.isEmpty else { return nil }
                return kind(name.lowercased(), words: words, closes: closes).map { ($0, index + 1) }
            case UInt8(ascii: "<"), UInt8(ascii: "\n"), UInt8(ascii: "\r"): return nil
            case UInt8(ascii: "/"): if name.isEmpty { closes = true }
            case UInt8(ascii: "="):
                // What stands before it is an attribute's name.
                guard words > 1 else { return nil }
                isAttribute = true
            case _ where isAttribute: break
            case UInt8(ascii: " "), UInt8(ascii: "\t"): isBlank = true
            case UInt8(ascii: ":"), UInt8(ascii: "_"), UInt8(ascii: "-"): break
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"):
                if isBlank { words += 1 }
                isBlank = false
                // An attribute's name is no part of the element's.
                if words == 1 || name.lowercased() == "final"
                    || words == 2 && !isBlank && name.lowercased().hasPrefix("final")
                {
                    name.unicodeScalars.append(Unicode.Scalar(byte))
                }
            case UInt8(ascii: "0")...UInt8(ascii: "9"):
                guard !name.isEmpty else { return nil }
                isBlank = false
            default: return nil
            }
        }
        return nil
    }

    private static func kind(_ name: String, words: Int, closes: Bool) -> Tag? {
        if name == "answer" || name == "finalanswer" { return closes ? .close : .open }
        if elements.contains(name) { return .other }
        // `a <b and c> d` is no tag.
        return words == 1 ? .markup : nil
    }
}
