import PostgresClient
import Reasoning
import Schemas
import ServiceRuntime
import StageSupport
import Testing

@testable import EvaluatorCore

@Suite("Roll-outs")
struct RolloutTests {
    private func insert(_ numbers: some Sequence<Int>, _ bench: StageBench) async throws {
        for number in numbers {
            try await bench.insert(problem: number, split: .rollout, answer: number == 20 ? "7" : "8")
        }
    }

    /// A run whose stage `hsft` is rolled out with two samples a problem.
    private func run(_ bench: StageBench, _ id: String = "r1", temperature: Double = 1, limit: Int? = nil) -> RunEvent {
        bench.run(
            id,
            stages: [.templates("hsft"), .corrections("dpo", parent: "hsft")],
            rollout: RolloutOptions(samples: 2, temperature: temperature, limit: limit)
        )
    }

    @Test("a roll-out has the samples of each problem, and the student's own correction of the wrong ones")
    func attempts() async throws {
        try await StageBench.with { bench in
            try await insert(20..<24, bench)
            let run = run(bench, temperature: 0.01, limit: 3)
            try await bench.insert(run)
            let checkpoint = bench.checkpoint("hsft", of: run, modelHash: try bench.parrot(correcting: true))
            try await bench.insert(checkpoint)
            try await bench.ask(checkpoint)
            try await bench.finish()
            let attempts = try await bench.outbox(AttemptEvent.self)
            #expect(attempts.map(\.problemId) == [20, 20, 21, 21, 22, 22].map { Sum($0).id })
            #expect(attempts.map(\.sample) == [0, 1, 0, 1, 0, 1])
            #expect(attempts.map(\.correct) == [true, true, false, false, false, false])
            #expect(attempts.allSatisfy { $0.runId == "r1" && $0.checkpointId == checkpoint.id && $0.answer == "7" })
            #expect(attempts.allSatisfy { $0.round == 1 && $0.truncated == nil && $0.grader == Grader().stamp })
            let stamps = try await bench.pool.values("SELECT DISTINCT grader FROM attempts", as: String.self)
            #expect(stamps == [Grader().stamp])
            #expect(attempts.map { $0.selfCorrection?.answer } == [nil, nil, "8", "8", "8", "8"])
            #expect(attempts.map { $0.selfCorrection?.firstWrongStep } == [nil, nil, 0, 0, 0, 0])
            #expect(Set(attempts.map(\.id)).count == 6)
            let progress = try await EvaluationStore.rolloutProgress(checkpoint: checkpoint.id, from: bench.pool)
            #expect(progress?.attempted == 6 && progress?.wrong == 4 && progress?.answered == 0)
            let stored = try await EvaluationStore.attempts(checkpoint: checkpoint.id, from: bench.pool)
            #expect(stored == attempts.sorted { $0.id < $1.id })
        }
    }

    @Test("the attempts of a checkpoint do not depend on the size of pieces")
    func pieces() async throws {
        try await StageBench.with { bench in
            try await insert(20..<25, bench)
            func outputs(_ id: String, pieceSize: Int) async throws -> [String] {
                let run = run(bench, id)
                try await bench.insert(run)
                let checkpoint = bench.checkpoint("hsft", of: run)
                try await bench.insert(checkpoint)
                try await bench.ask(checkpoint)
                try await bench.finish(bench.work(pieceSize: pieceSize))
                return try await bench.outbox(AttemptEvent.self).filter { $0.runId == id }.map {
                    "\($0.problemId) \($0.sample) \($0.output) \($0.selfCorrection?.output ?? "-")"
                }
            }
            let whole = try await outputs("r1", pieceSize: 16)
            #expect(Set(whole).count == 10)
            #expect(try await outputs("r2", pieceSize: 1) == whole)
            #expect(try await outputs("r3", pieceSize: 2) == whole)
        }
    }

