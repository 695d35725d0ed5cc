import Distillation
import Foundation
public import Logging
import Metrics
public import PostgresClient
import Reasoning
public import Schemas
public import ServiceRuntime
import Tokenization

/// Locates the key steps of every verified dual trace: over words, for anyone, and over the tokens of each student that
/// a run asks for.
///
/// A run is made visible first and its back-fill read after that. A trace that arrives meanwhile is thus seen by the
/// back-fill, by its own event, or by both; ids are the same, so both is no harm.
public struct KeyStepLocatorProcessor: EventProcessor {
    /// The sender of the events.
    public static let source = "/errata/key-step-locator"

    /// The consumer group.
    public let consumerName = "key-step-locator"
    /// The topics: traces and runs.
    public let topics: [Topic] = [.traces, .runs]

    private let pool: PostgresPool
    private let tokenizers: any StudentTokenizers
    private let logger: Logger

    /// Creates a processor that takes the students' tokenizers from `tokenizers`.
    public init(pool: PostgresPool, tokenizers: any StudentTokenizers, logger: Logger) {
        self.pool = pool
        self.tokenizers = tokenizers
        self.logger = logger
    }

    /// Works out what comes of an event.
    public func process(_ event: ReceivedEvent) async throws -> Effects {
        switch event.topic {
        case .traces: return try await process(try event.decode(TraceEvent.self))
        case .runs: return try await process(try event.decode(RunEvent.self))
        default:
            throw PermanentFailure(
                code: "unexpected-topic",
                message: "\(consumerName) reads traces and runs, not \(event.topic.rawValue)"
            )
        }
    }

    // MARK: Traces

    private func process(_ trace: TraceEvent) async throws -> Effects {
        guard trace.verified, case .dual(let dual) = trace.body else { return .none }
        guard let problem = try await ProblemStore.problem(trace.problemId, from: pool) else {
            // Problem and trace are written together, before the trace is sent.
            throw StillMissing(what: "problem \(trace.problemId)", of: "trace \(trace.id)")
        }
        var keySteps = [
            try KeyStepWriter(tokens: .words, options: KeyStepOptions())
                .event(trace: trace, right: dual.right, wrong: dual.wrong)
        ]
        let template = try await TraceStore.template(of: problem.id, from: pool)
        for run in try await RunStore.runs(from: pool) where run.dataset == problem.dataset && run.stages.krsl != nil {
            guard let writer = await writer(for: run) else { continue }
            if let event = try writer.event(trace: trace, dual: dual, template: template?.body) {
                keySteps.append(event)
            }
        }
        return try await effects(keySteps)
    }

    /// A run whose student cannot be read does not hold up the traces: its own event waits until it can, and then fills
    /// back what was passed over.
    private func writer(for run: RunEvent) async -> KeyStepWriter? {
        do {
            return try await makeWriter(for: run)
        } catch {
            logger.warning(
                "key steps for this run are left to its back-fill",
                metadata: ["run": "\(run.id)", "model": "\(run.student.modelHash)", "error": "\(error)"]
            )
            return nil
        }
    }

    // MARK: Runs

    private func process(_ run: RunEvent) async throws -> Effects {
        guard run.stages.krsl != nil else {
            return Effects { transaction in try await RunStore.insert(run, in: transaction) }
        }
        let writer = try await makeWriter(for: run)
        try await pool.withTransaction { transaction in try await RunStore.insert(run, in: transaction) }
        let duals = try await TraceStore.verified(.dual, dataset: run.dataset, from: pool)
        let templates = try await TraceStore.verified(.template, dataset: run.dataset, from: pool)
        let templateOfProblem = Dictionary(templates.map { ($0.problemId, $0.body) }) { first, _ in first }
        var keySteps: [KeyStepsEvent] = []
        for trace in duals {
            guard case .dual(let dual) = trace.body else { continue }
            try Task.checkCancellation()
            if let event = try writer.event(trace: trace, dual: dual, template: templateOfProblem[trace.problemId]) {
                keySteps.append(event)
            }
        }
        logger.info(
            "key steps filled back",
            metadata: ["run": "\(run.id)", "pairs": "\(duals.count)", "located": "\(keySteps.count)"]
        )
        return try await effects(keySteps)
    }

    private func makeWriter(for run: RunEvent) async throws -> KeyStepWriter {
        let tokenizer = try await tokenizers.tokenizer(of: run.student)
        guard tokenizer.fingerprint == run.student.tokenizerFingerprint else {
            throw PermanentFailure(
                code: "tokenizer-mismatch",
                message:
                    "model \(run.student.modelHash) has tokenizer \(tokenizer.fingerprint), but run \(run.id) names "
                    + "\(run.student.tokenizerFingerprint)"
            )
        }
        do {
            let stage = run.stages.krsl ?? KeyStepStage()
            return KeyStepWriter(tokens: .student(tokenizer), options: try stage.keyStepOptions(seed: run.seed))
        } catch let error as DistillationError {
            throw PermanentFailure(code: "unknown-tie-rule", message: "run \(run.id): \(error)")
        }
    }

    // MARK: Effects

    /// What is located already stays as it is: its spans do not depend on the run, and trainers make their own weights.
    private func effects(_ keySteps: [KeyStepsEvent]) async throws -> Effects {
        let traces = Array(Set(keySteps.map(\.traceId)))
        let rows = try await pool.query(
            "SELECT trace_id, tokenizer, tie_rule FROM key_steps WHERE trace_id = ANY(\(traces))"
        )
        var seen = Set(
            try rows.map { row in
                try [row.get("trace_id", as: String.self), row.get("tokenizer"), row.get("tie_rule")]
            }
        )
        let new = keySteps.filter { seen.insert([$0.traceId, $0.tokenizer, $0.tieRule]).inserted }
        let time = Date()
        let events = try new.map { keySteps in
            do {
                return try OutgoingEvent(keySteps, source: Self.source, time: time)
            } catch let error as SchemasError {
                throw PermanentFailure(code: error.code.rawValue, message: error.message)
            }
        }
        for event in new {
            Counter(
                label: "errata_key_steps_total",
                dimensions: [("tokens", event.tokenizer == KeyStepsEvent.wordTokenizer ? "words" : "student")]
            ).increment()
        }
        return Effects(events: events) { transaction in
            for event in new { try await TraceStore.insert(event, in: transaction) }
        }
    }
}

/// Something that an earlier message brings has not arrived yet; the message is tried again.
struct StillMissing: Error, CustomStringConvertible {
    let what: String
    let of: String

    var description: String { "\(what) of \(of) has not arrived yet" }
}
