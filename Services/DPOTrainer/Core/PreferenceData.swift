import Distillation
import PostgresClient
import Reasoning
import Schemas
import ServiceRuntime
import Training

/// Preference pairs from a run's wrong attempts and the teacher's corrections of them.
struct PreferenceData: Sendable {
    let pool: PostgresPool
    let codec: StudentCodec
    let options: PreferencePairs.Options

    /// The thought templates that stage one was trained on, for the supervised term.
    func templates(of run: RunEvent) async throws -> [SupervisedExample] {
        SupervisedExamples.templates(
            of: try await TraceStore.verified(.template, dataset: run.dataset, from: pool),
            questions: try await ProblemStore.questions(dataset: run.dataset, split: .train, from: pool),
            codec: codec
        )
    }

    func collect(run: RunEvent) async throws -> PreferencePairs.Collected {
        let problems = Dictionary(
            uniqueKeysWithValues: try await ProblemStore.problems(
                dataset: run.dataset,
                split: run.rollout.split,
                from: pool
            ).map { ($0.id, $0) }
        )
        let attempts = try await EvaluationStore.wrongAttempts(run: run.id, from: pool)
        let byID = Dictionary(uniqueKeysWithValues: attempts.map { ($0.id, $0) })
        let corrected = try await TraceStore.corrections(run: run.id, from: pool).compactMap { trace in
            trace.attemptId.flatMap { byID[$0] }.flatMap { attempt in
                problems[attempt.problemId].map {
                    PreferencePairs.CorrectedAttempt(problem: $0, attempt: attempt, trace: trace)
                }
            }
        }
        return PreferencePairs.collect(corrected, options: options, codec: codec)
    }
}
