import Distillation
import Foundation
import LanguageModel
import PostgresClient
import Reasoning
import Schemas
import ServiceRuntime
import StageSupport
import Testing
import Tokenization
import Training

@testable import EvaluatorCore

@Suite("Evaluating checkpoints")
struct CheckpointProcessorTests {
    /// A student that answers every question with the same steps and 7.
    ///
    /// With `correcting` it answers every request for a correction by saying that the step gives 8.
    private static func parrot(_ bench: StageBench, correcting: Bool = false) throws -> String {
        var examples = (0..<8).map { number in
            bench.codec.supervised(
                prompt: bench.codec.prompt(.hierarchicalThought, question: Sum(number).question),
                response: " <Step1>add</Step1><Answer>7</Answer>"
            )
        }
        if correcting {
            let trace = CorrectionTrace(steps: ["add"], firstWrongStep: 0, cause: "c", correction: "d", answer: "8")
            for number in 0..<8 {
                examples.append(
                    SupervisedExamples.correction(trace, question: Sum(number).question, codec: bench.codec)
                )
            }
        }
        return try StageTrainer(store: bench.store, workFolder: bench.workFolder).supervised(
            from: bench.student.hash,
            name: "parrot",
            examples: examples,
            options: TrainingOptions(learningRate: 2e-2, epochs: 60, batchSequences: 8, schedule: .constant)
        ) { _ in }.stored.hash
    }

    private func processor(_ bench: StageBench) -> CheckpointProcessor {
        CheckpointProcessor(pool: bench.pool, store: bench.store, logger: LogBook().logger)
    }

    private func process(_ checkpoint: CheckpointEvent, _ bench: StageBench) async throws -> Effects {
        try await processor(bench).process(try StageBench.received(checkpoint))
    }

    private func apply(_ checkpoint: CheckpointEvent, _ bench: StageBench) async throws -> Effects {
        let effects = try await process(checkpoint, bench)
        try await bench.pool.withTransaction { try await effects.apply($0) }
        return effects
    }

    private func events<Payload: EventPayload>(_ type: Payload.Type, _ effects: Effects) throws -> [Payload] {
        try effects.events.filter { $0.attributes.type == type.type.rawValue }
            .map { try EventCoding.decode(type, from: Data($0.payload.utf8)) }
    }

    private static let suite = EvaluationSuite(
        name: "held",
        dataset: StageBench.dataset,
        split: .test,
        expectedProblems: 6
    )

    /// Six problems of the suite, of which a student that says 7 solves the first two.
    private func insertSuite(_ bench: StageBench) async throws {
        for number in 30..<36 {
            try await bench.insert(problem: number, split: .test, answer: number < 32 ? "7" : "8")
        }
    }

    @Test("an evaluation's numbers are a recount of its results, with Wilson's interval")
    func evaluation() async throws {
        try await StageBench.with { bench in
            try await insertSuite(bench)
            let run = bench.run(stages: RunStages(hsft: SupervisedStage()), suites: [Self.suite])
            try await bench.insert(run)
            let checkpoint = bench.checkpoint(.hsft, of: run, modelHash: try Self.parrot(bench))
            try await bench.insert(checkpoint)
            let effects = try await apply(checkpoint, bench)
            let event = try #require(try events(EvaluationEvent.self, effects).first)
            #expect(effects.events.count == 1)
            #expect(effects.events.first?.topic == .evaluations && effects.events.first?.key == "r1")
            #expect(event.checkpointId == checkpoint.id && event.stage == .hsft && event.suite == "held")

            let rows = try await bench.pool.query(
                "SELECT problem_id, correct, answer, output FROM evaluation_results ORDER BY problem_id"
            )
            let answers = try rows.map { try $0.get("answer", as: String?.self) }
            #expect(try rows.map { try $0.get("problem_id", as: String.self) } == (30..<36).map { Sum($0).id })
            #expect(answers == Array(repeating: "7", count: 6), "the student was taught to say 7")
            #expect(try rows.map { try $0.get("correct", as: Bool.self) } == [true, true, false, false, false, false])
            #expect(try rows.allSatisfy { try $0.get("output", as: String.self).contains("<Answer>7</Answer>") })
            #expect(event.problems == 6 && event.correct == 2 && event.answered == 6)
            #expect(abs(event.accuracy - 2.0 / 6) < 1e-12)
            // Wilson's interval for 2 of 6 at z = 1.959964.
            #expect(abs(event.interval.low - 0.096_77) < 1e-4 && abs(event.interval.high - 0.700_01) < 1e-4)
            #expect(event.comparisons.isEmpty)
            #expect(try await EvaluationStore.evaluations(run: "r1", from: bench.pool) == [event])
        }
    }

