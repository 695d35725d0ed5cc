import Distillation
import Foundation
import PostgresClient
import Schemas
import ServiceRuntime
import StageSupport
import TestSupport
import Testing

@Suite("Stages that another process takes over")
struct TakeOverTests {
    /// Enough updates that the first holder cannot be done before it is stopped.
    private static let long = RunStage.templates(
        training: TrainingBlock(learningRate: 3e-3, epochs: 200, batchSequences: 2)
    )

    /// Trains a stage until some steps are kept, and stops as the end of a process would.
    ///
    /// - Returns: the step that was kept last.
    private func interrupt(_ stage: String, _ bench: StageBench) async throws -> Int {
        try await whileRunning(bench.runner(saveInterval: .zero)) {
            try await eventually("a saved step") { (bench.savedStep("r1,\(stage)") ?? 0) >= 5 }
        }
        let saved = try #require(bench.savedStep("r1,\(stage)"))
        #expect(try await bench.checkpoint(stage) == nil, "the first holder must not be done")
        #expect(try await bench.job(stage)?.state == .running)
        #expect(try await bench.pool.value("SELECT count(*) FROM leases", as: Int.self) == 0)
        return saved
    }

    /// Trains a stage to its end.
    private func finish(_ stage: String, _ bench: StageBench, log: LogBook = LogBook()) async throws -> CheckpointEvent
    {
        try await whileRunning(bench.runner(holder: "second", log: log)) {
            try await eventually("the checkpoint") { try await bench.checkpoint(stage) != nil }
        }
        return try #require(try await bench.checkpoint(stage))
    }

