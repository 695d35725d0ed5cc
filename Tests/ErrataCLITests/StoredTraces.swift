import PostgresClient
import Schemas
import ServiceRuntime
import TestSupport

/// Problems and traces in a database, for tests of what the commands say of them.
enum StoredTraces {
    static let teacher = TeacherCall.sample(promptId: "chain-of-thought")

    /// Writes a problem.
    static func insert(
        problem id: String,
        answer: String,
        dataset: String = "d",
        split: ProblemSplit = .train,
        in pool: PostgresPool
    ) async throws {
        let problem = ProblemEvent(id: id, dataset: dataset, split: split, question: "What is \(id)?", answer: answer)
        try await pool.withTransaction { try await ProblemStore.insert(problem, state: .ingested, in: $0) }
    }

    /// Writes a trace that is verified unless it is said why not.
    @discardableResult
    static func insert(
        _ id: String,
        of problem: String,
        _ body: TraceBody,
        failure: String? = nil,
        failureKind: String? = nil,
        run: String? = nil,
        attempt: String? = nil,
        grader: String? = nil,
        in pool: PostgresPool
    ) async throws -> TraceEvent {
        let trace = TraceEvent(
            id: id,
            problemId: problem,
            verified: failure == nil,
            failure: failure,
            failureKind: failureKind,
            body: body,
            teacher: teacher,
            attemptId: attempt,
            runId: run,
            grader: grader
        )
        try await pool.withTransaction { try await TraceStore.insert(trace, in: $0) }
        return trace
    }

    /// A chain that says an answer.
    static func chain(_ answer: String, correct: Bool) -> TraceBody {
        .chainOfThought(
            ChainOfThoughtBody(text: "1 + 1 = 2\nThe answer is \(answer).", answer: answer, correct: correct)
        )
    }
}
