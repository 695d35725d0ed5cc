import Foundation
public import Logging
import Metrics
public import PostgresClient
public import Schemas
public import ServiceRuntime
public import Teaching

/// Has the teacher work on training problems and on students' wrong attempts, and verifies every answer.
///
/// What came of it is sent on: of a problem what active runs need (a chain of thought, a dual pair, a template), of an attempt a
/// correction, each verified or with the reason why it is not, and the inspector's verdicts. Traces that were recorded
/// elsewhere are verified in the same way.
public struct TeacherIngestionProcessor: EventProcessor {
    /// The sender of the events.
    public static let source = "/errata/teacher-ingestion"

    /// The consumer group.
    public let consumerName = "teacher-ingestion"
    /// The topics: problems, attempts, runs, which say what is needed, and traces, for recorded ones.
    public let topics: [Topic] = [.problems, .attempts, .runs, .traces]

    private let pool: PostgresPool
    private let ledger: StoredTeacherLedger
    private let options: TeachingOptions
    private let intake: ProblemIntake
    private let needs: TeachingNeedsReader
    private let logger: Logger

    /// Creates a processor.
    public init(
        pool: PostgresPool,
        ledger: StoredTeacherLedger,
        options: TeachingOptions = TeachingOptions(),
        intake: IntakeOptions = IntakeOptions(),
        scope: TeachingScope = .needed,
        logger: Logger
    ) {
        self.pool = pool
        self.ledger = ledger
        self.options = options
        self.intake = ProblemIntake(pool: pool, options: intake, logger: logger)
        needs = TeachingNeedsReader(pool: pool, ledger: ledger, scope: scope)
        self.logger = logger
    }

    /// Of the traces those that were recorded elsewhere; its own come back to it.
    public func reads(_ type: EventType) -> Bool { type != .trace }

    /// Where there is a teacher to wait for.
    public var storesFirst: Bool { needs.scope.asks }

    /// So many messages are stored together; what is worked on has a transaction of its own.
    public var batchLimit: Int { storesFirst ? 32 : 1 }

    /// Nothing but storing is done in batches: a problem's fingerprint is compared under a lock.
    public func isBatched(_ type: EventType) -> Bool { false }

    /// What the teacher may have to be asked about is stored first, as it may be away for longer than topics keep messages.
    ///
    /// Problems of evaluation sets and right attempts are not: they wait for nobody, and nobody's work is to keep them waiting.
    public func isStoredFirst(_ event: ReceivedEvent) -> Bool {
        // What cannot be read is refused when it is worked on.
        switch EventType(rawValue: event.attributes.type) {
        case .problem: (try? event.decode(ProblemEvent.self))?.split == .train
        case .attempt: (try? event.decode(AttemptEvent.self))?.correct == false
        case .teachingOrder: true
        default: false
        }
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
        try await needs.catchUp()
        switch EventType(rawValue: event.attributes.type) {
        case .problem: return try await process(try event.decode(ProblemEvent.self))
        case .teachingOrder: return try await process(try event.decode(TeachingOrderEvent.self))
        case .attempt: return try await process(try event.decode(AttemptEvent.self))
        case .run: return try await process(try event.decode(RunEvent.self), from: event)
        case .runControl: return try await process(try event.decode(RunControlEvent.self))
        case .recordedTrace: return try await process(try event.decode(RecordedTraceEvent.self))
        default:
            throw PermanentFailure(
                code: "unexpected-type",
                message: "\(consumerName) does not read \(event.attributes.type)"
            )
        }
    }

    // MARK: Problems

