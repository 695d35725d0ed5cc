import DataSupport
import Foundation
import Testing

@testable import Reasoning

/// Shortcuts for texts of ASCII, and for what most texts do not have, against the paths that read any text.
@Suite("Shortcuts in reading answers")
struct AnswerASCIITests {
    static let pieces = [
        "0", "7", "12", "365", "1,234", "0.50", ".5", "1/2", "2 1/4", "3:30", "10^5", "3.5 x 10^6", "2 and 1/2", ",",
        ".",
        "!", "?", ";", ":", "=", "==", "<=", "$", "$$", "%", "-", "+", "*", "**", "***", "_", "__", "`", "\"", "'", "#",
        "&",
        "(", ")", "[", "]", "{", "}", " ", "  ", "\t", "\n", "\r\n", "\r", "\u{B}", "\u{1C}", "\u{0}", "\\", "\\(",
        "\\)",
        "\\[", "\\]", "\\frac{1}{2}", "\\text{", "\\begin{a}", "\\\\", "\\%", "\\5", "\\boxed{5}", "A", "(B)", "B)",
        "option ",
        "Choice C", "letter", "Letters", "x", "X", "and", "And", "yes", "No", "TRUE", "false.", "valid,", "Invalid",
        "it",
        "Then", "apples", "pencils in all", "don't", "x2", "a_1", "m_", "percent", "times", "Answer: ", "final answer",
        "<<1+1=2>>", "<", ">", "</", "<think>", "</ think >", "[THINK]", "[/think]", "<|im_end|>", "</s>", "[INST]",
        "Question: ", "the answer is ", "So, ", "Solutions: ", "solutionss ", "\nQ2: ", "\n### Problem 3\n",
        "\nTask 1:\n", "#### 5",
    ]
    static let others = [
        "\u{85}", "\u{A0}", "\u{200B}", "\u{2028}", "\u{3000}", "é", "e\u{301}", "\u{301}", "\u{338}", "中", "\u{1F1E9}",
        "\u{600}", "ſ", "\u{212A}", "İ", "½", "²", "٣", "１", "\u{2019}", "\u{201C}", "\u{201D}", "\u{2212}", "\u{2013}",
        "\u{25C1}think\u{25B7}", "\u{25C1}", "°", "√",
    ]

    /// Soups of which every third has nothing but ASCII, and the project's own texts, cut anywhere.
    static func texts(_ count: Int, seed: UInt64) throws -> [String] {
        var random = ReasoningRandom(seed: seed)
        let own = try ["word_problems.jsonl", "answers.jsonl", "dual_chains.jsonl"].flatMap {
            try TestData.lines(TestData.own($0))
        }
        return (0..<count).map { round in
            let choice = round % 3 == 0 ? pieces : pieces + others
            var text = (0..<random.integer(0...9)).compactMap { _ in random.pick(choice) }.joined()
            if round % 4 == 0, let line = random.pick(own) {
                let start = random.integer(0...line.unicodeScalars.count)
                text = String(line.unicodeScalars.dropFirst(start).prefix(random.integer(0...400))) + text
            }
            return text
        }
    }

    @Test("emphasis, marks, blanks, last lines, options and verdicts are what the general paths make of them")
    func marks() throws {
        for text in try Self.texts(20_000, seed: 31) { try Self.check(text) }
    }

