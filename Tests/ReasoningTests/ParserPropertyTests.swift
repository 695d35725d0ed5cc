import DataSupport
import Foundation
import Testing

@testable import Reasoning

@Suite("Parsers of model output on any text")
struct ParserPropertyTests {
    /// Calls everything that reads a model's output; returns what was read of trees.
    @discardableResult
    static func readAll(_ text: String) -> (template: ThoughtTemplate?, trace: CorrectionTrace?) {
        let template = try? ThoughtTemplate.parse(text)
        let trace = try? CorrectionTrace.parse(text)
        _ = try? InspectorVerdict.parse(text)
        let steps = StudentFormat.steps(of: text)
        let own = try? StudentFormat.parseCorrection(text, attempt: steps)
        if let step = own?.firstWrongStep { #expect(steps.indices.contains(step)) }
        if let trace, let step = trace.firstWrongStep { #expect(trace.steps.indices.contains(step)) }
        _ = LeakFilter.mentionsReference(text)
        let thoughts = Thoughts.split(text)
        #expect(thoughts.answer.utf8.count <= text.utf8.count)
        _ = try? MistakePattern.parse(text)
        let attempt = Array(steps.prefix(8))
        if let reading = try? CorrectionReading(text, attempt: attempt), let step = reading.trace.firstWrongStep {
            #expect(attempt.indices.contains(step) && reading.unmatched == nil)
        }
        _ = ChainForm.failure(ofCorruption: text, right: "3 + 4 = 7\nThe answer is 7.", question: "3 and 4?")
        _ = AnswerExtraction.extract(text)
        _ = WorkedSolution.parse(text)
        return (template, trace)
    }

    /// Pieces of tags with the noise that models make, and text that is awkward in other ways.
    private static func soup(_ random: inout ReasoningRandom) -> String {
        let names = [
            "Step", "step", "STEP", "Key", "kEy", "Generalized", "generalisation", "Answer", "Final Answer", "Cause",
            "Correction", "Verdict", "Part", "Reason", "Evaluate", "x", "think", "Step1: a", "Key kind=\"a\"", "br/",
        ]
        let numbers = [
            "", "", "1", "2", "3", " 1", "0", "007", "64", "65", "99999999999999999999999", "-1", "1.5", "Ⅳ",
        ]
        let texts = [
            "3+4=7", "ok", "faulty", " 2", "a < b", "b > a", "&lt;", "&amp;lt;", "&", "\u{0}", "e\u{301}", "\u{338}",
            "\u{1F1E9}\u{1F1EA}", "\r\n", "\n", "####", "<<3+4=7>>", "\\boxed{", "½", "٣", "\u{202E}", "",
            "\n**Step 1:** ", "\n### Step 2\n", "\nKey: ", "\n**Answer:** 5\n", "\n```\n", "\nVerdict: ok\n", "**", "`",
            "</think>", "[/Step1]", "&#x3c;", "The answer is 7.", "the mistake is logical", "\n1. ", "\n2. ",
        ]
        switch random.integer(0...9) {
        case 0...5:
            let open = random.pick(["<", "<", "<", "</", "</", "< ", "<\t/", "<<", "", "<!"]) ?? "<"
            let close = random.pick([">", ">", ">", ":>", " :>", " >", "", "/>", ">>", " x>"]) ?? ">"
            return open + (random.pick(names) ?? "") + (random.pick(numbers) ?? "") + close
        default: return random.pick(texts) ?? ""
        }
    }

    @Test("random bytes, decoded leniently, neither crash nor hang a parser")
    func bytes() {
        var random = ReasoningRandom(seed: 1)
        for _ in 0..<3_000 {
            let count = random.integer(0...300)
            // Half of them of few values, so that marks meet.
            let bytes: [UInt8] =
                random.chance(0.5)
                ? (0..<count).map { _ in UInt8(random.integer(0...255)) }
                : (0..<count).compactMap { _ in random.pick(Array("<>/Step1Key:& \u{301}=#".utf8)) }
            Self.readAll(String(decoding: bytes, as: UTF8.self))
        }
    }

    @Test("what is read from a soup of tags can be written and read again")
    func soups() throws {
        var random = ReasoningRandom(seed: 2)
        var templates = 0
        var traces = 0
        for _ in 0..<6_000 {
            let text = (0..<random.integer(0...40)).map { _ in Self.soup(&random) }.joined()
            let (template, trace) = Self.readAll(text)
            if let template {
                templates += 1
                #expect(try ThoughtTemplate.parse(template.xml) == template, "\(text.debugDescription)")
            }
            if let trace {
                traces += 1
                #expect(try CorrectionTrace.parse(trace.xml) == trace, "\(text.debugDescription)")
            }
        }
        #expect(templates > 60 && traces > 300, "the soup is too thin: \(templates) and \(traces)")
    }

    // MARK: Round trips

    private static func text(_ random: inout ReasoningRandom, empty: Bool = false) -> String {
        let pieces = [
            "a", "7", " ", "<", ">", "&", "</Step1>", "<Step2>", "<Key>", "</Answer:>", "&lt;", "&amp;", "\u{0}",
            "\u{301}",
            "\u{338}", "\u{1F1E9}", "\r\n", "\n", "\u{200B}", "“", "#", "=",
        ]
        let text = (0..<random.integer(1...12)).compactMap { _ in random.pick(pieces) }.joined().trimmed
        return text.isEmpty && !empty ? "x" : text
    }

    @Test("templates and corrections of any text survive being written and read, to the byte")
    func roundTrips() throws {
        var random = ReasoningRandom(seed: 3)
        for _ in 0..<3_000 {
            let template = ThoughtTemplate(
                steps: (0..<random.integer(1...5)).map { _ in
                    TemplateStep(
                        text: Self.text(&random),
                        keyNotes: (0..<random.integer(0...2)).map { _ in Self.text(&random) }
                    )
                },
                generalization: Self.text(&random, empty: true),
                answer: Self.text(&random)
            )
            let again = try ThoughtTemplate.parse(template.xml)
            #expect(again == template && Array(again.xml.utf8) == Array(template.xml.utf8))
            #expect(StudentFormat.steps(of: StudentFormat.response(template: template)) == template.steps.map(\.text))

            let steps = template.steps.map(\.text)
            let wrong = random.chance(0.8) ? random.integer(0...(steps.count - 1)) : nil
            let trace = CorrectionTrace(
                steps: steps,
                firstWrongStep: wrong,
                cause: wrong.map { _ in Self.text(&random) },
                correction: wrong.map { _ in Self.text(&random) },
                answer: Self.text(&random)
            )
            let read = try CorrectionTrace.parse(trace.xml)
            #expect(read == trace && Array(read.xml.utf8) == Array(trace.xml.utf8), "\(trace.xml.debugDescription)")
            let response = StudentFormat.response(correction: trace)
            #expect(try StudentFormat.parseCorrection(response, attempt: steps) == trace)
            // The whole trace, as the paper has it, says the same.
            #expect(try StudentFormat.parseCorrection(trace.xml, attempt: steps) == trace)

            let verdict = InspectorVerdict(isOK: false, part: Self.text(&random), reason: Self.text(&random))
            #expect(try InspectorVerdict.parse(verdict.xml) == verdict)
        }
    }

    // MARK: Tag hygiene

    /// The forms of tags in SuperCorrect's own samples, and their kin.
    private static let noise: [(name: String, open: String, close: String)] = [
        ("plain", "<%>", "</%>"), ("colon", "<%:>", "</%:>"), ("blank", "< % >", "</ % >"),
        ("blank and colon", "<% :>", "</% :>"),
        ("no slash", "<%>", "<%>"), ("colon, no slash", "<%:>", "<%:>"), ("unclosed", "<%>", ""),
    ]

    @Test("every kind of tag noise is read alike, in any case", arguments: noise.indices, [0, 1, 2])
    func hygiene(form: Int, letters: Int) throws {
        let (_, open, close) = Self.noise[form]
        func element(_ name: String, _ content: String) -> String {
            let name = [name, name.lowercased(), name.uppercased()][letters]
            return open.replacing("%", with: name) + content + close.replacing("%", with: name)
        }
        for step in ["Step1", "Step 1"] {
            let second = step.replacing("1", with: "2")
            let text =
                "Sure.\n" + element(step, "a<Evaluate>This step is correct.</Evaluate>" + element("Key", "k")) + "\n"
                + element(second, "b") + "\n" + element("Generalized", "g") + "\n" + element("Answer", "5")
            let template = try ThoughtTemplate.parse(text)
            #expect(template.steps.count == 2)
            #expect(template.steps.first?.text.hasPrefix("a") == true && template.steps.last?.text == "b")
            #expect(template.steps.first?.keyNotes == ["k"])
            #expect(template.generalization == "g" && template.answer == "5")
            #expect(AnswerExtraction.extract(text) == "5")

            let correction =
                element(step, "a") + element(second, "b" + element("Cause", "c") + element("Correction", "d"))
                + element("Answer", "5")
            let expected = CorrectionTrace(
                steps: ["a", "b"],
                firstWrongStep: 1,
                cause: "c",
                correction: "d",
                answer: "5"
            )
            #expect(try CorrectionTrace.parse(correction) == expected)
            let short = "\r\n 2" + element("Cause", "c") + element("Correction", "d") + element("Answer", "5")
            #expect(try StudentFormat.parseCorrection(short, attempt: ["a", "b"]) == expected)
        }
        let verdict = element("Verdict", "faulty") + element("Part", "Step2") + element("Reason", "3 < 2")
        #expect(try InspectorVerdict.parse(verdict) == InspectorVerdict(isOK: false, part: "Step2", reason: "3 < 2"))
    }

    @Test("signs that make no tag are text")
    func text() throws {
        for text in ["a <b and c> d", "1 < 2 > 0", "x<y, y>z", "< >", "<>", "<3 >", "<12>", "a << b"] {
            let template = try ThoughtTemplate.parse("<Step1>\(text)</Step1><Answer>5</Answer>")
            #expect(template.steps.map(\.text) == [text])
        }
        let html = try ThoughtTemplate.parse("<Step1>so <b>7</b></Step1><Answer>7</Answer>")
        #expect(html.steps.map(\.text) == ["so 7"])
    }

    @Test("more steps or notes than are kept are refused, not lost")
    func tooMuch() {
        func steps(_ count: Int) -> String {
            (1...count).map { "<Step\($0)>a</Step\($0)>" }.joined() + "<Answer>1</Answer>"
        }
        #expect(throws: Never.self) { try ThoughtTemplate.parse(steps(64)) }
        #expect(throws: ReasoningError.self) { try ThoughtTemplate.parse(steps(65)) }
        #expect(throws: ReasoningError.self) { try CorrectionTrace.parse(steps(65)) }
        #expect(StudentFormat.steps(of: steps(65)).count == 64, "an attempt is only shortened")
        let keys = String(repeating: "<Key>k</Key>", count: 17)
        #expect(throws: ReasoningError.self) { try ThoughtTemplate.parse("<Step1>a\(keys)</Step1><Answer>1</Answer>") }
        let long = String(repeating: "a", count: ThoughtTemplate.maximumLength)
        #expect(throws: ReasoningError.self) { try ThoughtTemplate.parse("<Step1>\(long)</Step1><Answer>1</Answer>") }
        #expect(throws: ReasoningError.self) { try StudentFormat.parseCorrection(" 1\(long)", attempt: ["a"]) }
    }

    @Test(
        "a step's number is one of the attempt, or none",
        arguments: ["0", "4", "99999999999999999999", "½", "-1", "٣", ""]
    )
    func stepNumbers(number: String) throws {
        let text = " \(number)<Cause>c</Cause><Correction>d</Correction><Answer>5</Answer>"
        let trace = try StudentFormat.parseCorrection(text, attempt: ["a", "b", "c"])
        #expect(trace.firstWrongStep == nil && trace.correction == "d" && trace.answer == "5")
    }

    // MARK: Linearity

    /// Texts that make parsers look back, nest, or read on and on.
    private static let repeated = [
        "<", "</", "<Step1>", "<Step1", "<Key>", "</Key>", "<Step1><Key>", "<Answer>", "<Cause><Correction>",
        "<Verdict>",
        "<aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "&amp;", "&", "1=", "1+", "1+1=", "(", "<<", "<<1", "<<1=1>>", "####",
        "\\boxed{", "\\boxed", "answer:", "the answer is ", "*", ".", ". A", "reference ", "given given ", "\u{301}",
        "\u{1F1E9}", "\u{1F468}\u{200D}", "\u{0915}\u{094D}", "<x>", "a<b>", "<!--", "<?", "<Step1: a ",
        "<Step a=\"b\" ",
        "<think>", "</think>", "\nKey: ", "\n**Step 1:** ", "\n- ", "**", "`", "[Step1]", "&lt;Step1&gt;", "verdict: ",
        "{", "not ", "the kind of mistake is ", "the hint ", "the \u{301}", "#", "\n#### 1", "\r", "\r\n", "\u{0}", " ",
        "9", "1,",
    ]

    private static func long(_ seed: String, bytes: Int) -> String {
        String(repeating: seed, count: bytes / seed.utf8.count)
    }

    @Test("the scanner looks at no byte more than four times, and nothing read is there twice", arguments: repeated)
    func work(seed: String) {
        for prefix in ["", "<Step1>", "<Answer>", "<Step1>a<Key>"] {
            let text = prefix + Self.long(seed, bytes: 60_000)
            for vocabulary in [TagVocabulary.steps, .verdict] {
                var examined = 0
                let events = TagScanner.scan(text, vocabulary: vocabulary, examined: &examined)
                #expect(examined <= 4 * text.utf8.count)
                #expect(events.count <= text.utf8.count / 2 + 1)
            }
            let tree = TaggedSteps(text)
            var parts = [tree.answer, tree.generalization]
            for step in tree.steps { parts += [step.text, step.cause, step.correction] + step.keys }
            #expect(parts.compactMap { $0?.utf8.count }.reduce(0, +) <= text.utf8.count)
            #expect(tree.steps.count <= TaggedSteps.maximumSteps)
        }
    }

    /// A bound of seconds for what takes less than one, in processor time: what grows with the square of the length cannot meet
    /// it.
    @Test("a quarter of a mebibyte of anything is read in seconds", arguments: repeated)
    func time(seed: String) {
        for prefix in ["", "<Answer>", "the answer is ", "<<", "\\boxed{"] {
            let long = prefix + Self.long(seed, bytes: prefix.isEmpty ? 1 << 18 : 65_000)
            let time = processorTime {
                Self.readAll(long)
                _ = AnswerEquivalence.equivalent(
                    gold: String(decoding: long.utf8.prefix(1_900), as: UTF8.self),
                    predicted: "1"
                )
            }
            #expect(time < .seconds(prefix.isEmpty ? 20 : 5), "\(prefix) and \(seed.debugDescription) took \(time)")
        }
    }
}
