import DataSupport
import Testing

@testable import Reasoning

@Suite("Corrections of an attempt's steps")
struct CorrectionReadingTests {
    private static let attempt = [
        "Tom buys 3 boxes of 12 pens, which are 3 * 12 = 36 pens.",
        "He gives away 36 / 4 = 8 pens to his friends.",
        "Then he has 36 - 8 = 28 pens.",
        "He sells them at $2 each for 28 * 2 = 56 dollars.",
    ]

    private func read(_ text: String, _ attempt: [String] = attempt) throws -> CorrectionReading {
        try CorrectionReading(text, attempt: attempt)
    }

    private static func quote(_ step: String, _ tag: String = "Step2") -> String {
        "<\(tag)>\(step)<Cause>36 / 4 is 9.</Cause><Correction>He gives away 36 / 4 = 9 pens.</Correction></\(tag)>\n"
            + "<Answer>54</Answer>"
    }

    @Test(
        "a quoted step is found, with small differences of the copy",
        arguments: [
            "He gives away 36 / 4 = 8 pens to his friends.", "he gives away 36/4 = 8 pens to his friends",
            "2. He gives away 36 / 4 = 8 pens to his friends.", "Step 2: He gives away 36 / 4 = 8 pens to his friends.",
            "**He gives away 36 \u{F7} 4 = 8 pens to his friends.**", "He gives 36 / 4 = 8 pens to his friends.",
            "He gives away $\\frac{36}{4} = 8$ pens to his friends.",
            "He gives away 36 / 4 = <<36/4=8>>8 pens to his friends.", "36 / 4 = 8 pens",
            "He gives away 36 / 4 = 8 pens to his friends.<Evaluate>This step is wrong.</Evaluate>",
        ]
    )
    func copies(step: String) throws {
        for tag in ["Step2", "Step", "Step 2:"] {
            let reading = try read(Self.quote(step, tag))
            #expect(reading.trace.firstWrongStep == 1, "\(tag)")
            #expect(reading.trace.steps == Self.attempt)
            #expect(reading.failure(gold: "54") == nil)
        }
    }

    @Test("the form of the paper, all steps repeated, is read as well, and so are labels")
    func wholeTrace() throws {
        let steps = Self.attempt.enumerated().map { index, step in
            let inner = index == 1 ? "<Cause>36 / 4 is 9.</Cause><Correction>36 / 4 = 9 pens.</Correction>" : ""
            return "<Step\(index + 1)>\(step)\(inner)</Step\(index + 1)>"
        }.joined(separator: "\n")
        #expect(try read(steps + "\n<Answer>54</Answer>").trace.firstWrongStep == 1)
        // First all steps are written down, then all again with what is wrong.
        let bare = Self.attempt.enumerated().map { "<Step\($0 + 1)>\($1)</Step\($0 + 1)>" }.joined(separator: "\n")
        #expect(try read(bare + "\n\n" + steps + "\n<Answer>54</Answer>").trace.firstWrongStep == 1)
        let labels = """
            **Step 2:** He gives away 36 / 4 = 8 pens to his friends.
            **Cause:** 36 / 4 is 9.
            **Correction:** He gives away 36 / 4 = 9 pens.
            **Answer:** 54
            """
        let reading = try read(labels)
        #expect(reading.trace.firstWrongStep == 1 && reading.failure(gold: "54") == nil)
        #expect(reading.trace.cause == "36 / 4 is 9.")
        let apart = """
            <Step2>He gives away 36 / 4 = 8 pens to his friends.</Step2>
            <Cause>36 / 4 is 9.</Cause>
            <Correction>36 / 4 = 9.</Correction>
            <Answer>54 dollars</Answer>
            """
        #expect(try read(apart).failure(gold: "54") == nil)
        let own = CorrectionTrace(
            steps: Self.attempt,
            firstWrongStep: 1,
            cause: "36 / 4 is 9 & not < 8.",
            correction: "36 / 4 = 9.",
            answer: "54"
        )
        #expect(try read(own.quoted).trace == own && read(own.xml).trace == own)
    }

    @Test("an exact quote is believed before its number, another one is not")
    func numbers() throws {
        #expect(try read(Self.quote(Self.attempt[1], "Step1")).trace.firstWrongStep == 1)
        #expect(try read(Self.quote(Self.attempt[1], "Step9")).trace.firstWrongStep == 1)
        let changed = try read(Self.quote("He gives 36 / 4 = 8 pens to friends.", "Step3"))
        #expect(changed.trace.firstWrongStep == nil && changed.failure(gold: "54")?.kind == .unmatchedStep)
        let part = try read(Self.quote("36 / 4 = 8 pens", "Step1"))
        #expect(part.failure(gold: "54")?.kind == .unmatchedStep)
    }

