import Foundation
import PostgresClient
import Schemas
import TestSupport
import Testing

@testable import ServiceRuntime

@Suite("Evaluations in pieces in the database")
struct EvaluationJobStoreTests {
    private static func checkpoint(_ id: String, run: String = "r", round: Int? = nil) -> CheckpointEvent {
        CheckpointEvent(
            id: id,
            runId: run,
            stage: "a",
            round: round,
            parentCheckpointId: "c-0",
            modelHash: "m",
            path: "m",
            tokensTrained: 1,
            steps: 1,
            trainSeconds: 1
        )
    }

    private static func jobs(_ pool: PostgresPool) async throws -> [EvaluationJobStore.Job] {
        try await EvaluationJobStore.jobs(unfinished: true, from: pool)
    }

    /// Asks for the scoring of the checkpoint `c-1`; gives the job's id.
    private static func ask(_ pool: PostgresPool) async throws -> String {
        try await insertGatedRun(into: pool)
        try await pool.withTransaction {
            try await EvaluationJobStore.insert(suite: "held-out", checkpoint: checkpoint("c-1"), in: $0)
        }
        return EvaluationJobStore.evaluationID(checkpoint: "c-1", suite: "held-out")
    }

    @Test("a checkpoint's scoring is asked for once, and waits under the id of the evaluation that comes of it")
    func scoring() async throws {
        try await TestDatabase.withPool { pool in
            let id = try await Self.ask(pool)
            // As earlier versions made it, so that none is done twice.
            #expect(id == "7ca57bf8-ce1a-8076-8ea7-532dfe15382f")
            _ = try await Self.ask(pool)
            let job = try #require(try await Self.jobs(pool).first)
            #expect(try await Self.jobs(pool).count == 1)
            #expect(job.id == id && job.run == "r" && job.checkpoint == "c-1" && job.suite == "held-out")
            #expect(job.state == .waiting && job.reason == nil && job.waitedSeconds >= 0 && job.shots == [])
        }
    }

    @Test("a checkpoint is rolled out once a round")
    func rollouts() async throws {
        try await TestDatabase.withPool { pool in
            try await insertGatedRun(into: pool)
            for round in [1, 2, 2] {
                try await pool.withTransaction {
                    try await EvaluationJobStore.insertRollout(checkpoint: "c-1", run: "r", round: round, in: $0)
                }
            }
            let jobs = try await Self.jobs(pool)
            #expect(jobs.map(\.round) == [1, 2] && jobs.allSatisfy { $0.suite == nil && $0.checkpoint == "c-1" })
            #expect(Set(jobs.map(\.id)).count == 2)
        }
    }

    @Test("a job's problems are divided once, in order, with what is shown before them")
    func pieces() async throws {
        try await TestDatabase.withPool { pool in
            let id = try await Self.ask(pool)
            func open(_ problems: [String], shots: [String]) async throws {
                try await pool.withTransaction {
                    try await EvaluationJobStore.open(id, problems: problems, shots: shots, pieceSize: 2, in: $0)
                }
            }
            try await open(["p-5", "p-1", "p-4", "p-2", "p-3"], shots: ["s-2", "s-1"])
            // Another evaluator that saw it wait opens it once more: what was opened first counts.
            try await open(["p-9"], shots: [])
            #expect(try await Self.jobs(pool).map(\.state) == [.open])
            #expect(try await Self.jobs(pool).map(\.shots) == [["s-2", "s-1"]])
            let pieces = try await EvaluationJobStore.pieces(of: id, from: pool)
            #expect(pieces.map(\.problems) == [["p-5", "p-1"], ["p-4", "p-2"], ["p-3"]])
            #expect(pieces.map(\.number) == [0, 1, 2] && pieces.map(\.offset) == [0, 2, 4])
            #expect(pieces.allSatisfy { $0.seconds == nil })
            try await pool.withTransaction {
                try await EvaluationJobStore.finish(piece: 1, of: id, seconds: 2.5, in: $0)
            }
            #expect(try await EvaluationJobStore.pieces(of: id, from: pool).map(\.seconds) == [nil, 2.5, nil])
        }
    }

    @Test("a job without problems is open without pieces")
    func noProblems() async throws {
        try await TestDatabase.withPool { pool in
            let id = try await Self.ask(pool)
            try await pool.withTransaction {
                try await EvaluationJobStore.open(id, problems: [], pieceSize: 2, in: $0)
            }
            #expect(try await Self.jobs(pool).map(\.state) == [.open])
            #expect(try await EvaluationJobStore.pieces(of: id, from: pool).isEmpty)
        }
    }

    @Test(
        "a job ends done or left out, once, and is not among the unfinished then",
        arguments: [nil, "no problems came"]
    )
    func finish(reason: String?) async throws {
        try await TestDatabase.withPool { pool in
            let id = try await Self.ask(pool)
            func finish(_ reason: String?) async throws {
                try await pool.withTransaction { try await EvaluationJobStore.finish(id, leftOut: reason, in: $0) }
            }
            try await finish(reason)
            try await finish("too late")
            #expect(try await Self.jobs(pool).isEmpty)
            let job = try #require(try await EvaluationJobStore.jobs(run: "r", from: pool).first)
            #expect(job.state == (reason == nil ? .done : .leftOut) && job.reason == reason)
            #expect(try await EvaluationJobStore.jobs(run: "s", from: pool).isEmpty)
            // What has ended is not opened again.
            try await pool.withTransaction {
                try await EvaluationJobStore.open(id, problems: ["p-1"], pieceSize: 2, in: $0)
            }
            #expect(try await Self.jobs(pool).isEmpty)
            #expect(try await EvaluationJobStore.pieces(of: id, from: pool).isEmpty)
        }
    }

    @Test("the jobs of a run that has ended are not done")
    func endedRun() async throws {
        try await TestDatabase.withPool { pool in
            _ = try await Self.ask(pool)
            _ = try await pool.withTransaction {
                try await RunStore.end("r", as: .cancelled, reason: "planted", in: $0)
            }
            #expect(try await Self.jobs(pool).isEmpty)
            #expect(try await EvaluationJobStore.jobs(run: "r", from: pool).map(\.state) == [.waiting])
        }
    }

    @Test("results come back as they were, in order of the problem, with the second pass where there is one")
    func results() async throws {
        try await TestDatabase.withPool { pool in
            var first = EvaluationJobStore.Result(
                problemID: "p-2",
                correct: false,
                answer: nil,
                output: "So it",
                truncated: true,
                tokens: 24
            )
            first.second = .init(output: "No: 3.", correct: true, readable: true, named: false)
            let second = EvaluationJobStore.Result(
                problemID: "p-1",
                correct: true,
                answer: "2",
                output: "So 2.",
                tokens: 3
            )
            func insert(_ results: [EvaluationJobStore.Result]) async throws {
                try await pool.withTransaction { try await EvaluationJobStore.insert(results, evaluation: "e", in: $0) }
            }
            try await insert([first, second])
            // A piece that is done again changes nothing.
            try await insert([
                EvaluationJobStore.Result(problemID: "p-1", correct: false, answer: nil, output: "Other.")
            ])
            #expect(try await EvaluationJobStore.results(of: "e", from: pool) == [second, first])
            #expect(try await EvaluationJobStore.results(of: "none", from: pool).isEmpty)
        }
    }
}
