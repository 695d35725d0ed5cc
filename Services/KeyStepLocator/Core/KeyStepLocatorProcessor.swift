public import Logging
public import PostgresClient
public import Schemas
import ServiceLifecycle
public import ServiceRuntime

/// Locates the key steps of every verified dual trace: over words, for anyone, and over the tokens of each student that
/// a run asks for.
///
/// A run is worked on once the service that takes runs up has accepted it, so that none is left behind of one that is
/// refused there. It is visible by then, and its back-fill is read after that. A trace that arrives meanwhile is thus seen by
/// the back-fill, by its own event, or by both; ids are the same, so both is no harm.
public struct KeyStepLocatorProcessor: EventProcessor {
    /// The sender of the events.
    public static let source = "/errata/key-step-locator"

    /// The consumer group.
    public let consumerName = "key-step-locator"
    /// The topics: traces and runs.
    public let topics: [Topic] = [.traces, .runs]

    private let pool: PostgresPool
    private let tokenizers: any StudentTokenizers
    private let runs: RunWriters
    private let logger: Logger
    private let words = KeyStepWriter.words
    /// How many pairs are filled back at a time.
    private let piece: Int
    /// What was read for the events of a batch.
    private var read = Read()

    private struct Read {
        /// Where an event stands on the topic of traces.
        struct Place: Hashable {
            let partition: Int32
            let offset: Int64

            init(_ event: ReceivedEvent) { (partition, offset) = (event.partition, event.offset) }
        }

        /// The traces of events.
        var traces: [Place: TraceEvent] = [:]
        /// What their pairs depend on; nil where nothing was read.
        var context: TraceStore.PairContext?
    }

    /// Creates a processor that takes the students' tokenizers from `tokenizers`.
    ///
    /// Arguments:
    ///   - piece: how many pairs of a run are filled back at a time, some 50 KB each.
    public init(pool: PostgresPool, tokenizers: any StudentTokenizers, piece: Int = 200, logger: Logger) {
        self.pool = pool
        self.piece = piece
        self.tokenizers = tokenizers
        self.logger = logger
        runs = RunWriters(pool: pool, tokenizers: tokenizers, logger: logger)
    }

    /// Traces that were recorded elsewhere come again once they are verified.
    public func reads(_ type: EventType) -> Bool { type == .trace || type == .run }

    /// Of a trace come rows and events in some milliseconds, and a run's traces come by the thousand.
    public var batchLimit: Int { 32 }

    /// A run has all traces that are there worked on.
    public func isBatched(_ type: EventType) -> Bool { type == .trace }

    /// Reads what the pairs of a batch depend on.
    public func prepared(for events: [ReceivedEvent]) async throws -> KeyStepLocatorProcessor {
        var prepared = self
        for event in events where event.attributes.type == EventType.trace.rawValue {
            // One that cannot be read says so when it is worked on.
            prepared.read.traces[Read.Place(event)] = try? event.decode(TraceEvent.self)
        }
        let pairs = prepared.read.traces.values.filter { $0.verified && $0.body.kind == .dual }
        guard !pairs.isEmpty else { return prepared }
        prepared.read.context = try await TraceStore.pairContext(
            problems: pairs.map(\.problemId),
            traces: pairs.map(\.id),
            from: pool
        )
        return prepared
    }

