import Distillation
import Foundation
import LanguageModel
import ModelFiles
import PostgresClient
import Reasoning
import Schemas
import ServiceRuntime
import StageSupport
import Testing
import Tokenization

@testable import TemplateDistillerCore

@Suite("Stage-one training")
struct StageOneTrainingTests {
    private func runner(
        _ bench: StageBench,
        holder: String = "first",
        log: LogBook = LogBook(),
        saveInterval: Duration = .seconds(3600)
    ) -> JobRunner<ReadyStage> {
        let trainer = StageTrainer(store: bench.store, workFolder: bench.workFolder, saveInterval: saveInterval)
        return StageOneTraining(pool: bench.pool, trainer: trainer, logger: log.logger).job
            .runner(holder: holder, interval: .milliseconds(5))
    }

    private static func stage(_ epochs: Double = 3, rate: Double = 1e-3) -> SupervisedStage {
        SupervisedStage(training: TrainingBlock(learningRate: rate, epochs: epochs, batchSequences: 2))
    }

    @Test("a trained stage leaves a model, a checkpoint, its event and a job that is done")
    func trained() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<4)
            let run = bench.run(stages: RunStages(hsft: Self.stage()))
            try await bench.insert(run)
            try await whileRunning(runner(bench)) {
                try await eventually("the checkpoint") { try await bench.checkpoint(.hsft) != nil }
            }
            let checkpoint = try #require(try await bench.checkpoint(.hsft))
            #expect(checkpoint.parentCheckpointId == "r1-initial")
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
            #expect(checkpoint.options["learningRate"] == .number(1e-3))
            #expect(checkpoint.options["batchSequences"] == .integer(2))
            #expect(checkpoint.options["seed"] == .integer(5))
            #expect(checkpoint.metrics?["num_tokens"] == Double(3 * epoch))
            #expect(try await bench.outbox(CheckpointEvent.self) == [checkpoint])
            let source = try await bench.pool.value("SELECT source FROM outbox", as: String.self)
            #expect(source == "/errata/template-distiller")
            let job = try #require(try await bench.job(.hsft))
            #expect(job.state == "done" && job.step == 6 && job.totalSteps == 6 && job.tokens == 3 * epoch)
            #expect(try await bench.pool.value("SELECT count(*) FROM leases", as: Int.self) == 0)
            #expect(try FileManager.default.contentsOfDirectory(atPath: bench.workFolder.path).isEmpty)
        }
    }

    @Test("the stages follow one another, and the plain arm trains on as many tokens as the others together")
    func chain() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<4)
            for number in 0..<2 { _ = try await bench.insertKeySteps(problem: number) }
            let stages = RunStages(
                plain: SupervisedStage(training: TrainingBlock(learningRate: 1e-3, batchSequences: 1)),
                hsft: Self.stage(),
                krsl: KeyStepStage(training: TrainingBlock(learningRate: 1e-4, epochs: 1, batchSequences: 2))
            )
            try await bench.insert(bench.run(stages: stages))
            try await whileRunning(runner(bench)) {
                try await eventually("the plain arm") { try await bench.checkpoint(.plain) != nil }
            }
            let hsft = try #require(try await bench.checkpoint(.hsft))
            let krsl = try #require(try await bench.checkpoint(.krsl))
            let plain = try #require(try await bench.checkpoint(.plain))
            #expect(krsl.parentCheckpointId == hsft.id && plain.parentCheckpointId == "r1-initial")
            #expect(Set([hsft, krsl, plain].map(\.modelHash)).count == 3)
            let chain = hsft.tokensTrained + krsl.tokensTrained
            #expect(plain.options["maximumTokens"] == .integer(Int64(chain)))
            // One sequence an update: it ends with the update that reaches the number.
            let longest =
                (0..<4).map { bench.codec.tokenizer.encode(Sum($0).question + Sum($0).chain).count }.max() ?? 0
            #expect(plain.tokensTrained >= chain && plain.tokensTrained < chain + longest + 20)
            #expect(plain.examples == ["chains": 0, "rectified": 2])
            #expect(try await bench.outbox(CheckpointEvent.self).map(\.stage) == [.hsft, .krsl, .plain])
        }
    }

    @Test(
        "what another try cannot mend ends the stage with its reason, and the others go on",
        arguments: [
            (TrainingBlock(schedule: "zigzag"), "zigzag"),
            (
                TrainingBlock(learningRate: 1e30, epochs: 20, schedule: "constant", warmupRatio: 0),
                "lower the learning rate"
            ),
        ]
    )
    func failsForGood(training: TrainingBlock, reason: String) async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<4)
            try await bench.insert(bench.run(stages: RunStages(hsft: SupervisedStage(training: training))))
            try await bench.insert(bench.run("r2", stages: RunStages(hsft: Self.stage())))
            let log = LogBook()
            try await whileRunning(runner(bench, log: log)) {
                try await eventually("the second run") { try await bench.checkpoint(.hsft, run: "r2") != nil }
            }
            let job = try #require(try await bench.job(.hsft))
            #expect(job.state == "failed")
            #expect(job.error?.contains(reason) == true, "\(job.error ?? "")")
            #expect(try await bench.checkpoint(.hsft) == nil)
            #expect(try await bench.outbox(CheckpointEvent.self).map(\.runId) == ["r2"])
            #expect(log.count("stage failed") == 1 && log.count("will be retried") == 0)
        }
    }

    @Test("key steps of another tokenizer end the stage with both numbers")
    func failsOnWeights() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<1)
            let event = try await bench.insertKeySteps(problem: 0, extra: 3)
            try await bench.insert(bench.run(stages: RunStages(krsl: KeyStepStage())))
            try await whileRunning(runner(bench)) {
                try await eventually("the failure") { try await bench.job(.krsl)?.state == "failed" }
            }
            let error = try await bench.job(.krsl)?.error ?? ""
            #expect(error.contains("\(event.right.tokens)") && error.contains("\(event.right.tokens - 3)"), "\(error)")
        }
    }

    @Test("a model that is away for a while holds the stage up and does not end it")
    func transient() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<2)
            try await bench.insert(bench.run(stages: RunStages(hsft: Self.stage(1))))
            let away = bench.store.root.appending(path: "away")
            try FileManager.default.moveItem(at: bench.student.folder, to: away)
            let log = LogBook()
            try await whileRunning(runner(bench, log: log)) {
                try await eventually("a second try") { log.count("will be retried") >= 2 }
                #expect(try await bench.job(.hsft)?.state == "running")
                #expect(try await bench.job(.hsft)?.error == nil)
                try FileManager.default.moveItem(at: away, to: bench.student.folder)
                try await eventually("the checkpoint") { try await bench.checkpoint(.hsft) != nil }
            }
            #expect(try await bench.job(.hsft)?.state == "done")
            #expect(log.count("stage failed") == 0)
        }
    }

    @Test("a training cut off midway goes on with another holder from the saved step, to the same model bit for bit")
    func resumed() async throws {
        /// Enough updates that the first holder cannot be done before it is stopped.
        let stage = Self.stage(200, rate: 3e-3)
        var whole: CheckpointEvent?
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<4)
            try await bench.insert(bench.run(stages: RunStages(hsft: stage)))
            let log = LogBook()
            try await whileRunning(runner(bench, log: log)) {
                try await eventually("the checkpoint") { try await bench.checkpoint(.hsft) != nil }
            }
            #expect(log.count("resumed") == 0)
            whole = try await bench.checkpoint(.hsft)
        }
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<4)
            try await bench.insert(bench.run(stages: RunStages(hsft: stage)))
            let state = bench.workFolder.appending(path: "r1-hsft.state")
            func savedStep() -> Int? {
                (try? SafetensorsFile(url: state)).flatMap { $0.metadata["step"] }.flatMap { Int($0) }
            }
            try await whileRunning(runner(bench, saveInterval: .zero)) {
                try await eventually("a saved step") { (savedStep() ?? 0) >= 5 }
            }
            let saved = try #require(savedStep())
            #expect(try await bench.checkpoint(.hsft) == nil, "the first holder must not be done")
            #expect(try await bench.job(.hsft)?.state == "running")
            #expect(try await bench.pool.value("SELECT count(*) FROM leases", as: Int.self) == 0)
            let log = LogBook()
            try await whileRunning(runner(bench, holder: "second", log: log)) {
                try await eventually("the checkpoint") { try await bench.checkpoint(.hsft) != nil }
            }
            let checkpoint = try #require(try await bench.checkpoint(.hsft))
            let lines = log.text.filter { $0.hasPrefix("resumed") }
            #expect(lines == ["resumed run=r1 stage=hsft step=\(saved + 1)"])
            let expected = try #require(whole)
            #expect(checkpoint.modelHash == expected.modelHash)
            #expect(checkpoint.id == expected.id)
            #expect(checkpoint.steps == 400 && expected.steps == 400)
            #expect(checkpoint.tokensTrained == expected.tokensTrained)
            #expect(!FileManager.default.fileExists(atPath: state.path))
        }
    }

    @Test("saved state of other work under the same name is not gone on with")
    func otherState() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<4)
            try await bench.insert(bench.run(stages: RunStages(hsft: Self.stage(200))))
            let state = bench.workFolder.appending(path: "r1-hsft.state")
            try await whileRunning(runner(bench, saveInterval: .zero)) {
                try await eventually("saved state") { FileManager.default.fileExists(atPath: state.path) }
            }
            // A template more came in meanwhile.
            try await bench.insertTemplates(4..<5)
            let log = LogBook()
            try await whileRunning(runner(bench, holder: "second", log: log)) {
                try await eventually("the checkpoint") { try await bench.checkpoint(.hsft) != nil }
            }
            #expect(log.count("resumed") == 0)
            // 5 examples in updates of 2, 1000 in all.
            #expect(try await bench.checkpoint(.hsft)?.steps == 600)
            #expect(try await bench.checkpoint(.hsft)?.examples == ["templates": 5])
        }
    }
}
