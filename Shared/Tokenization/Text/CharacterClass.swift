/// The classes that pre-tokenizer patterns tell apart: `\p{L}`, `\p{N}`, `\s` and the rest.
enum CharacterClass: UInt8 {
    case other
    case letter
    case number
    case space

    /// Classes of the basic plane, looked up once; the properties themselves are slow to ask for.
    private static let basicPlane: [UInt8] = (0..<0x10000).map { code in
        Unicode.Scalar(UInt32(code)).map { classify($0).rawValue } ?? 0
    }

    @inline(__always)
    static func of(_ code: UInt32) -> CharacterClass {
        if code < 0x10000 { return CharacterClass(rawValue: basicPlane[Int(code)]) ?? .other }
        return Unicode.Scalar(code).map(classify) ?? .other
    }

    private static func classify(_ scalar: Unicode.Scalar) -> CharacterClass {
        switch scalar.properties.generalCategory {
        case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter: .letter
        case .decimalNumber, .letterNumber, .otherNumber: .number
        default: scalar.properties.isWhitespace ? .space : .other
        }
    }
}

/// Reads scalars out of valid UTF-8.
struct ScalarCursor {
    let bytes: UnsafeBufferPointer<UInt8>

    /// The scalar at `position` and its length; code 0 and length 0 at the end.
    @inline(__always)
    func scalar(at position: Int) -> (code: UInt32, length: Int) {
        guard position < bytes.count else { return (0, 0) }
        let first = UInt32(bytes[position])
        if first < 0x80 { return (first, 1) }
        let length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4
        guard position + length <= bytes.count else { return (0xFFFD, bytes.count - position) }
        var code = first & (0xFF >> UInt32(length + 1))
        for offset in 1..<length { code = code << 6 | UInt32(bytes[position + offset]) & 0x3F }
        return (code, length)
    }
}
