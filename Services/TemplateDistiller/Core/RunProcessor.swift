public import Foundation
public import LanguageModel
public import Logging
public import PostgresClient
import RunTraining
public import Schemas
public import ServiceRuntime

/// Takes up runs: writes the run with its waiting stages and publishes the untrained student as its first checkpoint; and
/// does what people tell a run.
public struct RunProcessor: EventProcessor {
    /// The sender of the events.
    public static let source = "/errata/template-distiller"

    private let pool: PostgresPool
    private let store: ModelStore
    private let logger: Logger
    private let clock: @Sendable () -> Date

    /// Creates a processor.
    public init(
        pool: PostgresPool,
        store: ModelStore,
        logger: Logger,
        clock: @escaping @Sendable () -> Date = { Date() }
    ) {
        self.pool = pool
        self.store = store
        self.logger = logger
        self.clock = clock
    }

    /// The consumer group.
    public var consumerName: String { "template-distiller" }
    /// The topics that are read.
    public var topics: [Topic] { [.runs] }

    /// Takes up a run, or does what one is told; what cannot be done goes to the dead letters with its reason.
    public func process(_ event: ReceivedEvent) async throws -> Effects {
        event.attributes.type == EventType.runControl.rawValue
            ? try await control(try event.decode(RunControlEvent.self))
            : try await takeUp(try event.decode(RunEvent.self))
    }

    private func takeUp(_ run: RunEvent) async throws -> Effects {
        let folder = try RunCheck.check(run, store: store)
        try await RunStore.isWritten(run, in: pool)
        let checkpoint = CheckpointEvent.initial(of: run, path: folder.lastPathComponent)
        let outgoing = try OutgoingEvent(checkpoint, source: Self.source, time: clock())
        return Effects(events: [outgoing]) { transaction in
            try await RunStore.insert(run, in: transaction)
            try await RunStore.insert(checkpoint, in: transaction)
        }
    }

    // MARK: What people tell a run

    private func control(_ order: RunControlEvent) async throws -> Effects {
        guard let run = try await RunStore.run(order.runId, from: pool),
            let state = try await RunStore.state(of: run.id, from: pool)
        else {
            throw PermanentFailure(code: "unknown-run", message: "runId: there is no run \(order.runId)")
        }
        let words = [order.reason, order.by.map { "by \($0)" }].compactMap { $0 }.joined(separator: ", ")
        switch order.action {
        case .cancel:
            return Effects { transaction in
                _ = try await RunStore.end(
                    run.id,
                    as: .cancelled,
                    reason: words.isEmpty ? "cancelled" : words,
                    in: transaction
                )
            }
        // TeacherIngestion, which asks the teacher, follows it.
        case .setTeacherBudget: return .none
        case .startRound:
            guard state.state == .active else { throw refused("action", "the run is \(state.state.rawValue)") }
            let rounds = try await RoundStore.rounds(of: run.id, from: pool)
            guard let plan = run.rounds else { throw refused("action", "the run has no rounds") }
            guard let last = rounds.last, last.isOver else {
                throw refused("action", "round \(rounds.last?.number ?? 1) of the run is not over")
            }
            guard last.number < plan.maximum ?? .max else {
                throw refused("action", "round \(last.number) is the run's last")
            }
            let next = try await NextRound(
                run: run,
                after: last,
                reason: words.isEmpty ? "started by hand" : words,
                from: pool
            )
            return Effects { try await next.start(in: $0) }
        case .promote, .reject: return try await override(order, run: run, words: words)
        }
    }

    private func override(_ order: RunControlEvent, run: RunEvent, words: String) async throws -> Effects {
        let verdicts = try await RoundStore.verdicts(of: run.id, from: pool)
        let round = order.round ?? verdicts.map(\.round).max()
        guard let round, let judged = verdicts.last(where: { $0.round == round }) else {
            throw refused("round", "the run has no verdict \(order.round.map { "on round \($0)" } ?? "yet")")
        }
        guard judged.candidateCheckpointId != nil else { throw refused("round", "round \(round) gave no candidate") }
        var verdict = judged
        verdict.id = DeterministicID.make(cause: order.id, parts: "verdict")
        verdict.by = .operator
        verdict.decision = order.action == .promote ? .promote : .reject
        verdict.reasons = [words.isEmpty ? "decided by hand" : words]
        let event = try OutgoingEvent(verdict, source: Self.source, time: clock())
        return Effects(events: [event]) { [verdict] in try await RoundStore.insert(verdict, in: $0) }
    }

    private func refused(_ field: String, _ reason: String) -> PermanentFailure {
        PermanentFailure(code: "refused-order", message: "\(field): \(reason)")
    }
}