    @Test("a student that corrects itself is scored before and after")
    func selfCorrection() async throws {
        try await StageBench.with { bench in
            try await insertSuite(bench)
            var run = bench.run(stages: RunStages(hsft: SupervisedStage()), suites: [Self.suite])
            run.decoding?.selfCorrection = true
            try await bench.insert(run)
            let parrot = try Self.parrot(bench, correcting: true)
            let checkpoint = bench.checkpoint(.hsft, of: run, modelHash: parrot)
            try await bench.insert(checkpoint)
            let event = try #require(try events(EvaluationEvent.self, try await apply(checkpoint, bench)).first)
            // The suite's answers are 7 twice and 8 four times; the student says 7, and 8 at second sight.
            #expect(event.correct == 2 && event.answered == 6)
            let score = try #require(event.selfCorrection)
            #expect(score.correct == 4 && score.changedToRight == 4 && score.changedToWrong == 2)
            #expect(score.readable == 6 && score.named == 6)
            #expect(abs(score.accuracy - 4.0 / 6) < 1e-12)
            // Wilson's interval for 4 of 6.
            #expect(abs(score.interval.low - 0.299_99) < 1e-4 && abs(score.interval.high - 0.903_23) < 1e-4)
            // What is kept of each problem, and compared between checkpoints, is the first pass.
            let rows = try await bench.pool.query("SELECT answer FROM evaluation_results")
            #expect(try rows.allSatisfy { try $0.get("answer", as: String?.self) == "7" })

            // An untrained student's corrections cannot be read, so that nothing changes; without the wish, no score.
            let untrained = bench.checkpoint(.initial, of: run)
            let before = try #require(try events(EvaluationEvent.self, try await process(untrained, bench)).first)
            #expect(before.selfCorrection?.readable == 0 && before.selfCorrection?.correct == before.correct)
            let plain = bench.run("r2", stages: RunStages(hsft: SupervisedStage()), suites: [Self.suite])
            try await bench.insert(plain)
            let without = try await process(bench.checkpoint(.initial, of: plain), bench)
            #expect(try events(EvaluationEvent.self, without).first?.selfCorrection == nil)
        }
    }

    @Test("a checkpoint is compared with the run's earlier ones problem by problem")
    func comparisons() async throws {
        try await StageBench.with { bench in
            try await insertSuite(bench)
            let run = bench.run(stages: RunStages(hsft: SupervisedStage()), suites: [Self.suite])
            try await bench.insert(run)
            let first = try events(EvaluationEvent.self, try await apply(bench.checkpoint(.initial, of: run), bench))
            try #require(first.first?.correct == 0, "an untrained student solves none")
            let checkpoint = bench.checkpoint(.hsft, of: run, modelHash: try Self.parrot(bench))
            try await bench.insert(checkpoint)
            let event = try #require(try events(EvaluationEvent.self, try await apply(checkpoint, bench)).first)
            let comparison = try #require(event.comparisons.first)
            #expect(event.comparisons.count == 1)
            #expect(comparison.againstStage == .initial && comparison.againstCheckpointId == "r1-initial")
            #expect(comparison.onlyThis == 2 && comparison.onlyOther == 0)
            // Two discordant pairs, both one way: 2 · (1/2)².
            #expect(abs(comparison.pValue - 0.5) < 1e-9)
        }
    }

    @Test("only the last supervised checkpoint of a run with DPO attempts the problems held back for it")
    func whoRollsOut() async throws {
        try await StageBench.with { bench in
            try await bench.insert(problem: 20, split: .rollout)
            let chain = bench.run(
                stages: RunStages(
                    plain: SupervisedStage(),
                    hsft: SupervisedStage(),
                    krsl: KeyStepStage(),
                    dpo: PreferenceStage()
                )
            )
            let withoutDPO = bench.run("r2", stages: RunStages(hsft: SupervisedStage()))
            let withoutKRSL = bench.run("r3", stages: RunStages(hsft: SupervisedStage(), dpo: PreferenceStage()))
            for run in [chain, withoutDPO, withoutKRSL] { try await bench.insert(run) }
            for (run, stage, attempts) in [
                (chain, TrainingStage.initial, 0), (chain, .hsft, 0), (chain, .krsl, 1), (chain, .plain, 0),
                (chain, .dpo, 0), (withoutDPO, .hsft, 0), (withoutKRSL, .hsft, 1),
            ] {
                let effects = try await process(bench.checkpoint(stage, of: run), bench)
                #expect(effects.events.count == attempts, "\(run.id) \(stage)")
            }
        }
    }

