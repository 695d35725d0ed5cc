import Distillation
import Foundation
import LanguageModel
import PostgresClient
import Reasoning
import Schemas
import ServiceRuntime
import StageSupport
import Testing
import Tokenization

@testable import EvaluatorCore

@Suite("Scoring a checkpoint")
struct EvaluationTests {
    @Test("an evaluation's numbers are a recount of its results, with Wilson's interval")
    func evaluation() async throws {
        try await StageBench.with { bench in
            try await bench.insertSuite()
            let run = bench.run(stages: [.templates("hsft")], suites: [.ofSix()])
            try await bench.insert(run)
            let checkpoint = bench.checkpoint("hsft", of: run, round: 2, modelHash: try bench.parrot())
            try await bench.insert(checkpoint)
            let event = try await bench.evaluate(checkpoint)
            #expect(event.id == EvaluationJobStore.evaluationID(checkpoint: checkpoint.id, suite: "held"))
            #expect(event.runId == "r1" && event.stage == "hsft" && event.round == 2 && event.suite == "held")
            #expect(event.problems == 6 && event.correct == 2 && event.answered == 6 && event.truncated == 0)
            #expect(abs(event.accuracy - 2.0 / 6) < 1e-12)
            // Wilson's interval for 2 of 6 at z = 1.959964.
            #expect(abs(event.interval.low - 0.096_77) < 1e-4 && abs(event.interval.high - 0.700_01) < 1e-4)
            #expect(event.answers == "template" && event.shots == nil && event.comparisons.isEmpty)
            #expect(event.decoding == DecodingOptions(temperature: 0, maximumNewTokens: 24) && event.seconds > 0)

            let results = try await bench.results(checkpoint)
            #expect(results.map(\.problemID) == (30..<36).map { Sum($0).id })
            #expect(results.map(\.answer) == Array(repeating: "7", count: 6), "the student was taught to say 7")
            #expect(results.map(\.correct) == [true, true, false, false, false, false])
            let text = " <Step1>add</Step1><Answer>7</Answer>"
            let tokens = bench.codec.tokenizer.encode(text).count
            #expect(results.allSatisfy { $0.output == text && $0.tokens == tokens && $0.second == nil })
            #expect(event.grader == Grader().stamp && event.graderVersion == Grader.version)
            #expect(results.allSatisfy { $0.grader == Grader().stamp })
            #expect(try await EvaluationStore.evaluations(run: "r1", from: bench.pool) == [event])
            #expect(try await bench.outbox(EvaluationEvent.self) == [event])
            #expect(try await bench.evaluationJob(checkpoint).state == .done)
            let row = try #require(try await bench.pool.query("SELECT topic, key FROM outbox").first)
            #expect(try row.get("topic", as: String.self) == Topic.evaluations.rawValue)
            #expect(try row.get("key", as: String.self) == "r1")
        }
    }

    @Test("a suite's answers are graded by the policy that it names, and marked with it")
    func policy() async throws {
        #expect(EvaluationSuite.policies == GradingPolicy.allCases.map(\.rawValue))
        try await StageBench.with { bench in
            try await bench.insertSuite()
            // To a mathematician 14/2 is 7; strict wants the form that was asked for.
            let parrot = try bench.parrot(says: " <Step1>add</Step1><Answer>14/2</Answer>")
            for (policy, correct) in [("strict", 0), ("standard", 2)] {
                let run = bench.run(policy, stages: [.templates("hsft")], suites: [.ofSix(policy: policy)])
                try await bench.insert(run)
                let checkpoint = bench.checkpoint("hsft", of: run, modelHash: parrot)
                try await bench.insert(checkpoint)
                let event = try await bench.evaluate(checkpoint)
                #expect(event.correct == correct && event.grader == "\(policy)/\(Grader.version)")
                #expect(try await bench.results(checkpoint).allSatisfy { $0.grader == event.grader })
            }
        }
    }

