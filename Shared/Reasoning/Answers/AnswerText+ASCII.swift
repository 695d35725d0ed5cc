extension AnswerText {
    /// See ``lastLine(of:)-(String)``; nil where the text does not end with a line of ASCII.
    static func lastLine(of bytes: UnsafeBufferPointer<UInt8>) -> String? {
        var end = bytes.count
        while end > 0, isBlank(bytes[end - 1]) { end -= 1 }
        var start = end
        while start > 0, !(0x0A...0x0D).contains(bytes[start - 1]) {
            guard bytes[start - 1] < 0x80 else { return nil }
            start -= 1
        }
        return string(trimmed(bytes[start..<end]))
    }

    // MARK: Marks in texts of ASCII

    /// See ``withoutMarkup(_:)-(String)``; nil for a text that is not of ASCII alone.
    static func withoutMarkup(_ bytes: UnsafeBufferPointer<UInt8>) -> String? {
        guard let scan = MarkupScan(bytes) else { return nil }
        guard scan.hasMarkup else { return string(trimmed(bytes[...])) }
        return string(trimmed(withoutMarks(bytes)[...]))
    }

    /// See ``trimmedMarks(_:)-(String)``; nil for a text that is not of ASCII alone.
    static func trimmedMarks(_ bytes: UnsafeBufferPointer<UInt8>) -> String? {
        guard let scan = MarkupScan(bytes) else { return nil }
        guard scan.hasMarkup else { return string(withoutWrappings(trimmed(bytes[...]))) }
        return string(withoutWrappings(trimmed(withoutMarks(bytes)[...])))
    }

    /// What one look at all bytes tells.
    private struct MarkupScan {
        var hasMarkup = false

        init?(_ bytes: UnsafeBufferPointer<UInt8>) {
            var all: UInt8 = 0
            for byte in bytes {
                all |= byte
                if byte == UInt8(ascii: "*") || byte == UInt8(ascii: "_") || byte == UInt8(ascii: "`") {
                    hasMarkup = true
                }
            }
            guard all < 0x80 else { return nil }
        }
    }

    /// Without `**`, then without `__`, then without single backquotes.
    private static func withoutMarks(_ bytes: UnsafeBufferPointer<UInt8>) -> [UInt8] {
        var result = Array(trimmed(bytes[...]))
        for mark in [UInt8(ascii: "*"), UInt8(ascii: "_")] {
            var kept = 0
            var index = 0
            while index < result.count {
                if result[index] == mark, index + 1 < result.count, result[index + 1] == mark {
                    index += 2
                } else {
                    result[kept] = result[index]
                    kept += 1
                    index += 1
                }
            }
            result.removeLast(result.count - kept)
        }
        result.removeAll { $0 == UInt8(ascii: "`") }
        return result
    }

    private static func withoutWrappings<Bytes: RandomAccessCollection<UInt8>>(_ text: Bytes) -> Bytes
    where Bytes.SubSequence == Bytes, Bytes.Index == Int {
        var bytes = text
        for _ in 0..<8 {
            let count = bytes.count
            bytes = bytes.drop {
                isBlank($0) || $0 == UInt8(ascii: "*") || $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "=")
            }
            while let last = bytes.last, isBlank(last) || isClosing(last) {
                // A factorial keeps its sign.
                if last == UInt8(ascii: "!"), bytes.count == 2 || bytes.count == 3,
                    bytes.dropLast().allSatisfy(isWordByte)
                {
                    break
                }
                bytes = bytes.dropLast()
            }
            for (open, close) in [("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"), ("\"", "\"")] {
                bytes = unwrapped(bytes, open.utf8, close.utf8)
            }
            if bytes.count == count { break }
        }
        return trimmed(bytes)
    }

    /// The inside of a text that begins and ends with a pair of marks and, where they are single, has none between.
    private static func unwrapped<Bytes: RandomAccessCollection<UInt8>>(
        _ bytes: Bytes,
        _ open: String.UTF8View,
        _ close: String.UTF8View
    ) -> Bytes where Bytes.SubSequence == Bytes, Bytes.Index == Int {
        guard bytes.first == open.first, bytes.count >= open.count + close.count, bytes.starts(with: open),
            bytes.suffix(close.count).elementsEqual(close)
        else { return bytes }
        let inside = bytes.dropFirst(open.count).dropLast(close.count)
        guard close.count == 1, let mark = close.first else { return inside }
        return inside.contains(mark) ? bytes : inside
    }

    private static func trimmed<Bytes: RandomAccessCollection<UInt8>>(_ text: Bytes) -> Bytes
    where Bytes.SubSequence == Bytes {
        var bytes = text.drop(while: isBlank)
        while let last = bytes.last, isBlank(last) { bytes = bytes.dropLast() }
        return bytes
    }

    private static func string<Bytes: RandomAccessCollection<UInt8>>(_ bytes: Bytes) -> String {
        String(decoding: bytes, as: UTF8.self)
    }

    /// ASCII's part of Unicode's White_Space.
    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    private static func isClosing(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "."), UInt8(ascii: "!"), UInt8(ascii: "*"), UInt8(ascii: ","), UInt8(ascii: ";"): true
        default: false
        }
    }

    private static func isWordByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: false
        }
    }
}
