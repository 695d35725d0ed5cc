import ArgumentParser
import Foundation
import KafkaClient
import LanguageModel
import PostgresClient
import RunTraining
import Schemas
import ServiceRuntime

/// Checks runs and sends them.
struct RunSubmission {
    let system: SystemOptions

    /// A file's run, after everything that can be checked before it is sent; prints what it will do.
    func checked(file: String, needsDatabase: Bool) async throws -> RunEvent {
        let store = try ModelStoreOptions.parse(["--state=\(system.state)"]).existingStore()
        let run = try RunFile.run(in: InputFile.read(file), place: InputFile.place(file)) { try store.resolve($0) }
        let folder: URL
        do {
            // Services elsewhere have memory of their own, and refuse what does not fit into it.
            folder = try RunCheck.check(run, store: store, memory: !SystemOptions.namesBroker())
        } catch let failure as PermanentFailure {
            throw CLIError("\(file): \(failure.message)")
        }
        for line in try await outline(run, folder: folder, needsDatabase: needsDatabase) { Terminal.out(line) }
        if SystemOptions.namesBroker() { Terminal.out("not checked: whether the trainers' machines have that memory") }
        return run
    }

    /// What a run will do, with what the database says of it; or without, and with what could then not be checked.
    private func outline(_ run: RunEvent, folder: URL, needsDatabase: Bool) async throws -> [String] {
        do {
            return try await system.withDatabase { pool in
                if let known = try await RunStore.run(run.id, from: pool), known != run { throw TakenID(id: run.id) }
                return try await RunOutline(run: run, folder: folder, pool: pool).lines()
            }
        } catch let error as TakenID {
            throw CLIError(error.description)
        } catch  where !needsDatabase {
            return try await RunOutline(run: run, folder: folder, pool: nil).lines() + [
                "not checked: whether the run's id is free, and what problems there are (\(Explanation.text(of: error)))"
            ]
        }
    }

    /// Another run has the id.
    private struct TakenID: Error, CustomStringConvertible {
        let id: String
        var description: String {
            "there is another run with the id \(id); leave the id out, or give one of its own"
        }
    }

    /// Sends a run, says so, and waits a little until it is taken up.
    ///
    /// - Returns: whether it was.
    /// - Throws: ``CLIError`` where a service refuses it, and what sending throws.
    func send(_ run: RunEvent) async throws -> Bool {
        let delivery = try await system.send(
            try OutgoingEvent.created(run, id: Self.eventID(of: run), source: "/errata/cli", time: Date())
        )
        Terminal.out("submitted run \(run.id)")
        let isTakenUp = try await system.withDatabase { pool in
            try await RunArrival.wait(for: run, delivery: delivery, in: pool)
        }
        if !isTakenUp {
            Terminal.error(
                "no service has taken the run up yet; it waits in the queue, and `errata runs wait \(run.id.prefix(8))` follows it"
            )
        }
        return isTakenUp
    }

    /// The id of the event by which a run is submitted.
    ///
    /// Its content is part of it: another run under the same id is another event, which the services refuse by name
    /// (`run-exists`).
    static func eventID(of run: RunEvent) throws -> String {
        let content = try EventCoding.encode(run)
        return DeterministicID.make(cause: run.id, parts: "submitted", String(decoding: content, as: UTF8.self))
    }
}

/// An order to a run.
struct OrderOptions: ParsableArguments {
    @OptionGroup var system: SystemOptions

    @Option(help: "Why; it is kept with the run.")
    var reason: String?

    @Argument(help: "The run's id, the beginning of it, or its name.")
    var run: String

    /// Sends an order.
    ///
    /// Arguments:
    ///   - known: the run, where it was found before.
    func send(
        _ action: RunControlEvent.Action,
        to known: RunEvent? = nil,
        round: Int? = nil,
        reason fallback: String? = nil,
        teacherBudget: RunTeacherBudget? = nil
    ) async throws {
        let run: RunEvent
        if let known {
            run = known
        } else {
            run = try await system.withDatabase { try await RunReference.find(self.run, from: $0) }
        }
        let order = RunControlEvent(
            id: UUID().uuidString.lowercased(),
            runId: run.id,
            action: action,
            round: round,
            reason: reason ?? fallback,
            by: Operator.name(),
            teacherBudget: teacherBudget
        )
        try await system.send(try OutgoingEvent.created(order, id: order.id, source: "/errata/cli", time: Date()))
        Terminal.out(
            "told the run \(run.id): \(action.rawValue); `errata runs show \(run.id.prefix(8))` shows what came of it"
        )
    }
}

extension SystemOptions {
    /// Sends one event; gives what the broker said of it.
    @discardableResult
    func send(_ event: OutgoingEvent) async throws -> DeliveryReport {
        let record = try event.record()
        return try await withProducer(to: [event.topic]) { try await $0.send(record) }
    }
}

/// Finds the run that a text means.
enum RunReference {
    /// The run of an id, the beginning of an id, or a name.
    ///
    /// Arguments:
    ///   - patience: how long a run that is not known yet may take to come.
    /// - Throws: ``CLIError`` where none or several fit, or the one of that id was refused.
    static func find(_ text: String, from pool: PostgresPool, patience: Duration = .zero) async throws -> RunEvent {
        let end = ContinuousClock.now + patience
        while true {
            do {
                return try find(text, among: try await RunStore.runs(from: pool))
            } catch let error as UnknownRun {
                guard ContinuousClock.now < end else {
                    // A refusal before that may be of an earlier delivery, and what it was about may be mended.
                    let refused = text.count >= 4 ? try await RunStore.refusedRun(text, from: pool) : nil
                    throw CLIError(
                        refused.map { "the run \($0.id) was refused: \($0.reason)" } ?? error.description
                    )
                }
                try await Task.sleep(for: .milliseconds(200))
            }
        }
    }

    /// No run has the text as its id, the beginning of it, or its name.
    private struct UnknownRun: Error, CustomStringConvertible {
        let text: String
        var description: String { "there is no run \(text); `errata runs` lists them" }
    }

    private static func find(_ text: String, among runs: [RunEvent]) throws -> RunEvent {
        if let run = runs.first(where: { $0.id == text }) { return run }
        let fitting = runs.filter { $0.name == text || text.count >= 4 && $0.id.hasPrefix(text) }
        guard let run = fitting.first else { throw UnknownRun(text: text) }
        guard fitting.count == 1 else {
            throw CLIError(
                "\(text) means \(fitting.count) runs; give an id: \(fitting.map(\.id).joined(separator: ", "))"
            )
        }
        return run
    }
}
