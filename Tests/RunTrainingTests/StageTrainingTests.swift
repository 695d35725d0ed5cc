import Distillation
import Foundation
import LanguageModel
import PostgresClient
import Reasoning
import Schemas
import ServiceRuntime
import StageSupport
import TestSupport
import Testing
import Tokenization

@Suite("Training of stages")
struct StageTrainingTests {
    private static func training(_ epochs: Double = 3, rate: Double = 1e-3) -> TrainingBlock {
        TrainingBlock(learningRate: rate, epochs: epochs, batchSequences: 2)
    }

    @Test("a trained stage leaves a model, a checkpoint, its event and a job that is done")
    func trained() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<4)
            let run = bench.run(stages: [.templates(training: Self.training())])
            try await bench.insert(run)
            try await whileRunning(bench.runner()) {
                try await eventually("the checkpoint") { try await bench.checkpoint("templates") != nil }
            }
            let checkpoint = try #require(try await bench.checkpoint("templates"))
            #expect(checkpoint.stage == "templates" && checkpoint.round == 1)
            #expect(checkpoint.parentCheckpointId == bench.checkpoint("initial", of: run).id)
            #expect(checkpoint.modelHash != bench.student.hash)
            #expect(checkpoint.tokenizerFingerprint == bench.student.tokenizerFingerprint)
            try bench.store.verify(checkpoint.modelHash)
            // 4 examples, 2 an update, 3 epochs.
            #expect(checkpoint.steps == 6)
            let epoch = (0..<4).reduce(0) { tokens, number in
                let sum = Sum(number)
                let response = bench.codec.tokenizer.encode(" " + sum.template.xml).count + 1
                return tokens + bench.codec.tokenizer.encode("Q: \(sum.question)\nT:").count + response
            }
            #expect(checkpoint.tokensTrained == 3 * epoch)
            #expect(checkpoint.examples == ["templates": 4])
            #expect(checkpoint.finalLoss?.isFinite == true)
            let used = try #require(checkpoint.options["training"]?.objectValue)
            #expect(used["learningRate"] == .number(1e-3))
            #expect(used["batchSequences"] == .integer(2))
            #expect(used["seed"] == .integer(5))
            #expect(checkpoint.options["answers"] == .string("template"))
            #expect(checkpoint.metrics?["num_tokens"] == Double(3 * epoch))
            #expect(try await bench.outbox(CheckpointEvent.self) == [checkpoint])
            let source = try await bench.pool.value("SELECT source FROM outbox", as: String.self)
            #expect(source == "/errata/tested")
            let job = try #require(try await bench.job("templates"))
            #expect(job.state == .done && job.step == 6 && job.totalSteps == 6 && job.tokens == 3 * epoch)
            #expect(try await bench.pool.value("SELECT count(*) FROM leases", as: Int.self) == 0)
            #expect(try FileManager.default.contentsOfDirectory(atPath: bench.workFolder.path).isEmpty)
        }
    }

    @Test("the stages follow one another, and a control of equal cost trains on as many tokens as the others together")
    func chain() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<4)
            for number in 0..<2 { _ = try await bench.insertKeySteps(problem: number, method: .rectified) }
            let keys = TrainingBlock(learningRate: 1e-4, epochs: 1, batchSequences: 2)
            let plain = TrainingBlock(learningRate: 1e-3, batchSequences: 1)
            let stages: [RunStage] = [
                .supervised(["rectifiedChains"], "plain", training: plain, tokensOf: ["templates", "keys"]),
                .templates(training: Self.training()),
                .keySteps(parent: "templates", training: keys),
            ]
            let run = bench.run(stages: stages)
            try await bench.insert(run)
            try await whileRunning(bench.runner()) {
                try await eventually("the control") { try await bench.checkpoint("plain") != nil }
            }
            let first = try #require(try await bench.checkpoint("templates"))
            let second = try #require(try await bench.checkpoint("keys"))
            let control = try #require(try await bench.checkpoint("plain"))
            #expect(second.parentCheckpointId == first.id)
            #expect(control.parentCheckpointId == bench.checkpoint("initial", of: run).id)
            #expect(Set([first, second, control].map(\.modelHash)).count == 3)
            let sum = first.tokensTrained + second.tokensTrained
            #expect(control.options["training"]?.objectValue?["maximumTokens"] == .integer(Int64(sum)))
            // One sequence an update: it ends with the update that reaches the number.
            let longest =
                (0..<4).map { bench.codec.tokenizer.encode(Sum($0).question + Sum($0).chain).count }.max() ?? 0
            #expect(control.tokensTrained >= sum && control.tokensTrained < sum + longest + 20)
            #expect(control.examples == ["rectifiedChains": 2])
            #expect(try await bench.outbox(CheckpointEvent.self).map(\.stage) == ["templates", "keys", "plain"])
        }
    }

    @Test("a service trains its own stages and leaves the others")
    func ownStages() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<2)
            for number in 0..<2 { _ = try await bench.insertKeySteps(problem: number) }
            try await bench.insert(
                bench.run(stages: [.templates(training: Self.training(1)), .keySteps(training: Self.training(1))])
            )
            try await whileRunning(bench.runner { $0.keySteps != nil }) {
                try await eventually("the checkpoint") { try await bench.checkpoint("keys") != nil }
            }
            #expect(try await bench.checkpoint("templates") == nil)
            #expect(try await bench.job("templates")?.state == .waiting)
        }
    }

    @Test("a stage of the second round starts from the champion, and leaves a checkpoint of that round")
    func secondRound() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<2)
            let run = bench.run(
                stages: [.templates(parent: "champion", training: Self.training())],
                suites: [.ofTen()],
                rounds: RunRounds(),
                gate: .on("templates")
            )
            try await bench.insert(run)
            try await whileRunning(bench.runner()) {
                try await eventually("the first round") { try await bench.checkpoint("templates") != nil }
                let first = try #require(try await bench.checkpoint("templates"))
                try await bench.startRound(2, of: run, champion: first, from: first)
                try await eventually("the second round") { try await bench.checkpoint("templates", round: 2) != nil }
            }
            let first = try #require(try await bench.checkpoint("templates"))
            let second = try #require(try await bench.checkpoint("templates", round: 2))
            #expect(second.round == 2 && second.parentCheckpointId == first.id && second.id != first.id)
            #expect(second.modelHash != first.modelHash)
            #expect(try await bench.outbox(CheckpointEvent.self).map(\.round) == [1, 2])
            for round in 1...2 { #expect(try await bench.job("templates", round: round)?.state == .done) }
        }
    }

    @Test("a model that is away for a while holds the stage up and does not end it")
    func transient() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<2)
            try await bench.insert(bench.run(stages: [.templates(training: Self.training(1))]))
            let away = bench.store.root.appending(path: "away")
            try FileManager.default.moveItem(at: bench.student.folder, to: away)
            let log = LogBook()
            try await whileRunning(bench.runner(log: log)) {
                try await eventually("a second try") { log.count("will be retried") >= 2 }
                #expect(try await bench.job("templates")?.state == .running)
                #expect(try await bench.job("templates")?.error == nil)
                try FileManager.default.moveItem(at: away, to: bench.student.folder)
                try await eventually("the checkpoint") { try await bench.checkpoint("templates") != nil }
            }
            #expect(try await bench.job("templates")?.state == .done)
            #expect(log.count("stage failed") == 0)
        }
    }

    @Test("a training ends when its run is cancelled, leaves no checkpoint and is not taken up again")
    func cancelled() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<4)
            // Far more updates than there is time for.
            try await bench.insert(bench.run(stages: [.templates(training: Self.training(50_000))]))
            let log = LogBook()
            try await whileRunning(bench.runner(log: log)) {
                try await eventually("some steps") { (try await bench.job("templates")?.step ?? 0) > 0 }
                _ = try await bench.pool.withTransaction {
                    try await RunStore.end("r1", as: .cancelled, reason: "planted", in: $0)
                }
                try await eventually("the end of the training") { log.count("training ended with its run") == 1 }
                #expect(try await bench.ready().isEmpty)
                try await eventually("the lease's end") {
                    try await bench.pool.value("SELECT count(*) FROM leases", as: Int.self) == 0
                }
            }
            #expect(log.count("training run=r1") == 0 && log.count("stage failed") == 0)
            #expect(log.text.count { $0.hasPrefix("training examples") } == 1)
            #expect(try await bench.checkpoint("templates") == nil)
            #expect(try await bench.outbox(CheckpointEvent.self).isEmpty)
        }
    }
}
