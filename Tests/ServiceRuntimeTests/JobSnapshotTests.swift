import PostgresClient
import Schemas
import TestSupport
import Testing

@testable import ServiceRuntime

@Suite("What a stage began with, and what was replaced since")
struct JobSnapshotTests {
    private static func trace(_ text: String) -> TraceEvent {
        TraceEvent(
            id: "t",
            problemId: "p",
            verified: true,
            body: .dual(DualBody(right: text, wrong: "1 + 1 = 3", method: .corrupted)),
            teacher: .sample(promptId: "corrupt")
        )
    }

    /// A run's only stage, which learns from the problem, its trace, and attempts.
    private static func ready(_ id: String) -> ReadyStage {
        let stage = RunStage(name: "dpo", preferences: PreferenceMethod(layout: "prefix", beta: 0.1))
        let run = RunEvent(
            id: id,
            name: id,
            dataset: "d",
            seed: 1,
            student: StudentReference(modelHash: "m", tokenizerFingerprint: "t"),
            stages: [stage],
            rollout: RolloutOptions(limit: 100),
            suites: []
        )
        return ReadyStage(run: run, round: 1, stage: stage, parent: .initial(of: run, path: "models"))
    }

    /// Runs the body with a database that holds a problem without an answer and its trace, which says `first`.
    private static func withTrace(_ body: (PostgresPool) async throws -> Void) async throws {
        try await TestDatabase.withPool { pool in
            try await pool.withTransaction { transaction in
                let problem = ProblemEvent(id: "p", dataset: "d", split: .train, question: "1+1?", answer: "")
                try await ProblemStore.insert(problem, state: .unanswered, in: transaction)
                try await TraceStore.insert(trace("first"), in: transaction)
            }
            try await body(pool)
        }
    }

    /// Starts the stage of a run as who trains it does.
    @discardableResult
    private static func start(_ id: String, in transaction: PostgresTransaction) async throws -> JobSnapshot {
        let stage = ready(id)
        try await RunStore.insert(stage.run, in: transaction)
        let inputs = JobStore.Inputs(problems: ["p"], corrections: ["t"])
        let noted = try #require(try await JobStore.start(stage.id, inputs: inputs, in: transaction))
        return try await JobSnapshotStore.keep(stage, noted, in: transaction)
    }

    @discardableResult
    private static func start(_ id: String, in pool: PostgresPool) async throws -> JobSnapshot {
        try await pool.withTransaction { try await start(id, in: $0) }
    }

    private static func replace(with text: String, in pool: PostgresPool) async throws {
        try await pool.withTransaction { try await TraceStore.update(trace(text), in: $0) }
    }

    private static func snapshot(_ id: String, from pool: PostgresPool) async throws -> JobSnapshot {
        try #require(try await JobSnapshotStore.snapshot(of: ready(id).id, from: pool))
    }

    /// What the trace says to who takes a run's stage over; its digests must be those of the start.
    private static func taken(_ id: String, from pool: PostgresPool) async throws -> String {
        let snapshot = try await snapshot(id, from: pool)
        #expect(try await JobSnapshotStore.changed(since: snapshot, from: pool) == [])
        let traces: [TraceEvent] = try await JobSnapshotStore.events(.traces, of: snapshot, from: pool)
        let corrections: [TraceEvent] = try await JobSnapshotStore.events(.corrections, of: snapshot, from: pool)
        #expect(traces == corrections)
        #expect(traces.count == 1)
        guard case .dual(let body) = try #require(traces.first).body else { return "no pair" }
        return body.right
    }

    private static func versions(of table: String, in pool: PostgresPool) async throws -> Int {
        try await pool.value("SELECT count(*) FROM \(identifier: "\(table)_versions")")
    }

