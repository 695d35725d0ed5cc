import ArgumentParser
import Foundation
import LanguageModel
import PostgresClient
import RunTraining
import Schemas
import ServiceRuntime

/// `errata gc`: takes away what is kept no longer.
struct GCCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "gc",
        abstract: "Take away what is kept no longer: old records of delivery, and models that nothing needs.",
        discussion: """
            The template-distiller does this by itself (ERRATA_RETENTION_…). Problems, runs, what a teacher wrote and was \
            paid for, attempts and scores stay. A model is needed by its name, by a run, as a champion or last candidate, \
            and by what was trained from it; name a model to keep it.
            """
    )

    @OptionGroup var system: SystemOptions

    @Option(
        help:
            "How long it is remembered that an event was worked on, longer than any topic keeps messages; 0 is for ever."
    )
    var inboxDays = RetentionKeys.inbox.defaultValue ?? 0

    @Option(
        help: "How long the bodies of published events are kept, which `errata replay` publishes again; 0 is for ever."
    )
    var outboxDays = RetentionKeys.outbox.defaultValue ?? 0

    @Option(help: "How long models are kept that nothing needs, counted from the end of their run; 0 is for ever.")
    var modelDays = RetentionKeys.models.defaultValue ?? 0

    @Flag(help: "Only say what there is.")
    var dryRun = false

    @Flag(name: .shortAndLong, help: "Do not ask.")
    var yes = false

    @Flag(help: "Print it as JSON: inboxRows, outboxBodies, rowVersions, models, leftovers.")
    var json = false

    func validate() throws {
        for (name, days) in [
            ("--inbox-days", inboxDays), ("--outbox-days", outboxDays), ("--model-days", modelDays),
        ] where !(0...36_500).contains(days) {
            throw ValidationError("\(name) must be 0 to 36500, is \(days)")
        }
    }

    func run() async throws {
        let policy = RetentionPolicy(inboxDays: inboxDays, outboxDays: outboxDays, modelDays: modelDays)
        try await system.withDatabase { pool in
            let store = try models()
            let retention = Retention(pool: pool, store: store, policy: policy)
            let found = try await retention.look()
            try show(found, store)
            guard !dryRun, !found.isEmpty else { return }
            try Confirmation.ask("take this away for good. Go on?", yes: yes)
            let holder = "errata gc@\(ProcessInfo.processInfo.hostName)/\(UUID().uuidString)"
            guard let lease = try await JobLease.acquire(Retention.leaseName, holder: holder, from: pool) else {
                throw CLIError("another process collects just now; look again when it is done")
            }
            let logger = LastWords().logger
            let removed = try await lease.hold(in: pool, logger: logger) { try await retention.collect(logger: logger) }
            Terminal.error(
                "took away \(removed.inboxRows) inbox rows, \(removed.outboxBodies) event bodies, "
                    + "\(removed.rowVersions) replaced versions, \(removed.models.count) models and "
                    + "\(removed.leftovers.count) leftovers"
            )
        }
    }

    /// The store of the same system as the database; nil where there is none, or it is not known to be that one.
    ///
    /// The runs of another system need none of the models of this one: they would all be taken away.
    func models(
        environment: [String: String] = ProcessInfo.processInfo.environment,
        tell: (String) -> Void = Terminal.error
    ) throws -> ModelStore? {
        let namesStore = environment["ERRATA_MODEL_STORE"].map { !$0.isEmpty } ?? false
        guard SystemOptions.namesDatabase(environment) == namesStore else {
            let (set, unset) =
                namesStore
                ? ("ERRATA_MODEL_STORE", "ERRATA_POSTGRES_URL") : ("ERRATA_POSTGRES_URL", "ERRATA_MODEL_STORE")
            tell(
                "models are left alone: \(set) is set and \(unset) is not, and models must be judged by their own system's "
                    + "runs; set both, or neither for the system of --state"
            )
            return nil
        }
        let models = try ModelStoreOptions.parse(["--state=\(system.state)"])
        guard FileManager.default.fileExists(atPath: models.folder(environment: environment).path) else { return nil }
        return try ModelStore(root: models.folder(environment: environment))
    }

    private func show(_ found: Retention.Removed, _ store: ModelStore?) throws {
        guard !json else {
            Terminal.out(String(decoding: try EventCoding.encodeJSON(found), as: UTF8.self))
            return
        }
        var table = TextTable([("what", .left), ("kept for", .left), ("to go", .right)])
        func life(_ days: Double) -> String {
            days > 0 ? "\(days == days.rounded() ? String(Int(days)) : String(days)) days" : "ever"
        }
        table.add(["inbox rows", life(inboxDays), String(found.inboxRows)])
        table.add(["bodies of published events", life(outboxDays), String(found.outboxBodies)])
        table.add(["replaced versions of rows", "stages in training", String(found.rowVersions)])
        table.add(["models that nothing needs", life(modelDays), String(found.models.count)])
        table.add(["leftovers of killed processes", "1 day", String(found.leftovers.count)])
        Terminal.out(table.rendered())
        for hash in found.models { Terminal.out("  model \(hash)") }
        if let store { Terminal.out("the model store takes \(ByteCount.text(store.size()))") }
    }
}
