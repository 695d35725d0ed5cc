/// Unicode's data for canonical composition in the form that it is looked up in.
struct CanonicalData: Sendable {
    static let shared = CanonicalData()

    /// What a scalar does in composition; all zero for most scalars.
    struct Properties: Equatable, Sendable {
        /// The canonical combining class: 0 for starters.
        var combiningClass: UInt8 = 0
        /// Whether composed text may not hold the scalar, or only where it does not compose with the one before.
        var isSuspect = false

        /// Whether nothing before the scalar can change it, nor it what is before.
        var isBoundary: Bool { combiningClass == 0 && !isSuspect }
    }

    /// For every 256 scalars the place of their properties in `properties`.
    private var pages: [UInt16] = Array(repeating: 0, count: 0x1100)
    private var properties: [Properties] = Array(repeating: Properties(), count: 256)
    private var decompositions: [UInt32: [UInt32]] = [:]
    private var compositions: [UInt64: UInt32] = [:]

    private init() {
        var words = TableWords(CanonicalTables.combiningClasses)
        while let first = words.number(radix: 16), let last = words.number(radix: 16),
            let value = words.number(radix: 10)
        {
            for code in first...last { set(code) { $0.combiningClass = UInt8(truncatingIfNeeded: value) } }
        }
        words = TableWords(CanonicalTables.decompositions)
        while let code = words.number(radix: 16) {
            let isExcluded = words.delimiter == UInt8(ascii: "!")
            var parts: [UInt32] = []
            while let part = words.number(radix: 16) {
                parts.append(part)
                if words.delimiter != UInt8(ascii: "+") { break }
            }
            decompositions[code] = parts
            if isExcluded {
                set(code) { $0.isSuspect = true }
            } else if parts.count == 2 {
                compositions[UInt64(parts[0]) << 32 | UInt64(parts[1])] = code
                set(parts[1]) { $0.isSuspect = true }
            }
        }
        for code in Hangul.vowels { set(code) { $0.isSuspect = true } }
        for code in Hangul.trailingConsonants { set(code) { $0.isSuspect = true } }
    }

    private mutating func set(_ code: UInt32, _ change: (inout Properties) -> Void) {
        let page = Int(code >> 8)
        if pages[page] == 0 {
            pages[page] = UInt16(truncatingIfNeeded: properties.count >> 8)
            properties += Array(repeating: Properties(), count: 256)
        }
        change(&properties[Int(pages[page]) << 8 | Int(code & 0xFF)])
    }

    @inline(__always)
    func of(_ code: UInt32) -> Properties {
        guard code < 0x11_0000 else { return Properties() }
        return properties[Int(pages[Int(code >> 8)]) << 8 | Int(code & 0xFF)]
    }

    /// Appends the full canonical decomposition of a scalar.
    func appendDecomposition(of code: UInt32, to scalars: inout [UInt32]) {
        if let syllable = Hangul.decomposition(of: code) {
            scalars += syllable
        } else if let parts = decompositions[code] {
            for part in parts { appendDecomposition(of: part, to: &scalars) }
        } else {
            scalars.append(code)
        }
    }

    /// What two scalars compose to, or nil.
    func composition(_ first: UInt32, _ second: UInt32) -> UInt32? {
        Hangul.composition(first, second) ?? compositions[UInt64(first) << 32 | UInt64(second)]
    }
}

/// Hangul syllables are composed by arithmetic (The Unicode Standard, section 3.12).
private enum Hangul {
    private static let firstSyllable: UInt32 = 0xAC00
    private static let firstConsonant: UInt32 = 0x1100
    private static let firstVowel: UInt32 = 0x1161
    /// One before the first trailing consonant: syllables without one count from here.
    private static let noTrailing: UInt32 = 0x11A7
    private static let consonantCount: UInt32 = 19
    private static let vowelCount: UInt32 = 21
    private static let trailingCount: UInt32 = 28
    private static let syllableCount = consonantCount * vowelCount * trailingCount

    static let vowels = firstVowel..<firstVowel + vowelCount
    static let trailingConsonants = noTrailing + 1..<noTrailing + trailingCount

    static func decomposition(of code: UInt32) -> [UInt32]? {
        guard (firstSyllable..<firstSyllable + syllableCount).contains(code) else { return nil }
        let index = code - firstSyllable
        let trailing = index % trailingCount
        let pair = [
            firstConsonant + index / (vowelCount * trailingCount), firstVowel + index / trailingCount % vowelCount,
        ]
        return trailing == 0 ? pair : pair + [noTrailing + trailing]
    }

    static func composition(_ first: UInt32, _ second: UInt32) -> UInt32? {
        if vowels.contains(second), (firstConsonant..<firstConsonant + consonantCount).contains(first) {
            let index = (first - firstConsonant) * vowelCount + second - firstVowel
            return firstSyllable + index * trailingCount
        }
        if trailingConsonants.contains(second), (firstSyllable..<firstSyllable + syllableCount).contains(first),
            (first - firstSyllable).isMultiple(of: trailingCount)
        {
            return first + second - noTrailing
        }
        return nil
    }
}

/// Reads the numbers of a table, one after the other.
private struct TableWords {
    private let bytes: UnsafeBufferPointer<UInt8>
    private var position = 0
    /// What stood after the last number.
    private(set) var delimiter: UInt8 = 0

    init(_ text: StaticString) {
        bytes = UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    }

    mutating func number(radix: UInt32) -> UInt32? {
        while position < bytes.count, Self.digit(bytes[position]) == nil { position += 1 }
        guard position < bytes.count else { return nil }
        var value: UInt32 = 0
        while position < bytes.count, let digit = Self.digit(bytes[position]) {
            value = value * radix + digit
            position += 1
        }
        delimiter = position < bytes.count ? bytes[position] : 0
        return value
    }

    private static func digit(_ byte: UInt8) -> UInt32? {
        switch byte {
        case 0x30...0x39: UInt32(byte) - 0x30
        case 0x41...0x46: UInt32(byte) - 0x41 + 10
        default: nil
        }
    }
}