    @Test("an answer that the limit cuts off is counted as such, and not graded by its last number")
    func truncated() async throws {
        try await StageBench.with { bench in
            try await bench.insertSuite()
            let says = " <Step1>so 7</Step1><Answer>7</Answer>"
            let parrot = try bench.parrot(says: says)
            func scored(_ id: String, _ decoding: DecodingOptions) async throws -> EvaluationEvent {
                var run = bench.run(id, stages: [.templates("hsft")], suites: [.ofSix()])
                run.decoding = decoding
                try await bench.insert(run)
                let checkpoint = bench.checkpoint("hsft", of: run, modelHash: parrot)
                try await bench.insert(checkpoint)
                return try await bench.evaluate(checkpoint)
            }
            let cut = bench.codec.tokenizer.encode(" <Step1>so 7").count
            let short = try await scored("r1", DecodingOptions(maximumNewTokens: cut))
            #expect(short.truncated == 6 && short.answered == 0 && short.correct == 0)
            // What ends at a stop string is whole: the last number is its answer.
            let stopped = try await scored("r2", DecodingOptions(maximumNewTokens: 24, stop: ["</Step1>"]))
            #expect(stopped.truncated == 0 && stopped.answered == 6 && stopped.correct == 2)
            let outputs = try await bench.pool.values("SELECT DISTINCT output FROM evaluation_results", as: String.self)
            #expect(outputs == [" <Step1>so 7"])
            let whole = try await scored("r3", DecodingOptions(maximumNewTokens: 24))
            #expect(whole.truncated == 0 && whole.answered == 6 && whole.correct == 2)
        }
    }

    @Test("a student that corrects itself is scored before and after")
    func selfCorrection() async throws {
        try await StageBench.with { bench in
            try await bench.insertSuite()
            var run = bench.run(stages: [.templates("hsft")], suites: [.ofSix()])
            run.decoding?.selfCorrection = true
            try await bench.insert(run)
            let checkpoint = bench.checkpoint("hsft", of: run, modelHash: try bench.parrot(correcting: true))
            try await bench.insert(checkpoint)
            let event = try await bench.evaluate(checkpoint, pieceSize: 4)
            // The suite's answers are 7 twice and 8 four times; the student says 7, and 8 at second sight.
            #expect(event.correct == 2 && event.answered == 6)
            let score = try #require(event.selfCorrection)
            #expect(score.correct == 4 && score.changedToRight == 4 && score.changedToWrong == 2)
            #expect(score.readable == 6 && score.named == 6)
            #expect(abs(score.accuracy - 4.0 / 6) < 1e-12)
            // Wilson's interval for 4 of 6.
            #expect(abs(score.interval.low - 0.299_99) < 1e-4 && abs(score.interval.high - 0.903_23) < 1e-4)
            // What is compared between checkpoints is the first pass; the second is kept beside it.
            let results = try await bench.results(checkpoint)
            #expect(results.allSatisfy { $0.answer == "7" && $0.second?.output.contains("<Answer>8</Answer>") == true })
            #expect(results.map { $0.second?.correct } == [false, false, true, true, true, true])

            // An untrained student's corrections cannot be read, so that nothing changes; without the wish, no score.
            let untrained = try await bench.evaluate(bench.checkpoint("initial", of: run))
            #expect(untrained.selfCorrection?.readable == 0 && untrained.selfCorrection?.correct == untrained.correct)
            let plain = bench.run("r2", stages: [.templates("hsft")], suites: [.ofSix()])
            try await bench.insert(plain)
            #expect(try await bench.evaluate(bench.checkpoint("initial", of: plain)).selfCorrection == nil)
        }
    }

