import Distillation
import Foundation
import LanguageModel
import PostgresClient
import Schemas
import ServiceRuntime
import StageSupport
import Testing

@testable import TemplateDistillerCore

@Suite("Taking up runs")
struct RunProcessorTests {
    private static let stages = RunStages(plain: SupervisedStage(), hsft: SupervisedStage(), krsl: KeyStepStage())

    private func apply(_ run: RunEvent, _ bench: StageBench) async throws -> Effects {
        let effects = try await RunProcessor(store: bench.store).process(try StageBench.received(run))
        try await bench.pool.withTransaction { try await effects.apply($0) }
        return effects
    }

    @Test("a run has a waiting job a stage, and the untrained student is its first checkpoint")
    func takenUp() async throws {
        try await StageBench.with { bench in
            let run = bench.run(stages: Self.stages)
            let effects = try await apply(run, bench)
            #expect(try await RunStore.run("r1", from: bench.pool) == run)
            let jobs = try await RunStore.jobs(run: "r1", from: bench.pool)
            #expect(Set(jobs.map(\.stage)) == [.plain, .hsft, .krsl] && jobs.count == 3)
            #expect(jobs.allSatisfy { $0.state == "waiting" })
            let event = try #require(effects.events.first)
            #expect(effects.events.count == 1)
            #expect(event.topic == .checkpoints && event.key == "r1")
            #expect(event.attributes.source == "/errata/template-distiller")
            let checkpoint = try EventCoding.decode(CheckpointEvent.self, from: Data(event.payload.utf8))
            #expect(try await RunStore.checkpoints(run: "r1", from: bench.pool) == [checkpoint])
            #expect(checkpoint.stage == .initial && checkpoint.parentCheckpointId == nil)
            #expect(checkpoint.modelHash == bench.student.hash)
            #expect(checkpoint.tokensTrained == 0 && checkpoint.steps == 0 && checkpoint.finalLoss == nil)
            #expect(event.attributes.id == checkpoint.id)
        }
    }

    @Test("the same run again gives the same event and leaves the rows as they are")
    func again() async throws {
        try await StageBench.with { bench in
            let run = bench.run(stages: Self.stages)
            let first = try await apply(run, bench)
            try await RunStore.started(.hsft, run: "r1", in: bench.pool)
            let second = try await apply(run, bench)
            #expect(first.events.map(\.attributes.id) == second.events.map(\.attributes.id))
            #expect(first.events.map(\.payload) == second.events.map(\.payload))
            #expect(try await bench.job(.hsft)?.state == "running")
            for (table, rows) in [("runs", 1), ("checkpoints", 1), ("training_jobs", 3)] {
                let count = try await bench.pool.value("SELECT count(*) FROM \(identifier: table)", as: Int.self)
                #expect(count == rows, "\(table)")
            }
            let other = try await apply(bench.run("r2", stages: Self.stages), bench)
            #expect(other.events.map(\.attributes.id) != first.events.map(\.attributes.id))
        }
    }

    @Test("a run with another tokenizer than its student's is refused for good, and the right one is named")
    func tokenizerMismatch() async throws {
        try await StageBench.with { bench in
            var run = bench.run(stages: Self.stages)
            run.student.tokenizerFingerprint = "another"
            let failure = await #expect(throws: PermanentFailure.self) { try await apply(run, bench) }
            #expect(failure?.code == "tokenizer-mismatch")
            #expect(failure?.message.contains(bench.student.tokenizerFingerprint) == true)
            let runs = try await RunStore.runs(from: bench.pool)
            #expect(runs.isEmpty)
        }
    }

    @Test("a run of a student that the store does not hold is refused for good")
    func unknownStudent() async throws {
        try await StageBench.with { bench in
            for hash in [String(repeating: "a", count: 64), "not-a-hash"] {
                var run = bench.run(stages: Self.stages)
                run.student.modelHash = hash
                let failure = await #expect(throws: PermanentFailure.self) { try await apply(run, bench) }
                #expect(failure?.code == "unknown-student")
                #expect(failure?.message.contains(hash) == true)
            }
            let runs = try await RunStore.runs(from: bench.pool)
            #expect(runs.isEmpty)
        }
    }
}
