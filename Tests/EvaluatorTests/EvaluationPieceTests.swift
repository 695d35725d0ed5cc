import Distillation
import LanguageModel
import PostgresClient
import Reasoning
import Schemas
import ServiceRuntime
import StageSupport
import TensorEngine
import Testing
import Tokenization

@testable import EvaluatorCore

@Suite("Evaluations in pieces")
struct EvaluationPieceTests {
    /// A run whose student writes at random, and corrects itself.
    private func insertRun(_ id: String = "r1", _ bench: StageBench) async throws -> CheckpointEvent {
        var run = bench.run(id, stages: [.templates("hsft")], suites: [.ofSix()])
        run.decoding = DecodingOptions(temperature: 1, maximumNewTokens: 16, seed: 3, selfCorrection: true)
        run.student.modelHash = try bench.fickle()
        try await bench.insert(run)
        return bench.checkpoint("initial", of: run)
    }

    @Test("what a student writes does not depend on the size of pieces, their order, or the number of threads")
    func sizes() async throws {
        try await StageBench.with { bench in
            try await bench.insertSuite()
            let single = try await insertRun("r1", bench)
            try await bench.ask(single)
            try await bench.finish(bench.work(pieceSize: 1))
            #expect(try await bench.donePieces(bench.evaluationJob(single)) == [0, 1, 2, 3, 4, 5])
            let results = try await bench.results(single)
            try #require(results.count == 6)
            #expect(Set(results.map(\.output)).count == 6, "the student writes something else on every question")

            let whole = try await insertRun("r2", bench)
            try await bench.ask(whole)
            try await bench.finish(bench.work(pieceSize: 16))
            #expect(try await bench.donePieces(bench.evaluationJob(whole)) == [0])
            #expect(try await bench.results(whole) == results)

            let turned = try await insertRun("r3", bench)
            try await bench.ask(turned)
            let job = try await bench.evaluationJob(turned)
            try await bench.pool.withTransaction { transaction in
                let problems = [35, 30, 33, 32, 31, 34].map { Sum($0).id }
                try await EvaluationJobStore.open(job.id, problems: problems, pieceSize: 4, in: transaction)
            }
            try await bench.finish()
            #expect(try await bench.donePieces(job) == [0, 1])
            #expect(try await bench.results(turned) == results)

            let solver = StudentSolver(
                model: try CausalLanguageModel.load(
                    folder: try bench.store.folder(try bench.fickle()),
                    context: ComputeContext(threads: 1)
                ),
                codec: bench.codec,
                batchSize: 1
            )
            let alone = try solver.solveAndCorrect(
                (30..<36).map { StudentSolver.Task(question: Sum($0).question, gold: $0 < 32 ? "7" : "8") },
                format: .hierarchicalThought,
                parameters: GenerationParameters(maximumNewTokens: 16, temperature: 1, seed: 3)
            )
            #expect(alone.map { $0.first.output } == results.map(\.output))
            #expect(alone.map { $0.output } == results.map { $0.second?.output })
            #expect(alone.map(\.first.isTruncated) == results.map(\.truncated))
        }
    }

    @Test("a process that dies loses the piece that it was at; another does that one alone")
    func crash() async throws {
        try await StageBench.with { bench in
            try await bench.insertSuite()
            let checkpoint = try await insertRun("r1", bench)
            try await bench.ask(checkpoint)
            let job = try await bench.evaluationJob(checkpoint)
            // The process that has the second of three pieces never comes back.
            try await bench.give([1], of: job, to: "gone")
            try await bench.run(bench.work(pieceSize: 2), until: "the first and the last piece") {
                try await bench.donePieces(job) == [0, 2]
            }
            let before = try await bench.results(checkpoint)
            #expect(before.map(\.problemID) == [30, 31, 34, 35].map { Sum($0).id })
            #expect(try await bench.outbox(EvaluationEvent.self).isEmpty)
            let times: SQL = "SELECT finished_at::text AS at FROM evaluation_pieces WHERE piece <> 1 ORDER BY piece"
            let finished = try await bench.pool.values(times, as: String.self)

            try await bench.expireLeases()
            let log = LogBook()
            try await bench.finish(bench.work(pieceSize: 2, log: log), as: "second")
            #expect(log.count("piece done") == 1 && log.count("piece=1 ") == 1)
            #expect(try await bench.pool.values(times, as: String.self) == finished)
            let after = try await bench.results(checkpoint)
            #expect(after.map(\.problemID) == (30..<36).map { Sum($0).id })
            #expect(after.filter { ![Sum(32).id, Sum(33).id].contains($0.problemID) } == before)
            #expect(try await bench.outbox(EvaluationEvent.self).map(\.problems) == [6])
        }
    }

