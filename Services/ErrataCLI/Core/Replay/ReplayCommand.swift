import ArgumentParser
import Foundation
import PostgresClient
import Schemas
import ServiceRuntime

/// `errata replay`: publishes again what the broker has lost.
struct ReplayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay",
        abstract: "Publish again from the database what the broker has lost: a topic wiped, or its retention passed.",
        discussion: """
            Events of Errata's own go out again under their ids and with their bodies, in the order in which they were \
            written. So do the problems and runs that are stored, under the ids that `errata submit` and `errata runs submit` \
            give them. Consumers recognise what they have by ce_source and ce_id. A running service's relay publishes; \
            `errata status` shows how many events are left. What a user's own producer sent and no service has stored yet is \
            not in the database.
            """
    )

    @OptionGroup var system: SystemOptions

    @Option(help: "Only this topic: problems, runs, traces, or a topic's whole name; it may be given several times.")
    var topic: [String] = []

    @Option(help: "Only events with this key: a problem's id, or a run's.")
    var key: String?

    @Option(
        help:
            "Only what was written since then: 2026-01-31T12:00:00Z, 2026-01-31 (UTC), or so long ago: 90s, 30m, 2h, 7d."
    )
    var since: Moment?

    @Option(help: "Only what was written before then, said in the same way.")
    var until: Moment?

    @Flag(help: "Only say how many there are, by topic.")
    var dryRun = false

    @Flag(name: .shortAndLong, help: "Do not ask.")
    var yes = false

    @Flag(help: "The counts as JSON lines: topic, published, stored.")
    var json = false

    func validate() throws {
        for name in topic where Topic(rawValue: TopicName.full(name)) == nil {
            let known = Topic.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("--topic '\(name)' is none of Errata's: \(known)")
        }
        if let since, let until, since.date >= until.date {
            throw ValidationError("--since must be earlier than --until")
        }
    }

    /// The chosen topics; all where none is named.
    private var topics: [Topic] {
        topic.isEmpty ? Topic.allCases : topic.compactMap { Topic(rawValue: TopicName.full($0)) }
    }

    func run() async throws {
        let filter = PublishedFilter(
            topics: topics.map(\.rawValue),
            key: key,
            since: since?.date,
            until: until?.date
        )
        try await system.withDatabase { pool in
            let stored = StoredEvents(topics: Set(topics), filter: filter, pool: pool)
            let published = try await Republishing.counts(filter, from: pool)
            let missing = try await stored.counts()
            let lines = topics.map { topic in
                ReplayLine(
                    topic: topic.rawValue,
                    published: published.first { $0.topic == topic.rawValue }?.count ?? 0,
                    stored: missing[topic] ?? 0
                )
            }.filter { $0.published + $0.stored > 0 }
            if json {
                for line in lines { Terminal.out(String(decoding: try EventCoding.encodeJSON(line), as: UTF8.self)) }
            } else {
                Terminal.out(ReplayLine.table(of: lines))
            }
            let sum = lines.reduce(0) { $0 + $1.published + $1.stored }
            guard !dryRun, sum > 0 else { return }
            try Confirmation.ask("publish again: \(sum) events. Go on?", yes: yes)
            // First what was published, so that what is added is not counted among it.
            let again = try await Republishing.start(filter, in: pool)
            let added = try await stored.send()
            Terminal.error("\(again + added) events wait for a relay; `errata status` shows how many are left")
        }
    }
}

/// What there is of a topic.
struct ReplayLine: Sendable, Hashable, Encodable {
    let topic: String
    /// Events of the outbox that were published.
    let published: Int
    /// Problems or runs whose events are not in the outbox.
    let stored: Int

    static func table(of lines: [ReplayLine]) -> String {
        guard !lines.isEmpty else { return "nothing to publish again" }
        var table = TextTable([("topic", .left), ("published before", .right), ("stored, sent by others", .right)])
        for line in lines { table.add([line.topic, String(line.published), String(line.stored)]) }
        return table.rendered()
    }
}
