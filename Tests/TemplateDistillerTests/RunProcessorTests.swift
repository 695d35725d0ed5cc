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
    private static let stages: [RunStage] = [
        .templates(), .keySteps(parent: "templates"), .supervised(["rightChains"], "plain"),
    ]

    @Test("a run has a waiting job a stage, and the untrained student is its first checkpoint and champion")
    func takenUp() async throws {
        try await StageBench.with { bench in
            let run = bench.run(stages: Self.stages)
            let effects = try await bench.process(run)
            #expect(try await RunStore.run("r1", from: bench.pool) == run)
            let jobs = try await JobStore.jobs(run: "r1", from: bench.pool)
            #expect(jobs.map(\.id.stage).sorted() == ["keys", "plain", "templates"])
            #expect(jobs.allSatisfy { $0.state == .waiting && $0.id.round == 1 && !$0.hasInputs })
            let event = try #require(effects.events.first)
            #expect(effects.events.count == 1)
            #expect(event.topic == .checkpoints && event.key == "r1")
            #expect(event.attributes.source == "/errata/template-distiller")
            let checkpoint = try EventCoding.decode(CheckpointEvent.self, from: Data(event.payload.utf8))
            #expect(try await RunStore.checkpoints(run: "r1", from: bench.pool) == [checkpoint])
            #expect(checkpoint.stage == "initial" && checkpoint.parentCheckpointId == nil && checkpoint.round == nil)
            #expect(checkpoint.modelHash == bench.student.hash && checkpoint.path == bench.student.hash)
            #expect(checkpoint.tokensTrained == 0 && checkpoint.steps == 0 && checkpoint.finalLoss == nil)
            // Every service derives it from the run's id.
            #expect(checkpoint.id == "185ff85a-08c6-80c3-80db-06d65b5d4a02" && event.attributes.id == checkpoint.id)
            let round = try #require(try await RoundStore.rounds(of: "r1", from: bench.pool).first)
            #expect(round.number == 1 && !round.isOver)
            #expect(round.champion == checkpoint.id && round.start == checkpoint.id)
            #expect(try await RunStore.state(of: "r1", from: bench.pool)?.state == .active)
        }
    }

    @Test("the same run again gives the same event and leaves the rows as they are")
    func again() async throws {
        try await StageBench.with { bench in
            let run = bench.run(stages: Self.stages)
            let first = try await bench.process(run)
            let id = StageID(run: "r1", round: 1, stage: "templates")
            _ = try await bench.pool.withTransaction { try await JobStore.start(id, inputs: .init(), in: $0) }
            let second = try await bench.process(run)
            #expect(first.events.map(\.attributes.id) == second.events.map(\.attributes.id))
            #expect(first.events.map(\.payload) == second.events.map(\.payload))
            #expect(try await bench.job("templates")?.state == .running)
            for (table, rows) in [("runs", 1), ("rounds", 1), ("checkpoints", 1), ("training_jobs", 3)] {
                let count = try await bench.pool.value("SELECT count(*) FROM \(identifier: table)", as: Int.self)
                #expect(count == rows, "\(table)")
            }
            let other = try await bench.process(bench.run("r2", stages: Self.stages))
            #expect(other.events.map(\.attributes.id) != first.events.map(\.attributes.id))
        }
    }

    @Test("another service may have written the run before: it is taken up all the same")
    func writtenBefore() async throws {
        try await StageBench.with { bench in
            let run = bench.run(stages: Self.stages)
            try await bench.insert(run, initial: false)
            #expect(try await bench.process(run).events.count == 1)
            #expect(try await RunStore.checkpoints(run: "r1", from: bench.pool).map(\.stage) == ["initial"])
        }
    }

    @Test("another run under a taken id is refused for good, with the other one's name and the cure")
    func runExists() async throws {
        try await StageBench.with { bench in
            _ = try await bench.process(bench.run(name: "first", stages: Self.stages))
            var others = [bench.run(name: "second", stages: Self.stages)]
            others.append(bench.run(name: "first", stages: [.templates(examples: 2)]))
            for other in others {
                let failure = await #expect(throws: PermanentFailure.self) { try await bench.process(other) }
                #expect(failure?.code == "run-exists")
                #expect(failure?.message.contains("r1") == true && failure?.message.contains("\"first\"") == true)
                #expect(failure?.message.contains("errata runs replace") == true)
            }
            #expect(try await RunStore.run("r1", from: bench.pool)?.stages == Self.stages)
        }
    }

    @Test("a run that has ended stays so when its message comes again")
    func ended() async throws {
        try await StageBench.with { bench in
            let run = bench.run(stages: Self.stages)
            _ = try await bench.process(run)
            _ = try await bench.process(RunControlEvent(id: "o", runId: "r1", action: .cancel))
            _ = try await bench.process(run)
            #expect(try await RunStore.state(of: "r1", from: bench.pool)?.state == .cancelled)
        }
    }

    @Test(
        "a run of another tokenizer, or of a student that the store does not hold, is refused for good and leaves nothing"
    )
    func refused() async throws {
        try await StageBench.with { bench in
            var mismatch = bench.run(stages: Self.stages)
            mismatch.student.tokenizerFingerprint = "another"
            var unknown = bench.run(stages: Self.stages)
            unknown.student.modelHash = String(repeating: "a", count: 64)
            for (run, code) in [(mismatch, "tokenizer-mismatch"), (unknown, "unknown-student")] {
                let failure = await #expect(throws: PermanentFailure.self) { try await bench.process(run) }
                #expect(failure?.code == code)
            }
            let runs = try await RunStore.runs(from: bench.pool)
            #expect(runs.isEmpty)
        }
    }
}