    @Test("a piece's results and its end are written together or not at all")
    func failedWrite() async throws {
        try await StageBench.with { bench in
            try await bench.insertSuite()
            let checkpoint = try await insertRun("r1", bench)
            try await bench.ask(checkpoint)
            let job = try await bench.evaluationJob(checkpoint)
            // The results can be written, and the end of their piece cannot.
            try await bench.pool.execute(
                """
                CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $$
                BEGIN RAISE EXCEPTION 'the disk is full'; END $$
                """
            )
            try await bench.pool.execute(
                """
                CREATE TRIGGER fail BEFORE UPDATE ON evaluation_pieces FOR EACH ROW EXECUTE FUNCTION fail()
                """
            )
            let log = LogBook()
            try await bench.run(bench.work(log: log), until: "a failed write") { log.count("the disk is full") > 0 }
            #expect(try await bench.results(checkpoint).isEmpty)
            #expect(try await bench.donePieces(job).isEmpty)
            try await bench.pool.execute("DROP TRIGGER fail ON evaluation_pieces")
            try await bench.finish(as: "second")
            #expect(try await bench.results(checkpoint).count == 6)
        }
    }

    @Test("two evaluators share a checkpoint: each piece is done once, and one evaluation comes of it")
    func sharing() async throws {
        try await StageBench.with { bench in
            try await bench.insertSuite()
            let checkpoint = try await insertRun("r1", bench)
            try await bench.ask(checkpoint)
            let job = try await bench.evaluationJob(checkpoint)
            try await bench.give([0, 2, 4], of: job, to: "first")
            try await bench.give([1, 5], of: job, to: "second")
            let (first, second) = (LogBook(), LogBook())
            try await whileRunning(
                bench.work(pieceSize: 1, log: second).runner(holder: "second", interval: .milliseconds(2))
            ) {
                try await bench.finish(bench.work(pieceSize: 1, log: first), as: "first")
            }
            let pieces = [first, second].map { log in
                log.text.compactMap { $0.firstMatch(of: /^piece done.* piece=(\d)/).map { String($0.1) } }.sorted()
            }
            #expect(pieces[0].contains("0") && pieces[0].contains("2") && pieces[0].contains("4"))
            #expect(pieces[1].contains("1") && pieces[1].contains("5"))
            #expect((pieces[0] + pieces[1]).sorted() == ["0", "1", "2", "3", "4", "5"])
            #expect(first.count("evaluated ") + second.count("evaluated ") == 1)
            #expect(try await bench.outbox(EvaluationEvent.self).map(\.problems) == [6])
            #expect(try await bench.results(checkpoint).map(\.problemID) == (30..<36).map { Sum($0).id })
        }
    }

    @Test("no more pieces of a cancelled run are done; what is done stays")
    func cancelled() async throws {
        try await StageBench.with { bench in
            try await bench.insertSuite()
            let checkpoint = try await insertRun("r1", bench)
            let other = try await insertRun("r2", bench)
            try await bench.ask(checkpoint)
            let job = try await bench.evaluationJob(checkpoint)
            try await bench.give([1, 2], of: job, to: "gone")
            let work = bench.work(pieceSize: 2)
            try await bench.run(work, until: "the first piece") { try await bench.donePieces(job) == [0] }
            try await bench.expireLeases()
            #expect(try await work.ready().map(\.name) == ["evaluate/\(job.id)/1", "evaluate/\(job.id)/2"])

            try await bench.pool.withTransaction { transaction in
                _ = try await RunStore.end("r1", as: .cancelled, reason: "enough", in: transaction)
            }
            #expect(try await work.ready().isEmpty)
            // Work on another run goes on, and passes this one by.
            try await bench.ask(other)
            try await bench.run(work, until: "the other run's evaluation") {
                try await bench.evaluationJob(other).state == .done
            }
            #expect(try await bench.donePieces(job) == [0])
            #expect(try await bench.evaluationJob(checkpoint).state == .open)
            #expect(try await bench.results(checkpoint).count == 2)
            #expect(try await bench.outbox(EvaluationEvent.self).map(\.runId) == ["r2"])
        }
    }
}
