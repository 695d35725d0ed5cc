import Foundation
public import Logging
import Metrics
public import PostgresClient
public import Schemas
public import ServiceRuntime
public import Teaching

/// Has the teacher work on training problems and on students' wrong attempts, verifies every answer, and sends on what
/// came of it: one chain of thought, one template and one dual pair a problem, one correction an attempt, each verified
/// or with the reason why it is not, and the inspector's verdicts.
public struct TeacherIngestionProcessor: EventProcessor {
    /// The sender of the events.
    public static let source = "/errata/teacher-ingestion"

    /// The consumer group.
    public let consumerName = "teacher-ingestion"
    /// The topics: problems and attempts.
    public let topics: [Topic] = [.problems, .attempts]

    private let pool: PostgresPool
    private let ledger: StoredTeacherLedger
    private let options: TeachingOptions
    private let intake: ProblemIntake
    private let logger: Logger

    /// Creates a processor.
    public init(
        pool: PostgresPool,
        ledger: StoredTeacherLedger,
        options: TeachingOptions = TeachingOptions(),
        intake: IntakeOptions = IntakeOptions(),
        logger: Logger
    ) {
        self.pool = pool
        self.ledger = ledger
        self.options = options
        self.intake = ProblemIntake(pool: pool, options: intake, logger: logger)
        self.logger = logger
    }

    private func pipeline(_ ledger: StoredTeacherLedger) -> TeachingPipeline {
        TeachingPipeline(
            ledger: ledger,
            options: options,
            demonstrations: StoredDemonstrations(pool: pool, prompts: ledger.prompts)
        )
    }

    /// Works out what comes of an event.
    public func process(_ event: ReceivedEvent) async throws -> Effects {
        do {
            return try await work(event)
        } catch let error as TeacherError {
            switch error.code {
            // The same words would be refused again, while others are answered.
            case .rejected: throw PermanentFailure(code: "teacher-refused", message: error.message)
            case .paused, .refused:
                throw Postponement(reason: error.message, wait: error.retryAfter ?? .seconds(2))
            case .unavailable, .malformedAnswer: throw error
            }
        }
    }

    private func work(_ event: ReceivedEvent) async throws -> Effects {
        switch event.topic {
        case .problems: return try await process(try event.decode(ProblemEvent.self))
        case .attempts: return try await process(try event.decode(AttemptEvent.self))
        default:
            throw PermanentFailure(
                code: "unexpected-topic",
                message: "\(consumerName) reads problems and attempts, not \(event.topic.rawValue)"
            )
        }
    }

    // MARK: Problems

    private func process(_ problem: ProblemEvent) async throws -> Effects {
        if let known = try await ProblemStore.problem(problem.id, from: pool) {
            // Problem and traces are written together: where the problem is there, its work is done.
            if let conflict = ProblemStore.conflict(of: problem, with: known) {
                throw PermanentFailure(code: "problem-id-taken", message: conflict)
            }
            return .none
        }
        if let state = try await intake.claim(problem) {
            return Effects { transaction in try await ProblemStore.insert(problem, state: state, in: transaction) }
        }
        guard problem.split == .train else {
            return Effects { [intake] transaction in
                let state = try await intake.settledState(of: problem, otherwise: .registered, in: transaction)
                try await ProblemStore.insert(problem, state: state, in: transaction)
            }
        }
        let traces = try await pipeline(ledger).traces(of: problem)
        return try effects(of: traces) { [intake] transaction in
            let state = try await intake.settledState(of: problem, otherwise: .ingested, in: transaction)
            try await ProblemStore.insert(problem, state: state, in: transaction)
        }
    }

    // MARK: Attempts

    private func process(_ attempt: AttemptEvent) async throws -> Effects {
        guard !attempt.correct else { return .none }
        // Of a run that was cancelled nothing more is taught.
        if try await RunStore.state(of: attempt.runId, from: pool)?.state == .cancelled { return .none }
        guard let problem = try await ProblemStore.problem(attempt.problemId, from: pool) else {
            throw ProblemNotThereYet(problemID: attempt.problemId, attemptID: attempt.id)
        }
        let traces = try await pipeline(ledger.charged(to: attempt.runId)).traces(of: attempt, problem: problem)
        return try effects(of: traces) { _ in }
    }

    // MARK: Effects

    private func effects(
        of traces: [TraceEvent],
        first: @escaping @Sendable (PostgresTransaction) async throws -> Void
    ) throws -> Effects {
        let time = Date()
        let events = try traces.map { trace in
            do {
                return try OutgoingEvent(trace, source: Self.source, time: time)
            } catch let error as SchemasError {
                // The same answers would give the same trace again.
                throw PermanentFailure(code: error.code.rawValue, message: error.message)
            }
        }
        for trace in traces {
            Counter(
                label: "errata_traces_total",
                dimensions: [("kind", trace.kind.rawValue), ("verified", trace.verified ? "true" : "false")]
            ).increment()
            logger.debug(
                "trace made",
                metadata: [
                    "problem": "\(trace.problemId)", "kind": "\(trace.kind.rawValue)", "verified": "\(trace.verified)",
                    "failure": "\(trace.failure ?? "")",
                ]
            )
        }
        return Effects(events: events) { transaction in
            try await first(transaction)
            for trace in traces { try await TraceStore.insert(trace, in: transaction) }
        }
    }
}

/// An attempt came before its problem was written; it is tried again.
struct ProblemNotThereYet: Error, CustomStringConvertible {
    let problemID: String
    let attemptID: String

    var description: String { "problem \(problemID) of attempt \(attemptID) has not been ingested yet" }
}
