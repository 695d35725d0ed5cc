import Schemas
import ServiceRuntime
import StageSupport
import Testing

@testable import EvaluatorCore

@Suite("Suites that fill slowly")
struct SuiteWaitTests {
    private func steps(_ bench: StageBench) async throws -> Int { try await bench.work().ready().count }

    @Test("scoring waits for the suite's problems, and for no more than those")
    func complete() async throws {
        try await StageBench.with { bench in
            let run = bench.run(stages: [.templates("hsft")], suites: [.ofSix()])
            try await bench.insert(run)
            let checkpoint = bench.checkpoint("initial", of: run)
            try await bench.ask(checkpoint)
            try await bench.insertSuite(30..<35)
            #expect(try await steps(bench) == 0)
            // Others that are there are not the suite's: another split, another dataset.
            try await bench.insert(problem: 36, split: .development)
            try await bench.insert(problem: 37, split: .test, dataset: "other")
            #expect(try await steps(bench) == 0)
            try await bench.insertSuite(35..<36)
            #expect(try await steps(bench) == 1)
            try await bench.finish()
            #expect(try await bench.outbox(EvaluationEvent.self).map(\.problems) == [6])
        }
    }

    @Test("a suite that never fills is scored with what is there once the time is over")
    func incomplete() async throws {
        try await StageBench.with { bench in
            let run = bench.run(stages: [.templates("hsft")], suites: [.ofSix(wait: 600)])
            try await bench.insert(run)
            let checkpoint = bench.checkpoint("initial", of: run)
            try await bench.ask(checkpoint)
            try await bench.insertSuite(30..<33)
            let job = try await bench.evaluationJob(checkpoint)
            try await bench.age(job, by: 500)
            #expect(try await steps(bench) == 0)
            try await bench.age(job, by: 101)
            #expect(try await steps(bench) == 1)
            try await bench.finish()
            #expect(try await bench.outbox(EvaluationEvent.self).map(\.problems) == [3])
            // What comes afterwards is in no evaluation of this checkpoint.
            try await bench.insertSuite(33..<36)
            #expect(try await steps(bench) == 0)
            #expect(try await bench.results(checkpoint).count == 3)
        }
    }

    @Test("a suite of which nothing has come is left out with the reason, and nothing is sent")
    func empty() async throws {
        try await StageBench.with { bench in
            let run = bench.run(stages: [.templates("hsft")], suites: [.ofSix(wait: 600)])
            try await bench.insert(run)
            let checkpoint = bench.checkpoint("initial", of: run)
            try await bench.ask(checkpoint)
            try await bench.age(bench.evaluationJob(checkpoint), by: 601)
            let log = LogBook()
            try await bench.finish(bench.work(log: log))
            let job = try await bench.evaluationJob(checkpoint)
            #expect(job.state == .leftOut)
            #expect(job.reason == "none of its 6 problems (sums, test) came within 600 s")
            #expect(log.count("suite left out") == 1 && log.count("suite=held") == 1)
            #expect(try await bench.outbox(EvaluationEvent.self).isEmpty)
            #expect(try await EvaluationStore.evaluations(run: "r1", from: bench.pool).isEmpty)
        }
    }

    @Test("an hour is waited where the run says nothing")
    func defaultWait() async throws {
        try await StageBench.with { bench in
            let run = bench.run(stages: [.templates("hsft")], suites: [.ofSix()])
            try await bench.insert(run)
            let checkpoint = bench.checkpoint("initial", of: run)
            try await bench.ask(checkpoint)
            let job = try await bench.evaluationJob(checkpoint)
            try await bench.age(job, by: 3500)
            #expect(try await steps(bench) == 0)
            try await bench.age(job, by: 101)
            #expect(try await steps(bench) == 1)
        }
    }

    @Test("a limit takes the first problems in order of id")
    func limit() async throws {
        try await StageBench.with { bench in
            let run = bench.run(stages: [.templates("hsft")], suites: [.ofSix(limit: 2)])
            try await bench.insert(run)
            let checkpoint = bench.checkpoint("initial", of: run)
            try await bench.insertSuite()
            #expect(try await bench.evaluate(checkpoint).problems == 2)
            #expect(try await bench.results(checkpoint).map(\.problemID) == [Sum(30).id, Sum(31).id])
        }
    }
}
