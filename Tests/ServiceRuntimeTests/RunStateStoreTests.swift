import Foundation
import PostgresClient
import Schemas
import TestSupport
import Testing

@testable import ServiceRuntime

@Suite("The state of runs, and stages round by round, in the database")
struct RunStateStoreTests {
    @Test("a run ends once, with the reason, and is no active one then")
    func end() async throws {
        try await TestDatabase.withPool { pool in
            for id in ["r", "s"] { try await insertGatedRun(into: pool, id: id) }
            func end(_ run: String, as state: RunStore.State, _ reason: String) async throws -> Bool {
                try await pool.withTransaction { try await RunStore.end(run, as: state, reason: reason, in: $0) }
            }
            #expect(try await RunStore.state(of: "none", from: pool) == nil)
            #expect(try await RunStore.state(of: "r", from: pool)?.state == .active)
            #expect(try await RunStore.state(of: "r", from: pool)?.reason == nil)
            #expect(try await end("r", as: .cancelled, "a typo"))
            #expect(try await !end("r", as: .finished, "too late"))
            #expect(try await !end("none", as: .cancelled, "nothing"))
            #expect(try await RunStore.state(of: "r", from: pool)?.state == .cancelled)
            #expect(try await RunStore.state(of: "r", from: pool)?.reason == "a typo")
            #expect(try await RunStore.runs(active: true, from: pool).map(\.id) == ["s"])
            #expect(try await RunStore.runs(from: pool).map(\.id) == ["r", "s"])
            #expect(Set(try await JobStore.jobs(active: true, from: pool).map(\.id.run)) == ["s"])
            #expect(try await JobStore.jobs(from: pool).count == 4)
        }
    }

    @Test("a run that was taken up before there was a rule that refuses it still has its budget set")
    func budgetOfOldRun() async throws {
        try await TestDatabase.withPool { pool in
            try await insertGatedRun(into: pool)
            let unread = #"{"split": "rollout", "samples": 1, "temperature": 0.5}"#
            try await pool.execute("UPDATE runs SET body = jsonb_set(body, '{rollout}', \(unread)::jsonb)")
            let run = try #require(try await RunStore.run("r", from: pool))
            #expect(throws: SchemasError.self) { try run.validate() }
            let budget = RunTeacherBudget(tokens: 5)
            let isSet = try await pool.withTransaction {
                try await RunStore.setTeacherBudget(budget, of: "r", in: $0)
            }
            #expect(isSet)
            #expect(try await RunStore.run("r", from: pool)?.teacherBudget == budget)
        }
    }

    @Test("refused runs and orders are told apart, until their messages are sent again or dropped")
    func refusals() async throws {
        try await TestDatabase.withPool { pool in
            func insert(_ id: String, _ type: EventType, key: String, _ payload: String, _ message: String) async throws
            {
                let headers = """
                    [{"name": "ce_id", "valueBase64": "eA=="},
                     {"name": "ce_type", "valueBase64": "\(Data(type.rawValue.utf8).base64EncodedString())"}]
                    """
                try await pool.execute(
                    """
                    INSERT INTO dead_letters (id, consumer, topic, partition, "offset", key, payload, headers, cause_code,
                                              cause_message, attempts)
                    VALUES (\(id), 'template-distiller', \(Topic.runs.rawValue), 0, 0, \(Data(key.utf8)),
                            \(Data(payload.utf8)), \(headers)::jsonb, 'planted', \(message), 1)
                    """
                )
            }
            try await insert("d1", .run, key: "run-1", "{", "no memory")
            let order = RunControlEvent(id: "o", runId: "run-1", action: .promote, round: 3)
            let body = String(decoding: try EventCoding.encode(order), as: UTF8.self)
            try await insert("d2", .runControl, key: "run-1", body, "no verdict")
            try await insert("d3", .runControl, key: "run-2", "{", "not readable")
            #expect(try await RunStore.refusedRun("run-1", from: pool)?.reason == "no memory")
            #expect(try await RunStore.refusedRun("run-", from: pool)?.id == "run-1")
            // An order to a run that there is not says nothing of a run.
            #expect(try await RunStore.refusedRun("run-2", from: pool) == nil)
            let orders = try await RunStore.refusedOrders(to: "run-1", from: pool)
            #expect(orders.map(\.reason) == ["no verdict"])
            #expect(orders.map(\.order) == [order])
            #expect(try await RunStore.refusedOrders(to: "run-2", from: pool).map(\.order) == [nil])
            try await pool.execute("UPDATE dead_letters SET replayed_at = now()")
            #expect(try await RunStore.refusedRun("run-1", from: pool) == nil)
            #expect(try await RunStore.refusedOrders(to: "run-1", from: pool).isEmpty)
        }
    }