    @Test(
        "what is not surely one step of the attempt is refused",
        arguments: [
            // Merged, rewritten, with another number, with another sign, not there, not quoted.
            "Tom buys 3 boxes of 12 pens, which are 3 * 12 = 36 pens. He gives away 36 / 4 = 8 pens to his friends.",
            "He gives away 36 / 4 = 9 pens to his friends.", "He gives away 36 * 4 = 8 pens to his friends.",
            "He gives away 8 / 4 = 36 pens to his friends.", "He eats 5 pens.", "He gives away pens to his friends.",
            "",
            "36", "8 pens",
        ]
    )
    func unmatched(step: String) throws {
        let reading = try read(Self.quote(step))
        #expect(reading.trace.firstWrongStep == nil)
        #expect(reading.failure(gold: "54")?.kind == .unmatchedStep)
        #expect(reading.failure(gold: "55")?.kind == .wrongAnswer)
    }

    @Test("of equal steps the number tells which, and of steps nearly alike nothing does")
    func twins() throws {
        let twins = ["He adds 3 + 4 = 7.", "So 7.", "He adds 3 + 4 = 7."]
        let text = "<Step3>He adds 3 + 4 = 7.<Cause>c</Cause><Correction>d</Correction></Step3><Answer>8</Answer>"
        #expect(try read(text, twins).trace.firstWrongStep == 2)
        for number in ["", "2", "9"] {
            let reading = try read(text.replacing("Step3", with: "Step\(number)"), twins)
            #expect(reading.failure(gold: "8")?.kind == .unmatchedStep)
        }
        let alike = ["He adds 3 + 4 = 7 pens.", "She adds 3 + 4 = 7 pens."]
        let they = "<Step1>They add 3 + 4 = 7 pens.<Cause>c</Cause><Correction>d</Correction></Step1><Answer>8</Answer>"
        #expect(try read(they, alike).failure(gold: "8")?.kind == .unmatchedStep)
        #expect(try read(they.replacing("They add", with: "She adds"), alike).trace.firstWrongStep == 1)
    }

    @Test("merging or splitting any neighbours never gives another step")
    func mergedAndSplit() throws {
        for index in 0..<(Self.attempt.count - 1) {
            var merged = Self.attempt
            merged[index] += " " + merged.remove(at: index + 1)
            for wrong in merged.indices {
                let text = merged.enumerated().map { place, step in
                    let inner = place == wrong ? "<Cause>c</Cause><Correction>d</Correction>" : ""
                    return "<Step\(place + 1)>\(step)\(inner)</Step\(place + 1)>"
                }.joined(separator: "\n")
                let found = try read(text + "<Answer>54</Answer>").trace.firstWrongStep
                #expect(found == Self.attempt.firstIndex(of: merged[wrong]))
            }
        }
        for index in Self.attempt.indices {
            let words = Self.attempt[index].split(separator: " ").map(String.init)
            for cut in 1..<words.count {
                var split = Self.attempt
                split[index] = words[..<cut].joined(separator: " ")
                split.insert(words[cut...].joined(separator: " "), at: index + 1)
                for wrong in split.indices {
                    let quote = split[wrong]
                    let text =
                        "<Step\(wrong + 1)>\(quote)<Cause>c</Cause><Correction>d</Correction></Step\(wrong + 1)>"
                        + "<Answer>54</Answer>"
                    let found = try read(text).trace.firstWrongStep
                    let owner = Self.attempt.firstIndex(of: quote) ?? index
                    #expect(found == nil || found == owner, "\(quote)")
                }
            }
        }
    }

    @Test(
        "corrections that lack something are refused by kind",
        arguments: [
            ("<Answer>54</Answer>", .noWrongStep), ("<Step2>\(attempt[1])</Step2><Answer>54</Answer>", .noWrongStep),
            ("<Step2>\(attempt[1])<Cause>c</Cause></Step2><Answer>54</Answer>", .noCorrection),
            ("<Step2>\(attempt[1])<Correction>d</Correction></Step2><Answer>54</Answer>", .noCause),
            (
                "<Step4>\(attempt[3])<Cause>c</Cause><Correction>\(attempt[3])</Correction></Step4><Answer>54</Answer>",
                .noCorrection
            ),
            (
                "<Step2>\(attempt[1])<Cause>c</Cause><Correction>36 / 4 = 7.</Correction></Step2><Answer>54</Answer>",
                .arithmetic
            ),
            (
                "<Step2>\(attempt[1])<Cause>The reference solution has 9.</Cause><Correction>d</Correction></Step2><Answer>54</Answer>",
                .leak
            ),
            ("<Answer>53</Answer>", .wrongAnswer),
        ] as [(String, Refusal.Kind)]
    )
    func lacking(text: String, kind: Refusal.Kind) throws {
        #expect(try read(text).failure(gold: "54")?.kind == kind)
    }

    @Test("an attempt is shown with its numbers, a line a step")
    func numbered() {
        #expect(TeacherRequest.numbered(["a\nb", "c"]) == "1. a b\n2. c")
    }

    @Test("long quotes against long attempts are compared in linear time")
    func time() {
        let step = String(repeating: "3 + 4 = 7 and so on, ", count: 3_000)
        let attempt = (0..<64).map { step + "\($0)" }
        let time = processorTime { _ = StepMatch.find(step, number: 1, in: attempt) }
        #expect(time < .seconds(10), "\(time)")
    }
}
