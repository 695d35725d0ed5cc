import Distillation
import Foundation
import LanguageModel
import PostgresClient
import Schemas
import ServiceRuntime
import StageSupport
import Tokenization
import Training

@testable import DPOTrainerCore

/// A run whose stage-one student attempted problems.
struct Rollout {
    let bench: StageBench
    let run: RunEvent
    private let numbers = 20..<26

    static func with(
        dpo: PreferenceStage = PreferenceStage(),
        corrections: Int? = nil,
        _ body: (Rollout) async throws -> Void
    ) async throws {
        try await StageBench.with { bench in
            let run = bench.run(
                stages: RunStages(hsft: SupervisedStage(), dpo: dpo),
                thresholds: RunThresholds(
                    templates: 1,
                    pairs: 1,
                    corrections: corrections,
                    maximumWaitSeconds: 3600
                )
            )
            try await bench.insert(run)
            let rollout = Rollout(bench: bench, run: run)
            for number in rollout.numbers { try await bench.insert(problem: number, split: .rollout) }
            try await body(rollout)
        }
    }

    /// What the student wrote: a wrong second step.
    static func output(_ number: Int, step: String = "So she has 3 pears.") -> String {
        " <Step1>Take both.</Step1>\n<Step2>\(step)</Step2>\n<Answer>3</Answer>"
    }

    func attempt(
        _ number: Int,
        sample: Int = 0,
        output: String? = nil,
        own: SelfCorrection? = nil,
        correct: Bool = false
    ) -> AttemptEvent {
        AttemptEvent(
            id: "a-\(number)-\(sample)",
            runId: run.id,
            checkpointId: "r1-hsft",
            problemId: Sum(number).id,
            sample: sample,
            output: output ?? Self.output(number),
            answer: "3",
            correct: correct,
            selfCorrection: own,
            promptFormat: "hierarchical-thought"
        )
    }

    /// Writes the stage-one checkpoint and the whole roll-out.
    func insert(_ attempts: [AttemptEvent]) async throws {
        try await bench.insert(bench.checkpoint(.hsft, of: run))
        try await bench.pool.withTransaction {
            try await EvaluationStore.insertRollout(
                checkpoint: "r1-hsft",
                run: run.id,
                attempts: attempts,
                in: $0
            )
        }
    }

    /// The teacher's correction of an attempt's second step.
    func correct(
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

    func collect(_ layout: PreferencePairs.Layout = .step) async throws -> PreferencePairs.Collected {
        try await PreferenceData(pool: bench.pool, codec: bench.codec, options: .init(layout: layout)).collect(run: run)
    }

    func ready() async throws -> [ReadyStage] { try await PreferenceReadiness(pool: bench.pool).ready() }

    func runner(
        holder: String = "first",
        log: LogBook = LogBook(),
        saveInterval: Duration = .seconds(3600)
    ) -> JobRunner<ReadyStage> {
        let trainer = StageTrainer(store: bench.store, workFolder: bench.workFolder, saveInterval: saveInterval)
        return PreferenceTraining(pool: bench.pool, trainer: trainer, logger: log.logger).job
            .runner(holder: holder, interval: .milliseconds(5))
    }
}
