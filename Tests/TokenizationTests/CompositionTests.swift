import DataSupport
import ModelFiles
import Testing

@testable import Tokenization

/// The NFC of `text`, by way of what the tokenizers use.
func composed(_ text: String) -> [UInt8] {
    var normalized = NormalizedText(text.utf8, origin: 0, keepsOffsets: false)
    normalized.composeCanonically()
    return normalized.bytes
}

private func text(_ scalars: [UInt32]) -> String {
    var text = String.UnicodeScalarView()
    for code in scalars { if let scalar = Unicode.Scalar(code) { text.append(scalar) } }
    return String(text)
}

/// The beginning of the digest that the script makes of several texts.
private struct TextDigest {
    private var digest = ContentDigest()

    mutating func add(_ bytes: [UInt8]) { digest.add(bytes) }

    var start: String { String(digest.hex.prefix(16)) }
}

/// Draws the texts that the script draws.
private struct Sequences {
    private var state: UInt64
    private var pool: [UInt32] = []

    init(_ seed: UInt64) {
        state = seed
        let numbers: (Substring) -> [UInt32] = { part in
            part.split { "!=+-:".contains($0) }.compactMap { UInt32($0, radix: 16) }
        }
        for entry in CanonicalTables.decompositions.description.split(whereSeparator: \.isWhitespace) {
            pool += numbers(entry)
        }
        for entry in CanonicalTables.combiningClasses.description.split(whereSeparator: \.isWhitespace) {
            pool += numbers(entry).prefix(2)
        }
        pool += [0x1100, 0x1112, 0x1161, 0x1175, 0x11A7, 0x11A8, 0x11C2, 0xAC00, 0xAC01, 0xD7A3, 0x41, 0x20, 0x1F98A]
    }

    private mutating func draw(_ limit: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % limit
    }

    mutating func next() -> String {
        let count = 1 + draw(12)
        return text((0..<count).map { _ in pool[draw(pool.count)] })
    }
}

@Suite("Canonical composition")
struct CompositionTests {
    @Test("the tables are those that the figures are of")
    func version() throws {
        #expect(try UnicodeGoldens.load().version == CanonicalTables.version)
    }

    @Test("every code point, alone and between a letter and marks, becomes what Python's unicodedata makes of it")
    func scalars() throws {
        let expected = try UnicodeGoldens.load().scalars
        var stretches: [String] = []
        for stretch in UInt32(0)..<0x110 {
            let codes = (stretch << 12..<(stretch + 1) << 12).filter { Unicode.Scalar($0) != nil }
            guard !codes.isEmpty else { continue }
            var digest = TextDigest()
            for code in codes {
                digest.add(composed(text([code])))
                digest.add(composed(text([0x41, code, 0x323, 0x301])))
            }
            stretches.append(digest.start)
        }
        #expect(stretches == expected)
    }

    @Test("20,000 random sequences become what Python's unicodedata makes of them")
    func sequences() throws {
        var sequences = Sequences(2026)
        for (index, expected) in try UnicodeGoldens.load().random.enumerated() {
            var digest = TextDigest()
            for _ in 0..<100 { digest.add(composed(sequences.next())) }
            try #require(digest.start == expected, "hundred \(index)")
        }
    }

    @Test("examples compose as Unicode says, where Foundation composes across scalars too")
    func examples() throws {
        let examples = try UnicodeGoldens.load().examples
        #expect(examples.contains { $0[0].unicodeScalars.first == "\u{E0041}" })
        for example in examples {
            #expect(composed(example[0]) == Array(example[1].utf8), "\(example[0].unicodeScalars.map(\.value))")
        }
    }

    @Test("composing twice is composing once, and pieces cut at white space compose as the whole")
    func properties() {
        var sequences = Sequences(99)
        for _ in 0..<500 {
            let (first, second) = (sequences.next(), sequences.next())
            let once = composed(first)
            #expect(composed(String(decoding: once, as: UTF8.self)) == once)
            #expect(composed(first + " " + second) == once + [0x20] + composed(second))
        }
    }

    @Test("a mark out of order far from its letter is put in order in time that grows with the text")
    func longRuns() {
        let marks = String(repeating: "\u{301}\u{323}", count: 50_000)
        let result = composed("A" + marks)
        #expect(result.starts(with: Array("\u{1EA0}\u{323}".utf8)))
        #expect(result.count == Array("\u{1EA0}".utf8).count + (49_999 + 50_000) * 2)
    }

    @Test("bytes that composition leaves alone point to themselves, changed ones to all that they came from")
    func offsets() {
        var text = NormalizedText("xe\u{301}\u{323} \u{AC00}y\u{212B}z".utf8, origin: 10, keepsOffsets: true)
        text.composeCanonically()
        // x, ẹ with acute (3 + 2 bytes), space, 가 (3), y, Å (2), z
        #expect(text.bytes == Array("x\u{1EB9}\u{301} \u{AC00}y\u{C5}z".utf8))
        #expect(text.source(0..<1) == 10..<11)
        #expect((1..<6).allSatisfy { text.source($0..<$0 + 1) == 11..<16 })
        #expect(text.source(6..<7) == 16..<17)
        #expect(text.source(7..<10) == 17..<20)
        #expect(text.source(11..<13) == 21..<24)
        #expect(text.source(13..<14) == 24..<25)
    }
}