    @Test("each round has jobs, inputs, failures and checkpoints of its own")
    func rounds() async throws {
        try await TestDatabase.withPool { pool in
            try await insertGatedRun(into: pool)
            try await startRound(2, champion: "c", from: "c", in: pool)
            func start(_ round: Int, _ inputs: JobStore.Inputs) async throws -> JobStore.Inputs? {
                let id = StageID(run: "r", round: round, stage: "a")
                return try await pool.withTransaction { try await JobStore.start(id, inputs: inputs, in: $0) }
            }
            /// The states of the stages a and b in both rounds.
            func states() async throws -> [JobStore.State] {
                let jobs = try await JobStore.jobs(run: "r", from: pool)
                return jobs.sorted { ($0.id.round, $0.id.stage) < ($1.id.round, $1.id.stage) }.map(\.state)
            }
            let first = JobStore.Inputs(problems: ["p-1"], corrections: ["t-1", "t-2"])
            #expect(try await start(1, first) == first)
            #expect(try await start(2, JobStore.Inputs(problems: ["p-2"])) == JobStore.Inputs(problems: ["p-2"]))
            #expect(try await start(1, JobStore.Inputs(problems: ["p-9"])) == first)
            let jobs = try await JobStore.jobs(run: "r", from: pool).filter { $0.id.stage == "a" }
            #expect(jobs.map(\.hasInputs) == [true, true])
            try await pool.withTransaction {
                let id = StageID(run: "r", round: 2, stage: "a")
                try await JobStore.failed(id, followers: ["b"], error: "planted", in: $0)
            }
            #expect(try await states() == [.running, .waiting, .failed, .failed])
            func checkpoint(_ round: Int) -> CheckpointEvent {
                CheckpointEvent(
                    id: CheckpointEvent.id(run: "r", round: round, stage: "a"),
                    runId: "r",
                    stage: "a",
                    round: round,
                    parentCheckpointId: "c-0",
                    modelHash: "m-\(round)",
                    path: "m",
                    tokensTrained: 1,
                    steps: 1,
                    trainSeconds: 1
                )
            }
            try await pool.withTransaction { try await RunStore.insert(checkpoint(1), in: $0) }
            #expect(try await states() == [.done, .waiting, .failed, .failed])
            #expect(try await RunStore.checkpoint(run: "r", round: 1, stage: "a", from: pool)?.modelHash == "m-1")
            #expect(try await RunStore.checkpoint(run: "r", round: 2, stage: "a", from: pool) == nil)
        }
    }

    @Test("of the followers of a failed stage those fail that wait; one that is done stays so")
    func followers() async throws {
        try await TestDatabase.withPool { pool in
            try await insertGatedRun(into: pool)
            try await pool.execute("UPDATE training_jobs SET state = 'done' WHERE stage = 'b'")
            let id = StageID(run: "r", round: 1, stage: "a")
            try await pool.withTransaction {
                try await JobStore.failed(id, followers: ["b"], error: "planted", in: $0)
            }
            let states = try await JobStore.jobs(run: "r", from: pool)
                .map { [$0.id.stage, $0.state.rawValue, $0.error ?? ""] }
            #expect(states == [["a", "failed", "planted"], ["b", "done", ""]])
        }
    }
}
