import Distillation
import Foundation
import LanguageModel
import ModelFiles
import PostgresClient
import Schemas
import ServiceRuntime
import StageSupport
import Testing
import Tokenization
import Training

@testable import DPOTrainerCore

@Suite("Preference training")
struct PreferenceTrainingTests {
    private static func stage(_ epochs: Double = 2, loss: String? = nil) -> PreferenceStage {
        PreferenceStage(
            training: TrainingBlock(learningRate: 1e-3, epochs: epochs, batchSequences: 2),
            loss: loss,
            beta: 0.25
        )
    }

    private func fill(_ rollout: Rollout) async throws {
        try await rollout.insert((20..<24).map { rollout.attempt($0) })
        for number in 20..<24 { try await rollout.correct(number) }
    }

    @Test("a trained stage leaves a model, a checkpoint whose parent is the stage-one one, and its event")
    func trained() async throws {
        try await Rollout.with(dpo: Self.stage()) { rollout in
            try await fill(rollout)
            let bench = rollout.bench
            let pairs = try await rollout.collect().pairs
            try await whileRunning(rollout.runner()) {
                try await eventually("the checkpoint") { try await bench.checkpoint(.dpo) != nil }
            }
            let checkpoint = try #require(try await bench.checkpoint(.dpo))
            #expect(checkpoint.parentCheckpointId == "r1-hsft")
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
            guard case .object(let training)? = checkpoint.options["training"],
                case .object(let preference)? = checkpoint.options["preference"]
            else {
                Issue.record("options are \(checkpoint.options)")
                return
            }
            #expect(training["learningRate"] == .number(1e-3) && training["seed"] == .integer(5))
            #expect(preference["beta"] == .number(0.25) && preference["loss"] == .string("sigmoid"))
            #expect(checkpoint.metrics?["rewards/margins"]?.isFinite == true)
            #expect(try await bench.outbox(CheckpointEvent.self) == [checkpoint])
            let source = try await bench.pool.value("SELECT source FROM outbox", as: String.self)
            #expect(source == "/errata/dpo-trainer")
            #expect(try await bench.job(.dpo)?.state == "done")
        }
    }

    @Test("no pairs at all end the stage, with the counts as the reason")
    func noPairs() async throws {
        try await Rollout.with(dpo: Self.stage()) { rollout in
            try await rollout.insert([rollout.attempt(20), rollout.attempt(21)])
            try await rollout.correct(20, verified: false)
            try await rollout.correct(21, with: "So she has 3 pears.")
            try await whileRunning(rollout.runner()) {
                try await eventually("the failure") { try await rollout.bench.job(.dpo)?.state == "failed" }
            }
            let error = try await rollout.bench.job(.dpo)?.error ?? ""
            #expect(error.contains("\"unverified\": 1") && error.contains("\"identical\": 1"), "\(error)")
            #expect(try await rollout.bench.outbox(CheckpointEvent.self).isEmpty)
        }
    }

    @Test("a loss that does not exist ends the stage and is named")
    func unknownLoss() async throws {
        try await Rollout.with(dpo: Self.stage(loss: "zigzag")) { rollout in
            try await fill(rollout)
            try await whileRunning(rollout.runner()) {
                try await eventually("the failure") { try await rollout.bench.job(.dpo)?.state == "failed" }
            }
            #expect(try await rollout.bench.job(.dpo)?.error?.contains("zigzag") == true)
        }
    }

    @Test("a training cut off midway goes on from the saved step, against the same reference, to the same model")
    func resumed() async throws {
        let stage = Self.stage(150)
        var whole: CheckpointEvent?
        try await Rollout.with(dpo: stage) { rollout in
            try await fill(rollout)
            try await whileRunning(rollout.runner()) {
                try await eventually("the checkpoint") { try await rollout.bench.checkpoint(.dpo) != nil }
            }
            whole = try await rollout.bench.checkpoint(.dpo)
        }
        try await Rollout.with(dpo: stage) { rollout in
            try await fill(rollout)
            let state = rollout.bench.workFolder.appending(path: "r1-dpo.state")
            func savedStep() -> Int? {
                (try? SafetensorsFile(url: state)).flatMap { $0.metadata["step"] }.flatMap { Int($0) }
            }
            try await whileRunning(rollout.runner(saveInterval: .zero)) {
                try await eventually("a saved step") { (savedStep() ?? 0) >= 5 }
            }
            let saved = try #require(savedStep())
            #expect(try await rollout.bench.checkpoint(.dpo) == nil, "the first holder must not be done")
            let log = LogBook()
            try await whileRunning(rollout.runner(holder: "second", log: log)) {
                try await eventually("the checkpoint") { try await rollout.bench.checkpoint(.dpo) != nil }
            }
            #expect(log.text.filter { $0.hasPrefix("resumed") } == ["resumed run=r1 stage=dpo step=\(saved + 1)"])
            let checkpoint = try #require(try await rollout.bench.checkpoint(.dpo))
            #expect(checkpoint.modelHash == whole?.modelHash && checkpoint.steps == 300)
            #expect(checkpoint.tokensTrained == whole?.tokensTrained)
        }
    }
}
