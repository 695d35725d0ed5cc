/// Text in which a base model goes on after its answer, with a question of its own.
///
/// Such a model knows no end: it continues the pattern of the prompt. The first answer that a new question follows answers the
/// question that was asked, so what stands behind it does not count.
enum RunOn {
    /// The most headings that are tried.
    private static let maximumHeadings = 8

    private static let headings: Set<String> = [
        "question", "new question", "next question", "q", "problem", "new problem", "next problem", "exercise",
        "example",
        "instruction", "human", "user", "input", "task",
    ]

    /// Marks of turns and ends of texts in the templates of chat models.
    private static let marks = [
        "<|im_end|>", "<|im_start|>", "<|endoftext|>", "<|eot_id|>", "<|end|>", "<|user|>", "<end_of_turn>", "</s>",
        "[INST]",
    ].map { Array($0.utf8) }

    /// The bytes before the first new question that follows an answer; all of them where there is none.
    static func asked(_ bytes: [UInt8]) -> [UInt8] {
        let end = bytes.withUnsafeBufferPointer { buffer in
            var search = ByteSearch(buffer, for: [UInt8(ascii: "<"), UInt8(ascii: "["), 0x0A, 0x0D])
            return newQuestion(in: bytes) { search.next(from: $0) }
        }
        return end.map { Array(bytes[..<$0]) } ?? bytes
    }

    /// Where the first new question begins; nil where there is none.
    ///
    /// `next` gives the first byte from a place on that ends a line or with which a mark may begin; it may give others, too.
    static func newQuestion(in bytes: [UInt8], next: (Int) -> Int?) -> Int? {
        var tried = 0
        var isNumbered = false
        var index = 0
        var isLineStart = true
        while index < bytes.count, tried < maximumHeadings {
            if !isLineStart {
                guard let place = next(index) else { break }
                index = place
            }
            let isMark = mayBeMark(bytes, at: index) && marks.contains { stands($0, in: bytes, at: index) }
            let heading = isLineStart ? heading(bytes, at: index) : nil
            // A text that numbers its questions splits up the one that was asked.
            let isPart = heading?.number != nil && isNumbered
            if let number = heading?.number, number <= 1 { isNumbered = true }
            if isMark || heading != nil && !isPart {
                tried += 1
                let before = Array(bytes[..<index])
                if AnswerExtraction.named(in: before) != nil || heading != nil && endsInCalculation(before) {
                    return index
                }
            }
            isLineStart = bytes[index] == UInt8(ascii: "\n") || bytes[index] == UInt8(ascii: "\r")
            index += 1
        }
        return nil
    }

    /// Whether one of ``marks`` may begin here, told by its first two bytes: the `<<` of a calculation begins none.
    private static func mayBeMark(_ bytes: [UInt8], at index: Int) -> Bool {
        guard bytes[index] == UInt8(ascii: "<") || bytes[index] == UInt8(ascii: "["), index + 1 < bytes.count else {
            return false
        }
        return switch bytes[index + 1] {
        case UInt8(ascii: "|"), UInt8(ascii: "e"), UInt8(ascii: "/"), UInt8(ascii: "I"): true
        default: false
        }
    }

    private static func stands(_ mark: [UInt8], in bytes: [UInt8], at start: Int) -> Bool {
        bytes.count - start >= mark.count && mark.indices.allSatisfy { bytes[start + $0] == mark[$0] }
    }

    /// The heading of a question that a line is or begins with: `Question:`, `**Q2:**`, `### Problem 3`.
    private static func heading(_ bytes: [UInt8], at place: Int) -> (number: Int?, isHeading: Bool)? {
        var index = place
        var hasHash = false
        marks: while index < bytes.count {
            switch bytes[index] {
            case UInt8(ascii: "#"): hasHash = true
            case UInt8(ascii: " "), UInt8(ascii: "*"), UInt8(ascii: ">"), UInt8(ascii: "_"): break
            default: break marks
            }
            index += 1
        }
        let start = index
        while index < bytes.count, index - start < 16, isLetter(bytes[index]) || bytes[index] == UInt8(ascii: " ") {
            index += 1
        }
        let name = start..<index
        var number: Int?
        while index < bytes.count, isDigit(bytes[index]) || bytes[index] == UInt8(ascii: ".") {
            if isDigit(bytes[index]) {
                number = min((number ?? 0) * 10 + Int(bytes[index] - UInt8(ascii: "0")), 10_000)
            }
            index += 1
        }
        while index < bytes.count, isEmphasis(bytes[index]) { index += 1 }
        let isEnd = index >= bytes.count || bytes[index] == UInt8(ascii: "\n") || bytes[index] == UInt8(ascii: "\r")
        guard index < bytes.count && bytes[index] == UInt8(ascii: ":") || hasHash && isEnd else { return nil }
        // Last, since few lines come as far: it makes a string.
        guard headings.contains(String(decoding: bytes[name], as: UTF8.self).trimmed.lowercased()) else { return nil }
        return (number, true)
    }

    /// Whether the last line states a result.
    private static func endsInCalculation(_ bytes: [UInt8]) -> Bool {
        let text = String(decoding: bytes.suffix(400), as: UTF8.self).trimmed
        guard let line = text.split(whereSeparator: \.isNewline).last,
            let sign = line.utf8.lastIndex(of: UInt8(ascii: "="))
        else { return false }
        return line.utf8[sign...].contains(where: isDigit)
    }

    private static func isEmphasis(_ byte: UInt8) -> Bool {
        byte == UInt8(ascii: "*") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: " ")
    }

    private static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte) || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
    }
}
