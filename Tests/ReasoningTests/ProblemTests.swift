import DataSupport
import Foundation
import PracticeDomain
import Schemas
import Testing

@testable import Reasoning

@Suite("GSM8K's layout")
struct GSM8KTests {
    @Test("a problem survives being written and read")
    func roundTrip() throws {
        for problem in try ProblemGenerator(seed: 3).generate(count: 20, split: .development) {
            #expect(try GSM8K.parse(line: GSM8K.format(problem)) == problem)
        }
    }

    @Test(
        "a bad line is refused with its cause",
        arguments: [
            ("", "not a JSON object"), ("[1]", "not a JSON object"), ("{\"answer\":\"#### 1\"}", "question"),
            ("{\"question\":\"  \",\"answer\":\"#### 1\"}", "question"), ("{\"question\":\"Q\"}", "answer"),
            ("{\"question\":\"Q\",\"answer\":\"no mark\\nhere\"}", "####"), ("{\"question\":5}", "question"),
            ("{\"question\":\"Q\",\"answer\":\"a ####\"}", "####"),
        ]
    )
    func refused(line: String, cause: String) {
        do {
            _ = try GSM8K.parse(line: line)
            Issue.record("accepted: \(line)")
        } catch {
            #expect("\(error)".contains(cause))
        }
    }

    @Test("problems that people write are read whole: marks with currencies, fractions and several on a line")
    func written() throws {
        let lines = try TestData.lines(TestData.own("word_problems.jsonl"))
        #expect(lines.count == 48)
        for line in lines {
            let problem = try GSM8K.parse(line: line)
            let solution = WorkedSolution.parse((problem.solution ?? "") + "\n#### " + problem.answer)
            #expect(Arithmetic.evaluate(problem.answer) != nil, "\(problem.answer)")
            #expect(solution.isArithmeticRight, "\(problem.question)")
            let last = solution.steps.last?.calculations.last?.value ?? ""
            #expect(AnswerEquivalence.equivalent(gold: problem.answer, predicted: last), "\(problem.question)")
            let again = try GSM8K.parse(line: GSM8K.format(problem))
            #expect(again.question == problem.question && again.solution == problem.solution)
        }
    }
}

@Suite("GSM8K itself", .external)
struct ExternalGSM8KTests {
    @Test("the training set is read whole and its arithmetic holds")
    func training() throws {
        let lines = try TestData.lines(TestData.external("gsm8k/train.jsonl"))
        #expect(lines.count == 7_473)
        var right = 0
        for line in lines.prefix(1_000) {
            let problem = try GSM8K.parse(line: line)
            #expect(Arithmetic.evaluate(problem.answer) != nil)
            if WorkedSolution.parse(problem.solution ?? "").isArithmeticRight { right += 1 }
        }
        #expect(right >= 970, "\(right) of 1000 solutions have right arithmetic")
    }
}

@Suite("Arithmetic")
struct ArithmeticTests {
    @Test(
        "expressions as people type them",
        arguments: [
            ("2+3*4", "14"), ("(2+3)*4", "20"), ("12 x 3", "36"), ("6 \u{F7} 4", "1.5"), ("$1,200 * 20%", "240"),
            ("10 \u{2212} 4", "6"), ("-3+5", "2"), (".5*8", "4"), ("1/3", "1/3"), ("((((1))))", "1"),
        ]
    )
    func evaluates(expression: String, value: String) {
        #expect(Arithmetic.evaluate(expression)?.description == value)
    }

    @Test(
        "nonsense is nil",
        arguments: [
            "", "1+", "a", "1/0", "(1", "9999999999999999999*9", "1 2", "3+*2", String(repeating: "(", count: 390),
        ]
    )
    func refuses(expression: String) { #expect(Arithmetic.evaluate(expression) == nil) }

    @Test("calculations are found in running text")
    func scanning() {
        let found = CalculationScanner.scan("So 5 boxes cost $5 x 2 = $10, then 10 + 4 = 14 or 15/4 = 3.75 each.")
        #expect(found.map(\.calculation.value) == ["10", "14", "3.75"])
        #expect(found.allSatisfy { $0.calculation.isCorrect == true })
    }
}