    @Test("a checkpoint that is a parent again attempts in a later round only what it has not attempted yet")
    func secondRound() async throws {
        try await StageBench.with { bench in
            try await insert([20, 22], bench)
            let run = run(bench)
            try await bench.insert(run)
            let checkpoint = bench.checkpoint("hsft", of: run)
            try await bench.insert(checkpoint)
            try await bench.ask(checkpoint)
            try await bench.finish()
            let first = try await bench.outbox(AttemptEvent.self)
            #expect(first.map(\.problemId) == [20, 20, 22, 22].map { Sum($0).id })

            // Problems come before and between the old ones.
            try await insert([18, 21], bench)
            try await bench.pool.withTransaction { transaction in
                for _ in 0..<2 {
                    try await EvaluationJobStore.insertRollout(
                        checkpoint: checkpoint.id,
                        run: run.id,
                        round: 2,
                        in: transaction
                    )
                }
            }
            try await bench.finish()
            let all = try await bench.outbox(AttemptEvent.self)
            #expect(all.prefix(4) == first[...])
            #expect(all.dropFirst(4).map(\.problemId) == [18, 18, 21, 21].map { Sum($0).id })
            #expect(all.map(\.round) == [1, 1, 1, 1, 2, 2, 2, 2])
            let before = try await EvaluationStore.rolloutProgress(
                checkpoint: checkpoint.id,
                round: 1,
                from: bench.pool
            )
            let after = try await EvaluationStore.rolloutProgress(checkpoint: checkpoint.id, round: 2, from: bench.pool)
            #expect(before?.attempted == 4 && after?.attempted == 8, "stages learn from all of its attempts")

            // A round without a new problem attempts nothing, and is over at once.
            try await bench.pool.withTransaction {
                try await EvaluationJobStore.insertRollout(checkpoint: checkpoint.id, run: run.id, round: 3, in: $0)
            }
            try await bench.finish()
            #expect(try await bench.outbox(AttemptEvent.self).count == 8)
            let third = try await EvaluationStore.rolloutProgress(checkpoint: checkpoint.id, round: 3, from: bench.pool)
            #expect(third?.attempted == 8)
        }
    }

    @Test("a roll-out of the same checkpoint for a later round goes on behind the problems that the limit left out")
    func limit() async throws {
        try await StageBench.with { bench in
            try await insert(20..<25, bench)
            let run = run(bench, limit: 2)
            try await bench.insert(run)
            let checkpoint = bench.checkpoint("hsft", of: run)
            try await bench.insert(checkpoint)
            try await bench.ask(checkpoint)
            try await bench.finish()
            for (round, expected) in [(1, [20, 21]), (2, [22, 23]), (3, [24]), (4, [])] {
                try await bench.pool.withTransaction {
                    try await EvaluationJobStore.insertRollout(
                        checkpoint: checkpoint.id,
                        run: run.id,
                        round: round,
                        in: $0
                    )
                }
                try await bench.finish()
                let attempts = try await bench.outbox(AttemptEvent.self).filter { $0.round == round }
                #expect(Set(attempts.map(\.problemId)) == Set(expected.map { Sum($0).id }), "round \(round)")
            }
        }
    }

    @Test("a roll-out that is not whole is not told as one")
    func progress() async throws {
        try await StageBench.with { bench in
            try await insert([20, 21], bench)
            let run = run(bench)
            try await bench.insert(run)
            let checkpoint = bench.checkpoint("hsft", of: run)
            try await bench.insert(checkpoint)
            try await bench.ask(checkpoint)
            let job = try await bench.evaluationJob(checkpoint, suite: nil)
            try await bench.give([1], of: job, to: "gone")
            try await bench.run(bench.work(pieceSize: 1), until: "the first piece") {
                try await bench.donePieces(job) == [0]
            }
            #expect(try await bench.outbox(AttemptEvent.self).map(\.problemId) == [20, 20].map { Sum($0).id })
            #expect(try await EvaluationStore.rolloutProgress(checkpoint: checkpoint.id, from: bench.pool) == nil)
            try await bench.expireLeases()
            try await bench.finish(as: "second")
            #expect(try await bench.outbox(AttemptEvent.self).count == 4)
            let whole = try await EvaluationStore.rolloutProgress(checkpoint: checkpoint.id, from: bench.pool)
            #expect(whole?.attempted == 4)
        }
    }
}
