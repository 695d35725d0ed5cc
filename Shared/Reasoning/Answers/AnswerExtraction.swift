import Foundation

/// Finds the final answer in a model's output.
public enum AnswerExtraction {
    /// Only this much of the end of a text is looked at, in UTF-8 bytes.
    public static let window = 20_000

    private static let phrases = [
        "final answer is", "the answer is", "answer is:", "final answer:", "answer:", "\na:", "answer is",
    ]

    /// The answer: the last `<Answer>` element, else what follows the last `####`, else the last `\boxed{…}`,
    /// else what follows the last "the answer is" and its like, else the last number.
    ///
    /// Nil where there is none.
    /// Linear in the text's length.
    ///
    /// Arguments:
    ///   - isTruncated: whether the text was cut off. Then only an answer that it names to the end counts: its last number
    ///     is where the text happened to end, and so is an answer that nothing stands behind.
    public static func extract(_ text: String, isTruncated: Bool = false) -> String? {
        var tail = text.utf8.count > window ? String(decoding: text.utf8.suffix(window), as: UTF8.self) : text
        if isTruncated {
            tail = tail.lastIndex { $0.isNewline || $0 == ">" || $0 == "}" }.map { String(tail[...$0]) } ?? ""
        }
        return tagged(tail) ?? marked(tail) ?? boxed(tail) ?? announced(tail) ?? (isTruncated ? nil : lastNumber(tail))
    }

    private static func tagged(_ text: String) -> String? {
        var answer: String?
        var parts: [String] = []
        var inside = false
        for event in TagScanner.scan(text) {
            switch event {
            case .open(.answer, _):
                if inside {
                    // `<Answer>12<Answer>`: the second is a closing tag without its slash.
                    answer = parts.joined().trimmed
                    inside = false
                } else {
                    inside = true
                    parts = []
                }
            case .close(.answer, _):
                if inside { answer = parts.joined().trimmed }
                inside = false
            case .text(let text):
                if inside { parts.append(text) }
            default:
                if inside {
                    answer = parts.joined().trimmed
                    inside = false
                }
            }
        }
        if inside { answer = parts.joined().split(separator: "\n").first.map { String($0).trimmed } ?? answer }
        return answer.flatMap { $0.isEmpty ? nil : tidy($0) }
    }

    // Searches from the end go by bytes: from a run of flags back, each character's start costs a walk through the run.

    private static func marked(_ text: String) -> String? {
        let bytes = Array(text.utf8)
        guard let end = end(ofLast: "####", in: bytes) else { return nil }
        let line = String(decoding: bytes[end...], as: UTF8.self).prefix { !$0.isNewline }
        return nonempty(tidy(String(line)))
    }

    /// The content of the last `\boxed{…}` with balanced braces.
    private static func boxed(_ text: String) -> String? {
        let bytes = Array(text.utf8)
        for name in ["\\boxed", "\\fbox"] {
            guard let end = end(ofLast: name, in: bytes) else { continue }
            var depth = 0
            var content = ""
            for character in String(decoding: bytes[end...], as: UTF8.self) {
                if character == "{" {
                    depth += 1
                    if depth == 1 { continue }
                }
                if character == "}" {
                    depth -= 1
                    if depth == 0 { return nonempty(content.trimmed) }
                }
                if depth > 0 { content.append(character) } else if !character.isWhitespace { break }
            }
        }
        return nil
    }

    private static func announced(_ text: String) -> String? {
        let lower = Array(("\n" + text.lowercased()).utf8)
        guard let best = phrases.compactMap({ end(ofLast: $0, in: lower) }).max() else { return nil }
        let rest = String(decoding: lower[best...], as: UTF8.self)
        var line = String(rest.drop { $0 == " " || $0 == ":" || $0.isNewline }.prefix { !$0.isNewline })
        // A sentence may go on after the answer.
        if let stop = line.range(of: ". ") { line = String(line[..<stop.lowerBound]) }
        line = tidy(line)
        if numbers(in: line).count == 1, let number = lastNumber(line), line.contains(" ") { return number }
        return nonempty(line)
    }

    /// Where the last occurrence of an ASCII text ends.
    private static func end(ofLast text: String, in bytes: [UInt8]) -> Int? {
        let pattern = Array(text.utf8)
        guard bytes.count >= pattern.count else { return nil }
        for start in stride(from: bytes.count - pattern.count, through: 0, by: -1)
        where bytes[start] == pattern[0] && bytes[start...].starts(with: pattern) {
            return start + pattern.count
        }
        return nil
    }

    private static func tidy(_ text: String) -> String {
        var result = WorkedSolution.withoutMarks(text).trimmed[...]
        while let last = result.last, ".!*".contains(last) { result.removeLast() }
        return String(result.drop { $0 == "*" }).trimmed
    }

    private static func nonempty(_ text: String) -> String? { text.isEmpty ? nil : text }

    private static func lastNumber(_ text: String) -> String? { numbers(in: text).last }

    /// The numbers of a text as written, with thousands separators removed; a minus counts where no digit or
    /// letter stands before it.
    ///
    /// Linear.
    package static func numbers(in text: String) -> [String] {
        var result: [String] = []
        let bytes = Array(text.utf8)
        var index = 0
        while index < bytes.count {
            guard isDigit(bytes[index]) else {
                index += 1
                continue
            }
            var start = index
            if start > 0, bytes[start - 1] == UInt8(ascii: "."), start < 2 || !isDigit(bytes[start - 2]) { start -= 1 }
            var minus = start > 0 && bytes[start - 1] == UInt8(ascii: "-")
            if minus, start > 1 {
                let before = bytes[start - 2]
                minus =
                    before == UInt8(ascii: " ") || before == UInt8(ascii: "(") || before == UInt8(ascii: "$")
                    || before == UInt8(ascii: "=") || before == UInt8(ascii: "{")
            }
            var digits = [UInt8]()
            if start < index { digits += Array("0.".utf8) }
            var point = start < index
            var end = index
            while end < bytes.count {
                let byte = bytes[end]
                if isDigit(byte) {
                    digits.append(byte)
                    end += 1
                } else if byte == UInt8(ascii: "."), !point, end + 1 < bytes.count, isDigit(bytes[end + 1]) {
                    point = true
                    digits.append(byte)
                    end += 1
                } else if byte == UInt8(ascii: ","), !point, groupOfThree(bytes, end + 1) {
                    end += 1
                } else {
                    break
                }
            }
            result.append((minus ? "-" : "") + String(decoding: digits, as: UTF8.self))
            index = end
        }
        return result
    }

    private static func groupOfThree(_ bytes: [UInt8], _ start: Int) -> Bool {
        guard start + 3 <= bytes.count, bytes[start..<(start + 3)].allSatisfy(isDigit) else { return false }
        return start + 3 == bytes.count || !isDigit(bytes[start + 3])
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }
}
