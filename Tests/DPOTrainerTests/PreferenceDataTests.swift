import Distillation
import Foundation
import LanguageModel
import PostgresClient
import Schemas
import ServiceRuntime
import StageSupport
import Testing
import Tokenization
import Training

@testable import DPOTrainerCore

@Suite("When DPO is ready")
struct PreferenceReadinessTests {
    @Test("a run waits for its roll-out, and for an answer of the teacher to every wrong attempt")
    func allAnswered() async throws {
        try await Rollout.with { rollout in
            #expect(try await rollout.ready().isEmpty)
            try await rollout.insert([
                rollout.attempt(20), rollout.attempt(21), rollout.attempt(22, correct: true),
            ])
            #expect(try await rollout.ready().isEmpty)
            try await rollout.correct(20)
            #expect(try await rollout.ready().isEmpty)
            // An answer that did not pass the checks is an answer too: there will be no other.
            try await rollout.correct(21, verified: false)
            let ready = try #require(try await rollout.ready().first)
            #expect(ready.stage == .dpo && ready.run.id == "r1" && ready.parent.id == "r1-hsft")
        }
    }

    @Test("with a threshold, so many verified corrections are enough")
    func threshold() async throws {
        try await Rollout.with(corrections: 2) { rollout in
            try await rollout.insert((20..<26).map { rollout.attempt($0) })
            try await rollout.correct(20)
            try await rollout.correct(21, verified: false)
            #expect(try await rollout.ready().isEmpty)
            try await rollout.correct(22)
            #expect(try await rollout.ready().count == 1)
        }
    }

    @Test("when no answer came for the longest wait, the corrections that are there will do, but none is not enough")
    func waited() async throws {
        try await Rollout.with { rollout in
            // The run itself is old: what counts is how long the teacher had time to answer.
            try await rollout.bench.pool.execute("UPDATE training_jobs SET created_at = now() - interval '2 hours'")
            try await rollout.insert((20..<23).map { rollout.attempt($0) })
            try await rollout.correct(20)
            #expect(try await rollout.ready().isEmpty)
            try await rollout.bench.pool.execute("UPDATE rollouts SET created_at = now() - interval '3601 seconds'")
            #expect(try await rollout.ready().isEmpty, "an answer came just now")
            try await rollout.bench.pool.execute("UPDATE traces SET created_at = now() - interval '3500 seconds'")
            #expect(try await rollout.ready().isEmpty)
            try await rollout.bench.pool.execute("UPDATE traces SET created_at = now() - interval '3601 seconds'")
            #expect(try await rollout.ready().count == 1)
            try await rollout.bench.pool.execute("UPDATE traces SET verified = false")
            #expect(try await rollout.ready().isEmpty)
        }
    }

    @Test("a stage that is done or failed is not ready")
    func finished() async throws {
        try await Rollout.with { rollout in
            try await rollout.insert([rollout.attempt(20)])
            try await rollout.correct(20)
            #expect(try await rollout.ready().count == 1)
            try await RunStore.failed(.dpo, run: "r1", error: "planted", in: rollout.bench.pool)
            #expect(try await rollout.ready().isEmpty)
        }
    }
}

@Suite("Preference data")
struct PreferenceDataTests {
    @Test(
        "a pair reads on from the student's own text: the teacher's correction is chosen, the student's step rejected"
    )
    func pair() async throws {
        try await Rollout.with { rollout in
            try await rollout.insert([rollout.attempt(20)])
            try await rollout.correct(20)
            let data = try await rollout.collect()
            #expect(data.counts == ["pairs": 1])
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
            let data = try await rollout.collect()
            #expect(
                data.counts == ["pairs": 2, "unverified": 2, "identical": 1, "step-not-found": 1, "repeated": 2]
            )
            #expect(data.pairs.map(\.id) == ["a-20-0", "a-25-0"])
        }
    }

    @Test("corrections of another run's attempts, and of right ones, are no data")
    func others() async throws {
        try await Rollout.with { rollout in
            try await rollout.insert([rollout.attempt(20, correct: true), rollout.attempt(21)])
            try await rollout.correct(20)
            let data = try await rollout.collect()
            #expect(data.counts == ["pairs": 0] && data.pairs.isEmpty)
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
            let pair = try #require(try await rollout.collect().pairs.first)
            let text = rollout.bench.codec.tokenizer.decode(pair.prompt + pair.rejected)
            #expect(text.contains("So she has 8 pears.") && !text.contains("3 pears"))
            let trace = try #require(try await rollout.collect(.trace).pairs.first)
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
            #expect(try await rollout.collect(.step).counts == ["pairs": 3])
            #expect(
                try await rollout.collect(.trace).counts
                    == ["pairs": 1, "self-correction-right": 1, "no-self-correction": 1]
            )
            #expect(try await rollout.collect(.prefix).counts == ["pairs": 2, "self-correction-right": 1])
            #expect(try await rollout.collect(.instance).counts == ["pairs": 0, "no-solution": 3])
        }
    }
}
