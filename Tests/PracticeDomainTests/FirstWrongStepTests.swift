import DataSupport
import Foundation
import Schemas
import Testing

@testable import PracticeDomain
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

    private func kinds(_ example: Example) -> [StepKind?] {
        let quantities = ReferenceQuantities(question: example.question, reference: example.reference)
        let attempt = example.attempt.map { StepText($0) }
        return StepKinds(attempt: attempt, reference: quantities).observations.map { $0?.kind }
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
        #expect(kinds(example) == [.reordered, .reference, .reference, .new, nil])
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

    @Test("what a step is like is told by how it makes its value, not by the value")
    func kindsOfSteps() {
        var example = pencils
        example.attempt = [
            // The same in another form and with the steps joined.
            "7 * 6 * 2 = 84", "(14 * 6) - 20 = 64 stay.",
            // A value of the question by chance, and the reference's operands with another sign.
            "There are 14 + 6 = 20 pencils.", "She has 15 + 5 = 20 left.",
            // Neither has the value; made of a new value; and not the expression's value.
            "20 + 5 = 25 go.", "84 - 25 = 59 stay.", "84 - 20 = 54 stay.", "64",
        ]
        #expect(
            kinds(example) == [.coincident, .reference, .new, .coincident, .new, .new, .miscalculated, nil]
        )
        let quantities = ReferenceQuantities(question: example.question, reference: example.reference)
        let observed = StepKinds(attempt: example.attempt.map { StepText($0) }, reference: quantities)
        #expect(observed.observations.map { $0?.isCarried } == [false, false, false, false, false, true, false, nil])
        #expect(observed.isMiscalculated.firstIndex(of: true) == 6)
    }

    @Test(
        "a share and its percentage are one quantity, another unit is not, and a rate of one's own is another quantity"
    )
    func unitsAndRates() {
        let example = Example(
            question: "A tank of 60 litres is 25% full. A cup takes 5 litres a day. How many days does it last?",
            reference: "60*25/100=15 litres are left.\n15/5=3 days.\n#### 3",
            attempt: [
                "25% of 60 = 15 litres.", "60 - 60 * 75 / 100 = 15 litres.", "15 / 5 = 3 litres per cup.",
                "15 * 1000 = 15000",
            ]
        )
        #expect(kinds(example) == [.reference, .reference, .coincident, .reordered])
    }

    @Test("unknowns stand for quantities of the reference")
    func unknowns() {
        #expect(StepText("3 x 4 = 12").unknowns.isEmpty)
        #expect(StepText("200 ml/person x 30 persons = 6000 ml").calculations.map(\.value) == [Rational(6_000)])
        #expect(StepText("3x + 4 = 13").unknowns == ["x"])
        #expect(StepText("A bag has 4 + 5 = 9 nuts").unknowns.isEmpty)
        #expect(StepText("108/3 = 36 M&Ms").unknowns.isEmpty)
        let reference = ReferenceQuantities(question: "", reference: "2*5=10\n10+3=13\n#### 13")
        func fits(_ steps: String...) -> [Int: UnknownValues.Fit]? {
            UnknownValues(attempt: steps.map { StepText($0) }, reference: reference)?.holds
        }
        #expect(
            fits("Let n be it.", "n + 3 = 13", "2n = 21", "n = 10.5") == [
                1: .fits, 2: .wrongEquation, 3: .wrongEquation,
            ]
        )
        #expect(fits("a + b = 23", "a - b = 3", "a * b") == [0: .fits, 1: .fits, 2: .unknownValue])
        #expect(fits("a + b + c = 23") == nil)
        #expect(fits("no letter: 3 + 4") == nil)
    }

    @Test(
        "TeX, emphasis, spoken operations, remarks, mixed numbers and powers are read",
        arguments: [
            (#"\( 6 \times 14 = 84 \) pencils"#, Rational(84)),
            (#"\[ \frac{1}{4} \times 200 = 50 \]"#, Rational(50)),
            (#"$1{,}200 \div 4 = 300 \text{ apples}$"#, Rational(300)),
            ("**Total**: 6 * 14 = **84**", Rational(84)),
            ("6 times 14 equals 84", Rational(84)),
            ("$90 - $5 (tokens) = $85", Rational(85)),
            ("10 * 1 1/2 = 15", Rational(15)),
            ("2^3 + 4 = 12", Rational(12)),
            ("((2 + 5) * 2) = (7 * 2) = 14", Rational(14)),
            ("9 T-shirts + 3 T-shirts = 12 T-shirts", Rational(12)),
            ("$80 000 x 20/100 = $16 000", Rational(16_000)),
        ]
    )
    func forms(text: String, value: Rational) {
        let calculations = StepText(text).calculations
        #expect(calculations.map(\.value) == [value])
        #expect(calculations.allSatisfy { $0.claim == value && !$0.isMiscalculated })
        #expect(StepText("(80/400)*100 = 20%").calculations.map(\.isMiscalculated) == [false])
        #expect(StepText("7 - 2 <= 28").calculations.allSatisfy { $0.claim == nil })
    }

    @Test("a number that is only stated counts where nobody has said it before")
    func statedNumbers() {
        var example = pencils
        example.attempt = [
            "Mia packs 6 boxes, a third of 18.", "So 18 boxes.", "One in 7:9, or 5/11, or 12%.", "That is 14 each.",
            "She keeps 43 of them.", "6 * 14 = 84.",
        ]
        #expect(kinds(example) == [.new, nil, nil, nil, .new, .reference])
        #expect(example.found == 0)
        #expect(
            StepText("Twelve of 30 cost $4 or 3^7, the 1 left 1.5.").loneNumbers == [12, 30, 4].map { Rational($0) }
        )
    }

    @Test("what the reference subtracts the other way round is not the reference's")
    func negativeDifference() {
        var example = pencils
        example.attempt = ["6 * 14 = 84 pencils.", "20 - 84 = -64 stay."]
        #expect(kinds(example) == [.reference, .new])
        #expect(example.found == 1)
    }

    @Test("fingerprints tell functions of the question's numbers, not values")
    func fingerprints() throws {
        let question = StepText("6 boxes, 14 pencils, 25% off, and half of 84")
        func fingerprint(_ text: String, _ reading: QuestionNumbers.Reading = .allVary) throws -> QuantityFingerprint {
            let numbers = QuestionNumbers(question, reading)
            let tree = try #require(ExpressionTree(StepTokens.tokens(text)[...]))
            return try #require(tree.fingerprints { [numbers[$0]] }.first)
        }
        #expect(try fingerprint("6 * (14 + 84)") == fingerprint("84 * 6 + 6 * 14"))
        #expect(try fingerprint("6 * 14") != fingerprint("84"))
        #expect(try fingerprint("84 * 0.75") == fingerprint("84 - 25/100 * 84"))
        #expect(try fingerprint("84 / 2") == fingerprint("84 * 0.5"))
        #expect(try fingerprint("14 - 6").magnitude == fingerprint("6 - 14").magnitude)
        #expect(try fingerprint("6^2") == fingerprint("6 * 6"))
        #expect(try fingerprint("14 * 2", .smallAreConstant) == fingerprint("14 + 14", .smallAreConstant))
        let field = QuantityFingerprint(random: Rational(3), seed: 9)
        #expect(field * field.inverse == .one)
        #expect(field - field == .zero)
    }

    @Test("the earliest sufficient evidence is blamed, and what follows from it is not")
    func model() {
        func step(_ kind: StepKind, carried: Bool = false) -> StepObservation {
            StepObservation(kind: kind, isCarried: carried)
        }
        let right = step(.reference)
        #expect(FirstErrorModel.mostLikely([right, step(.new), step(.new, carried: true)], before: 3) == 1)
        #expect(FirstErrorModel.mostLikely([step(.reordered), right, right, step(.new)], before: 4) == 3)
        #expect(FirstErrorModel.mostLikely([right, step(.reordered), step(.new)], before: 3) == 1)
        #expect(FirstErrorModel.mostLikely([right, step(.reordered), step(.reordered, carried: true)], before: 3) == 1)
        #expect(FirstErrorModel.mostLikely([nil, step(.new), step(.new)], before: 3) == 1)
        #expect(FirstErrorModel.mostLikely([right, step(.new)], before: 1) == 0)
        #expect(FirstErrorModel.mostLikely([nil, nil], before: 2) == nil)
    }

    @Test("steps are aligned with the reference's lines by tokens and results, in order")
    func alignment() {
        let lines = ["The key is in the red box.", "So 6 * 14 = 84 pencils.", "The cat sleeps on the mat."]
        let steps = ["The key is in a red box.", "It rains.", "14 * 6 = 84", "The cat sleeps."]
        func alignment(_ steps: [String]) -> StepAlignment {
            StepAlignment(attempt: steps.map { StepText($0) }, reference: lines.map { StepText($0) })
        }
        #expect(alignment(steps).steps == [0, 2, 3])
        #expect(alignment(steps).firstGap == nil)
        #expect(alignment([steps[0], steps[1], steps[3]]).firstGap == 1)
        #expect(alignment([steps[3], steps[0]]).steps.compactMap(\.self).count == 1)
        #expect(alignment(["It rains."]).firstGap == 0)
        #expect(alignment([]).steps == [nil, nil, nil])
        let words = Example(
            question: "Who has the key?",
            reference: "Ann gave the key to Bob.\nBob lost the key to Cid at cards.\nSo Cid has it.\n#### Cid",
            attempt: [
                "We are asked for the key.", "Ann gave the key to Bob.", "Nobody plays.", "So Bob has it.", "Bob",
            ]
        )
        #expect(words.found == 2)
    }

    @Test("an attempt that stops too early is wrong where it stops")
    func stopped() {
        #expect(pencils("There are 6 x 14 = 84 pencils.", "So 84 stay.", "84") == 1)
        #expect(pencils("I do not know.") == 0)
        #expect(pencils("Let me think.", "It is hard.", "I do not know.") == 1)
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
        let time = processorTime {
            _ = FirstWrongStep.locate(attempt: [long, long], reference: long, question: long)
        }
        #expect(time < .seconds(5))
        let many = [String](repeating: String(long.prefix(4_000)), count: 200)
        let whole = many.joined(separator: "\n")
        #expect(
            processorTime { _ = FirstWrongStep.locate(attempt: many, reference: whole, question: long) } < .seconds(30)
        )
        let tower = String(repeating: "((((x + 2)^6)^6)^6)^6 = 1/7 * ", count: 100)
        #expect(processorTime { _ = FirstWrongStep.locate(attempt: [tower, tower], reference: tower) } < .seconds(5))
    }

    /// The solution of a generated problem with one step's sign or operand changed, and what follows carried on.
    private func slipped(_ problem: Problem, at slip: Int, _ source: inout ReasoningRandom) -> [String]? {
        var changed: [String: String] = [:]
        var lines: [String] = []
        for (step, line) in WorkedSolution.parse(problem.solution ?? "").steps.enumerated() {
            guard let calculation = line.calculations.first,
                let sign = calculation.expression.lastIndex(where: { "+-*/".contains($0) })
            else { return nil }
            var parts = [
                calculation.expression[..<sign], calculation.expression[calculation.expression.index(after: sign)...],
            ]
            .map { String($0).trimmed }.map { changed[$0] ?? $0 }
            var operation = calculation.expression[sign]
            if step == slip {
                if source.integer(0...1) == 0 {
                    operation = operation == "+" ? "-" : "+"
                } else {
                    let others = AnswerExtraction.numbers(in: problem.question).filter { !parts.contains($0) }
                    guard !others.isEmpty else { return nil }
                    parts[1] = others[source.integer(0...(others.count - 1))]
                }
            }
            let expression = "\(parts[0]) \(operation) \(parts[1])"
            guard let value = Arithmetic.evaluate(expression), value.isWhole else { return nil }
            changed[calculation.value] = "\(value.numerator)"
            lines.append("So \(expression) = \(value.numerator).")
        }
        return lines.last?.hasSuffix("= \(problem.answer).") == false ? lines : nil
    }

    @Test("a changed sign or operand in a generated solution is found where it is, not where it is carried on")
    func generated() throws {
        var source = ReasoningRandom(seed: 8)
        var hits = 0
        var count = 0
        for problem in try ProblemGenerator(seed: 31).generate(count: 400, split: .test) {
            let steps = WorkedSolution.parse(problem.solution ?? "").steps.count
            let slip = source.integer(0...max(0, steps - 1))
            guard let attempt = slipped(problem, at: slip, &source) else { continue }
            let found = FirstWrongStep.locate(
                attempt: attempt,
                reference: (problem.solution ?? "") + "\n#### " + problem.answer,
                question: problem.question
            )
            count += 1
            if found == slip { hits += 1 }
        }
        print("first wrong step, generated: \(hits) of \(count)")
        #expect(count > 150)
        #expect(Double(hits) >= 0.9 * Double(count))
    }
}
