import DataSupport
import Foundation
import PracticeDomain
import Reasoning
import Schemas
import Testing

@Suite("The simulated teacher")
struct SimulatedTeacherTests {
    private let teacher = SimulatedTeacher(seed: 1)

    private func ask(_ request: TeacherRequest, temperature: Double = 0, seed: UInt64 = 0) throws -> String {
        teacher.reply(
            to: try request.messages(),
            temperature: temperature,
            sampleSeed: seed
        )
    }

    @Test("generated problems of every family are solved, corrupted and corrected")
    func generated() throws {
        let generator = ProblemGenerator(seed: 77, families: ProblemFamily.allCases)
        let tally = try TeacherTally(generator.generate(count: 500, split: .train))
        #expect(tally.share(tally.chains) >= 0.99)
        #expect(tally.share(tally.templates) >= 0.99)
        #expect(tally.share(tally.verdicts) >= 0.99)
        #expect(tally.share(tally.rectified) >= 0.99)
        #expect(tally.share(tally.pairs) >= 0.99)
        #expect(tally.share(tally.corrections) >= 0.99)
    }

    @Test("every gentle problem is solved, corrupted and corrected")
    func gentle() throws {
        let tally = try TeacherTally(
            ProblemGenerator(seed: 78, difficulty: .gentle).generate(count: 300, split: .rollout)
        )
        #expect(tally.chains == tally.total)
        #expect(tally.templates == tally.total)
        #expect(tally.pairs == tally.total)
        #expect(tally.share(tally.corrections) >= 0.99)
    }

    @Test("problems that people write get verified templates, dual pairs and corrections")
    func written() throws {
        let lines = try TestData.lines(TestData.own("word_problems.jsonl"))
        let tally = try TeacherTally(lines.map { try GSM8K.parse(line: $0) })
        #expect(tally.total == 48)
        #expect(tally.share(tally.templates) >= 0.9)
        #expect(tally.share(tally.pairs) >= 0.85)
        #expect(tally.share(tally.corrections) >= 0.9)
    }

    @Test("the same seed gives the same reply; at a temperature some chains are wrong")
    func sampling() throws {
        let problems = try ProblemGenerator(seed: 3).generate(count: 200, split: .train)
        var wrong = 0
        for problem in problems {
            let request = TeacherRequest.chainOfThought(question: problem.question)
            let reply = try ask(request, temperature: 0.7, seed: 5)
            #expect(try ask(request, temperature: 0.7, seed: 5) == reply)
            if AnswerExtraction.extract(reply) != problem.answer { wrong += 1 }
        }
        #expect((30...120).contains(wrong), "\(wrong) of 200 are wrong")
    }

    @Test(
        "nonsense gets a reply and no crash",
        arguments: ["", "\u{0}", "Task: corrupt", "Task: nothing\n### Problem"]
    )
    func nonsense(text: String) {
        let reply = teacher.reply(
            to: [PromptMessage(role: "system", content: text), PromptMessage(role: "user", content: text)],
            temperature: 0,
            sampleSeed: 0
        )
        #expect(!reply.isEmpty)
        #expect(!teacher.reply(to: [], temperature: 1, sampleSeed: 1).isEmpty)
    }

    @Test("a chain told again has the same results, with operands in other places")
    func rewording() throws {
        let plain = SimulatedTeacher(seed: 1, errorRate: 0)
        let other = SimulatedTeacher(seed: 1, errorRate: 0, rewording: 1)
        var changed = 0
        for problem in try ProblemGenerator(seed: 3).generate(count: 200, split: .train) {
            let request = try TeacherRequest.chainOfThought(question: problem.question).messages()
            let first = plain.reply(to: request, temperature: 0.7, sampleSeed: 1)
            let second = other.reply(to: request, temperature: 0.7, sampleSeed: 1)
            let (one, two) = (WorkedSolution.parse(first), WorkedSolution.parse(second))
            #expect(one.answer == two.answer && two.isArithmeticRight)
            #expect(one.steps.map { $0.calculations.map(\.value) } == two.steps.map { $0.calculations.map(\.value) })
            #expect(first.sorted() == second.sorted())
            if first != second { changed += 1 }
        }
        #expect(changed > 100)
    }
}

@Suite("The simulated teacher on GSM8K", .external)
struct ExternalSimulatedTeacherTests {
    @Test("real problems get verified templates, dual pairs and corrections")
    func real() throws {
        let lines = try TestData.lines(TestData.external("gsm8k/train.jsonl")).prefix(500)
        let tally = try TeacherTally(lines.map { try GSM8K.parse(line: $0) })
        #expect(tally.total == 500)
        #expect(tally.share(tally.templates) >= 0.9)
        #expect(tally.share(tally.pairs) >= 0.85)
        #expect(tally.share(tally.corrections) >= 0.9)
    }
}
