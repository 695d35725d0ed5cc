import PostgresClient
package import Schemas
import ServiceRuntime

/// A run whose stage `templates` gave a student that attempts problems, for a stage that learns from the attempts.
package struct Rollout: Sendable {
    package let bench: StageBench
    package let run: RunEvent

    /// The problems of the roll-out.
    package static let problems = 20..<26

    /// Runs the body with a run that has the stage `templates` and another one, and with problems to attempt.
    package static func with(
        _ stage: RunStage = .corrections(),
        _ body: (Rollout) async throws -> Void
    ) async throws {
        try await StageBench.with { bench in
            let run = bench.run(stages: [.templates(), stage])
            try await bench.insert(run)
            for number in problems { try await bench.insert(problem: number, split: .rollout) }
            try await body(Rollout(bench: bench, run: run))
        }
    }

    /// The id of the checkpoint that attempts.
    package var parent: String { bench.checkpoint("templates", of: run).id }

    /// What the student wrote: a wrong second step.
    package static func output(_ number: Int, step: String = "So she has 3 pears.") -> String {
        " <Step1>Take both.</Step1>\n<Step2>\(step)</Step2>\n<Answer>3</Answer>"
    }

    package func attempt(
        _ number: Int,
        sample: Int = 0,
        output: String? = nil,
        own: SelfCorrection? = nil,
        correct: Bool = false,
        truncated: Bool? = nil
    ) -> AttemptEvent {
        AttemptEvent(
            id: "a-\(number)-\(sample)",
            runId: run.id,
            checkpointId: parent,
            problemId: Sum(number).id,
            sample: sample,
            output: output ?? Self.output(number),
            answer: "3",
            correct: correct,
            truncated: truncated,
            selfCorrection: own,
            promptFormat: "hierarchical-thought"
        )
    }

    /// Writes the attempting checkpoint and its whole roll-out for a round.
    package func insert(_ attempts: [AttemptEvent], round: Int = 1) async throws {
        try await bench.insert(bench.checkpoint("templates", of: run))
        try await bench.pool.withTransaction { transaction in
            try await EvaluationStore.insert(attempts, in: transaction)
            try await EvaluationStore.finishRollout(checkpoint: parent, run: run.id, round: round, in: transaction)
        }
    }

    /// The teacher's correction of an attempt's second step.
    package func correct(
        _ number: Int,
        sample: Int = 0,
        with text: String? = nil,
        step: Int? = 1,
        verified: Bool = true
    ) async throws {
        let body = CorrectionBody(
            steps: ["Take both.", "So she has 3 pears."],
            firstWrongStep: step,
            cause: "That is not the sum.",
            correction: text ?? "So she has \(Sum(number).answer) pears.",
            answer: Sum(number).answer
        )
        try await bench.insert(
            .correction(body),
            id: "c-\(number)-\(sample)",
            problem: number,
            verified: verified,
            attempt: "a-\(number)-\(sample)",
            run: run.id
        )
    }
}
