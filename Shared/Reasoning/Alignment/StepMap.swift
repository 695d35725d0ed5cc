/// Steps of a chain of thought as ranges of its UTF-8 bytes, and the steps that tokens belong to.
public enum StepMap {
    /// The non-empty lines of a text; a text of one line is one step.
    public static func steps(of text: String) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        var start = 0
        var length = 0
        for byte in text.utf8 {
            if byte == UInt8(ascii: "\n") {
                if length > start { ranges.append(start..<length) }
                start = length + 1
            }
            length += 1
        }
        if length > start { ranges.append(start..<length) }
        return ranges
    }

    /// The step of each token: the one that holds the token's last byte; nil between steps.
    ///
    /// Both lists ascend.
    public static func stepOfTokens(_ tokens: [Range<Int>], steps: [Range<Int>]) -> [Int?] {
        var step = 0
        return tokens.map { token in
            let last = max(token.lowerBound, token.upperBound - 1)
            while step < steps.count, steps[step].upperBound <= last { step += 1 }
            guard step < steps.count, steps[step].contains(last) else { return nil }
            return step
        }
    }
}

/// Words, numbers and punctuation marks as tokens, where no student's tokenizer is at hand.
///
public enum WordTokens {
    /// The name of this way of cutting.
    public static let fingerprint = "errata-words-v1"

    /// The UTF-8 byte ranges of a text's tokens: runs of letters, single digits, and single other characters.
    public static func ranges(of text: String) -> [Range<Int>] {
        var text = text
        return text.withUTF8 { ranges(of: $0) }
    }

    /// A text's tokens: identifiers that are equal for equal tokens, in this process and every other, and the ranges of
    /// ``ranges(of:)``.
    public static func tokens(of text: String) -> (ids: [Int32], ranges: [Range<Int>]) {
        var text = text
        return text.withUTF8 { bytes in
            let found = ranges(of: bytes)
            let ids = found.map { Int32(truncatingIfNeeded: StableHash.value(ofBytes: bytes[$0]) & 0x7fff_ffff) }
            return (ids, found)
        }
    }

    private static func ranges(of bytes: UnsafeBufferPointer<UInt8>) -> [Range<Int>] {
        var ranges: [Range<Int>] = []
        ranges.reserveCapacity(bytes.count / 3)
        var index = 0
        while index < bytes.count {
            let start = index
            if isLetter(bytes[index]) {
                while index < bytes.count, isLetter(bytes[index]) { index += 1 }
                ranges.append(start..<index)
            } else {
                index += 1
                if bytes[start] != UInt8(ascii: " ") { ranges.append(start..<index) }
            }
        }
        return ranges
    }

    private static func isLetter(_ byte: UInt8) -> Bool {
        byte >= 0x80 || (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }
}
