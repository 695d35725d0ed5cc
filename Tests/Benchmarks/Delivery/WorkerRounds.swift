import ArgumentParser
import Foundation
import KafkaClient
import Logging
import PostgresClient
import Schemas
import ServiceRuntime

/// The worker with as little work as there can be: a message in, one row, one event out.
struct WorkerRounds: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "worker",
        abstract: "Consume, one row, one event, commit, relay: what the delivery itself costs."
    )

    @Option(help: "Messages a round.") var messages = 20_000
    @Option(help: "Rounds, each with a new broker and a new database.") var rounds = 3
    @Option(help: "Partitions of the topic.") var partitions = 16
    @Option(help: "Messages that are worked on at the same time.") var concurrency = 16
    @Option(help: "The most messages of one transaction.") var batch = 64
    @Option(help: "Connections of the pool.") var connections = 8
    @Option(help: "Fail where the median of what is committed a second is lower than this.") var atLeast: Double?
    @OptionGroup var database: DatabaseOptions

    func validate() throws {
        guard messages > 0, rounds > 0, partitions > 0, concurrency > 0, batch > 0, connections > 1 else {
            throw ValidationError("all numbers must be positive, and --connections at least 2")
        }
    }

    func run() async throws {
        var figures: [DeliveryRound.Figures] = []
        let topics = [Topic.problems.rawValue: partitions, Topic.attempts.rawValue: partitions]
        var isEmbedded = true
        for _ in 0..<rounds {
            try await database.withServer { server in
                try await server.withDatabase(connections: connections) { pool in
                    try await Broker.with(topics: topics) { broker in
                        isEmbedded = broker.isEmbedded
                        figures.append(try await round(server, pool, broker))
                    }
                }
            }
        }
        print(
            "\(messages) messages a round, \(concurrency) at a time in batches of at most \(batch) on \(connections) "
                + "connections, \(rounds) rounds"
        )
        DeliveryRound.print(figures, what: "messages", isEmbedded: isEmbedded)
        let median = figures.map(\.committed).median
        if let atLeast, !(median >= atLeast) {
            throw BenchmarkError("\(median.text(0)) messages a second, \(atLeast.text(0)) were asked for")
        }
    }

    private func round(
        _ server: BenchmarkServer,
        _ pool: PostgresPool,
        _ broker: Broker
    ) async throws -> DeliveryRound.Figures {
        try await broker.checkIsEmpty([Topic.problems.rawValue])
        try await pool.execute("CREATE TABLE effects (event_id text NOT NULL, key text NOT NULL)")
        let time = Date()
        let records = try (0..<messages).map { number in
            try OutgoingEvent(
                ProblemEvent(
                    id: "problem-\(number)",
                    dataset: "benchmark",
                    split: .train,
                    question: "Ann has \(number) pens and buys 3 more. How many has she?",
                    answer: "\(number + 3)"
                ),
                source: "/benchmark",
                time: time
            ).record()
        }
        try await broker.produce(records)
        let figures = try await DeliveryRound(
            server: server,
            pool: pool,
            broker: broker,
            processor: OneRowOneEvent(time: time, batchLimit: batch),
            messages: messages,
            concurrency: concurrency
        ).run()
        // No constraint on the table: an effect that is missing or there twice shows.
        let effects = try await pool.query("SELECT count(*) AS rows, count(DISTINCT event_id) AS events FROM effects")
        let counts = try effects.map { [try $0.get("rows", as: Int.self), try $0.get("events", as: Int.self)] }
        let sent = try await pool.value("SELECT count(*) FROM outbox WHERE published_at IS NOT NULL", as: Int.self)
        guard counts == [[messages, messages]], sent == messages else {
            throw BenchmarkError("\(counts) rows and events, \(sent) sent, where \(messages) messages came")
        }
        return figures
    }
}

/// One row and one event of each problem.
private struct OneRowOneEvent: EventProcessor {
    let time: Date
    let batchLimit: Int
    let consumerName = "benchmark"
    let topics: [Topic] = [.problems]

    func process(_ event: ReceivedEvent) async throws -> Effects {
        let problem = try event.decode(ProblemEvent.self)
        let attempt = AttemptEvent(
            id: DeterministicID.make(cause: event.id, parts: "attempt"),
            runId: "r",
            checkpointId: "c",
            problemId: problem.id,
            sample: 0,
            output: "3",
            correct: false,
            promptFormat: "plain"
        )
        return Effects(
            events: [try OutgoingEvent(attempt, source: "/benchmark", time: time)],
            changes: [EffectRow(event: event.id, key: problem.id)]
        )
    }
}

private struct EffectRow: BatchedChange {
    let event: String
    let key: String

    static func make(_ rows: [EffectRow], in transaction: PostgresTransaction) async throws {
        try await transaction.execute(
            "INSERT INTO effects (event_id, key) SELECT * FROM unnest(\(rows.map(\.event)), \(rows.map(\.key)))"
        )
    }
}
