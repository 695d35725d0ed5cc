import Distillation
import LanguageModel
import PostgresClient
import Schemas
import ServiceRuntime
import StageSupport
import TestSupport
import Testing
import Training

@testable import RunTraining

@Suite("Training on preferences")
struct PreferenceTrainingTests {
    private static let stage = RunStage.corrections(
        training: TrainingBlock(learningRate: 1e-3, epochs: 2, batchSequences: 2)
    )

    @Test("a trained stage leaves a model, a checkpoint whose parent is the one that attempted, and its event")
    func trained() async throws {
        try await Rollout.with(Self.stage) { rollout in
            let bench = rollout.bench
            try await rollout.insert((20..<24).map { rollout.attempt($0) })
            for number in 20..<24 { try await rollout.correct(number) }
            let parent = bench.checkpoint("templates", of: rollout.run)
            let pairs = try await bench.collect(
                ReadyStage(run: rollout.run, round: 1, stage: Self.stage, parent: parent)
            ).pairs
            #expect(pairs.count == 4)
            try await whileRunning(bench.runner()) {
                try await eventually("the checkpoint") { try await bench.checkpoint("corrections") != nil }
            }
            let checkpoint = try #require(try await bench.checkpoint("corrections"))
            #expect(checkpoint.parentCheckpointId == rollout.parent)
            #expect(checkpoint.modelHash != bench.student.hash)
            try bench.store.verify(checkpoint.modelHash)
            // 4 pairs, 2 an update, 2 epochs.
            #expect(checkpoint.steps == 4)
            #expect(checkpoint.examples == ["pairs": 4])
            // What both completions begin with, the prompt above all, is computed once.
            let tokens = pairs.reduce(0) { total, pair in
                let alike = zip(pair.chosen, pair.rejected).prefix { $0 == $1 }.count
                return total + pair.prompt.count + pair.chosen.count + pair.rejected.count - alike
            }
            #expect(checkpoint.tokensTrained == 2 * tokens)
            let training = try #require(checkpoint.options["training"]?.objectValue)
            let preference = try #require(checkpoint.options["preference"]?.objectValue)
            #expect(training["learningRate"] == .number(1e-3) && training["seed"] == .integer(5))
            #expect(preference["beta"] == .number(0.25) && preference["loss"] == .string("sigmoid"))
            #expect(checkpoint.options["pairs"]?.objectValue?["layout"] == .string("step"))
            #expect(checkpoint.metrics?["rewards/margins"]?.isFinite == true)
            #expect(try await bench.outbox(CheckpointEvent.self) == [checkpoint])
            #expect(try await bench.job("corrections")?.state == .done)
        }
    }

    @Test("no pairs at all end the stage, with the counts as the reason")
    func noPairs() async throws {
        try await Rollout.with(Self.stage) { rollout in
            try await rollout.insert([rollout.attempt(20), rollout.attempt(21)])
            try await rollout.correct(20, verified: false)
            try await rollout.correct(21, with: "So she has 3 pears.")
            try await whileRunning(rollout.bench.runner()) {
                try await eventually("the failure") { try await rollout.bench.job("corrections")?.state == .failed }
            }
            #expect(
                try await rollout.bench.job("corrections")?.error
                    == "the stage corrections has nothing to learn from (identical 1, pairs 0, unverified 1)"
            )
            #expect(try await rollout.bench.outbox(CheckpointEvent.self).isEmpty)
        }
    }

    @Test("a roll-out that nobody answered ends the stage when the wait is over")
    func unanswered() async throws {
        try await Rollout.with(Self.stage) { rollout in
            try await rollout.insert([rollout.attempt(20)])
            try await rollout.bench.pool.execute("UPDATE rollouts SET created_at = now() - interval '3601 seconds'")
            try await whileRunning(rollout.bench.runner()) {
                try await eventually("the failure") { try await rollout.bench.job("corrections")?.state == .failed }
            }
            #expect(
                try await rollout.bench.job("corrections")?.error
                    == "the stage corrections has nothing to learn from (pairs 0)"
            )
        }
    }
}
