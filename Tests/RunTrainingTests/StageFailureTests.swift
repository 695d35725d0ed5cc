import Distillation
import PostgresClient
import Schemas
import ServiceRuntime
import StageSupport
import TestSupport
import Testing

@Suite("Stages that cannot be trained")
struct StageFailureTests {
    @Test("a training that does not converge ends its stage with the cure, and other runs go on")
    func diverged() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<4)
            let wild = TrainingBlock(learningRate: 1e30, epochs: 20, schedule: "constant", warmupRatio: 0)
            try await bench.insert(bench.run(stages: [.templates(training: wild)]))
            let tame = TrainingBlock(epochs: 1)
            try await bench.insert(bench.run("r2", stages: [.templates(training: tame)]))
            let log = LogBook()
            try await whileRunning(bench.runner(log: log)) {
                try await eventually("the second run") { try await bench.checkpoint("templates", run: "r2") != nil }
            }
            let job = try #require(try await bench.job("templates"))
            #expect(job.state == .failed)
            #expect(job.error?.contains("lower the learning rate") == true, "\(job.error ?? "")")
            #expect(try await bench.checkpoint("templates") == nil)
            #expect(try await bench.outbox(CheckpointEvent.self).map(\.runId) == ["r2"])
            #expect(log.count("stage failed") == 1 && log.count("will be retried") == 0)
        }
    }

    @Test("a stage that waited and found nothing to learn from fails, and says what it looked for")
    func nothing() async throws {
        try await StageBench.with { bench in
            try await bench.insert(problem: 0)
            try await bench.insert(
                bench.run(stages: [
                    .templates(examples: 9, wait: 60),
                    .keySteps(examples: 9, wait: 60),
                    .supervised(["rightChains", "solutions"], "plain", examples: 9, wait: 60),
                ])
            )
            try await bench.age(jobs: 61, checkpoints: 61)
            try await whileRunning(bench.runner()) {
                try await eventually("the failures") {
                    try await JobStore.jobs(run: "r1", states: [.failed], from: bench.pool).count == 3
                }
            }
            #expect(
                try await bench.job("templates")?.error == "the stage templates has nothing to learn from (templates 0)"
            )
            #expect(try await bench.job("keys")?.error == "the stage keys has nothing to learn from (no traces)")
            let plain = try await bench.job("plain")?.error
            #expect(plain == "the stage plain has nothing to learn from (rightChains 0, solutions 0)")
        }
    }

    @Test("with a stage those fail that wait for it, with its name; others of the run are trained")
    func followers() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<2)
            let short = TrainingBlock(epochs: 1, maximumLength: 2)
            let once = TrainingBlock(epochs: 1)
            try await bench.insert(
                bench.run(stages: [
                    .templates("a", training: short),
                    .templates("b", parent: "a", training: once),
                    .supervised(["templates"], "control", tokensOf: ["b"]),
                    .templates("own", training: once),
                ])
            )
            try await whileRunning(bench.runner()) {
                try await eventually("the stage of its own") { try await bench.checkpoint("own") != nil }
            }
            #expect(
                try await bench.job("a")?.error
                    == "all 2 examples of the stage a have more than 2 tokens; raise training.maximumLength"
            )
            for stage in ["b", "control"] {
                let job = try await bench.job(stage)
                #expect(job?.state == .failed && job?.error == "not trained, as the stage a failed")
            }
        }
    }

    @Test("key steps of another tokenizer end the stage with both numbers")
    func weights() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<1)
            let event = try await bench.insertKeySteps(problem: 0, extra: 3)
            try await bench.insert(bench.run(stages: [.keySteps()]))
            try await whileRunning(bench.runner()) {
                try await eventually("the failure") { try await bench.job("keys")?.state == .failed }
            }
            let error = try await bench.job("keys")?.error ?? ""
            #expect(error.contains("\(event.right.tokens)") && error.contains("\(event.right.tokens - 3)"), "\(error)")
        }
    }

    @Test("a stage of an engine that the service does not have fails at once, and says where engines are named")
    func unknownEngine() async throws {
        try await StageBench.with { bench in
            var stage = RunStage.templates(examples: 9)
            stage.engine = "trl"
            try await bench.insert(bench.run(stages: [stage, .templates("after", parent: "templates")]))
            try await whileRunning(bench.runner()) {
                try await eventually("the failure") { try await bench.job("templates")?.state == .failed }
            }
            let error = try await bench.job("templates")?.error ?? ""
            #expect(error.contains("'trl'") && error.contains("ERRATA_ENGINES"), "\(error)")
            #expect(try await bench.job("after")?.error == "not trained, as the stage templates failed")
        }
    }

    @Test(
        "where a roll-out was left out, the stages that learn from it fail with its reason, and those that wait for them"
    )
    func rolloutLeftOut() async throws {
        try await StageBench.with { bench in
            let run = bench.run(
                stages: [
                    .templates("hsft"), .corrections("dpo", parent: "hsft"), .templates("more", parent: "dpo"),
                    .corrections("own", parent: "initial"), .templates("aside", parent: "hsft", examples: 99),
                ]
            )
            try await bench.insert(run)
            let checkpoint = bench.checkpoint("hsft", of: run)
            try await bench.insert(checkpoint)
            try await bench.pool.withTransaction { transaction in
                for checkpoint in [checkpoint, bench.checkpoint(RunStage.initial, of: run)] {
                    try await EvaluationJobStore.insertRollout(
                        checkpoint: checkpoint.id,
                        run: run.id,
                        round: 1,
                        in: transaction
                    )
                }
            }
            let job = try #require(
                try await EvaluationJobStore.jobs(from: bench.pool).first { $0.checkpoint == checkpoint.id }
            )
            try await bench.pool.withTransaction {
                try await EvaluationJobStore.finish(job.id, leftOut: "the student says nothing", in: $0)
            }
            try await whileRunning(bench.runner()) {
                try await eventually("the failure") { try await bench.job("dpo")?.state == .failed }
            }
            let reason = "the roll-out of hsft was left out: the student says nothing"
            #expect(try await bench.job("dpo")?.error == reason)
            #expect(try await bench.job("more")?.state == .failed)
            // Neither a stage on another roll-out, nor one that learns from none.
            for stage in ["own", "aside"] { #expect(try await bench.job(stage)?.state == .waiting, "\(stage)") }
        }
    }
}