    @Test("a roll-out has the samples of each problem, and the student's own correction of the wrong ones")
    func rollOut() async throws {
        try await StageBench.with { bench in
            for number in 20..<24 {
                try await bench.insert(problem: number, split: .rollout, answer: number == 20 ? "7" : "8")
            }
            let run = bench.run(
                stages: RunStages(hsft: SupervisedStage(), dpo: PreferenceStage()),
                rollout: RolloutOptions(samples: 2, temperature: 0.01, limit: 3)
            )
            try await bench.insert(run)
            let checkpoint = bench.checkpoint(.hsft, of: run, modelHash: try Self.parrot(bench))
            try await bench.insert(checkpoint)
            let attempts = try events(AttemptEvent.self, try await apply(checkpoint, bench))
            #expect(attempts.map(\.problemId) == [20, 20, 21, 21, 22, 22].map { Sum($0).id })
            #expect(attempts.map(\.sample) == [0, 1, 0, 1, 0, 1])
            #expect(attempts.map(\.correct) == [true, true, false, false, false, false])
            #expect(attempts.map { $0.selfCorrection != nil } == [false, false, true, true, true, true])
            #expect(attempts.allSatisfy { $0.runId == "r1" && $0.checkpointId == checkpoint.id && $0.answer == "7" })
            #expect(Set(attempts.map(\.id)).count == 6)
            let row = try #require(try await bench.pool.query("SELECT attempted, wrong FROM rollouts").first)
            #expect(try row.get("attempted", as: Int.self) == 6)
            #expect(try row.get("wrong", as: Int.self) == 4)
            #expect(
                try await EvaluationStore.wrongAttempts(run: "r1", from: bench.pool).map(\.id).sorted()
                    == attempts.filter { !$0.correct }.map(\.id).sorted()
            )
        }
    }

    @Test("the same checkpoint again gives the same events, whatever happened to the first time's")
    func again() async throws {
        try await StageBench.with { bench in
            try await insertSuite(bench)
            for number in 20..<22 { try await bench.insert(problem: number, split: .rollout) }
            let run = bench.run(
                stages: RunStages(hsft: SupervisedStage(), dpo: PreferenceStage()),
                rollout: RolloutOptions(samples: 2, temperature: 1),
                suites: [Self.suite]
            )
            try await bench.insert(run)
            let checkpoint = bench.checkpoint(.hsft, of: run)
            let first = try await process(checkpoint, bench)
            let second = try await process(checkpoint, bench)
            #expect(first.events.count == 5)
            #expect(first.events.map(\.attributes.id) == second.events.map(\.attributes.id))
            #expect(Set(first.events.map(\.attributes.id)).count == 5)
            // Sampling has a seed: what the student wrote is the same too.
            #expect(try events(AttemptEvent.self, first) == (try events(AttemptEvent.self, second)))
        }
    }

    @Test("what is not there yet is waited for: the run, the rest of a suite, the model")
    func notThereYet() async throws {
        try await StageBench.with { bench in
            let run = bench.run(stages: RunStages(hsft: SupervisedStage()), suites: [Self.suite])
            let unknown = bench.run("r9", stages: RunStages(hsft: SupervisedStage()))
            try await bench.insert(run)
            for number in 30..<35 { try await bench.insert(problem: number, split: .test) }
            func failure(_ checkpoint: CheckpointEvent) async throws -> any Error {
                try #require(await #expect(throws: (any Error).self) { try await process(checkpoint, bench) })
            }
            let noRun = try await failure(bench.checkpoint(.initial, of: unknown))
            #expect(!(noRun is PermanentFailure) && "\(noRun)".contains("r9"))
            let incomplete = try await failure(bench.checkpoint(.initial, of: run))
            #expect(!(incomplete is PermanentFailure) && "\(incomplete)".contains("5 of 6"))
            try await bench.insert(problem: 35, split: .test)
            let hash = String(repeating: "a", count: 64)
            let noModel = try await failure(bench.checkpoint(.initial, of: run, modelHash: hash))
            #expect(!(noModel is PermanentFailure) && "\(noModel)".contains(hash))
            #expect(try await process(bench.checkpoint(.initial, of: run), bench).events.count == 1)
        }
    }
}
