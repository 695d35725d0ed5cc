import Distillation
import PostgresClient
import Schemas
import ServiceRuntime
import StageSupport
import Testing
import Tokenization
import Training

@testable import RunTraining

@Suite("Examples of roll-outs from the database")
struct RolloutMaterialTests {
    /// The examples of a stage on the attempts of the stage `templates`.
    private func collect(_ rollout: Rollout, _ stage: RunStage = .corrections()) async throws -> StageExamples.Collected
    {
        var run = rollout.run
        run.stages = [.templates(), stage]
        let parent = rollout.bench.checkpoint("templates", of: run)
        return try await rollout.bench.collect(ReadyStage(run: run, round: 1, stage: stage, parent: parent))
    }

    @Test("a pair reads on from the student's own text: the correction is chosen, the student's step rejected")
    func pair() async throws {
        try await Rollout.with { rollout in
            try await rollout.insert([rollout.attempt(20)])
            try await rollout.correct(20)
            let data = try await collect(rollout)
            #expect(data.counts == ["pairs": 1] && data.supervised.isEmpty)
            let pair = try #require(data.pairs.first)
            #expect(pair.id == "a-20-0")
            let tokenizer = rollout.bench.codec.tokenizer
            let start = "Q: \(Sum(20).question)\nT: <Step1>Take both.</Step1>\n<Step2>"
            #expect(tokenizer.decode(pair.prompt + pair.chosen).hasPrefix(start + "So she has 47 pears."))
            #expect(tokenizer.decode(pair.prompt + pair.rejected).hasPrefix(start + "So she has 3 pears."))
        }
    }