    @Test("a second pass has the tokens that the run gives it, and no more")
    func correctionLimit() async throws {
        try await StageBench.with { bench in
            try await bench.insertSuite()
            var run = bench.run(stages: [.templates("hsft")], suites: [.ofSix()])
            run.decoding?.selfCorrection = true
            run.decoding?.maximumCorrectionTokens = 2
            try await bench.insert(run)
            let checkpoint = bench.checkpoint("hsft", of: run, modelHash: try bench.parrot(correcting: true))
            try await bench.insert(checkpoint)
            let score = try await bench.evaluate(checkpoint).selfCorrection
            #expect(score?.readable == 0 && score?.correct == 2, "two tokens have no room for an answer")
        }
    }

    @Test("a checkpoint is compared with each earlier one on the problems that both were scored on")
    func comparisons() async throws {
        try await StageBench.with { bench in
            try await bench.insertSuite(31..<35)
            let run = bench.run(stages: [.templates("hsft"), .templates("more")], suites: [.ofSix(wait: 0)])
            try await bench.insert(run)
            let initial = bench.checkpoint("initial", of: run)
            let first = try await bench.evaluate(initial)
            try #require(first.correct == 0 && first.problems == 4, "an untrained student solves none")
            // Two more problems come, one of which a student that says 7 solves.
            try await bench.insertSuite(30..<36)
            let parrot = try bench.parrot()
            let hsft = bench.checkpoint("hsft", of: run, modelHash: parrot)
            let more = bench.checkpoint("more", of: run, modelHash: parrot)
            for checkpoint in [hsft, more] { try await bench.insert(checkpoint) }
            let second = try await bench.evaluate(hsft)
            #expect(second.problems == 6 && second.correct == 2)
            #expect(
                second.comparisons == [
                    PairedComparison(
                        againstCheckpointId: initial.id,
                        againstStage: "initial",
                        problems: 4,
                        onlyThis: 1,
                        onlyOther: 0,
                        pValue: second.comparisons.first?.pValue ?? 0
                    )
                ]
            )
            // One discordant pair says nothing: 2 · 1/2.
            #expect(second.comparisons.first.map { abs($0.pValue - 1) < 1e-9 } == true)
            let third = try await bench.evaluate(more)
            #expect(third.comparisons.map(\.againstStage) == ["initial", "hsft"])
            #expect(third.comparisons.map(\.againstRound) == [nil, 1])
            #expect(third.comparisons.map(\.problems) == [4, 6] && third.comparisons.map(\.onlyThis) == [1, 0])
        }
    }

    @Test("a student that can never be asked in the run's form is left out with the reason; one that is missing is not")
    func cannotAnswer() async throws {
        try await StageBench.with { bench in
            try await bench.insertSuite()
            var run = bench.run(stages: [.templates("hsft")], suites: [.ofSix()])
            run.prompt = RunPrompt(style: "chat")
            try await bench.insert(run)
            let checkpoint = bench.checkpoint("initial", of: run)
            try await bench.ask(checkpoint)
            try await bench.finish()
            let job = try await bench.evaluationJob(checkpoint)
            #expect(job.state == .leftOut && job.reason?.contains("no chat template") == true)
            #expect(try await bench.outbox(EvaluationEvent.self).isEmpty)

            let other = bench.run("r2", stages: [.templates("hsft")], suites: [.ofSix()])
            try await bench.insert(other)
            let hash = String(repeating: "a", count: 64)
            let missing = bench.checkpoint("hsft", of: other, modelHash: hash)
            try await bench.insert(missing)
            try await bench.ask(missing)
            let log = LogBook()
            try await bench.run(bench.work(log: log), until: "a warning") { log.count("job will be retried") > 0 }
            #expect(log.text.contains { $0.contains("job will be retried") && $0.contains(hash) })
            // What it waits for is told all the same.
            let waiting = try await bench.evaluationJob(missing)
            #expect(waiting.state == .open && waiting.reason?.contains(hash) == true)
        }
    }

    @Test("asking that fails alike with each try ends the evaluation with its reason")
    func generation() async throws {
        try await StageBench.with { bench in
            try await bench.insertSuite()
            let run = bench.run(stages: [.templates("hsft")], suites: [.ofSix()])
            try await bench.insert(run)
            let checkpoint = bench.checkpoint("hsft", of: run, modelHash: try bench.fickle(isBroken: true))
            try await bench.insert(checkpoint)
            try await bench.ask(checkpoint)
            let log = LogBook()
            try await bench.finish(bench.work(log: log))
            let job = try await bench.evaluationJob(checkpoint)
            #expect(job.state == .leftOut)
            #expect(job.reason?.contains("Generation: ") == true, "\(job.reason ?? "none")")
            #expect(log.count("will be retried") == 0)
        }
    }

    @Test("a roll-out that fails alike with each try is left out too")
    func failedRollout() async throws {
        try await StageBench.with { bench in
            try await bench.insert(problem: 20, split: .rollout, answer: "7")
            let run = bench.run(stages: [.templates("hsft"), .corrections("dpo", parent: "hsft")])
            try await bench.insert(run)
            let checkpoint = bench.checkpoint("hsft", of: run, modelHash: try bench.fickle(isBroken: true))
            try await bench.insert(checkpoint)
            try await bench.ask(checkpoint)
            try await bench.finish()
            let job = try await bench.evaluationJob(checkpoint, suite: nil)
            #expect(job.state == .leftOut && job.reason?.contains("Generation: ") == true)
        }
    }

    @Test("a second pass that is cut off within its answer is counted as cut off, and its answer not read")
    func truncatedCorrection() async throws {
        try await StageBench.with { bench in
            try await bench.insertSuite()
            let parrot = try bench.parrot(correcting: true)
            let trace = CorrectionTrace(steps: ["add"], firstWrongStep: 0, cause: "c", correction: "d", answer: "8")
            let whole = StudentFormat.response(correction: trace)
            let open = try #require(whole.range(of: "8</Answer>")).lowerBound
            for (id, text, isRead) in [("cut", whole[...open], false), ("whole", whole[...], true)] {
                var run = bench.run(id, stages: [.templates("hsft")], suites: [.ofSix()])
                run.decoding?.selfCorrection = true
                let tokens = bench.codec.tokenizer.encode(String(text)).count
                run.decoding?.maximumCorrectionTokens = tokens + (isRead ? 1 : 0)
                try await bench.insert(run)
                let checkpoint = bench.checkpoint("hsft", of: run, modelHash: parrot)
                try await bench.insert(checkpoint)
                try await bench.ask(checkpoint)
                try await bench.finish()
                let event = try #require(
                    try await bench.outbox(EvaluationEvent.self).last { $0.checkpointId == checkpoint.id }
                )
                let score = try #require(event.selfCorrection)
                #expect(score.truncated == (isRead ? 0 : 6) && score.readable == (isRead ? 6 : 0), "\(id)")
                let results = try await EvaluationJobStore.results(of: event.id, from: bench.pool)
                #expect(results.allSatisfy { $0.second?.truncated == !isRead && $0.second?.output == String(text) })
            }
        }
    }

    @Test("so many texts are written at once as half of the memory beside the weights has room for, at least one")
    func batch() {
        let configuration = ModelConfiguration(
            vocabularySize: 300,
            hiddenSize: 16,
            intermediateSize: 24,
            layers: 2,
            heads: 2,
            maximumPositions: 1024
        )
        // Keys and values of 1024 tokens, 2 layers and 2 heads of 8: 256 KiB.
        func batch(_ free: Int?) -> Int {
            Students.batch(configuration, newTokens: 512, storedBytes: 1 << 20, free: free, maximum: 64)
        }
        #expect(batch(5 << 20) == 8 && batch((5 << 20) - 1) == 7)
        #expect(batch(1 << 30) == 64 && batch(nil) == 64)
        #expect(batch(1 << 20) == 1 && batch(0) == 1)
    }
}
