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
            let form = KeyStepForm(tokenizer: "x", tieRule: "canonical", format: "template")
            let all = TrainingSelection(datasets: ["d"])
            #expect(try await TraceStore.countKeySteps(form, all, from: pool) == 1)
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
            #expect(with.stage("dpo")?.preferences == PreferenceMethod(layout: "prefix", beta: 0.2))
            #expect(with.stage("hsft")?.supervised == SupervisedMethod([ExampleSource("templates")]))
            let without = try #require(try await RunStore.run("s", from: pool))
            #expect(without.stage("dpo")?.preferences == PreferenceMethod(layout: "step", beta: 0.2))
            let left = try await pool.query("SELECT count(*) AS count FROM runs WHERE body::text LIKE '%extra%'")
            #expect(try left.first?.get("count", as: Int.self) == 0)
        }
    }

    @Test("runs of four fixed stages get their first round, and what was made of them stays readable")
    func roundsAndPieces() async throws {
        try await TestServer.withPool { pool in
            try await pool.migrate(DatabaseSchema.migrations.filter { $0.version < 7 })
            let run: JSONValue = [
                "id": "r", "name": "r", "dataset": "d", "seed": 1, "suites": [],
                "student": ["modelHash": "m", "tokenizerFingerprint": "t"], "stages": ["hsft": [:]],
                "thresholds": ["templates": 7, "pairs": 1, "maximumWaitSeconds": 9],
                "rollout": ["split": "rollout", "samples": 1, "temperature": 0],
            ]
            let body = String(decoding: try EventCoding.encodeJSON(run), as: UTF8.self)
            try await pool.execute("INSERT INTO runs (id, name, dataset, body) VALUES ('r', 'r', 'd', \(body)::jsonb)")
            try await pool.execute("INSERT INTO training_jobs (run_id, stage, state) VALUES ('r', 'hsft', 'done')")
            for (id, stage) in [("c0", "initial"), ("c1", "hsft")] {
                let checkpoint: JSONValue = [
                    "id": .string(id), "runId": "r", "stage": .string(stage), "modelHash": "m", "path": "m",
                    "tokensTrained": 5, "steps": 1, "trainSeconds": 1, "examples": [:], "options": [:],
                ]
                let text = String(decoding: try EventCoding.encodeJSON(checkpoint), as: UTF8.self)
                try await pool.execute(
                    """
                    INSERT INTO checkpoints (id, run_id, stage, model_hash, tokens_trained, body)
                    VALUES (\(id), 'r', \(stage), 'm', 5, \(text)::jsonb)
                    """
                )
            }
            try await pool.execute(
                """
                INSERT INTO evaluations (id, run_id, checkpoint_id, stage, suite, problems, correct, body)
                VALUES ('e', 'r', 'c1', 'hsft', 's', 1, 1, '{}')
                """
            )
            try await pool.execute(
                "INSERT INTO evaluation_results (evaluation_id, problem_id, correct, output) VALUES ('e', 'p', true, 'x')"
            )
            try await DatabaseSchema.migrate(pool)
            let read = try #require(try await RunStore.run("r", from: pool))
            #expect(read.stages.map(\.name) == ["hsft"])
            #expect(read.stages.first?.start == StageStart(examples: 7, waitSeconds: 9))
            let round = try #require(try await RoundStore.rounds(of: "r", from: pool).first)
            #expect(round.number == 1 && round.champion == "c0" && round.start == "c0" && !round.isOver)
            let job = try #require(try await JobStore.jobs(run: "r", from: pool).first)
            #expect(job.id == StageID(run: "r", round: 1, stage: "hsft") && job.state == .done)
            #expect(try await EvaluationStore.outcomes(checkpoint: "c1", suite: "s", from: pool) == ["p": true])
            let results = try await EvaluationJobStore.results(of: "e", from: pool)
            #expect(results.map(\.output) == ["x"] && results.allSatisfy { !$0.truncated && $0.tokens == nil })
        }
    }
    /// A database at version 6 with a run of one fixed stage, whose job is as given.
    private func withOldRun(
        job state: String,
        _ body: (PostgresPool) async throws -> Void
    ) async throws {
        try await TestServer.withPool { pool in
            try await pool.migrate(DatabaseSchema.migrations.filter { $0.version < 7 })
            let run: JSONValue = [
                "id": "r", "name": "r", "dataset": "d", "seed": 1, "suites": [],
                "student": ["modelHash": "m", "tokenizerFingerprint": "t"], "stages": ["hsft": [:], "krsl": [:]],
                "thresholds": ["templates": 7, "pairs": 1, "maximumWaitSeconds": 9],
                "rollout": ["split": "rollout", "samples": 1, "temperature": 0],
            ]
            try await pool.execute("INSERT INTO runs (id, name, dataset, body) VALUES ('r', 'r', 'd', \(json: run))")
            try await pool.execute(
                """
                INSERT INTO training_jobs (run_id, stage, state, started_at)
                VALUES ('r', 'hsft', \(state), now()), ('r', 'krsl', 'waiting', NULL)
                """
            )
            try await body(pool)
        }
    }

    @Test("a stage that was being trained is begun with what it learns from, which was not written down then")
    func runningStage() async throws {
        try await withOldRun(job: "running") { pool in
            try await DatabaseSchema.migrate(pool)
            let stage = StageID(run: "r", round: 1, stage: "hsft")
            let wanted = JobStore.Inputs(problems: ["p-1"], corrections: ["t-1"])
            let noted = try await pool.withTransaction { try await JobStore.start(stage, inputs: wanted, in: $0) }
            #expect(noted == wanted)
        }
    }

    @Test("a stage that had failed stays so, and one that waits can be begun")
    func otherStages() async throws {
        try await withOldRun(job: "failed") { pool in
            try await DatabaseSchema.migrate(pool)
            func start(_ name: String) async throws -> JobStore.Inputs? {
                let stage = StageID(run: "r", round: 1, stage: name)
                return try await pool.withTransaction {
                    try await JobStore.start(stage, inputs: JobStore.Inputs(problems: ["p-1"]), in: $0)
                }
            }
            #expect(try await start("hsft") == nil)
            #expect(try await start("krsl") == JobStore.Inputs(problems: ["p-1"]))
            #expect(try await RunStore.state(of: "r", from: pool)?.state == .active)
        }
    }

    @Test("a checkpoint, its evaluation and its roll-out are read as those of the first round")
    func firstRound() async throws {
        try await withOldRun(job: "done") { pool in
            let checkpoint: JSONValue = [
                "id": "c", "runId": "r", "stage": "hsft", "parentCheckpointId": "c0", "modelHash": "m",
                "path": "m", "tokensTrained": 5, "steps": 1, "trainSeconds": 1, "examples": ["templates": 7],
                "options": ["learningRate": 0.1],
            ]
            try await pool.execute(
                """
                INSERT INTO checkpoints (id, run_id, stage, model_hash, tokens_trained, body)
                VALUES ('c', 'r', 'hsft', 'm', 5, \(json: checkpoint))
                """
            )
            let evaluation: JSONValue = [
                "id": "e", "runId": "r", "checkpointId": "c", "stage": "hsft", "suite": "s", "problems": 2,
                "correct": 1, "accuracy": 0.5,
                "interval": ["low": 0.1, "high": 0.9, "level": 0.95, "method": "wilson"],
                "answered": 2, "seconds": 1, "graderVersion": "1",
                "comparisons": [
                    [
                        "againstCheckpointId": "c0", "againstStage": "initial", "onlyThis": 1, "onlyOther": 0,
                        "pValue": 1, "test": "mcnemar-exact",
                    ]
                ],
                "decoding": ["temperature": 0, "maximumNewTokens": 64],
            ]
            try await pool.execute(
                """
                INSERT INTO evaluations (id, run_id, checkpoint_id, stage, suite, problems, correct, body)
                VALUES ('e', 'r', 'c', 'hsft', 's', 2, 1, \(json: evaluation))
                """
            )
            try await pool.execute(
                "INSERT INTO rollouts (checkpoint_id, run_id, attempted, wrong) VALUES ('c', 'r', 9, 4)"
            )
            try await DatabaseSchema.migrate(pool)
            let read = try #require(try await RunStore.checkpoint("c", from: pool))
            #expect(read.stage == "hsft" && read.round == nil && read.examples == ["templates": 7])
            let job = try await JobStore.jobs(run: "r", from: pool).first { $0.id.stage == "hsft" }
            #expect(job?.id.round == 1 && job?.state == .done)
            let score = try #require(try await EvaluationStore.evaluations(run: "r", from: pool).first)
            #expect(score.correct == 1 && score.stage == "hsft" && score.round == nil && score.groups == nil)
            #expect(score.comparisons.map(\.againstStage) == ["initial"] && score.comparisons.first?.problems == nil)
            let rollout = try #require(try await EvaluationStore.rolloutProgress(checkpoint: "c", from: pool))
            #expect(rollout.attempted == 9 && rollout.wrong == 4)
            #expect(try await EvaluationStore.rolloutProgress(checkpoint: "c", round: 2, from: pool) == nil)
        }
    }

    @Test("a stage that was begun before goes on with what stands there when versions begin to be kept")
    func snapshots() async throws {
        try await TestServer.withPool { pool in
            try await pool.migrate(DatabaseSchema.migrations.filter { $0.version < 19 })
            func chain(_ text: String) -> TraceEvent {
                TraceEvent(
                    id: "t",
                    problemId: "p",
                    verified: true,
                    body: .chainOfThought(ChainOfThoughtBody(text: text, answer: "1", correct: true)),
                    teacher: .sample()
                )
            }
            try await pool.execute(
                """
                INSERT INTO problems (id, dataset, split, question, answer, state)
                VALUES ('p', 'd', 'train', '?', '1', 'ingested')
                """
            )
            try await pool.execute(
                """
                INSERT INTO traces (id, problem_id, kind, verified, body)
                VALUES ('t', 'p', 'chain-of-thought', true, \(json: chain("first")))
                """
            )
            try await pool.execute("INSERT INTO runs (id, name, dataset, body) VALUES ('r', 'r', 'd', '{}')")
            try await pool.execute("INSERT INTO training_jobs (run_id, stage, state) VALUES ('r', 's', 'running')")
            try await pool.execute(
                """
                INSERT INTO job_snapshots (run_id, round, stage, source, ids, digest)
                SELECT 'r', 1, 's', 'traces', '{t}'::text[],
                       encode(sha256(convert_to('t ' || md5(body::text), 'UTF8')), 'hex')
                FROM traces
                """
            )
            try await DatabaseSchema.migrate(pool)
            try await pool.withTransaction { try await TraceStore.update(chain("second"), in: $0) }
            let id = StageID(run: "r", round: 1, stage: "s")
            let snapshot = try #require(try await JobSnapshotStore.snapshot(of: id, from: pool))
            #expect(try await JobSnapshotStore.changed(since: snapshot, from: pool) == [])
            let traces: [TraceEvent] = try await JobSnapshotStore.events(.traces, of: snapshot, from: pool)
            #expect(traces == [chain("first")])
        }
    }

    @Test("key steps over a student's tokens were of templates, those over words of the chains as they came")
    func keyStepForms() async throws {
        try await TestServer.withPool { pool in
            try await pool.migrate(DatabaseSchema.migrations.filter { $0.version < 7 })
            try await pool.execute(
                """
                INSERT INTO problems (id, dataset, split, question, answer, state)
                VALUES ('p', 'd', 'train', '?', '1', 'ingested')
                """
            )
            try await pool.execute(
                "INSERT INTO traces (id, problem_id, kind, verified, body) VALUES ('t', 'p', 'dual', true, '{}')"
            )
            func event(_ id: String, _ tokenizer: String) -> KeyStepsEvent {
                let side = KeyStepSide(text: "x", tokens: 1, spans: [], weights: [WeightRun(count: 1, weight: 0)])
                return KeyStepsEvent(
                    id: id,
                    problemId: "p",
                    traceId: "t",
                    tokenizer: tokenizer,
                    distance: 1,
                    right: side,
                    wrong: side,
                    alpha: 1,
                    beta: 1,
                    gamma: 0,
                    tieRule: "edit"
                )
            }
            for (id, tokenizer) in [("k-1", "of-a-student"), ("k-2", KeyStepsEvent.wordTokenizer)] {
                try await pool.execute(
                    """
                    INSERT INTO key_steps (id, trace_id, problem_id, tokenizer, tie_rule, distance, right_keys, wrong_keys,
                                           body)
                    VALUES (\(id), 't', 'p', \(tokenizer), 'edit', 1, 0, 0, \(json: event(id, tokenizer)))
                    """
                )
            }
            try await DatabaseSchema.migrate(pool)
            func ids(_ tokenizer: String, _ format: String) async throws -> [String] {
                let form = KeyStepForm(tokenizer: tokenizer, format: format)
                return try await TraceStore.keySteps(form, ofProblems: ["p"], from: pool).map(\.id)
            }
            #expect(try await ids("of-a-student", "template") == ["k-1"])
            #expect(try await ids(KeyStepsEvent.wordTokenizer, "") == ["k-2"])
            #expect(try await ids("of-a-student", "chain") == [])
            // The same pair can be located in another form now.
            var chain = event("k-3", "of-a-student")
            chain.format = "chain"
            let body = String(decoding: try EventCoding.encodeJSON(chain), as: UTF8.self)
            let isThere = try await pool.withTransaction { [chain] in
                try await TraceStore.insert([(event: chain, body: body)], in: $0)
            }
            #expect(isThere)
            #expect(try await ids("of-a-student", "chain") == ["k-3"])
        }
    }
}
