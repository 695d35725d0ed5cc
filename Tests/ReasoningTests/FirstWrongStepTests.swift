import Foundation
import Testing

@testable import Reasoning

@Suite("First wrong step")
struct FirstWrongStepTests {
    private struct Example {
        var question: String
        var reference: String
        var attempt: [String]

        var found: Int? { FirstWrongStep.locate(attempt: attempt, reference: reference, question: question) }
    }

    private let pencils = Example(
        question:
            "Mia packs 6 boxes with 14 pencils each. She gives away 20 pencils and 5 erasers. How many pencils stay?",
        reference: "She packs 6*14=<<6*14=84>>84 pencils.\n84-20=<<84-20=64>>64 pencils stay.\n#### 64",
        attempt: []
    )

    private func pencils(_ attempt: String...) -> Int? {
        var example = pencils
        example.attempt = attempt
        return example.found
    }

    @Test("a value that is not its expression's is wrong, whatever follows")
    func miscalculated() {
        #expect(pencils("There are 6 x 14 = 94 pencils.", "Then 94 - 20 = 74 stay.", "74") == 0)
        #expect(pencils("There are 6 x 14 = 84 pencils.", "Then 84 - 20 = 74 stay.", "74") == 1)
        #expect(pencils("There are 6 boxes * 14 pencils = 84 pencils.", "Then 84 - 20 = 54 stay.", "54") == 1)
    }

    @Test("so is the other operation on the right numbers")
    func otherOperation() {
        #expect(pencils("There are 6 x 14 = 84 pencils.", "Then 84 + 20 = 104 stay.", "104") == 1)
        #expect(pencils("There are 6 + 14 = 20 pencils.", "Then 20 - 20 = 0 stay.", "0") == 0)
    }

    @Test("a quantity that the question has but the solution does not need is found where it comes in")
    func extraQuantity() {
        let found = pencils(
            "There are 6 x 14 = 84 pencils.",
            "She gives 20 + 5 = 25 away.",
            "So 84 - 25 = 59 stay.",
            "59"
        )
        #expect(found == 1)
    }

    @Test("steps before the answer was reached are right, and what goes on from it is not")
    func wentOn() {
        let found = pencils("There are 6 x 14 = 84 pencils.", "Then 84 - 20 = 64 stay.", "Then 64 - 5 = 59 stay.", "59")
        #expect(found == 2)
    }

    @Test(
        "another order of the same operations is known as such, and blamed before no step that goes on from the answer"
    )
    func reordered() {
        let example = Example(
            question: "A pond has 900 eggs. 90 dry up and 450 are eaten. A third of the others hatch. How many hatch?",
            reference: "900-90-450=360 eggs are left.\n360/3=120 hatch.\n#### 120",
            attempt: [
                "90 + 450 = 540 eggs are lost.", "900 - 540 = 360 are left.", "360 / 3 = 120 hatch.",
                "900 - 120 = 780 hatch.", "780",
            ]
        )
        let quantities = ReferenceQuantities(question: example.question, reference: example.reference)
        let evidence = StepEvidence(attempt: example.attempt.map { StepText($0) }, reference: quantities)
        #expect(evidence.strengths[0][StepEvidence.Feature.reorderedResult.rawValue] == 1)
        #expect(evidence.strengths[3][StepEvidence.Feature.reorderedResult.rawValue] == 0)
        #expect(example.found == 3)
    }

    @Test("an attempt that ends in the answer has no wrong step, unless it states a wrong value")
    func right() {
        #expect(pencils("There are 6 x 14 = 84 pencils.", "Then 84 - 20 = 64 stay.", "64") == nil)
        #expect(pencils("There are 6 x 14 = 86 pencils.", "Then 84 - 20 = 64 stay.", "64") == 0)
        #expect(pencils() == nil)
        #expect(pencils(" ", "") == nil)
    }

    @Test("an equation that no quantity of the reference solves is found")
    func equation() {
        let example = Example(
            question: "Two bags weigh 30 pounds. One is twice as heavy as the other. How heavy is the lighter one?",
            reference: "Together they are 1+2=3 times the lighter one.\nIt weighs 30/3=10 pounds.\n#### 10",
            attempt: ["Let x be the lighter bag.", "The other is 2x.", "2x = 30", "x = 15", "15"]
        )
        #expect(example.found == 2)
    }

    @Test(
        "equations, units, percentages and words are read",
        arguments: [
            ("The 5 hours of work * $12 per hour = $60", Rational(60)),
            ("20% of 80 = 16", Rational(16)),
            ("1/4 of (20 + 60) = 20", Rational(20)),
            ("3(4 + 1) = 15", Rational(15)),
        ]
    )
    func calculations(text: String, value: Rational) {
        let calculations = StepText(text).calculations
        #expect(calculations.map(\.value) == [value])
        #expect(calculations.allSatisfy { $0.claim == value && !$0.isMiscalculated })
    }

    @Test("an unknown is told from times")
    func unknowns() {
        #expect(StepText("3 x 4 = 12").variables.isEmpty)
        #expect(StepText("3x + 4 = 13").variables == ["x"])
        #expect(StepText("3x + 4 = 13").isSolved(byOneOf: [Rational(3)]) == true)
        #expect(StepText("3x + 4 = 13").isSolved(byOneOf: [Rational(4)]) == false)
        #expect(StepText("A bag has 4 + 5 = 9 nuts").variables.isEmpty)
    }

    @Test("arbitrary text neither crashes nor takes long")
    func noise() {
        var source = ReasoningRandom(seed: 21)
        let pieces = [
            "(", ")", "=", "1/0", "9999999999999999", "x", "%", "-", "+", "each", "<<", ">>", "½", "\u{301}", ".",
        ]
        for _ in 0..<200 {
            let steps = (0..<source.integer(0...6)).map { _ in
                (0..<source.integer(0...60)).map { _ in pieces[source.integer(0...(pieces.count - 1))] }.joined(
                    separator: " "
                )
            }
            let found = FirstWrongStep.locate(
                attempt: steps,
                reference: steps.joined(separator: "\n"),
                question: "1 2 3"
            )
            #expect(found.map(steps.indices.contains) != false)
        }
        let long = String(repeating: "(1 + 2 = ", count: 40_000)
        let clock = ContinuousClock()
        let time = clock.measure { _ = FirstWrongStep.locate(attempt: [long, long], reference: long, question: long) }
        #expect(time < .seconds(5))
    }

    @Test("human-labelled attempts: half of the labels, where two people agree on .58 of them")
    func labels() throws {
        struct Attempt: Decodable {
            let question: String
            let steps: [String]
            let firstError: Int
            let referenceSolution: String
        }
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        var hits = 0
        let lines = try TestData.lines("first_error/verify_then_generate.jsonl")
        for line in lines {
            let item = try decoder.decode(Attempt.self, from: Data(line.utf8))
            let found = FirstWrongStep.locate(
                attempt: item.steps,
                reference: item.referenceSolution,
                question: item.question
            )
            if found == item.firstError { hits += 1 }
        }
        print("first wrong step: \(hits) of \(lines.count)")
        #expect(Double(hits) >= 0.5 * Double(lines.count))
    }
}
