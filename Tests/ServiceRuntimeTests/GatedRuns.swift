import Foundation
import PostgresClient
import Schemas

@testable import ServiceRuntime

/// A run in rounds of two stages.
let gatedRun = RunEvent(
    id: "r",
    name: "gated",
    dataset: "d",
    seed: 7,
    student: StudentReference(modelHash: "m", tokenizerFingerprint: "t"),
    stages: ["a", "b"].map { name in
        RunStage(
            name: name,
            parent: name == "a" ? nil : "a",
            supervised: SupervisedMethod([ExampleSource("templates")]),
            start: StageStart(examples: 1)
        )
    },
    suites: [EvaluationSuite(name: "held-out", dataset: "d", split: .test, expectedProblems: 2)],
    rounds: RunRounds(),
    gate: RunGate(suite: "held-out")
)

func insertGatedRun(into pool: PostgresPool, id: String = "r") async throws {
    var run = gatedRun
    run.id = id
    try await pool.withTransaction { [run] in try await RunStore.insert(run, in: $0) }
}

func startRound(_ number: Int, champion: String, from start: String, in pool: PostgresPool) async throws {
    try await pool.withTransaction {
        try await RoundStore.start(
            gatedRun,
            round: number,
            champion: champion,
            from: start,
            reason: "planted",
            in: $0
        )
    }
}
