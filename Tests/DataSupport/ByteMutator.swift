import Foundation

/// Changes valid samples at random, for tests that a reader of outside bytes returns or throws and never traps.
///
/// A number's sequence is the same on every machine, so a failure is found again by its seed. Tests run a fixed count, few
/// enough for every run of the suite; `ERRATA_TEST_FUZZ=N` runs `N` times as many.
package struct ByteMutator {
    /// The environment variable that multiplies the counts.
    package static let variable = "ERRATA_TEST_FUZZ"

    /// A number of rounds, times what the environment says.
    package static func rounds(_ count: Int) -> Int {
        let factor = ProcessInfo.processInfo.environment[variable].flatMap { Int($0) } ?? 1
        return count * min(max(factor, 1), 1_000_000)
    }

    private var random: SplitMix64
    private let words: [[UInt8]]

    /// Makes a mutator.
    ///
    /// - Parameters:
    ///   - seed: Which sequence.
    ///   - words: What the format is made of, put in beside what breaks any text.
    package init(seed: UInt64, words: [String] = []) {
        random = SplitMix64(state: seed)
        self.words = (Self.awkward + words).map { Array($0.utf8) } + Self.broken
    }

    /// A copy of one of the samples with one to four faults, some of them taken from another sample.
    package mutating func mutant(of samples: [[UInt8]]) -> [UInt8] {
        guard var bytes = samples.randomElement(using: &random) else { return [] }
        for _ in 0..<Int.random(in: 1...4, using: &random) { change(&bytes, samples) }
        return bytes
    }

    /// A number for a test's own choices.
    package mutating func number(below bound: Int) -> Int { Int.random(in: 0..<max(1, bound), using: &random) }

    private mutating func place(_ bytes: [UInt8]) -> Int { Int.random(in: 0...bytes.count, using: &random) }

    private mutating func range(_ bytes: [UInt8]) -> Range<Int> {
        let (one, other) = (place(bytes), place(bytes))
        return min(one, other)..<max(one, other)
    }

    private mutating func change(_ bytes: inout [UInt8], _ samples: [[UInt8]]) {
        switch Int.random(in: 0..<10, using: &random) {
        case 0:  // Flip bits.
            for _ in 0..<Int.random(in: 1...8, using: &random) where !bytes.isEmpty {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            }
        case 1:  // Overwrite.
            for _ in 0..<Int.random(in: 1...8, using: &random) where !bytes.isEmpty {
                bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(in: 0...255, using: &random)
            }
        case 2:  // Cut the end off.
            bytes.removeSubrange(place(bytes)...)
        case 3:  // Cut a piece out.
            bytes.removeSubrange(range(bytes))
        case 4:  // Splice another sample in.
            let other = samples.randomElement(using: &random) ?? []
            bytes.replaceSubrange(range(bytes), with: other[range(other)])
        case 5:  // Say a piece again.
            let piece = Array(bytes[range(bytes)].prefix(64))
            let times = Int.random(in: 1...200, using: &random)
            bytes.insert(contentsOf: repeatElement(piece, count: times).joined(), at: place(bytes))
        case 6:  // Put a number in a number's place.
            let digits = bytes.indices.filter { (0x30...0x39).contains(bytes[$0]) }
            guard let start = digits.randomElement(using: &random) else { return }
            let end = bytes[start...].firstIndex { !(0x30...0x39).contains($0) } ?? bytes.endIndex
            bytes.replaceSubrange(start..<end, with: Self.numbers.randomElement(using: &random) ?? [])
        case 7:  // Nest.
            let opening = Self.openings.randomElement(using: &random) ?? []
            let times = [2, 40, 70, 600, 5000].randomElement(using: &random) ?? 2
            bytes.insert(contentsOf: repeatElement(opening, count: times).joined(), at: place(bytes))
        default:  // Put a word of the format, or an awkward one, in.
            bytes.insert(contentsOf: words.randomElement(using: &random) ?? [], at: place(bytes))
        }
    }

    private static let numbers = [
        "0", "-1", "-0", "1e999", "-1e999", "1e-999", "0.1e-9", "2147483648", "-2147483649", "4294967296",
        "9007199254740993", "9223372036854775807", "9223372036854775808", "-9223372036854775809",
        "18446744073709551616", "NaN", "1e18", "1e19", "00", "0x10", "99999999999999999999999999999999999999",
    ].map { Array($0.utf8) }

    private static let openings = ["[", "{", "{\"a\":", "[[", "(", "- ", "<a>", "&a [", "\""].map { Array($0.utf8) }

    /// What is text and breaks who takes a text for what it looks like.
    private static let awkward = [
        "\u{0}", "\u{FEFF}", "\u{301}", "\u{202E}", "\u{1F1E9}\u{1F1EA}", "\u{FFFD}", "\u{2028}", "\r", "\r\n", "\n\n",
        "\\u0000", "\\ud800", "\\udc00", "\\ud83d\\ude00", "\\ud800\\ud800", "\\uD8", "\\", "\"", "'", "\\\"", ",", ":",
        "null", "true", "[]", "{}", "\"\"", "[null]", "../", "/etc/passwd", "%2e%2e", "%s", "'; --", "$1",
    ]

    /// What is no UTF-8: a lone continuation, overlong forms, a surrogate, beyond the last scalar, a cut character.
    private static let broken: [[UInt8]] = [
        [0x80], [0xC0, 0x80], [0xE0, 0x80, 0x80], [0xED, 0xA0, 0x80], [0xF4, 0x90, 0x80, 0x80], [0xF0, 0x9F],
        [0xFF, 0xFE],
        [0xFE, 0xFF], [0xEF, 0xBB, 0xBF],
    ]
}
