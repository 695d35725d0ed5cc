import Foundation
import LanguageModel
import PostgresClient
import Schemas
import ServiceRuntime
import StageSupport
import TestSupport
import Testing

@testable import TemplateDistillerCore

@Suite("Runs of four fixed stages")
struct OldRunTests {
    @Test("a run that was done and scored before there were rounds is finished, and not looked at for ever")
    func finished() async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "errata-old-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let store = try ModelStore(root: folder)
        try await TestServer.withPool { pool in
            try await pool.migrate(DatabaseSchema.migrations.filter { $0.version < 7 })
            let run: JSONValue = [
                "id": "old", "name": "old", "dataset": "d", "seed": 1, "stages": ["hsft": [:]],
                "student": ["modelHash": "m", "tokenizerFingerprint": "t"],
                "suites": [["name": "held-out", "dataset": "d", "split": "test", "expectedProblems": 1]],
                "thresholds": ["templates": 1, "pairs": 1, "maximumWaitSeconds": 1],
                "rollout": ["split": "rollout", "samples": 1, "temperature": 0],
            ]
            try await pool.execute(
                "INSERT INTO runs (id, name, dataset, body) VALUES ('old', 'old', 'd', \(json: run))"
            )
            try await pool.execute("INSERT INTO training_jobs (run_id, stage, state) VALUES ('old', 'hsft', 'done')")
            for stage in ["initial", "hsft"] {
                let id = CheckpointEvent.id(run: "old", round: 1, stage: stage)
                var body: [String: JSONValue] = [
                    "id": .string(id), "runId": "old", "stage": .string(stage), "modelHash": "m", "path": "m",
                    "tokensTrained": 5, "steps": 1, "trainSeconds": 1, "examples": [:], "options": [:],
                ]
                if stage == "hsft" {
                    body["parentCheckpointId"] = .string(CheckpointEvent.id(run: "old", round: 1, stage: "initial"))
                }
                try await pool.execute(
                    """
                    INSERT INTO checkpoints (id, run_id, stage, model_hash, tokens_trained, body)
                    VALUES (\(id), 'old', \(stage), 'm', 5, \(json: body))
                    """
                )
                try await pool.execute(
                    """
                    INSERT INTO evaluations (id, run_id, checkpoint_id, stage, suite, problems, correct, body)
                    VALUES (\(EvaluationJobStore.evaluationID(checkpoint: id, suite: "held-out")), 'old', \(id), \(stage), 'held-out', 1, 1, '{}')
                    """
                )
            }
            try await DatabaseSchema.migrate(pool)
            let keeper = RoundKeeper(pool: pool, store: store, logger: LogBook().logger)
            try await whileRunning(keeper.runner(holder: "keeper", interval: .milliseconds(5))) {
                try await eventually("the end") { try await RunStore.state(of: "old", from: pool)?.state == .finished }
            }
        }
    }
}