    @Test("a trace that is replaced is read as it was by the stages that began before, and as it is by later ones")
    func replaced() async throws {
        try await Self.withTrace { pool in
            let digest = try await pool.value(
                "SELECT encode(sha256(convert_to('t ' || md5(body::text), 'UTF8')), 'hex') FROM traces",
                as: String.self
            )
            let begun = try await Self.start("r", in: pool)
            #expect(begun.rows[.traces]?.digest == digest && begun.rows[.corrections]?.digest == digest)
            try await Self.replace(with: "second", in: pool)
            let later = try await Self.start("s", in: pool)
            #expect(later.rows[.traces]?.digest != digest)
            try await Self.replace(with: "third", in: pool)
            #expect(try await Self.taken("r", from: pool) == "first")
            #expect(try await Self.taken("s", from: pool) == "second")
            #expect(try await Self.snapshot("r", from: pool) == begun)
            // Who takes the stage over starts it again.
            #expect(try await Self.start("r", in: pool) == begun)
            #expect(try await Self.versions(of: "trace", in: pool) == 2)
            try await Self.replace(with: "third", in: pool)
            #expect(try await Self.versions(of: "trace", in: pool) == 2, "what is replaced by the same is not replaced")
            // The digest is made of the text, in which these differ; to jsonb they are equal.
            var counts: [Int] = []
            for number in ["7", "7.0"] {
                try await pool.execute(
                    "UPDATE traces SET body = jsonb_set(body, '{teacher,latencyMs}', \(number)::jsonb)"
                )
                counts.append(try await Self.versions(of: "trace", in: pool))
            }
            #expect(counts == [3, 4])
            #expect(try await Self.taken("s", from: pool) == "second")
        }
    }

    @Test("of what one transaction replaces twice, nobody reads what stood between")
    func twice() async throws {
        try await Self.withTrace { pool in
            try await Self.start("r", in: pool)
            try await pool.withTransaction { transaction in
                try await TraceStore.update(Self.trace("second"), in: transaction)
                try await TraceStore.update(Self.trace("third"), in: transaction)
            }
            try await Self.start("s", in: pool)
            #expect(try await Self.taken("r", from: pool) == "first")
            #expect(try await Self.taken("s", from: pool) == "third")
            #expect(try await Self.versions(of: "trace", in: pool) == 1)
        }
    }

    @Test("what a transaction replaces that commits after the start is replaced after it, when ever it began")
    func lateCommit() async throws {
        try await Self.withTrace { pool in
            try await pool.withTransaction { transaction in
                try await TraceStore.update(Self.trace("second"), in: transaction)
                try await Self.start("r", in: pool)
                #expect(try await Self.taken("r", from: pool) == "first")
            }
            #expect(try await Self.taken("r", from: pool) == "first")
            try await Self.start("s", in: pool)
            #expect(try await Self.taken("s", from: pool) == "second")
        }
    }

    @Test("versions count in the order in which they were replaced, not in that in which the transactions began")
    func order() async throws {
        try await Self.withTrace { pool in
            try await Self.start("r", in: pool)
            try await pool.withTransaction { early in
                try await early.query("SELECT pg_current_xact_id()")
                try await Self.replace(with: "second", in: pool)
                try await Self.start("s", in: pool)
                try await TraceStore.update(Self.trace("third"), in: early)
            }
            let ids = try await pool.values(
                "SELECT replaced_by::text::bigint FROM trace_versions ORDER BY number",
                as: Int.self
            )
            try #require(ids.count == 2)
            #expect(ids[0] > ids[1])
            #expect(try await Self.taken("r", from: pool) == "first")
            #expect(try await Self.taken("s", from: pool) == "second")
        }
    }

    @Test("a problem that gets its answer later is read without it by the stages that began before")
    func answers() async throws {
        try await Self.withTrace { pool in
            let attempt = AttemptEvent(
                id: "a",
                runId: "r",
                checkpointId: Self.ready("r").parent.id,
                problemId: "p",
                sample: 0,
                output: "3",
                correct: false,
                promptFormat: "plain"
            )
            try await pool.withTransaction { transaction in
                try await RunStore.insert(Self.ready("r").run, in: transaction)
                try await EvaluationStore.insert([attempt], in: transaction)
            }
            try await Self.start("r", in: pool)
            try await pool.withTransaction { transaction in
                try await ProblemStore.answer(
                    "p",
                    with: "2",
                    votes: 3,
                    agreeing: 3,
                    answers: ["2", "2", "2"],
                    run: "r",
                    in: transaction
                )
                // What no stage reads of a problem is not kept.
                try await ProblemStore.add([.duals], to: "p", in: transaction)
            }
            try await Self.start("s", in: pool)
            func read(_ run: String, _ source: JobSnapshot.Source) async throws -> [String] {
                let snapshot = try await Self.snapshot(run, from: pool)
                #expect(try await JobSnapshotStore.changed(since: snapshot, from: pool) == [])
                return try await JobSnapshotStore.problems(source, of: snapshot, from: pool).map {
                    "\($0.answer) \($0.answerSource?.rawValue ?? "none")"
                }
            }
            #expect(try await read("r", .problems) == [" none"])
            #expect(try await read("r", .attempted) == [" none"])
            #expect(try await read("s", .problems) == ["2 agreed"])
            try await pool.withTransaction { try await ProblemStore.add([.chains], to: "p", in: $0) }
            #expect(try await Self.versions(of: "problem", in: pool) == 1)
        }
    }

