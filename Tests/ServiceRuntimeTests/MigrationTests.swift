import PostgresClient
import Schemas
import ServiceRuntime
import TestSupport
import Testing

@Suite("Migrations of data")
struct MigrationTests {
    @Test("key steps get their tie rule from their event, and an id that belongs to the default rule back")
    func keyStepTieRules() async throws {
        try await TestServer.withPool { pool in
            try await pool.migrate(DatabaseSchema.migrations.filter { $0.version < 5 })
            try await pool.execute(
                """
                INSERT INTO problems (id, dataset, split, question, answer, state)
                VALUES ('p', 'd', 'train', '?', '1', 'ingested')
                """
            )
            for (trace, rule) in [("t1", "edit"), ("t2", "canonical")] {
                try await pool.execute(
                    """
                    INSERT INTO traces (id, problem_id, kind, verified, body) VALUES (\(trace), 'p', 'dual', true, '{}')
                    """
                )
                try await pool.execute(
                    """
                    INSERT INTO key_steps (id, trace_id, problem_id, tokenizer, distance, right_keys, wrong_keys, body)
                    VALUES (\("k-\(trace)"), \(trace), 'p', 'x', 1, 1, 1, \(json: ["tieRule": rule]))
                    """
                )
            }
            try await DatabaseSchema.migrate(pool)
            let rows = try await pool.query("SELECT id, tie_rule FROM key_steps ORDER BY trace_id")
            #expect(try rows.map { try $0.get("id", as: String.self) } == ["k-t1", "k-t2:canonical"])
            #expect(try rows.map { try $0.get("tie_rule", as: String.self) } == ["edit", "canonical"])
            let query = KeyStepQuery(dataset: "d", tokenizer: "x", tieRule: "canonical")
            #expect(try await TraceStore.countKeySteps(query, from: pool) == 1)
        }
    }

    @Test("a run's layout of pairs leaves the options without names, and these are gone")
    func preferenceLayout() async throws {
        try await TestServer.withPool { pool in
            try await pool.migrate(DatabaseSchema.migrations.filter { $0.version < 6 })
            let run: JSONValue = [
                "id": "r", "name": "r", "dataset": "d", "seed": 1, "suites": [],
                "student": ["modelHash": "m", "tokenizerFingerprint": "t"],
                "stages": ["hsft": ["extra": ["x": 1]], "dpo": ["beta": 0.2, "extra": ["layout": "prefix"]]],
                "thresholds": ["templates": 1, "pairs": 1, "maximumWaitSeconds": 1],
                "rollout": ["split": "rollout", "samples": 1, "temperature": 0],
            ]
            let body = String(decoding: try EventCoding.encodeJSON(run), as: UTF8.self)
            for id in ["r", "s"] {
                let text = id == "r" ? body : body.replacing(#","extra":{"layout":"prefix"}"#, with: "")
                try await pool.execute(
                    "INSERT INTO runs (id, name, dataset, body) VALUES (\(id), 'r', 'd', \(text)::jsonb)"
                )
            }
            try await DatabaseSchema.migrate(pool)
            let with = try #require(try await RunStore.run("r", from: pool))
            #expect(with.stages.dpo == PreferenceStage(beta: 0.2, layout: "prefix"))
            #expect(with.stages.hsft == SupervisedStage())
            #expect(try await RunStore.run("s", from: pool)?.stages.dpo == PreferenceStage(beta: 0.2))
            let left = try await pool.query("SELECT count(*) AS count FROM runs WHERE body::text LIKE '%extra%'")
            #expect(try left.first?.get("count", as: Int.self) == 0)
        }
    }
}
