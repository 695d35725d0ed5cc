import Foundation
import PracticeDomain
import Reasoning
import Testing

/// What the simulated teacher makes of some problems: how many replies hold up to the checks that a system makes.
struct TeacherTally {
    private(set) var chains = 0
    private(set) var templates = 0
    private(set) var pairs = 0
    private(set) var corrections = 0
    private(set) var verdicts = 0
    private(set) var rectified = 0
    private(set) var total = 0

    private let teacher = SimulatedTeacher(seed: 1)

    init(_ problems: [Problem]) throws {
        for problem in problems { try add(problem) }
        print(
            "teacher: chains \(share(chains)), templates \(share(templates)), inspector ok \(share(verdicts)),",
            "rectified \(share(rectified)), dual pairs \(share(pairs)), corrections \(share(corrections)) of \(total)"
        )
    }

    func share(_ count: Int) -> Double { Double(count) / Double(max(total, 1)) }

    private func ask(_ request: TeacherRequest) throws -> String {
        teacher.reply(to: try request.messages(), temperature: 0, sampleSeed: 0)
    }

    private mutating func add(_ problem: Problem) throws {
        total += 1
        let reference = (problem.solution ?? "") + "\n#### " + problem.answer
        let chain = try ask(.chainOfThought(question: problem.question))
        if AnswerEquivalence.equivalent(gold: problem.answer, predicted: AnswerExtraction.extract(chain) ?? "") {
            chains += 1
        }
        let xml = try ask(.templateExtraction(question: problem.question, reference: reference))
        let template = try ThoughtTemplate.parse(xml)
        if template.failure(gold: problem.answer) == nil { templates += 1 }
        if try InspectorVerdict.parse(
            ask(.inspectTemplate(question: problem.question, reference: reference, candidate: xml))
        ).isOK {
            verdicts += 1
        }
        let replaced = try ask(.rectify(question: problem.question, answer: problem.answer))
        if AnswerEquivalence.equivalent(gold: problem.answer, predicted: AnswerExtraction.extract(replaced) ?? ""),
            WorkedSolution.parse(replaced).isArithmeticRight
        {
            rectified += 1
        }
        let wrong = try ask(.corrupt(question: problem.question, chain: reference))
        let wrongAnswer = AnswerExtraction.extract(wrong) ?? problem.answer
        let differs = !AnswerEquivalence.equivalent(gold: problem.answer, predicted: wrongAnswer)
        if differs { pairs += 1 }
        let attempt = WorkedSolution.parse(wrong).steps.map(\.text)
        let correction = try CorrectionReading(
            ask(.groundedCorrection(question: problem.question, reference: reference, attempt: attempt)),
            attempt: attempt
        )
        if differs, correction.failure(gold: problem.answer) == nil { corrections += 1 }
    }
}