    /// Works out what comes of an event.
    public func process(_ event: ReceivedEvent) async throws -> Effects {
        switch event.topic {
        case .traces: return try await process(try read.traces[Read.Place(event)] ?? event.decode(TraceEvent.self))
        case .runs where event.attributes.type == EventType.run.rawValue:
            return try await process(try event.decode(RunEvent.self), from: event)
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
        case .dual(let dual) where trace.verified:
            return try await locate([(trace, dual)], of: trace, context: read.context) { _ in true }
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
        context: TraceStore.PairContext? = nil,
        in isWanted: (KeyStepWriter) -> Bool
    ) async throws -> Effects {
        guard !pairs.isEmpty else { return .none }
        var context = context
        if context == nil {
            context = try await TraceStore.pairContext(
                problems: [trace.problemId],
                traces: pairs.map(\.0.id),
                from: pool
            )
        }
        guard let context, let problem = context.problems[trace.problemId] else {
            // Problem and trace are written together, before the trace is sent.
            throw StillMissing(what: "problem \(trace.problemId)", of: "trace \(trace.id)")
        }
        let writers =
            try await [words]
            + runs.wanted(by: context.activeRuns).filter { $0.datasets.contains(problem.dataset) }.flatMap(\.writers)
        let wanted = writers.filter(isWanted)
        let template = wanted.contains(where: \.isOfTemplates) ? try problem.template() : nil
        var new = NewKeySteps(located: context.located)
        for writer in wanted {
            for (trace, dual) in pairs {
                new.add(
                    writer,
                    trace: trace,
                    dual: dual,
                    answer: problem.answer,
                    template: template?.body
                )
            }
        }
        return try new.effects()
    }

    // MARK: Runs

    private func process(_ run: RunEvent, from event: ReceivedEvent) async throws -> Effects {
        try tokenizers.check(run)
        let isAccepted = try await RunStore.isAccepted(
            run,
            partition: event.partition,
            offset: event.offset,
            from: pool
        )
        // However long that takes: a run that is accepted has its key steps.
        guard isAccepted else {
            throw Postponement(reason: "run \(run.id) has not been accepted yet", wait: .milliseconds(500))
        }
        let writers = try await runs.make(for: run)
        guard !writers.isEmpty else { return .none }
        return try await fillBack(run, writers)
    }

    /// Locates the key steps of the pairs that are there, in pieces of which each is in a transaction of its own but for the
    /// last, which is in the message's.
    ///
    /// So there is only one piece in memory, however many pairs there are, and what was located before a process ends is not
    /// located again.
    private func fillBack(_ run: RunEvent, _ writers: [KeyStepWriter]) async throws -> Effects {
        var (pairs, located) = (0, 0)
        var last = ""
        while true {
            try Task.checkCancellation()
            if Task.isShuttingDownGracefully {
                throw Postponement(reason: "the service stops while it fills back run \(run.id)", wait: .zero)
            }
            let duals = try await TraceStore.verified(
                .dual,
                datasets: run.learnedDatasets,
                after: last,
                limit: piece,
                from: pool
            )
            let new = try await newKeySteps(of: duals, writers)
            let effects = try new.effects()
            pairs += duals.count
            located += new.count
            guard duals.count == piece, let end = duals.last?.id else {
                logger.info(
                    "key steps filled back",
                    metadata: ["run": "\(run.id)", "pairs": "\(pairs)", "located": "\(located)"]
                )
                return effects
            }
            try await pool.withTransaction { transaction in
                try await effects.apply(transaction)
                try await transaction.send(effects.events)
            }
            last = end
        }
    }

    /// The key steps that some pairs lack.
    private func newKeySteps(of pairs: [TraceEvent], _ writers: [KeyStepWriter]) async throws -> NewKeySteps {
        let context = try await TraceStore.pairContext(
            problems: Array(Set(pairs.map(\.problemId))),
            traces: pairs.map(\.id),
            from: pool
        )
        let needsTemplates = writers.contains(where: \.isOfTemplates)
        var new = NewKeySteps(located: context.located)
        for trace in pairs {
            guard case .dual(let dual) = trace.body, let problem = context.problems[trace.problemId] else { continue }
            try Task.checkCancellation()
            let template = needsTemplates ? try problem.template() : nil
            for writer in writers {
                new.add(writer, trace: trace, dual: dual, answer: problem.answer, template: template?.body)
            }
        }
        return new
    }
}

/// Something that an earlier message brings has not arrived yet; the message is tried again.
struct StillMissing: Error, CustomStringConvertible {
    let what: String
    let of: String

    var description: String { "\(what) of \(of) has not arrived yet" }
}
