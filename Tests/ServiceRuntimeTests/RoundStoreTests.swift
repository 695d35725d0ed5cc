import Foundation
import PostgresClient
import Schemas
import TestSupport
import Testing

@testable import ServiceRuntime

@Suite("Rounds and verdicts in the database")
struct RoundStoreTests {
    private static func verdict(
        _ id: String,
        round: Int,
        _ decision: VerdictEvent.Decision,
        candidate: String? = nil,
        by: VerdictEvent.Decider = .gate
    ) -> VerdictEvent {
        VerdictEvent(
            id: id,
            runId: "r",
            round: round,
            decision: decision,
            by: by,
            reasons: ["planted"],
            candidateCheckpointId: candidate ?? "c-\(round)",
            championCheckpointId: "c-0"
        )
    }

    @Test("a round begins once, with a waiting job a stage, and ends once")
    func rounds() async throws {
        try await TestDatabase.withPool { pool in
            try await insertGatedRun(into: pool)
            // Another champion for a round that is there changes nothing.
            for champion in ["c-1", "c-9"] { try await startRound(2, champion: champion, from: "c-0", in: pool) }
            let rounds = try await RoundStore.rounds(of: "r", from: pool)
            #expect(rounds.map(\.number) == [1, 2])
            #expect(rounds.last?.champion == "c-1" && rounds.last?.start == "c-0")
            #expect(rounds.allSatisfy { !$0.isOver && $0.secondsOver == 0 })
            let jobs = try await JobStore.jobs(run: "r", from: pool).filter { $0.id.round == 2 }
            #expect(jobs.map(\.id.stage) == ["a", "b"] && jobs.allSatisfy { $0.state == .waiting })
            func end() async throws {
                try await pool.withTransaction { try await RoundStore.end("r", round: 2, in: $0) }
            }
            try await end()
            try await pool.execute("UPDATE rounds SET ended_at = ended_at - interval '50 seconds' WHERE number = 2")
            // An end that comes again does not move it.
            try await end()
            let ended = try await RoundStore.rounds(of: "r", from: pool)
            #expect(ended.map(\.isOver) == [false, true])
            #expect((50..<3600).contains(ended.last?.secondsOver ?? 0))
            #expect(try await RoundStore.rounds(of: "none", from: pool).isEmpty)
        }
    }

    @Test("verdicts come back as they were, oldest first, and one is written once")
    func verdicts() async throws {
        try await TestDatabase.withPool { pool in
            try await insertGatedRun(into: pool)
            var full = Self.verdict("v-2", round: 1, .promote)
            full.look = 1
            full.level = 0.025
            full.comparison = GateComparison(
                suite: "held-out",
                problems: 10,
                candidateCorrect: 9,
                championCorrect: 2,
                onlyCandidate: 8,
                onlyChampion: 1,
                pValue: 0.039_062_5
            )
            let other = Self.verdict("v-1", round: 1, .reject, by: .operator)
            for verdict in [full, other, full] {
                try await pool.withTransaction { try await RoundStore.insert(verdict, in: $0) }
            }
            #expect(try await RoundStore.verdicts(of: "r", from: pool) == [full, other])
        }
    }

    @Test("the champion is what the latest verdict of each round promoted, round by round")
    func champion() {
        func champion(_ verdicts: [VerdictEvent]) -> String { RoundStore.champion("c-0", after: verdicts) }
        #expect(champion([]) == "c-0")
        #expect(champion([Self.verdict("v", round: 1, .hold)]) == "c-0")
        #expect(champion([Self.verdict("v", round: 1, .promote)]) == "c-1")
        let two = [Self.verdict("v", round: 1, .promote), Self.verdict("w", round: 2, .promote)]
        #expect(champion(two) == "c-2")
        #expect(champion(two + [Self.verdict("x", round: 2, .reject, by: .operator)]) == "c-1")
        #expect(champion(two + [Self.verdict("x", round: 1, .reject, by: .operator)]) == "c-2")
        let overruled =
            two + [
                Self.verdict("x", round: 2, .reject, by: .operator),
                Self.verdict("y", round: 1, .reject, by: .operator),
            ]
        #expect(champion(overruled) == "c-0")
        #expect(champion(overruled + [Self.verdict("z", round: 2, .promote, by: .operator)]) == "c-2")
    }

    @Test("a run's champion is at first the untrained student; a run that was not taken up has none")
    func firstChampion() async throws {
        try await TestDatabase.withPool { pool in
            #expect(try await RoundStore.champion(of: "r", from: pool) == nil)
            try await insertGatedRun(into: pool)
            // SHA-256 of the parts with their lengths, as `DeterministicID` says; what earlier versions wrote has it too.
            let initial = "2cd7a86f-d27e-8387-b6ba-766279e415f9"
            #expect(try await RoundStore.champion(of: "r", from: pool) == initial)
            try await pool.withTransaction {
                try await RoundStore.insert(Self.verdict("v", round: 1, .promote), in: $0)
            }
            #expect(try await RoundStore.champion(of: "r", from: pool) == "c-1")
        }
    }

    @Test("checkpoints of the first round have the ids of earlier versions, those of later ones the round's number too")
    func ids() {
        #expect(CheckpointEvent.id(run: "r", round: 1, stage: "hsft") == "c0c95616-7379-880a-b912-3bc7ba3b2462")
        #expect(CheckpointEvent.id(run: "r", round: 2, stage: "hsft") == "fc0f34f8-2831-8fca-8d3f-775514dae362")
    }
}
