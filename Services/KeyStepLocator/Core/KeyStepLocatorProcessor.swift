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

    /// Traces that were recorded elsewhere come again once they are verified.
    public func reads(_ type: EventType) -> Bool { type == .trace || type == .run }

    /// Works out what comes of an event.
    public func process(_ event: ReceivedEvent) async throws -> Effects {
        switch event.topic {
        case .traces: return try await process(try event.decode(TraceEvent.self))
        case .runs where event.attributes.type == EventType.run.rawValue:
            return try await process(try event.decode(RunEvent.self))
        case .runs: return .none
        default:
            throw PermanentFailure(
                code: "unexpected-topic",
                message: "\(consumerName) reads traces and runs, not \(event.topic.rawValue)"
            )
        }
    }

    // MARK: Traces

    private func process(_ trace: TraceEvent) async throws -> Effects {
        switch trace.body {
        case .dual(let dual) where trace.verified: return try await locate([(trace, dual)], of: trace) { _ in true }
        // A pair that came before its template is not written as one until it is there.
        case .template where trace.verified:
            let traces = try await TraceStore.verified(ofProblems: [trace.problemId], from: pool)
            return try await locate(
                traces.compactMap { trace in
                    if case .dual(let dual) = trace.body { (trace, dual) } else { nil }
                },
                of: trace,
                in: \.isOfTemplates
            )
        default: return .none
        }
    }

    /// Locates the key steps of pairs of one problem, in those forms over words and of runs that are wanted.
    private func locate(
        _ pairs: [(TraceEvent, DualBody)],
        of trace: TraceEvent,
        in isWanted: (KeyStepWriter) -> Bool
    ) async throws -> Effects {
        guard !pairs.isEmpty else { return .none }
        guard let problem = try await ProblemStore.problem(trace.problemId, from: pool) else {
            // Problem and trace are written together, before the trace is sent.
            throw StillMissing(what: "problem \(trace.problemId)", of: "trace \(trace.id)")
        }
        let words = KeyStepWriter(tokens: .words, options: KeyStepOptions())
        var keySteps =
            isWanted(words) ? try pairs.map { try words.event(trace: $0, right: $1.right, wrong: $1.wrong) } : []
        let template = try await TraceStore.template(of: problem.id, from: pool)
        for run in try await RunStore.runs(active: true, from: pool) where run.learnedDatasets.contains(problem.dataset)
        {
            for writer in await writers(for: run) where isWanted(writer) {
                for (trace, dual) in pairs {
                    let event = try writer.event(
                        trace: trace,
                        dual: dual,
                        answer: problem.answer,
                        template: template?.body
                    )
                    if let event { keySteps.append(event) }
                }
            }
        }
        return try await effects(keySteps)
    }

    /// A run whose student cannot be read does not hold up the traces: its own event waits until it can, and then fills
    /// back what was passed over.
    private func writers(for run: RunEvent) async -> [KeyStepWriter] {
        do {
            return try await makeWriters(for: run)
        } catch {
            logger.warning(
                "key steps for this run are left to its back-fill",
                metadata: ["run": "\(run.id)", "model": "\(run.student.modelHash)", "error": "\(error)"]
            )
            return []
        }
    }

    // MARK: Runs

    private func process(_ run: RunEvent) async throws -> Effects {
        try tokenizers.check(run)
        let writers = try await makeWriters(for: run)
        guard !writers.isEmpty else {
            return Effects { transaction in try await RunStore.insert(run, in: transaction) }
        }
        try await pool.withTransaction { transaction in try await RunStore.insert(run, in: transaction) }
        let duals = try await TraceStore.verified(.dual, datasets: run.learnedDatasets, from: pool)
        let templates = try await TraceStore.verified(.template, datasets: run.learnedDatasets, from: pool)
        let problems = try await ProblemStore.problems(ids: Array(Set(duals.map(\.problemId))), from: pool)
        let answers = Dictionary(problems.map { ($0.id, $0.answer) }) { first, _ in first }
        let templateOfProblem = Dictionary(templates.map { ($0.problemId, $0.body) }) { first, _ in first }
        var keySteps: [KeyStepsEvent] = []
        for trace in duals {
            guard case .dual(let dual) = trace.body, let answer = answers[trace.problemId] else { continue }
            try Task.checkCancellation()
            for writer in writers {
                let template = templateOfProblem[trace.problemId]
                let event = try writer.event(trace: trace, dual: dual, answer: answer, template: template)
                if let event { keySteps.append(event) }
            }
        }
        logger.info(
            "key steps filled back",
            metadata: ["run": "\(run.id)", "pairs": "\(duals.count)", "located": "\(keySteps.count)"]
        )
        return try await effects(keySteps)
    }

    /// One writer a form that the run's stages on key steps ask for.
    private func makeWriters(for run: RunEvent) async throws -> [KeyStepWriter] {
        let methods = run.stages.compactMap(\.keySteps)
        guard !methods.isEmpty else { return [] }
        let tokenizer = try await tokenizers.tokenizer(of: run.student)
        guard tokenizer.fingerprint == run.student.tokenizerFingerprint else {
            throw PermanentFailure(
                code: "tokenizer-mismatch",
                message:
                    "model \(run.student.modelHash) has tokenizer \(tokenizer.fingerprint), but run \(run.id) names "
                    + "\(run.student.tokenizerFingerprint)"
            )
        }
        var writers: [KeyStepForm: KeyStepWriter] = [:]
        do {
            for method in methods {
                let form = KeyStepForm(method, of: run)
                guard writers[form] == nil else { continue }
                writers[form] = KeyStepWriter(
                    tokens: .student(tokenizer),
                    options: try method.keyStepOptions(seed: run.seed),
                    format: form.format
                )
            }
        } catch let error as DistillationError {
            throw PermanentFailure(code: "unknown-tie-rule", message: "run \(run.id): \(error)")
        }
        return writers.sorted { $0.key.format < $1.key.format }.map(\.value)
    }

    // MARK: Effects

    /// What is located already stays as it is: its spans do not depend on the run, and trainers make their own weights.
    private func effects(_ keySteps: [KeyStepsEvent]) async throws -> Effects {
        let traces = Array(Set(keySteps.map(\.traceId)))
        let rows = try await pool.query(
            "SELECT trace_id, tokenizer, tie_rule, format FROM key_steps WHERE trace_id = ANY(\(traces))"
        )
        var seen = Set(
            try rows.map { row in
                try [
                    row.get("trace_id", as: String.self), row.get("tokenizer"), row.get("tie_rule"), row.get("format"),
                ]
            }
        )
        let new = keySteps.filter { seen.insert([$0.traceId, $0.tokenizer, $0.tieRule, $0.format ?? ""]).inserted }
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
                label: MetricName.keySteps.rawValue,
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
