import PostgresClient
import Schemas
import ServiceRuntime
import StageSupport
import Testing

@testable import EvaluatorCore

@Suite("What is asked for a checkpoint")
struct CheckpointProcessorTests {
    /// The suites and roll-outs that are asked for, in order.
    private func asked(_ checkpoint: CheckpointEvent, _ bench: StageBench) async throws -> [String] {
        try await bench.ask(checkpoint)
        return try await EvaluationJobStore.jobs(from: bench.pool).filter { $0.checkpoint == checkpoint.id }
            .map { $0.suite ?? "roll-out \($0.round)" }.sorted()
    }

    @Test("its scoring on each suite that scores its stage; nothing is sent yet, and asking again changes nothing")
    func suites() async throws {
        try await StageBench.with { bench in
            var some = EvaluationSuite.ofSix()
            (some.name, some.stages) = ("some", ["initial", "hsft"])
            var run = bench.run(stages: [.templates("hsft"), .templates("more")], suites: [.ofSix(), some])
            run.suites[0].name = "all"
            try await bench.insert(run)
            let checkpoints = ["initial", "hsft", "more"].map { bench.checkpoint($0, of: run) }
            #expect(try await asked(checkpoints[0], bench) == ["all", "some"])
            #expect(try await asked(checkpoints[1], bench) == ["all", "some"])
            #expect(try await asked(checkpoints[2], bench) == ["all"])
            #expect(try await asked(checkpoints[1], bench) == ["all", "some"])
            let jobs = try await EvaluationJobStore.jobs(from: bench.pool)
            #expect(jobs.count == 5 && jobs.allSatisfy { $0.state == .waiting && $0.run == "r1" })
            #expect(try await bench.outbox(EvaluationEvent.self).isEmpty)
        }
    }

    @Test("its roll-out, for its own round, where a stage learns from its attempts")
    func rollouts() async throws {
        try await StageBench.with { bench in
            let chain = bench.run(stages: [.templates("hsft"), .keySteps(parent: "hsft"), .corrections(parent: "keys")])
            let own = bench.run("r2", stages: [.supervised(["attempts"], "own", examples: nil)])
            let none = bench.run("r3", stages: [.templates("hsft")])
            let gated = bench.run(
                "r4",
                stages: [.corrections("dpo", parent: "champion")],
                suites: [.ofSix()],
                rounds: RunRounds(newProblems: 1),
                gate: RunGate(suite: "held")
            )
            for run in [chain, own, none, gated] { try await bench.insert(run) }
            for (run, stage, round, expected) in [
                (chain, "initial", 1, []), (chain, "hsft", 1, []), (chain, "keys", 1, ["roll-out 1"]),
                (chain, "keys", 2, ["roll-out 2"]), (chain, "corrections", 1, []), (own, "initial", 1, ["roll-out 1"]),
                (own, "own", 1, []), (none, "hsft", 1, []),
                // The untrained student is the first champion.
                (gated, "initial", 1, ["held", "roll-out 1"]), (gated, "dpo", 1, ["held"]),
            ] {
                let checkpoint = bench.checkpoint(stage, of: run, round: round)
                #expect(try await asked(checkpoint, bench) == expected, "\(run.id) \(stage) \(round)")
            }
        }
    }

    @Test("a checkpoint of a run that is not there yet is tried again")
    func unknownRun() async throws {
        try await StageBench.with { bench in
            let run = bench.run("r9", stages: [.templates()])
            let error = await #expect(throws: EvaluatorError.self) {
                try await bench.ask(bench.checkpoint("initial", of: run))
            }
            #expect(error?.description == "the run r9 is not in the database yet")
        }
    }
}
