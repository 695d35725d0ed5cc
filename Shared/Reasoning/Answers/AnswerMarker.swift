/// Finds what stands behind GSM8K's `####`.
enum AnswerMarker {
    /// The most marks that are looked at, from the end.
    private static let maximumMarks = 20

    /// Words with which a Markdown heading of the fourth level begins.
    private static let headings: Set<String> = [
        "step", "steps", "part", "solution", "explanation", "conclusion", "verification", "check", "problem",
        "question",
        "given", "method", "summary", "note", "calculation", "calculations", "case", "reasoning", "key",
    ]

    /// What follows the last `####` that is no heading; the next line where it heads one with "Final answer".
    static func last(in bytes: [UInt8]) -> String? {
        guard bytes.hasByte(UInt8(ascii: "#")) else { return nil }
        var behind = bytes.count
        for _ in 0..<maximumMarks {
            guard let mark = lastMark(in: bytes, before: behind) else { return nil }
            behind = mark.lowerBound
            let rest = bytes[mark.upperBound...]
            let line = line(rest)
            if let figures = AnswerText.figures(line) { return figures }
            var text = String(decoding: line, as: UTF8.self)
            if AnswerText.isLabel(text) || text.trimmed.isEmpty {
                let next = rest.dropFirst(line.count).drop { $0 == UInt8(ascii: "\n") || $0 == UInt8(ascii: "\r") }
                text = String(decoding: self.line(next), as: UTF8.self)
            } else {
                text = AnswerText.withoutLabel(text)
                let first = text.unicodeScalars.drop { !$0.isAlphabetic }.prefix {
                    $0.isAlphabetic
                }
                let isHeading =
                    headings.contains(String(first).lowercased()) && AnswerText.startsWithLetter(text)
                    || text.trimmed.hasSuffix(":")
                if isHeading { continue }
            }
            let bare = AnswerText.bare(AnswerText.withoutCalculations(text))
            if !bare.isEmpty { return bare }
        }
        return nil
    }

    /// The last run of four `#`, no more and no fewer, that ends before a place.
    private static func lastMark(in bytes: [UInt8], before limit: Int) -> Range<Int>? {
        let hash = UInt8(ascii: "#")
        var end = limit
        while end > 0 {
            guard bytes[end - 1] == hash else {
                end -= 1
                continue
            }
            var start = end - 1
            while start > 0, bytes[start - 1] == hash { start -= 1 }
            if end - start == 4 { return start..<end }
            end = start
        }
        return nil
    }

    private static func line(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        bytes.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
    }
}
