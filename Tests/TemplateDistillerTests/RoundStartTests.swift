import PostgresClient
import Schemas
import ServiceRuntime
import StageSupport
import Testing

@testable import TemplateDistillerCore

@Suite("What a later round starts from")
struct RoundStartTests {
    /// A stage that learns from its parent's attempts.
    private static func ofAttempts(_ name: String, parent: String) -> RunStage {
        .supervised(["attempts"], name, parent: parent, examples: nil)
    }

    /// Judges the first round, promoting its candidate or not, and starts the second one by hand.
    private func secondRound(
        stages: [RunStage],
        from: String?,
        promoted: Bool,
        _ body: (GateBench, _ candidate: CheckpointEvent, _ round: RoundStore.Round) async throws -> Void
    ) async throws {
        try await GateBench.with(stages: stages, rounds: RunRounds(from: from)) { gates in
            let candidate = try await gates.train()
            try await gates.score(gates.initial, solves: [])
            try await gates.score(candidate, solves: 0..<(promoted ? 10 : 1))
            #expect(try await gates.judge().decision == (promoted ? .promote : .hold))
            try await gates.bench.process(RunControlEvent(id: "o", runId: "r1", action: .startRound))
            try await body(gates, candidate, try #require(try await gates.rounds().last))
        }
    }

    /// The checkpoints that are to be rolled out, with the rounds that this is for.
    private func rolledOut(_ gates: GateBench) async throws -> [String] {
        try await EvaluationJobStore.jobs(run: "r1", from: gates.bench.pool).filter { $0.suite == nil }
            .map { "\($0.checkpoint) \($0.round) \($0.state)" }
    }

    @Test(
        "stages start from the champion, or from the untrained student where the run says so or nothing was promoted",
        arguments: [
            (nil, true, true), ("champion", true, true), ("initial", true, false), (nil, false, false),
        ] as [(String?, Bool, Bool)]
    )
    func start(from: String?, promoted: Bool, isCandidate: Bool) async throws {
        try await secondRound(stages: [.templates()], from: from, promoted: promoted) { gates, candidate, round in
            #expect(round.number == 2 && !round.isOver)
            #expect(round.champion == (promoted ? candidate.id : gates.initial.id))
            #expect(round.start == (isCandidate ? candidate.id : gates.initial.id))
        }
    }

    @Test("the parent `initial` is rolled out as what the round starts from, `champion` as the champion")
    func rollouts() async throws {
        for parent in ["initial", "champion"] {
            for from in ["initial", "champion"] {
                let stages: [RunStage] = [.templates(), Self.ofAttempts("self", parent: parent)]
                try await secondRound(stages: stages, from: from, promoted: true) { gates, candidate, _ in
                    let isInitial = parent == "initial" && from == "initial"
                    let expected = isInitial ? gates.initial.id : candidate.id
                    let asked = try await rolledOut(gates)
                    #expect(asked == ["\(expected) 2 waiting"], "\(parent) from \(from)")
                }
            }
        }
    }

    @Test("a round that starts from the champion rolls it out once, be it both parents")
    func once() async throws {
        let stages = [
            .templates(), Self.ofAttempts("one", parent: "initial"), Self.ofAttempts("two", parent: "champion"),
        ]
        try await secondRound(stages: stages, from: nil, promoted: true) { gates, candidate, _ in
            let asked = try await rolledOut(gates)
            #expect(asked == ["\(candidate.id) 2 waiting"])
        }
        try await secondRound(stages: stages, from: "initial", promoted: true) { gates, candidate, _ in
            let expected = ["\(candidate.id) 2 waiting", "\(gates.initial.id) 2 waiting"]
            let asked = try await rolledOut(gates)
            #expect(asked.sorted() == expected.sorted())
        }
    }

    @Test("what only a stage that is over would learn from is not rolled out")
    func over() async throws {
        var control = Self.ofAttempts("self", parent: "champion")
        control.lastRound = 1
        try await secondRound(stages: [.templates(), control], from: nil, promoted: true) { gates, _, _ in
            let asked = try await rolledOut(gates)
            #expect(asked.isEmpty)
        }
    }

    @Test("the parents that the round makes are rolled out when they are there, not at its start")
    func ownParents() async throws {
        let stages: [RunStage] = [.templates(), Self.ofAttempts("self", parent: "templates")]
        try await secondRound(stages: stages, from: nil, promoted: true) { gates, _, _ in
            let asked = try await rolledOut(gates)
            #expect(asked.isEmpty)
        }
    }
}
