import Distillation
import PostgresClient
import Schemas
import ServiceRuntime

/// Reads what a stage learns from out of the database.
struct MaterialReader: Sendable {
    let pool: PostgresPool

    func material(of ready: ReadyStage, _ inputs: JobStore.Inputs) async throws -> StageMaterial {
        let problems = try await ProblemStore.problems(ids: inputs.problems, from: pool)
        let traces = try await TraceStore.verified(ofProblems: inputs.problems, from: pool)
        var keySteps: [KeyStepsEvent] = []
        if case .keySteps(let method) = ready.stage.method {
            keySteps = try await TraceStore.keySteps(
                KeyStepForm(method, of: ready.run),
                ofProblems: inputs.problems,
                from: pool
            )
        }
        guard ready.stage.needsRollout else {
            return StageMaterial(problems: problems, traces: traces, keySteps: keySteps)
        }
        let attempts = try await EvaluationStore.attempts(checkpoint: ready.parent.id, from: pool)
        return StageMaterial(
            problems: problems,
            traces: traces,
            keySteps: keySteps,
            attempts: attempts,
            attempted: try await ProblemStore.problems(ids: Array(Set(attempts.map(\.problemId))), from: pool),
            corrections: try await TraceStore.traces(ids: inputs.corrections, from: pool)
        )
    }
}
