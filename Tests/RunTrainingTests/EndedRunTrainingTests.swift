import Foundation
import LanguageModel
import PostgresClient
import Schemas
import ServiceRuntime
import StageSupport
import TestSupport
import Testing

@testable import RunTraining

#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#endif

@Suite("Trainings of runs that end meanwhile")
struct EndedRunTrainingTests {
    private func cancel(_ bench: StageBench) async throws {
        let isCancelled = try await bench.pool.withTransaction {
            try await RunStore.end("r1", as: .cancelled, reason: "planted", in: $0)
        }
        #expect(isCancelled)
    }

    @Test("an engine that says nothing ends with its run, and gives no checkpoint")
    func silentEngine() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<2)
            var stage = RunStage.templates()
            stage.engine = "silent"
            try await bench.insert(bench.run(stages: [stage]))
            // It lives for ten minutes at most, whatever becomes of the test.
            let script = "echo $$ > number.new; mv number.new number; exec sleep 600"
            let engines = bench.store.root.appending(path: "engines.json")
            try JSONEncoder().encode(["silent": ["command": ["/bin/sh", "-c", script]]]).write(to: engines)
            let log = LogBook()
            let note = bench.workFolder.appending(path: "r1,templates.engine/number")
            func number() -> pid_t? {
                let text = try? String(contentsOf: note, encoding: .utf8)
                return text.flatMap { pid_t($0.trimmingCharacters(in: .whitespacesAndNewlines)) }
            }
            try await whileRunning(bench.runner(log: log, engines: engines.path)) {
                try await eventually("the engine") { number() != nil }
                let process = try #require(number())
                #expect(EngineProcess.isRunning(process))
                try await cancel(bench)
                try await eventually("the end of the training") { log.count("training ended with its run") == 1 }
                #expect(!EngineProcess.isRunning(process))
            }
            #expect(log.count("stage failed") == 0 && log.count("will be retried") == 0)
            #expect(try await bench.checkpoint("templates") == nil)
        }
    }

    @Test("a checkpoint that is there only once its run has been cancelled is neither written nor sent")
    func lateCheckpoint() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<2)
            let run = bench.run(stages: [.templates()])
            try await bench.insert(run)
            let log = LogBook()
            let job = StageJob(
                pool: bench.pool,
                source: "/errata/tested",
                logger: log.logger,
                ready: { try await bench.ready() },
                inputs: { _ in JobStore.Inputs() },
                endsStage: { _ in false },
                prepare: { _, _ in
                    StageJob.Work(
                        examples: 1,
                        training: .handOver { _, _ in
                            try await cancel(bench)
                            return bench.checkpoint("templates", of: run)
                        }
                    )
                }
            )
            try await whileRunning(job.runner(holder: "first", interval: .milliseconds(5))) {
                try await eventually("the end of the training") { log.count("training ended with its run") == 1 }
            }
            #expect(try await bench.checkpoint("templates") == nil)
            #expect(try await bench.job("templates")?.state == .running)
            #expect(try await bench.outbox(CheckpointEvent.self).isEmpty)
        }
    }
}