    @Test("attempts that give no pair are counted by reason")
    func refused() async throws {
        try await Rollout.with { rollout in
            try await rollout.insert([
                rollout.attempt(20), rollout.attempt(21), rollout.attempt(22), rollout.attempt(23),
                rollout.attempt(24, output: "no steps at all"),
                rollout.attempt(25, sample: 0), rollout.attempt(25, sample: 1), rollout.attempt(25, sample: 2),
            ])
            try await rollout.correct(20)
            try await rollout.correct(21, verified: false)
            try await rollout.correct(22, with: "So she has 3 pears.")
            try await rollout.correct(23, step: nil, verified: false)
            try await rollout.correct(24)
            for sample in 0..<3 { try await rollout.correct(25, sample: sample) }
            let data = try await collect(rollout)
            #expect(
                data.counts == ["pairs": 2, "unverified": 2, "identical": 1, "step-not-found": 1, "repeated": 2]
            )
            #expect(data.pairs.map(\.id) == ["a-20-0", "a-25-0"])
        }
    }

    @Test("where there is no pair, the reasons are told")
    func none() async throws {
        try await Rollout.with { rollout in
            try await rollout.insert([rollout.attempt(20), rollout.attempt(21)])
            try await rollout.correct(20, verified: false)
            try await rollout.correct(21, with: "So she has 3 pears.")
            let error = await #expect(throws: DistillationError.self) { try await collect(rollout) }
            #expect(
                error?.description
                    == "the stage corrections has nothing to learn from (identical 1, pairs 0, unverified 1)"
            )
        }
    }

    @Test("the student's own correction of the step is what is rejected")
    func ownCorrection() async throws {
        try await Rollout.with { rollout in
            let own = SelfCorrection(
                output: "…",
                firstWrongStep: 1,
                cause: "No.",
                correction: "So she has 8 pears.",
                answer: "8",
                correct: false
            )
            try await rollout.insert([rollout.attempt(20, own: own)])
            try await rollout.correct(20)
            let pair = try #require(try await collect(rollout).pairs.first)
            let text = rollout.bench.codec.tokenizer.decode(pair.prompt + pair.rejected)
            #expect(text.contains("So she has 8 pears.") && !text.contains("3 pears"))
            let trace = try #require(try await collect(rollout, .corrections(layout: "trace")).pairs.first)
            let rejected = rollout.bench.codec.tokenizer.decode(trace.rejected)
            #expect(rejected.contains("2<Cause>No.</Cause><Correction>So she has 8 pears.</Correction>"))
        }
    }

    @Test("what a layout leaves out is counted: right self-corrections, problems without a solution")
    func layouts() async throws {
        try await Rollout.with { rollout in
            func own(_ step: Int?, _ text: String, answer: String) -> SelfCorrection {
                SelfCorrection(
                    output: "…",
                    firstWrongStep: step,
                    cause: "No.",
                    correction: text,
                    answer: answer,
                    correct: false
                )
            }
            try await rollout.insert([
                rollout.attempt(20, own: own(1, "That makes \(Sum(20).answer) pears.", answer: "3")),
                rollout.attempt(21, own: own(0, "Take one.", answer: "3")),
                rollout.attempt(22, own: own(nil, "", answer: "3")),
            ])
            for number in 20..<23 { try await rollout.correct(number) }
            func counts(_ layout: String) async throws -> [String: Int] {
                try await collect(rollout, .corrections(layout: layout)).counts
            }
            #expect(try await counts("step") == ["pairs": 3])
            #expect(try await counts("trace") == ["pairs": 1, "self-correction-right": 1, "no-self-correction": 1])
            #expect(try await counts("prefix") == ["pairs": 2, "self-correction-right": 1])
            let error = await #expect(throws: DistillationError.self) { try await counts("instance") }
            #expect(error?.description.contains("(no-solution 3, pairs 0)") == true)
        }
    }

    @Test("self-training takes the parent's right attempts, whole and each text once")
    func attempts() async throws {
        try await Rollout.with { rollout in
            func right(_ number: Int) -> String {
                Rollout.output(number, step: "So she has \(Sum(number).answer) pears.")
            }
            try await rollout.insert([
                rollout.attempt(20, output: right(20), correct: true),
                rollout.attempt(20, sample: 1, output: right(20), correct: true),
                rollout.attempt(21, output: right(21), correct: true, truncated: true),
                rollout.attempt(22),
            ])
            let data = try await collect(rollout, .supervised(["attempts"], "self", parent: "templates", examples: nil))
            #expect(data.counts == ["attempts": 1])
            let texts = data.supervised.map { rollout.bench.codec.tokenizer.decode($0.tokens) }
            #expect(texts.count == 1)
            #expect(texts.first?.hasPrefix("Q: \(Sum(20).question)\nT: <Step1>Take both.</Step1>") == true)
            #expect(texts.first?.contains("So she has 47 pears.") == true)
        }
    }

    @Test("the teacher's step follows the student's right ones, and what gives no step is counted by reason")
    func teacherSteps() async throws {
        try await Rollout.with { rollout in
            try await rollout.insert([rollout.attempt(20), rollout.attempt(21)])
            try await rollout.correct(20)
            try await rollout.correct(21, verified: false)
            let stage = RunStage.supervised(["teacherSteps"], "steps", parent: "templates", examples: nil)
            let data = try await collect(rollout, stage)
            #expect(data.counts == ["teacherSteps": 1, "unverified": 1])
            let example = try #require(data.supervised.first)
            let tokenizer = rollout.bench.codec.tokenizer
            let taught = zip(example.tokens, example.weights).filter { $0.1 == 1 }.map(\.0)
            #expect(tokenizer.decode(taught).contains("So she has 47 pears."))
            #expect(!tokenizer.decode(taught).contains("Take both."))
            #expect(tokenizer.decode(example.tokens).contains("<Step1>Take both.</Step1>"))
        }
    }

    @Test("the corrections that were noted at the start count, and not those that came after")
    func noted() async throws {
        try await Rollout.with { rollout in
            try await rollout.insert([rollout.attempt(20), rollout.attempt(21)])
            try await rollout.correct(20)
            try await rollout.correct(21)
            let ready = ReadyStage(
                run: rollout.run,
                round: 1,
                stage: .corrections(),
                parent: rollout.bench.checkpoint("templates", of: rollout.run)
            )
            let snapshot = try await JobSnapshotStore.look(
                ready,
                JobStore.Inputs(corrections: ["c-21-0"]),
                from: rollout.bench.pool
            )
            let material = try await MaterialReader(pool: rollout.bench.pool).material(of: snapshot)
            #expect(material.corrections.map(\.id) == ["c-21-0"])
            #expect(material.attempts.map(\.id) == ["a-20-0", "a-21-0"])
            #expect(material.attempted.map(\.id) == ["p20", "p21"])
            #expect(material.problems.isEmpty && material.traces.isEmpty)
        }
    }

    @Test(
        "attempts are learned behind the prompt that their writer saw, whatever the recipe calls it",
        arguments: [1, 2]
    )
    func promptOfAttempts(round: Int) async throws {
        try await StageBench.with { bench in
            // In the first round the champion is the untrained student, which answers in chains; in the second round the
            // stages start from the candidate, which answers in templates.
            let stage = RunStage.supervised(["attempts"], "self", parent: round == 1 ? "champion" : nil, examples: nil)
            var run = bench.run(
                stages: [stage, .templates(parent: "self")],
                suites: [.ofTen()],
                rounds: RunRounds(),
                gate: .on("templates")
            )
            run.prompt = RunPrompt(answers: "chain")
            try await bench.insert(run)
            try await bench.insert(problem: 20, split: .rollout)
            let parent = bench.checkpoint(round == 1 ? "initial" : "templates", of: run)
            let attempt = AttemptEvent(
                id: "a",
                runId: run.id,
                checkpointId: parent.id,
                problemId: Sum(20).id,
                sample: 0,
                output: "So 47.",
                answer: "47",
                correct: true,
                promptFormat: round == 1 ? "chain-of-thought" : "hierarchical-thought"
            )
            try await bench.pool.withTransaction { try await EvaluationStore.insert([attempt], in: $0) }
            let ready = ReadyStage(run: run, round: round, stage: stage, parent: parent)
            let example = try #require(try await bench.collect(ready).supervised.first)
            let text = bench.codec.tokenizer.decode(example.tokens)
            #expect(text.hasPrefix("Q: \(Sum(20).question)\n\(round == 1 ? "A:" : "T:")"), "\(text)")
        }
    }
}