    static func check(_ text: String) throws {
        let name = Comment(rawValue: text.debugDescription)
        #expect(AnswerText.withoutMarkup(text) == AnswerText.withoutMarkupOfAny(text), name)
        #expect(AnswerText.trimmedMarks(text) == AnswerText.trimmedMarksOfAny(text), name)
        #expect(AnswerText.lastLine(of: text) == AnswerText.lastLineOfAny(text), name)
        #expect(Array(text.trimmed.utf8) == Array(text.trimmedOfAny.utf8), name)
        let part = text.dropFirst()
        #expect(Array(part.trimmed.utf8) == Array(part.trimmedOfAny.utf8), name)
        #expect(OptionLetter.leading(text) == OptionLetter.leadingOfAny(text), name)
        for alone in [true, false] {
            #expect(AnswerText.verdict(text, alone: alone) == AnswerText.verdictOfAny(text, alone: alone), name)
        }
        #expect(MathNormalisation.scalars(of: text) == MathNormalisation.scalarsOfAny(text), name)
        #expect(AnswerPhrases.remainder(of: text) == AnswerPhrases.remainderOfAny(text), name)
        #expect(Quantity.last(in: text) == Quantity.lastOfAll(in: text), name)
        if AnswerWords.keepsDigit(text) {
            for folded in [true, false] {
                #expect(AnswerWords.hasDigit(AnswerWords.normalised(text, folded: folded)), name)
            }
        }
        let bytes = Array(text.utf8)
        let asked = RunOn.newQuestion(in: bytes) { $0 < bytes.count ? $0 : nil }.map { Array(bytes[..<$0]) } ?? bytes
        #expect(RunOn.asked(bytes) == asked, name)
        let split = bytes.withUnsafeBufferPointer { bytes in
            Thoughts.split(bytes) { $0 < bytes.count ? $0 : nil }
        }
        #expect(Thoughts.split(text).thoughts == split?.thoughts, name)
        if let split { #expect(Thoughts.split(text) == split, name) }
    }

    @Test("the last number of a long text is that of the whole, wherever its end begins")
    func lastNumber() {
        var random = ReasoningRandom(seed: 32)
        let words = Self.pieces + Self.others + Array(repeating: "word ", count: 60) + Array(repeating: " ", count: 40)
        var found = 0
        for _ in 0..<4_000 {
            let text = (0..<random.integer(10...60)).compactMap { _ in random.pick(words) }.joined()
            let last = Quantity.lastOfAll(in: text)
            found += last == nil ? 0 : 1
            #expect(Quantity.last(in: text) == last, "\(text.debugDescription)")
        }
        #expect(found > 3_000, "\(found) have a number")
        // A command whose brace ends beside the number, and a word behind it that a number reaches over.
        for (start, end) in [("\\text{", "5}/7"), ("", "5 and 1/2"), ("", "2 x 10^6"), ("\\begin{", "5}/7")] {
            for count in 15...40 {
                let text = start + String(repeating: "word ", count: count) + end
                #expect(Quantity.last(in: text) == Quantity.lastOfAll(in: text), "\(text)")
            }
        }
    }

    @Test("scalars of a text and the text of scalars are the library's own")
    func scalars() throws {
        for text in try Self.texts(5_000, seed: 33) {
            let scalars = text.scalarArray
            #expect(scalars == Array(text.unicodeScalars))
            for part in [scalars[...], scalars.dropFirst(3), scalars.dropLast(2)] {
                let plain = String(String.UnicodeScalarView(part))
                #expect(Array(String(scalars: part).utf8) == Array(plain.utf8), "\(text.debugDescription)")
            }
        }
    }

    @Test("bytes are found where they stand")
    func bytes() throws {
        let wanted: [UInt8] = [UInt8(ascii: "<"), 0x0A, 0xE2, 0x30]
        for text in try Self.texts(5_000, seed: 34) {
            let bytes = Array(text.utf8)
            bytes.withUnsafeBufferPointer { buffer in
                #expect(buffer.isASCII == bytes.allSatisfy { $0 < 0x80 })
                var search = ByteSearch(buffer, for: [wanted[0], wanted[1], wanted[2], wanted[3]])
                var found: [Int] = []
                var start = 0
                while let place = search.next(from: start) {
                    found.append(place)
                    start = place + 1
                }
                #expect(found == bytes.indices.filter { wanted.contains(bytes[$0]) })
            }
            for byte in wanted {
                #expect(bytes.hasByte(byte) == bytes.contains(byte) && text.hasByte(byte) == bytes.contains(byte))
                #expect(bytes.place(of: byte, from: 2) == bytes.indices.dropFirst(2).first { bytes[$0] == byte })
            }
            #expect(text.hasBytes(Array("\\boxed".utf8)) == (text.range(of: "\\boxed", options: .literal) != nil))
        }
    }

    @Test("a figure's value is that of its digits, and beyond 64 bits there is none")
    func figures() {
        var random = ReasoningRandom(seed: 35)
        for _ in 0..<5_000 {
            let groups = random.integer(0...4)
            var whole = "\(random.integer(1...999))"
            for _ in 0..<groups { whole += "," + "\(1_000 + random.integer(0...999))".dropFirst() }
            let places = String((0..<random.integer(0...6)).map { _ in Character("\(random.integer(0...9))") })
            let text = whole + (places.isEmpty ? "" : "." + places)
            let figures = text.filter { $0 != "," }
            let number = NumberText(text.scalarArray[...], at: 0)
            #expect(number.end == text.unicodeScalars.count && number.value == Rational(decimal: figures), "\(text)")
        }
        for text in [
            "9223372036854775807", "9223372036854775808", "0.123456789012345678", "0.1234567890123456789",
            "99999999999999999999",
        ] {
            #expect(NumberText(text.scalarArray[...], at: 0).value == Rational(decimal: text), "\(text)")
        }
    }

    @Test("words are in lower case, whatever their letters")
    func words() {
        for word in [
            "Apples", "DON'T", "Étage", "ΣΟΦΟΣ", "İstanbul", "straße", "it\u{2019}s", "Kg", "X", "x2", "H2O", "a_1",
        ] {
            let tokens = ArithmeticTokenizer.tokens(word.scalarArray[...])
            #expect(tokens.map(\.kind) == [.word(word.lowercased())], "\(word)")
        }
    }

    @Test("thoughts are told from answers with blanks behind a mark's first byte, in any case")
    func marksOfThoughts() {
        let pairs = [
            ("<think>", "</think>"), ("<thinking>", "</thinking>"), ("<thought>", "</thought>"),
            ("[think]", "[/think]"),
            ("<|begin_of_thought|>", "<|end_of_thought|>"), ("\u{25C1}think\u{25B7}", "\u{25C1}/think\u{25B7}"),
            ("<seed:think>", "</seed:think>"), ("<unused94>", "<unused95>"),
        ]
        func spaced(_ mark: String, _ blanks: Int) -> String {
            String(mark.prefix(1)) + String(repeating: " ", count: blanks) + mark.dropFirst()
        }
        for (open, close) in pairs {
            for blanks in [0, 1, 7, 40] {
                for text in [
                    "\(spaced(open, blanks))5\(spaced(close, blanks))6", "<5\(spaced(close.uppercased(), blanks))6",
                ] {
                    #expect(Thoughts.split(text).answer == "6", "\(text)")
                }
            }
        }
        #expect(Thoughts.split("6</s><|im_end|>").answer == "6" && Thoughts.split("a</s>b>").answer == "a</s>b>")
    }
}

/// The same over texts of others.
@Suite("Shortcuts in reading answers, over texts of others", .external)
struct ExternalAnswerASCIITests {
    @Test(
        "shortcuts say the same of GSM8K's solutions, those of its example models, and the answers of other tools' tests"
    )
    func corpus() throws {
        let files = [
            "gsm8k/train.jsonl", "gsm8k/test_a.jsonl", "gsm8k/example_model_solutions_a.jsonl",
            "answer_equivalence/math_verify_a.jsonl", "answer_equivalence/nemo_skills.jsonl",
            "answer_equivalence/open_instruct.jsonl", "answer_equivalence/hendrycks_math_equivalence.jsonl",
        ]
        var count = 0
        for file in files {
            for line in try TestData.lines(TestData.external(file)) {
                try Self.strings(JSONSerialization.jsonObject(with: Data(line.utf8))) { text in
                    try AnswerASCIITests.check(text)
                    count += 1
                }
            }
        }
        #expect(count > 20_000, "\(count) texts")
    }

    private static func strings(_ value: Any, _ body: (String) throws -> Void) rethrows {
        switch value {
        // A text of Foundation's may be stored as UTF-16.
        case let text as String: try body(String(decoding: Array(text.utf8), as: UTF8.self))
        case let values as [Any]: for value in values { try strings(value, body) }
        case let values as [String: Any]: for value in values.values { try strings(value, body) }
        default: break
        }
    }
}