    private func process(_ problem: ProblemEvent) async throws -> Effects {
        if let known = try await ProblemStore.problem(problem.id, from: pool) {
            if let conflict = ProblemStore.conflict(of: problem, with: known) {
                throw PermanentFailure(code: "problem-id-taken", message: conflict)
            }
            // Problem and traces are written together, and what is needed later comes as an order.
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
        guard problem.isAnswered else {
            return Effects { [intake, needs] transaction in
                let state = try await intake.settledState(of: problem, otherwise: .unanswered, in: transaction)
                try await ProblemStore.insert(problem, state: state, in: transaction)
                guard state == .unanswered, let order = try await needs.answer(of: problem, in: transaction) else {
                    return
                }
                try await transaction.send([OutgoingEvent(order, source: Self.source, time: Date())])
            }
        }
        let wanted = try await needs.needs(of: problem.dataset)
        let (traces, taught) = try await teach(problem, wanted.parts, payer: wanted.payer(of: wanted.parts))
        return try effects(of: traces) { [intake, needs] transaction in
            let state = try await intake.settledState(
                of: problem,
                otherwise: taught.isEmpty ? .registered : .ingested,
                in: transaction
            )
            try await ProblemStore.insert(problem, state: state, taught: taught, in: transaction)
            guard state == .registered || state == .ingested else { return }
            let order = try await needs.missed(problem, after: wanted, taught: taught, in: transaction)
            guard let order else { return }
            try await transaction.send([OutgoingEvent(order, source: Self.source, time: Date())])
        }
    }

    /// Has the teacher work on a problem; nothing is asked where no parts are wanted.
    private func teach(
        _ problem: ProblemEvent,
        _ parts: Set<TeachingPart>,
        taught: Set<TeachingPart> = [],
        pair: TraceEvent? = nil,
        payer: String?
    ) async throws -> (traces: [TraceEvent], taught: Set<TeachingPart>) {
        guard !parts.subtracting(taught).isEmpty else { return ([], taught) }
        var ledger = ledger
        if let payer {
            ledger = ledger.charged(to: payer, budget: try await RunStore.run(payer, from: pool)?.teacherBudget)
        }
        return try await pipeline(ledger).teach(problem, parts: parts, taught: taught, pair: pair)
    }

    /// What is needed of a problem that was stored before.
    private func process(_ order: TeachingOrderEvent) async throws -> Effects {
        guard let problem = try await ProblemStore.problem(order.problemId, from: pool),
            let (state, taught) = try await ProblemStore.progress(of: order.problemId, from: pool)
        else {
            throw PermanentFailure(
                code: "unknown-problem",
                message: "there is no problem \(order.problemId), which the order \(order.id) is about"
            )
        }
        if let agreement = order.agreement {
            return state == .unanswered ? try await answer(problem, agreement, for: order) : .none
        }
        guard state == .registered || state == .ingested else { return .none }
        // A run may have ended, or spent its budget, since it was ordered.
        let wanted = try await needs.needs(of: problem.dataset)
        let missing = Set(order.parts).intersection(wanted.parts).subtracting(taught)
        guard !missing.isEmpty else { return .none }
        let payer = wanted.wants.first { $0.runID == order.runId }?.runID ?? wanted.payer(of: missing)
        var pair: TraceEvent?
        if missing.contains(.mistakes), taught.contains(.duals) {
            pair = try await TraceStore.verified(ofProblems: [problem.id], from: pool).first { $0.kind == .dual }
        }
        let (traces, done) = try await teach(problem, missing, taught: taught, pair: pair, payer: payer)
        let told = traces.filter { $0.id == pair?.id }
        let new = traces.filter { $0.id != pair?.id }
        var effects = try effects(of: new) { transaction in
            for trace in told { try await TraceStore.update(trace, in: transaction) }
            try await ProblemStore.add(done, to: problem.id, in: transaction)
        }
        // The same trace with more in it is another event.
        effects.events += try told.map {
            let id = DeterministicID.make(cause: $0.id, parts: "mistake-told")
            return try OutgoingEvent($0, id: id, source: Self.source, time: Date())
        }
        return effects
    }

    /// Asks for the answer of a problem that has none, and orders what runs need of it once it is there.
    private func answer(
        _ problem: ProblemEvent,
        _ agreement: RunAgreement,
        for order: TeachingOrderEvent
    ) async throws -> Effects {
        guard let runID = order.runId, let run = try await RunStore.run(runID, from: pool),
            try await RunStore.state(of: runID, from: pool)?.state == .active
        else { return .none }
        let vote = try await pipeline(ledger.charged(to: runID, budget: run.teacherBudget))
            .agreement(on: problem, agreement)
        logger.debug(
            "answer by agreement",
            metadata: ["problem": "\(problem.id)", "answer": "\(vote.answer ?? "none")", "votes": "\(vote.votes)"]
        )
        return Effects { [needs] transaction in
            try await ProblemStore.answer(
                problem.id,
                with: vote.answer,
                votes: vote.votes,
                agreeing: agreement.agreeing,
                answers: vote.answers,
                run: runID,
                in: transaction
            )
            guard vote.answer != nil else { return }
            let nobody = TeachingNeeds(wants: [], always: [])
            guard let next = try await needs.missed(problem, after: nobody, taught: [], in: transaction) else { return }
            try await transaction.send([OutgoingEvent(next, source: Self.source, time: Date())])
        }
    }

    // MARK: Runs

    /// What a run needs counts once a service that trains it has accepted it: whether its student is there and fits is not
    /// known here, and for a run that is refused nobody is asked, one under the id of another included.
    private func process(_ run: RunEvent, from event: ReceivedEvent) async throws -> Effects {
        let isAccepted = try await RunStore.isAccepted(
            run,
            partition: event.partition,
            offset: event.offset,
            from: pool
        )
        guard isAccepted else {
            throw Self.waiting(
                "run \(run.id) has not been accepted yet",
                wait: .milliseconds(500),
                orElse: "run-not-accepted",
                "no service that trains has accepted or refused the run \(run.id); submit it again once they run"
            )
        }
        return Effects { [needs] transaction in try await needs.enter(run, in: transaction) }
    }

    private func process(_ order: RunControlEvent) async throws -> Effects {
        guard order.action == .setTeacherBudget else { return .none }
        return Effects { [needs] transaction in
            guard try await RunStore.setTeacherBudget(order.teacherBudget, of: order.runId, in: transaction) else {
                throw PermanentFailure(code: "unknown-run", message: "there is no run \(order.runId)")
            }
            let run = try await RunStore.run(order.runId, from: transaction)
            // What was passed over while the budget was spent is asked for now.
            if let run { try await needs.enter(run, attempt: order.id, in: transaction) }
        }
    }

    /// How long a recorded trace waits for its problem, which may come on another topic at the same time, and a run for the
    /// service that accepts it.
    private static let patience = Duration.seconds(600)

    /// A wait for what comes from elsewhere; after a while the message goes to the dead letters with a code and a cure.
    private static func waiting(
        _ reason: String,
        wait: Duration,
        orElse code: String,
        _ message: String
    ) -> Postponement {
        Postponement(
            reason: reason,
            wait: wait,
            end: .init(after: patience, PermanentFailure(code: code, message: message))
        )
    }

    // MARK: Recorded traces

    private func process(_ recorded: RecordedTraceEvent) async throws -> Effects {
        guard let problem = try await ProblemStore.problem(recorded.problemId, from: pool) else {
            throw Self.waiting(
                "problem \(recorded.problemId) has not come yet",
                wait: .seconds(1),
                orElse: "unknown-problem",
                "there is no problem \(recorded.problemId), which the trace \(recorded.id) is about; submit it first"
            )
        }
        var attempt: AttemptEvent?
        if let id = recorded.attemptId {
            attempt = try await EvaluationStore.attempt(id, from: pool)
            guard attempt?.problemId == problem.id else {
                throw PermanentFailure(
                    code: "unknown-attempt",
                    message: "there is no attempt \(id) at problem \(problem.id), which the trace \(recorded.id) is "
                        + "about"
                )
            }
        }
        let trace = RecordedTraces.trace(recorded, of: problem, attempt: attempt)
        return try effects(of: [trace]) { transaction in
            guard trace.verified, let part = Self.part(of: trace) else { return }
            try await ProblemStore.add(part, to: problem.id, in: transaction)
        }
    }

    /// What the teacher need not be asked for any more.
    private static func part(of trace: TraceEvent) -> Set<TeachingPart>? {
        switch trace.body {
        case .chainOfThought: [.chains]
        case .dual(let body): body.mistakeSource == .teacher ? [.duals, .mistakes] : [.duals]
        case .template: [.templates]
        case .inspectorVerdict, .correction: nil
        }
    }

    // MARK: Attempts

    private func process(_ attempt: AttemptEvent) async throws -> Effects {
        guard !attempt.correct, needs.scope.asks else { return .none }
        // Of a run that was cancelled nothing more is taught.
        if try await RunStore.state(of: attempt.runId, from: pool)?.state == .cancelled { return .none }
        // One that comes again after its inbox row is gone may meet a teacher whose answers are not those that were paid.
        if try await TraceStore.isAnswered(attempt.id, in: pool) { return .none }
        guard let problem = try await ProblemStore.problem(attempt.problemId, from: pool) else {
            throw ProblemNotThereYet(problemID: attempt.problemId, attemptID: attempt.id)
        }
        let budget = try await RunStore.run(attempt.runId, from: pool)?.teacherBudget
        let traces = try await pipeline(ledger.charged(to: attempt.runId, budget: budget))
            .traces(of: attempt, problem: problem)
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
                label: MetricName.traces.rawValue,
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
            try await TraceStore.insert(traces, in: transaction)
        }
    }
}

/// An attempt came before its problem was written; it is tried again.
struct ProblemNotThereYet: Error, CustomStringConvertible {
    let problemID: String
    let attemptID: String

    var description: String { "problem \(problemID) of attempt \(attemptID) has not been ingested yet" }
}
