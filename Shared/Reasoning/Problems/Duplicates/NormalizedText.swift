import Foundation

/// A question as the words that tell it from others, for finding it again however it is written.
///
/// Case, punctuation, white space, dollar signs, and composed against decomposed characters do not count. What changes the
/// mathematics does: numbers, each operator, each bracket. `1,200` is `1200`, `three` is `3`, an ideograph is a word of
/// its own, and a hyphen between words is a blank.
public struct NormalizedText: Sendable, Hashable {
    /// The words, each by its 64-bit hash, the same in every process.
    public let words: [UInt64]
    /// The places in ``words`` that are numbers.
    public let numberPlaces: [Int]

    /// Normalises a text; linear in its length.
    public init(_ text: String) {
        var splitter = WordSplitter(text)
        (words, numberPlaces) = splitter.split()
    }

    /// The hash of all words in their order.
    public var digest: UInt64 { StableMix.hash(words[...]) }

    /// The hash of the numbers, in whatever order they stand.
    public var numbersDigest: UInt64 { StableMix.hash(numberPlaces.map { words[$0] }.sorted()[...]) }
}

/// Cuts a text into words.
private struct WordSplitter {
    private let scalars: [Unicode.Scalar]
    private var words: [UInt64] = []
    private var numberPlaces: [Int] = []

    init(_ text: String) {
        scalars = Array(text.lowercased().precomposedStringWithCanonicalMapping.unicodeScalars)
    }

    mutating func split() -> (words: [UInt64], numberPlaces: [Int]) {
        var place = 0
        while place < scalars.count {
            let scalar = scalars[place]
            if Self.isDigit(scalar) {
                place = number(at: place)
            } else if Self.isIdeograph(scalar) {
                words.append(StableMix.hash(scalar))
                place += 1
            } else if Self.isLetter(scalar) {
                place = word(at: place)
            } else {
                if Self.isOtherNumber(scalar) { numberPlaces.append(words.count) }
                if counts(scalar, at: place) { words.append(StableMix.hash(Self.plain(scalar))) }
                place += 1
            }
        }
        return (words, numberPlaces)
    }

    /// Adds the number that begins at a place, and says where it ends.
    private mutating func number(at start: Int) -> Int {
        var place = start
        var hash = StableMix.start
        while let scalar = scalar(place) {
            if Self.isDigit(scalar) {
                hash = StableMix.add(Self.plain(scalar), to: hash)
                place += 1
            } else if scalar == ".", isDigit(at: place + 1) {
                hash = StableMix.add(scalar, to: hash)
                place += 1
            } else if scalar == ",", (1...3).allSatisfy({ isDigit(at: place + $0) }), !isDigit(at: place + 4) {
                place += 1
            } else {
                break
            }
        }
        numberPlaces.append(words.count)
        words.append(StableMix.finish(hash))
        return place
    }

    /// Adds the word that begins at a place, and says where it ends.
    private mutating func word(at start: Int) -> Int {
        var place = start
        var hash = StableMix.start
        while let scalar = scalar(place) {
            if Self.isLetter(scalar), !Self.isIdeograph(scalar) {
                hash = StableMix.add(scalar, to: hash)
            } else if !(Self.apostrophes.contains(scalar) && place > start && isLetter(at: place + 1)) {
                break
            }
            place += 1
        }
        let finished = StableMix.finish(hash)
        if let number = Self.numberWords[finished] {
            numberPlaces.append(words.count)
            words.append(number)
        } else {
            words.append(finished)
        }
        return place
    }

