import Foundation
import Reasoning
import Testing

@testable import ErrataCLICore

@Suite("errata grade")
struct GradeTests {
    private func grading(_ policy: GradingPolicy = .standard, extracts: Bool = false) -> AnswerGrading {
        AnswerGrading(
            grader: Grader(policy: policy),
            extracts: extracts,
            goldField: "gold",
            predictedField: "predicted"
        )
    }

    @Test("a line is graded with the rule, the policy and the grader's version, and keeps its id")
    func line() throws {
        let result = try grading().grade(#"{"id":7,"gold":"1/2","predicted":"\\frac12"}"#, number: 3)
        #expect(result.line == 3 && result.id == "7" && result.correct && result.answer == "\\frac12")
        #expect(result.rule == "number" && result.policy == "standard" && result.grader == Grader.version)
        let json = try result.json()
        #expect(json.hasPrefix(#"{"answer":"\\frac12","correct":true,"grader":"#) && !json.contains("\n"))
    }

    @Test(
        "numbers, truth values, lists and null are taken for what they say",
        arguments: [
            (#"{"gold":18,"predicted":"18.0"}"#, true), (#"{"gold":"0.1","predicted":0.1}"#, true),
            (#"{"gold":"True","predicted":true}"#, true), (#"{"gold":"18","predicted":["18","19"]}"#, true),
            (#"{"gold":"18","predicted":null}"#, false), (#"{"gold":"18","predicted":[]}"#, false),
            (#"{"gold":"18","predicted":""}"#, false),
        ]
    )
    func values(line: String, correct: Bool) throws {
        #expect(try grading().grade(Substring(line), number: 1).correct == correct)
    }

    @Test("the answer is searched in a text only where that is asked for")
    func extraction() throws {
        let line: Substring = #"{"gold":"3+4=7\n#### 7","predicted":"He has 3 and 4.\n#### 7"}"#
        #expect(try !grading().grade(line, number: 1).correct)
        let found = try grading(extracts: true).grade(line, number: 1)
        #expect(found.correct && found.answer == "7")
        let none = try grading(extracts: true).grade(#"{"gold":"7","predicted":"No idea"}"#, number: 1)
        #expect(!none.correct && none.extraction == nil)
        #expect(found.extraction == "marker")
        #expect(try found.json().contains(#""extraction":"marker""#))
        #expect(try grading().grade(line, number: 1).extraction == nil)
    }

    @Test("a gold text of several lines is one that holds an answer, and one without is refused")
    func workedGold() throws {
        let worked: Substring = #"{"gold":"She sells 9 eggs.\nThat makes 9 * 2 = 18.\nA: 18","predicted":"It is $18."}"#
        #expect(try grading(extracts: true).grade(worked, number: 1).correct)
        let matrix: Substring = #"{"gold":"\\begin{pmatrix}1\\\\\n2\\end{pmatrix}","predicted":"\\boxed{(1,2)}"}"#
        #expect(try grading(extracts: true).grade(matrix, number: 1).correct)
        let empty: Substring = #"{"gold":"Nobody knows.\nAsk again.","predicted":"18"}"#
        let error = #expect(throws: CLIError.self) { try grading(extracts: true).grade(empty, number: 1) }
        #expect(error?.description.contains("several lines") == true)
    }

    @Test("the policy decides")
    func policies() throws {
        let line: Substring = #"{"gold":"1, 2","predicted":"2, 1"}"#
        #expect(try grading(.standard).grade(line, number: 1).correct)
        #expect(try !grading(.strict).grade(line, number: 1).correct)
    }

    @Test(
        "a bad line is an error that says why",
        arguments: [
            ("not json", "not a JSON object"), ("[1]", "not a JSON object"), ("{}", "\"gold\" is missing"),
            (#"{"gold":"1"}"#, "\"predicted\" is missing"), (#"{"gold":null,"predicted":"1"}"#, "\"gold\" is missing"),
            (#"{"gold":{"a":1},"predicted":"1"}"#, "\"gold\" is not text"),
            (#"{"gold":"1","predicted":{"a":1}}"#, "\"predicted\" is not text"),
        ]
    )
    func bad(line: String, reason: String) {
        let error = #expect(throws: CLIError.self) { try grading().grade(Substring(line), number: 1) }
        #expect(error?.description.contains(reason) == true)
    }

    @Test("the summary counts what was graded, and names policy and grader")
    func summary() {
        let text = GradeCommand.summary(graded: 4, correct: 3, rejected: 1, grader: Grader(policy: .qwen))
        #expect(text == "graded 4, correct 3 (75.00 %), policy qwen, grader \(Grader.version), 1 lines rejected")
        #expect(GradeCommand.summary(graded: 0, correct: 0, rejected: 0, grader: Grader()).contains("(-)"))
    }
}