    @Test(
        "versions stay while a stage that began before they were replaced may still be trained, and go then",
        arguments: [JobStore.State.done, .failed]
    )
    func retention(_ state: JobStore.State) async throws {
        try await Self.withTrace { pool in
            try await Self.start("r", in: pool)
            try await Self.replace(with: "second", in: pool)
            #expect(try await RowVersions.unneeded(from: pool) == 0)
            #expect(try await RowVersions.prune(limit: 9, in: pool) == 0)
            try await Self.start("s", in: pool)
            try await Self.replace(with: "third", in: pool)
            try await pool.execute("UPDATE problems SET question = '1 + 1 ='")
            #expect(try await RowVersions.prune(limit: 9, in: pool) == 0)
            #expect(try await Self.taken("r", from: pool) == "first")
            _ = try await pool.withTransaction {
                try await RunStore.end("r", as: .cancelled, reason: "planted", in: $0)
            }
            #expect(try await RowVersions.unneeded(from: pool) == 1)
            #expect(try await RowVersions.prune(limit: 9, in: pool) == 1)
            #expect(try await Self.taken("s", from: pool) == "second")
            try await pool.execute("UPDATE training_jobs SET state = \(state.rawValue) WHERE run_id = 's'")
            #expect(try await RowVersions.unneeded(from: pool) == 2)
            #expect(try await RowVersions.prune(limit: 1, in: pool) == 1)
            #expect(try await RowVersions.prune(limit: 1, in: pool) == 1)
            #expect(try await RowVersions.prune(limit: 1, in: pool) == 0)
            #expect(try await RowVersions.unneeded(from: pool) == 0)
        }
    }

    @Test("what a stage needs that is just being started is not deleted, though nobody sees its snapshot yet")
    func starting() async throws {
        try await Self.withTrace { pool in
            try await pool.withTransaction { transaction in
                try await Self.start("r", in: transaction)
                try await Self.replace(with: "second", in: pool)
                #expect(try await RowVersions.unneeded(from: pool) == 1)
                #expect(try await RowVersions.prune(limit: 9, in: pool) == 0)
            }
            #expect(try await Self.taken("r", from: pool) == "first")
        }
    }

    @Test("a database that was restored into another server, which counts transactions anew, reads what it did before")
    func restored() async throws {
        try await Self.withTrace { pool in
            try await Self.start("r", in: pool)
            try await Self.replace(with: "second", in: pool)
            // Ids that this server gives out in years, if ever.
            try await pool.execute("UPDATE job_snapshots SET server = 1, seen = '900000000000:900000000000:'")
            try await pool.execute("UPDATE trace_versions SET server = 1, replaced_by = '900000000001'")
            #expect(try await Self.taken("r", from: pool) == "first")
            try await Self.start("s", in: pool)
            #expect(try await Self.taken("s", from: pool) == "second")
            try await Self.replace(with: "third", in: pool)
            #expect(try await Self.taken("r", from: pool) == "first")
            #expect(try await Self.taken("s", from: pool) == "second")
            // What this server replaced came after the snapshot of the other, though its ids are lower.
            try await pool.execute("DELETE FROM trace_versions WHERE server = 1")
            let snapshot = try await Self.snapshot("r", from: pool)
            let traces: [TraceEvent] = try await JobSnapshotStore.events(.traces, of: snapshot, from: pool)
            #expect(traces == [Self.trace("second")])
            #expect(try await RowVersions.unneeded(from: pool) == 0)
        }
    }
}