    /// Whether a character that is neither letter nor digit changes what is asked.
    private func counts(_ scalar: Unicode.Scalar, at place: Int) -> Bool {
        switch scalar {
        case "-", "\u{2010}", "\u{2011}", "\u{2013}":
            // "well-known" and "3-day" are words, "x-y", "3-4" and "-5" are calculations.
            let isLongBefore = isLetter(at: place - 1) && isLetter(at: place - 2)
            let isLongAfter = isLetter(at: place + 1) && isLetter(at: place + 2)
            return !(isLongBefore && isWord(at: place + 1) || isLongAfter && isWord(at: place - 1))
                && (isDigit(at: place + 1) || isLetter(at: place + 1) || isSpaced(place))
        case "!": return isDigit(at: place - 1) || scalarIs(")", at: place - 1)
        case ":": return isDigit(at: place - 1) && isDigit(at: place + 1)
        case "*", "/", "%", "(", ")", "[", "]", "{", "}", "&", "@": return true
        case "$", "`", "\"", "~": return false
        default:
            switch scalar.properties.generalCategory {
            case .mathSymbol, .otherSymbol, .modifierSymbol: return true
            default: return Self.isOtherNumber(scalar)
            }
        }
    }

    /// A minus between blanks, which stands between a number or a bracket and another.
    private func isSpaced(_ place: Int) -> Bool {
        guard scalarIs(" ", at: place + 1), let next = scalar(place + 2) else { return scalarIs("(", at: place + 1) }
        return Self.isDigit(next) || next == "(" || Self.isLetter(next) && !isLetter(at: place + 3)
    }

    private func scalar(_ place: Int) -> Unicode.Scalar? { scalars.indices.contains(place) ? scalars[place] : nil }
    private func scalarIs(_ wanted: Unicode.Scalar, at place: Int) -> Bool { scalar(place) == wanted }
    private func isDigit(at place: Int) -> Bool { scalar(place).map(Self.isDigit) ?? false }
    private func isLetter(at place: Int) -> Bool { scalar(place).map(Self.isLetter) ?? false }
    private func isWord(at place: Int) -> Bool { isDigit(at: place) || isLetter(at: place) }

    private static let apostrophes: Set<Unicode.Scalar> = ["'", "\u{2019}", "\u{02BC}"]

    private static func isDigit(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII
            ? (0x30...0x39).contains(scalar.value) : scalar.properties.generalCategory == .decimalNumber
    }

    /// Fractions, exponents and Roman numerals that are one character.
    private static func isOtherNumber(_ scalar: Unicode.Scalar) -> Bool {
        !scalar.isASCII && [.otherNumber, .letterNumber].contains(scalar.properties.generalCategory)
    }

    private static func isLetter(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isASCII
            ? (0x61...0x7A).contains(scalar.value)
            : (scalar.properties.isAlphabetic || scalar.properties.generalCategory == .nonspacingMark)
                && !isOtherNumber(scalar)
    }

    /// Scripts that are written without blanks.
    private static func isIdeograph(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x3040...0x30FF, 0x3400...0x4DBF, 0x4E00...0x9FFF, 0xF900...0xFAFF, 0x20000...0x323AF: true
        case 0x0E00...0x0E7F: scalar.properties.isAlphabetic
        default: false
        }
    }

    /// One spelling of digits and operators that have several.
    private static func plain(_ scalar: Unicode.Scalar) -> Unicode.Scalar {
        if !scalar.isASCII, scalar.properties.numericType == .decimal, let value = scalar.properties.numericValue {
            return Unicode.Scalar(0x30 + UInt8(clamping: Int(value)))
        }
        return switch scalar {
        case "\u{2212}", "\u{2010}", "\u{2011}", "\u{2013}": "-"
        case "\u{00D7}", "\u{22C5}", "\u{2217}": "*"
        case "\u{00F7}", "\u{2215}": "/"
        default: scalar
        }
    }

    /// The hashes of number words, with those of their digits; "one" is left out, it is a pronoun as often.
    private static let numberWords: [UInt64: UInt64] = {
        let units = [
            "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve", "thirteen",
            "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty",
        ]
        let tens = ["thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
        let values =
            units.enumerated().map { ($0.element, $0.offset + 2) }
            + tens.enumerated().map { ($0.element, 10 * ($0.offset + 3)) }
        return Dictionary(
            values.map { (StableMix.hash($0.0.unicodeScalars), StableMix.hash(String($0.1).unicodeScalars)) },
            uniquingKeysWith: { $1 }
        )
    }()
}
