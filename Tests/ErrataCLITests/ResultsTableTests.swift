import Foundation
import PostgresClient
import Reasoning
import Schemas
import ServiceRuntime
import TestSupport
import Testing

@testable import ErrataCLICore

@Suite("The table of results")
struct ResultsTableTests {
    private static let run = RunEvent(
        id: "r-1",
        name: "first",
        dataset: "d",
        seed: 7,
        student: StudentReference(modelHash: "m", tokenizerFingerprint: "t"),
        stages: [],
        suites: []
    )

    private static func evaluation(_ stage: String, correct: Int, of problems: Int) -> EvaluationEvent {
        let interval = WilsonInterval(successes: correct, trials: problems)
        return EvaluationEvent(
            id: "e-\(stage)",
            runId: run.id,
            checkpointId: "c-\(stage)",
            stage: stage,
            suite: "held-out",
            problems: problems,
            correct: correct,
            accuracy: Double(correct) / Double(problems),
            interval: ConfidenceInterval(low: interval.low, high: interval.high),
            answered: problems,
            seconds: 1,
            decoding: DecodingOptions(temperature: 0, maximumNewTokens: 10),
            graderVersion: "1"
        )
    }

    @Test("shares, intervals, differences and p values are those of the outcomes, worked out by other means")
    func table() async throws {
        try await TestDatabase.withPool { pool in
            // 80 problems: 22 that both solve, 4 only the untrained student, 18 only the trained one.
            let untrained = Set(0..<26)
            let trained = Set(0..<22).union(30..<48)
            let events = [
                Self.evaluation("hsft", correct: trained.count, of: 80),
                Self.evaluation(RunStage.initial, correct: untrained.count, of: 80),
            ]
            try await pool.withTransaction { transaction in
                try await RunStore.insert(Self.run, in: transaction)
                for (event, solved) in zip(events, [trained, untrained]) {
                    let results = (0..<80).map { index in
                        EvaluationJobStore.Result(
                            problemID: "p-\(index)",
                            correct: solved.contains(index),
                            answer: nil,
                            output: ""
                        )
                    }
                    try await EvaluationJobStore.insert(results, evaluation: event.id, in: transaction)
                    #expect(try await EvaluationStore.insert(event, in: transaction))
                }
            }
            let lines = try await ResultsTable(run: Self.run, events: events).rendered(from: pool)
                .split(separator: "\n").map(String.init)
            // In the order of training, whatever the order of the events. Wilson's bounds by the closed formula with
            // z = 1.95996…: 26/80 is 0.23233…0.43378, 40/80 is 0.39303…0.60697.
            #expect(lines[2].hasPrefix("untrained"))
            #expect(lines[2].contains("26/80    32.5 %  23.2 % – 43.4 %"))
            #expect(lines[3].hasPrefix("thought templates (HSFT)"))
            #expect(lines[3].contains("40/80    50.0 %  39.3 % – 60.7 %"))
            // 2 · (1 + 22 + 231 + 1540 + 7315) / 2²² = 0.004343…
            #expect(lines[3].hasSuffix("+17.5 points (18 won, 4 lost, McNemar p = 0.0043)"))
            #expect(!lines.contains { $0.contains("did not help") })
        }
    }

    @Test("a stage that is no better than its row before is said not to have helped")
    func noHelp() async throws {
        try await TestDatabase.withPool { pool in
            let events = [
                Self.evaluation(RunStage.initial, correct: 5, of: 10), Self.evaluation("hsft", correct: 5, of: 10),
            ]
            try await pool.withTransaction { transaction in
                try await RunStore.insert(Self.run, in: transaction)
                for event in events { _ = try await EvaluationStore.insert(event, in: transaction) }
            }
            let text = try await ResultsTable(run: Self.run, events: events).rendered(from: pool)
            #expect(text.contains("In this run the stage 'thought templates (HSFT)' did not help."))
            #expect(text.contains("+0.0 points (0 won, 0 lost, McNemar p = 1)"))
        }
    }
}