    @Test("a training cut off midway goes on with another holder from the saved step, to the same model bit for bit")
    func resumed() async throws {
        var whole: CheckpointEvent?
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<4)
            try await bench.insert(bench.run(stages: [Self.long]))
            let log = LogBook()
            whole = try await finish("templates", bench, log: log)
            #expect(log.count("resumed") == 0)
        }
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<4)
            try await bench.insert(bench.run(stages: [Self.long]))
            let saved = try await interrupt("templates", bench)
            let log = LogBook()
            let checkpoint = try await finish("templates", bench, log: log)
            let lines = log.text.filter { $0.hasPrefix("resumed") }
            #expect(lines == ["resumed round=1 run=r1 stage=templates step=\(saved + 1)"])
            let expected = try #require(whole)
            #expect(checkpoint.modelHash == expected.modelHash)
            #expect(checkpoint.id == expected.id)
            #expect(checkpoint.steps == 400 && expected.steps == 400)
            #expect(checkpoint.tokensTrained == expected.tokensTrained)
            #expect(!FileManager.default.fileExists(atPath: bench.state("r1,templates").path))
        }
    }

    @Test("a take-over goes on with what the stage began with, whatever has streamed in since")
    func sameInputs() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<4)
            try await bench.insert(bench.run(stages: [Self.long]))
            let saved = try await interrupt("templates", bench)
            try await bench.insertTemplates(4..<9)
            let log = LogBook()
            let checkpoint = try await finish("templates", bench, log: log)
            #expect(log.text.contains("resumed round=1 run=r1 stage=templates step=\(saved + 1)"))
            // 4 examples in updates of 2, 800 in all.
            #expect(checkpoint.steps == 400 && checkpoint.examples == ["templates": 4])
        }
    }

    @Test(
        "a take-over goes on with the traces that the stage began with, whatever the teacher wrote of its problems since"
    )
    func sameTraces() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<4)
            try await bench.insert(bench.run(stages: [Self.long]))
            let saved = try await interrupt("templates", bench)
            // Before the old ones in order of id.
            for number in 0..<4 {
                let body = TemplateBody(
                    steps: [.init(text: "Look.")],
                    generalization: "See.",
                    answer: Sum(number).answer
                )
                try await bench.insert(.template(body), id: "another-\(number)", problem: number)
            }
            let log = LogBook()
            let checkpoint = try await finish("templates", bench, log: log)
            #expect(log.text.contains("resumed round=1 run=r1 stage=templates step=\(saved + 1)"))
            #expect(log.count("begins anew") == 0 && log.count("another content") == 0)
            #expect(checkpoint.steps == 400 && checkpoint.examples == ["templates": 4])
        }
    }

    @Test("a take-over goes on with problems and traces as they were when the stage began, though replaced since")
    func replacedTraces() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<4)
            try await bench.insert(bench.run(stages: [Self.long]))
            let saved = try await interrupt("templates", bench)
            for number in 0..<4 {
                let id = "template-\(Sum(number).id)"
                var trace = try #require(try await TraceStore.traces(ids: [id], from: bench.pool).first)
                trace.body = .template(
                    TemplateBody(steps: [.init(text: "Look.")], generalization: "See.", answer: Sum(number).answer)
                )
                try await bench.pool.withTransaction { [trace] in try await TraceStore.update(trace, in: $0) }
            }
            try await bench.pool.execute("UPDATE problems SET question = question || ' Say it.'")
            let log = LogBook()
            let checkpoint = try await finish("templates", bench, log: log)
            #expect(log.text.contains("resumed round=1 run=r1 stage=templates step=\(saved + 1)"))
            #expect(log.count("begins anew") == 0 && log.count("another content") == 0)
            #expect(checkpoint.steps == 400 && checkpoint.examples == ["templates": 4])
        }
    }

    @Test("a take-over tells of rows that have another content by now, and ends the stage where one is gone")
    func changedRows() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<4)
            try await bench.insert(bench.run(stages: [Self.long]))
            _ = try await interrupt("templates", bench)
            let id = StageID(run: "r1", round: 1, stage: "templates")
            let snapshot = try #require(try await JobSnapshotStore.snapshot(of: id, from: bench.pool))
            #expect(snapshot.ids(.problems) == ["p00", "p01", "p02", "p03"])
            #expect(snapshot.ids(.traces).count == 4 && snapshot.rows[.attempts] == nil)
            #expect(try await JobSnapshotStore.changed(since: snapshot, from: bench.pool) == [])
            // The look takes as long as it needs, as the start's does.
            var configuration = bench.pool.configuration
            configuration.statementTimeout = .seconds(1)
            let bounded = PostgresPool(configuration: configuration, maximumConnections: 1)
            defer { bounded.close() }
            let slow = try await bench.pool.withTransaction { transaction in
                try await transaction.execute("LOCK TABLE traces IN ACCESS EXCLUSIVE MODE")
                let look = Task { try await JobSnapshotStore.changed(since: snapshot, from: bounded) }
                try await transaction.execute("SELECT pg_sleep(2)")
                return look
            }
            #expect(try await slow.value == [])
            try await bench.pool.execute("UPDATE problems SET question = question || ' Say it.' WHERE id = 'p01'")
            #expect(try await JobSnapshotStore.changed(since: snapshot, from: bench.pool) == [])
            try await bench.pool.execute("DELETE FROM problem_versions")
            #expect(try await JobSnapshotStore.changed(since: snapshot, from: bench.pool) == [.problems])
            try await bench.pool.execute("DELETE FROM traces WHERE problem_id = 'p02'")
            let log = LogBook()
            try await whileRunning(bench.runner(holder: "second", log: log)) {
                try await eventually("the failure") { try await bench.job("templates")?.state == .failed }
            }
            #expect(log.count("another content") == 1)
            let error = try await bench.job("templates")?.error ?? ""
            #expect(error.contains("1 of the 4 traces that the stage began with are gone"), "\(error)")
        }
    }

    @Test("who lost the lease while it trained notes no progress and no checkpoint any more, and stops")
    func lostLease() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<4)
            let endless = TrainingBlock(learningRate: 1e-3, epochs: 50_000, batchSequences: 2)
            try await bench.insert(bench.run(stages: [.templates(training: endless)]))
            let log = LogBook()
            try await whileRunning(bench.runner(log: log)) {
                try await eventually("some progress") { (try await bench.job("templates")?.step ?? 0) > 0 }
                // Another process takes the lease, as it does of one that slept, and notes a progress of its own.
                try await bench.pool.execute(
                    """
                    WITH taken AS (UPDATE leases SET holder = 'second', token = DEFAULT, expires_at = 'infinity' RETURNING name)
                    UPDATE training_jobs SET step = 0 FROM taken
                    """
                )
                try await eventually("the end of the training") { log.count("left to another process") > 0 }
                #expect(try await bench.job("templates")?.step == 0)
                #expect(try await bench.job("templates")?.state == .running)
            }
            #expect(try await bench.checkpoint("templates") == nil)
            #expect(try await bench.pool.values("SELECT holder FROM leases", as: String.self) == ["second"])
        }
    }

    @Test("preferences go on from the saved step against the same reference, on the corrections that they began with")
    func preferences() async throws {
        let stage = RunStage.corrections(
            training: TrainingBlock(learningRate: 1e-3, epochs: 150, batchSequences: 2)
        )
        func fill(_ rollout: Rollout) async throws {
            try await rollout.insert((20..<24).map { rollout.attempt($0) })
            for number in 20..<24 { try await rollout.correct(number) }
        }
        var whole: CheckpointEvent?
        try await Rollout.with(stage) { rollout in
            try await fill(rollout)
            whole = try await finish("corrections", rollout.bench)
        }
        try await Rollout.with(stage) { rollout in
            try await fill(rollout)
            let saved = try await interrupt("corrections", rollout.bench)
            // Late attempts and answers are not among what was noted.
            try await rollout.bench.pool.withTransaction {
                try await EvaluationStore.insert([rollout.attempt(24)], in: $0)
            }
            try await rollout.correct(24)
            let log = LogBook()
            let checkpoint = try await finish("corrections", rollout.bench, log: log)
            let lines = log.text.filter { $0.hasPrefix("resumed") }
            #expect(lines == ["resumed round=1 run=r1 stage=corrections step=\(saved + 1)"])
            #expect(checkpoint.modelHash == whole?.modelHash && checkpoint.steps == 300)
            #expect(checkpoint.tokensTrained == whole?.tokensTrained)
            #expect(checkpoint.examples == ["pairs": 4])
        }
    }

    @Test("saved state of other work under the same name is not gone on with")
    func otherState() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<4)
            try await bench.insert(bench.run(stages: [Self.long]))
            _ = try await interrupt("templates", bench)
            // The same name in another database, where there are five problems.
            try await StageBench.with { other in
                try await other.insertTemplates(0..<5)
                try await other.insert(other.run(stages: [Self.long]))
                try FileManager.default.createDirectory(at: other.workFolder, withIntermediateDirectories: true)
                try FileManager.default.copyItem(at: bench.state("r1,templates"), to: other.state("r1,templates"))
                let log = LogBook()
                let checkpoint = try await finish("templates", other, log: log)
                #expect(log.count("resumed") == 0 && log.count("r1,templates begins anew") == 1)
                // 5 examples in updates of 2, 1000 in all.
                #expect(checkpoint.steps == 600 && checkpoint.examples == ["templates": 5])
            }
        }
    }
}
