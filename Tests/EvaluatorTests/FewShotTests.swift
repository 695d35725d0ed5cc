import Distillation
import LanguageModel
import Reasoning
import Schemas
import ServiceRuntime
import StageSupport
import Testing
import Tokenization

@testable import EvaluatorCore

@Suite("Suites that show solved problems")
struct FewShotTests {
    /// A run whose untrained student writes chains.
    private func insertRun(
        _ id: String = "r1",
        shots: Int?,
        answers: String = "chain",
        _ bench: StageBench
    ) async throws -> CheckpointEvent {
        var run = bench.run(id, stages: [.templates("hsft")], suites: [.ofSix(shots: shots)])
        run.prompt = RunPrompt(answers: answers)
        run.student.modelHash = try bench.fickle()
        try await bench.insert(run)
        return bench.checkpoint("initial", of: run)
    }

    /// What the student writes after given solved problems.
    private func outputs(
        _ shots: [StudentCodec.Shot],
        format: StudentFormat = .chainOfThought,
        _ bench: StageBench
    ) throws -> [String] {
        let model = try CausalLanguageModel.load(folder: try bench.store.folder(try bench.fickle()))
        return try StudentSolver(model: model, codec: bench.codec).solve(
            (30..<36).map { StudentSolver.Task(question: Sum($0).question, gold: "7") },
            format: format,
            shots: shots,
            parameters: GenerationParameters(maximumNewTokens: 24, temperature: 0)
        ).map { $0.output }
    }

    private func chain(_ number: Int, verified: Bool = true, _ bench: StageBench) async throws {
        let body = ChainOfThoughtBody(text: Sum(number).chain, answer: Sum(number).answer, correct: true)
        try await bench.insert(.chainOfThought(body), problem: number, verified: verified)
    }

    @Test("the first training problems that have a verified chain stand before each question")
    func chains() async throws {
        try await StageBench.with { bench in
            try await bench.insertSuite()
            for number in 1..<6 { try await bench.insert(problem: number) }
            // The first has none, the second an unverified one, and the suite's own problems are not for training.
            try await chain(2, verified: false, bench)
            for number in [5, 4, 3] { try await chain(number, bench) }
            let event = try await bench.evaluate(try await insertRun(shots: 2, bench), pieceSize: 4)
            #expect(event.shots == 2 && event.answers == "chain")
            let shown = [
                StudentCodec.Shot(question: Sum(3).question, response: " She has 5 + 8 = 13 pears.\n#### 13"),
                StudentCodec.Shot(question: Sum(4).question, response: " She has 6 + 9 = 15 pears.\n#### 15"),
            ]
            let expected = try outputs(shown, bench)
            let scored = bench.checkpoint("initial", of: bench.run(stages: []))
            #expect(try await bench.results(scored).map(\.output) == expected)
            #expect(try outputs([], bench) != expected)
            #expect(try outputs(shown.reversed(), bench) != expected)
        }
    }

    @Test("a student that is asked for templates is shown templates")
    func templates() async throws {
        try await StageBench.with { bench in
            try await bench.insertSuite()
            try await bench.insertTemplates(1..<3)
            try await chain(1, bench)
            let checkpoint = try await insertRun(shots: 1, answers: "template", bench)
            #expect(try await bench.evaluate(checkpoint).answers == "template")
            let response = " <Step1>3 + 6 = 9</Step1>\n<Generalized>Add.</Generalized>\n<Answer>9</Answer>"
            let shown = [StudentCodec.Shot(question: Sum(1).question, response: response)]
            let expected = try outputs(shown, format: .hierarchicalThought, bench)
            #expect(try await bench.results(checkpoint).map(\.output) == expected)
            #expect(try outputs([], format: .hierarchicalThought, bench) != expected)
        }
    }

    @Test("a suite with too few solved problems to show is left out with the numbers")
    func tooFew() async throws {
        try await StageBench.with { bench in
            try await bench.insertSuite()
            try await bench.insertTemplates(1..<4)
            try await chain(1, bench)
            let checkpoint = try await insertRun(shots: 2, bench)
            try await bench.ask(checkpoint)
            try await bench.age(bench.evaluationJob(checkpoint), by: 3601)
            try await bench.finish()
            let job = try await bench.evaluationJob(checkpoint)
            #expect(job.state == .leftOut)
            #expect(
                job.reason
                    == "it shows 2 solved problems of sums, of which 1 came within 3600 s"
            )
            #expect(try await bench.outbox(EvaluationEvent.self).isEmpty)
        }
    }

    @Test("a suite waits for the problems that it shows as it does for its own")
    func waiting() async throws {
        try await StageBench.with { bench in
            try await bench.insertSuite()
            let checkpoint = try await insertRun(shots: 1, bench)
            try await bench.ask(checkpoint)
            // The untrained student is scored while the teacher is still at its first training problem.
            let steps = try await bench.work().ready().map(\.name)
            #expect(steps.isEmpty)
        }
    }

    @Test("all pieces of an evaluation, and all checkpoints of a run, are shown the same problems")
    func sameForAll() async throws {
        try await StageBench.with { bench in
            try await bench.insertSuite()
            try await bench.insert(problem: 4)
            try await chain(4, bench)
            let checkpoint = try await insertRun(shots: 1, bench)
            try await bench.ask(checkpoint)
            let job = try await bench.evaluationJob(checkpoint)
            try await bench.give([1], of: job, to: "gone")
            try await bench.run(bench.work(pieceSize: 3), until: "the first piece") {
                try await bench.donePieces(job) == [0]
            }
            // While the evaluation goes on the teacher solves a problem whose id comes first.
            try await bench.insert(problem: 1)
            try await chain(1, bench)
            try await bench.expireLeases()
            try await bench.finish(bench.work(pieceSize: 3), as: "second")
            let response = " She has 6 + 9 = 15 pears.\n#### 15"
            let expected = try outputs([StudentCodec.Shot(question: Sum(4).question, response: response)], bench)
            let written = try await bench.results(checkpoint).map(\.output)
            #expect(written.prefix(3) == expected.prefix(3))
            #expect(written == expected)
        }
    }
}
