import LanguageModel
import PostgresClient
import Schemas
import ServiceRuntime
import StageSupport
import Testing

@testable import TemplateDistillerCore

@Suite("Runs that have ended")
struct EndedRunTests {
    /// A run of one round, whose candidate was held, at its end.
    private func finished(_ body: (GateBench, _ candidate: CheckpointEvent) async throws -> Void) async throws {
        try await GateBench.with(rounds: RunRounds(maximum: 1)) { gates in
            let candidate = try await gates.train()
            try await gates.score(gates.initial, solves: 0..<4)
            try await gates.score(candidate, solves: 0..<7)
            #expect(try await gates.judge().decision == .hold)
            try await gates.keep("the end") { try await gates.state() == .finished }
            try await body(gates, candidate)
        }
    }

    @Test("a finished run begins no round and cannot be cancelled any more")
    func orders() async throws {
        try await finished { gates, _ in
            let failure = await gates.bench.refusal(.startRound)
            #expect(failure?.code == "refused-order" && failure?.message == "action: the run is finished")
            try await gates.bench.process(RunControlEvent(id: "o", runId: "r1", action: .cancel, reason: "late"))
            let state = try #require(try await RunStore.state(of: "r1", from: gates.bench.pool))
            #expect(state.state == .finished && state.reason == "all rounds are over")
        }
    }

    @Test("a person may still say which student of a finished run is the best one, and its names follow")
    func promoted() async throws {
        try await finished { gates, candidate in
            #expect(try await gates.next() == nil)
            try await gates.bench.process(RunControlEvent(id: "o", runId: "r1", action: .promote))
            #expect(try await RoundStore.champion(of: "r1", from: gates.bench.pool) == candidate.id)
            #expect(try await gates.next() == "name")
            try await gates.keepNamed("first-run.champion", candidate.modelHash)
            #expect(try await gates.next() == nil)
            #expect(try await gates.state() == .finished)
        }
    }

    @Test("a look reads no run that is over, and names are set without reading any other run, however many there were")
    func oldRuns() async throws {
        try await finished { gates, candidate in
            let pool = gates.bench.pool
            // A hundred runs of before, each overruled; who reads one of them fails.
            try await pool.execute(
                """
                INSERT INTO runs (id, name, dataset, state, created_at, body)
                SELECT 'old-' || n, 'old', 'sums', 'finished', now() - interval '1 day', '{}' FROM generate_series(1, 100) AS n
                """
            )
            try await pool.execute(
                """
                INSERT INTO verdicts (id, run_id, round, decision, decider, body, named_at)
                SELECT 'v-' || id, id, 1, 'promote', 'operator', '{}', now() FROM runs WHERE name = 'old'
                """
            )
            #expect(try await gates.next() == nil)
            try await gates.bench.process(RunControlEvent(id: "o", runId: "r1", action: .promote))
            try await gates.keepNamed("first-run.champion", candidate.modelHash)
            #expect(gates.log.count("no look for jobs") == 0 && gates.log.count("will be retried") == 0)
            #expect(try await RunStore.names(after: "r1", from: pool) == [])
            #expect(try await RunStore.names(after: "old-99", from: pool) == ["first run"])
        }
    }

    @Test("names that a process did not come to set after its verdict are set by the next")
    func diedBeforeNames() async throws {
        try await finished { gates, candidate in
            let pool = gates.bench.pool
            try gates.bench.store.removeName("first-run.latest")
            try await pool.execute("UPDATE verdicts SET named_at = NULL")
            #expect(try await gates.next() == "name")
            try await gates.keepNamed("first-run.latest", candidate.modelHash)
            #expect(try await gates.next() == nil)
        }
    }

    @Test("an overruled run that was replaced does not take the names of the run in its place")
    func replaced() async throws {
        try await finished { gates, candidate in
            let bench = gates.bench
            try await bench.process(RunControlEvent(id: "o", runId: "r1", action: .promote))
            try await gates.keepNamed("first-run.champion", candidate.modelHash)
            // A younger run of the same name, whose own candidate is the champion.
            let run = bench.run(
                "r2",
                name: gates.run.name,
                stages: [.templates()],
                suites: [.ofTen()],
                rounds: RunRounds(),
                gate: gates.run.gate
            )
            try await bench.insert(run)
            let younger = GateBench(bench: bench, run: run)
            let better = bench.checkpoint("templates", of: run, modelHash: try gates.model("of the younger run"))
            try await bench.insert(better)
            try await younger.score(younger.initial, solves: [])
            try await younger.score(better, solves: 0..<10)
            #expect(try await younger.judge().decision == .promote)
            #expect(try await younger.next() == nil)
            #expect(try gates.names()["first-run.champion"] == better.modelHash)
        }
    }
}
