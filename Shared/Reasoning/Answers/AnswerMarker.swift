/// Finds what stands behind GSM8K's `####`.
enum AnswerMarker {
    /// Words with which a Markdown heading of the fourth level begins.
    private static let headings: Set<String> = [
        "step", "steps", "part", "solution", "explanation", "conclusion", "verification", "check", "problem",
        "question",
        "given", "method", "summary", "note", "calculation", "calculations", "case", "reasoning", "key",
    ]

    /// What follows the last `####` that is no heading; the next line where it heads one with "Final answer".
    static func last(in bytes: [UInt8]) -> String? {
        let hash = UInt8(ascii: "#")
        guard bytes.contains(hash) else { return nil }
        var ends: [Int] = []
        var index = 0
        while index < bytes.count {
            let start = index
            while index < bytes.count, bytes[index] == hash { index += 1 }
            if index - start == 4 { ends.append(index) }
            if index == start { index += 1 }
        }
        for end in ends.suffix(20).reversed() {
            let rest = bytes[end...]
            let line = line(rest)
            var text = String(decoding: line, as: UTF8.self)
            if AnswerText.isLabel(text) || text.trimmed.isEmpty {
                let behind = rest.dropFirst(line.count).drop { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }
                text = String(decoding: self.line(behind), as: UTF8.self)
            } else {
                text = AnswerText.withoutLabel(text)
                let first = text.unicodeScalars.drop { !$0.properties.isAlphabetic }.prefix {
                    $0.properties.isAlphabetic
                }
                let isHeading =
                    headings.contains(String(first).lowercased()) && AnswerText.startsWithLetter(text)
                    || text.trimmed.hasSuffix(":")
                if isHeading { continue }
            }
            let bare = AnswerText.bare(WorkedSolution.withoutMarks(text))
            if !bare.isEmpty { return bare }
        }
        return nil
    }

    private static func line(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        bytes.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
    }
}
