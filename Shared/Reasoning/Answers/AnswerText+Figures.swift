extension AnswerText {
    /// What ``bare(_:)`` says of a number in figures alone, blanks and stops around it: `18`, `-$1,234.50`, `12%.`; nil for
    /// anything else.
    ///
    /// Most answers are one. Without a letter, a bracket, an equals sign or a mark that comes in pairs, no rule for options,
    /// units, sentences or calculations has anything to find, so that trimming is all that is left of them; it is done on the
    /// bytes, without any of Unicode's tables.
    static func figures(_ bytes: UnsafeBufferPointer<UInt8>) -> String? {
        var start = 0
        var end = bytes.count
        while start < end, isBlank(bytes[start]) { start += 1 }
        while start < end, isBlank(bytes[end - 1]) || isStop(bytes[end - 1]) { end -= 1 }
        var hasDigit = false
        var hasDollar = false
        for byte in bytes[start..<end] {
            switch byte {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): hasDigit = true
            case UInt8(ascii: ","), UInt8(ascii: "."), UInt8(ascii: "-"), UInt8(ascii: "+"), UInt8(ascii: "%"): break
            case UInt8(ascii: "$"):
                // Two are LaTeX's delimiters, and so may one be that stands behind.
                guard !hasDigit, !hasDollar else { return nil }
                hasDollar = true
            default: return nil
            }
        }
        guard hasDigit else { return nil }
        return String(decoding: UnsafeBufferPointer(rebasing: bytes[start..<end]), as: UTF8.self)
    }

    /// See ``figures(_:)-(UnsafeBufferPointer<UInt8>)``.
    static func figures(_ bytes: ArraySlice<UInt8>) -> String? { bytes.withUnsafeBufferPointer { figures($0) } }

    /// See ``figures(_:)-(UnsafeBufferPointer<UInt8>)``.
    static func figures(_ text: String) -> String? {
        var text = text
        return text.withUTF8 { figures($0) }
    }

    /// ASCII's part of Unicode's White_Space.
    private static func isBlank(_ byte: UInt8) -> Bool { byte == 0x20 || (0x09...0x0D).contains(byte) }

    private static func isStop(_ byte: UInt8) -> Bool { byte == UInt8(ascii: ".") || byte == UInt8(ascii: ",") }
}
