import Foundation
import KafkaClient
import Logging
import PostgresClient
import Schemas
import ServiceLifecycle
import ServiceRuntime

/// One round: messages that lie on a topic go through a worker and a relay.
struct DeliveryRound {
    let server: BenchmarkServer
    let pool: PostgresPool
    let broker: Broker
    let processor: any EventProcessor
    let messages: Int
    let concurrency: Int

    /// What came of a round.
    struct Figures {
        /// Messages a second until the last one's effects were committed.
        let committed: Double
        /// Messages a second until the last event was on its topic.
        let published: Double
        /// Microseconds of processor time a message: this process, PostgreSQL.
        let processor: (own: Double, server: Double?)
        let sums: StageProbe.Sums
    }

    /// Runs worker and relay until all is published.
    func run() async throws -> Figures {
        let probe = StageProbe()
        let producer = try KafkaProducer(broker.configuration, logger: .quiet)
        let worker = EffectsWorker(
            processor: ProbedProcessor(inner: processor, probe: probe),
            pool: pool,
            kafka: broker.configuration,
            logger: .quiet,
            concurrency: concurrency
        )
        let relay = OutboxRelay(pool: pool, producer: producer, logger: .quiet)
        let services: [any Service] = [producer, relay, worker]
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(services: services.map { .init(service: $0) }, logger: .quiet)
        )
        try await server.resetStatements(pool)
        let before = ProcessorTime(postmaster: server.postmaster)
        return try await withThrowingTaskGroup(of: Void.self) { tasks in
            tasks.addTask { try await group.run() }
            do {
                try await wait("messages to be worked on") { probe.now.messages >= messages }
                // A transaction may yet be rolled back: what counts is what is there.
                try await wait("effects to be committed") { try await count("inbox") >= messages }
                let committed = ContinuousClock.now
                try await wait("events to be published") { try await isPublished() }
                let published = ContinuousClock.now
                let after = ProcessorTime(postmaster: server.postmaster)
                try await server.printStatements(pool, messages: messages)
                await group.triggerGracefulShutdown()
                try await tasks.waitForAll()
                let sums = probe.now
                guard let start = sums.start else { throw BenchmarkError("no message was worked on") }
                return Figures(
                    committed: Double(messages) / (start.duration(to: committed) / .seconds(1)),
                    published: Double(messages) / (start.duration(to: published) / .seconds(1)),
                    processor: after.microseconds(since: before, messages: messages),
                    sums: sums
                )
            } catch {
                tasks.cancelAll()
                throw error
            }
        }
    }

    func count(_ table: String) async throws -> Int {
        try await pool.value("SELECT count(*) FROM \(identifier: table)", as: Int.self)
    }

    private func isPublished() async throws -> Bool {
        try await pool.value(
            "SELECT NOT EXISTS (SELECT 1 FROM outbox WHERE published_at IS NULL AND refused_at IS NULL)",
            as: Bool.self
        )
    }

    private func wait(_ what: String, _ condition: () async throws -> Bool) async throws {
        let deadline = ContinuousClock.now + .seconds(600)
        while try await !condition() {
            guard ContinuousClock.now < deadline else { throw BenchmarkError("waited 600 s for \(what)") }
            try await Task.sleep(for: .milliseconds(5))
        }
    }

    /// Prints the rates of rounds, and where the time of the last one went.
    static func print(_ rounds: [Figures], what: String, isEmbedded: Bool) {
        var table = Table("\(what) a second", "median", "worst")
        for (name, rates) in [
            ("committed", rounds.map(\.committed)), ("published, the last event on its topic", rounds.map(\.published)),
        ] {
            table.add(name, rates.median.text(0), (rates.min() ?? .nan).text(0))
        }
        table.print()
        guard let last = rounds.last else { return }
        func mean(_ sum: Duration) -> Double { 1e6 * (sum / .seconds(1)) / Double(max(1, last.sums.messages)) }
        // By the clock, waits included: of a batch each message waits for the others.
        var stages = Table("stage of a message in the last round", "us")
        for (name, time) in [
            ("processing", last.sums.processing), ("connection, BEGIN, inbox, rows of all", last.sums.opening),
            ("rows of its own", last.sums.applying),
        ] {
            stages.add(name, mean(time).text(0))
        }
        stages.print()
        Swift.print(
            "processor time a message: \(last.processor.own.text(0)) us in this process"
                + (isEmbedded ? ", the broker's included" : "")
                + (last.processor.server.map { ", \($0.text(0)) us in PostgreSQL" } ?? "")
        )
    }
}
