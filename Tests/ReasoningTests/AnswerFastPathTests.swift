import Testing

@testable import Reasoning

/// What is read by bytes alone says the same as the general path, which reads any text.
@Suite("Fast paths of answers")
struct AnswerFastPathTests {
    private static let pieces = [
        "0", "1", "7", "12", "365", "1,234", "0.50", ",", ".", "$", "%", "-", "+", " ", "\t", "\u{1C}", "\u{85}",
        "\u{A0}", "\u{200B}", "\u{2028}", "１", "٣", "½", "\u{301}", "\u{2212}", "*", "**", "__", "`", "\"", "\u{201C}",
        "!",
        "?", ":", ";", "=", "(", ")", "/", "^", "e", "x", "B", "yes", "no", "Valid,", "option ", " pencils",
        " dollars for 2",
        "percent", "Answer: ", "step", "\\", "{", "}", "\\(", "\\frac12", "<", "<<1+1=2>>", "#", "'", "&", "°",
    ]

    /// Soups, of which half have nothing but what stands in and around numbers.
    private static func texts(_ count: Int, seed: UInt64) -> [String] {
        var random = ReasoningRandom(seed: seed)
        return (0..<count).map { round in
            let choice = round % 2 == 0 ? Array(pieces.prefix(18)) : pieces
            return (0..<random.integer(0...8)).compactMap { _ in random.pick(choice) }.joined()
        }
    }

    @Test("a number in figures is what the general path makes of it, and is found behind every mark")
    func figures() throws {
        var found = 0
        for text in Self.texts(20_000, seed: 11) {
            #expect(AnswerText.bare(text) == AnswerText.bareWords(text), "\(text.debugDescription)")
            guard let figures = AnswerText.figures(text) else { continue }
            found += 1
            #expect(!AnswerText.isLabel(text) && AnswerText.withoutLabel(text) == text)
            #expect(AnswerMarker.last(in: Array("####\(text)".utf8)) == figures)
            #expect(OptionLetter.leading(text) == nil && AnswerText.verdict(text) == nil)
            #expect(AnswerText.bareWords(AnswerText.sentence(text)) == figures)
            #expect(Announcement.last(in: Array("The answer is \(text)".utf8)) == figures)
        }
        #expect(found > 2_000, "\(found) of the texts are numbers")
    }

    @Test("an option's letter and a verdict are found behind whatever may stand before them")
    func firstBytes() {
        let blanks = ["", " ", "\u{B}", "\u{A0}", "\u{200B}", "**", "__", "`", " ** "]
        for before in blanks + ["$", "\"", "\u{201C}"] {
            for letter in ["A", "(A)", "option A", "Choice (A)", "letter A"] {
                #expect(OptionLetter.leading(before + letter) != nil, "\((before + letter).debugDescription)")
            }
        }
        let pairs = [("\\(", "\\)"), ("\\[", "\\]"), ("$", "$"), ("$$", "$$"), ("\"", "\""), ("\u{201C}", "\u{201D}")]
        for word in ["yes", "No", "TRUE", "false", "Valid", "invalid"] {
            for (before, after) in pairs + (blanks + ["*", ":", "= "]).map({ ($0, "") }) {
                #expect(AnswerText.verdict(before + word + after) == word, "\((before + word).debugDescription)")
            }
        }
    }

    @Test("letters, blanks and ends of lines are Unicode's")
    func kinds() {
        for value in UInt32(0)...0x2_FFFF {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let isSame =
                scalar.isAlphabetic == scalar.properties.isAlphabetic
                && scalar.isWhitespace == scalar.properties.isWhitespace
                && scalar.isNewline == Character(scalar).isNewline
            #expect(isSame, "U+\(String(value, radix: 16))")
        }
    }

    @Test("the last line is the last that holds something")
    func lastLine() {
        var random = ReasoningRandom(seed: 13)
        let ends = [
            "\n", "\r\n", "\r", "\u{B}", "\u{85}", "\u{2028}", " ", "\u{200B}", "\u{301}", "a", "so 5", "é", ".",
        ]
        for _ in 0..<5_000 {
            let text = (0..<random.integer(0...10)).compactMap { _ in random.pick(ends) }.joined()
            let line = text.split(whereSeparator: \.isNewline).last { !String($0).trimmed.isEmpty }
            #expect(AnswerText.lastLine(of: text) == line.map { String($0).trimmed } ?? "", "\(text.debugDescription)")
        }
    }
}
