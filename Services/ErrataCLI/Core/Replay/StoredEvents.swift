import Foundation
import PostgresClient
import Schemas
import ServiceRuntime

/// The problems and runs that are stored as the events that users submit, as far as the outbox has them not.
struct StoredEvents {
    /// The events that are made at a time.
    private static let page = 500

    let topics: Set<Topic>
    let filter: PublishedFilter
    let pool: PostgresPool

    /// How many there are, by topic.
    func counts() async throws -> [Topic: Int] {
        var counts: [Topic: Int] = [:]
        try await forEachPage { events in
            for event in events { counts[event.topic, default: 0] += 1 }
        }
        return counts
    }

    /// Hands them to the relay.
    ///
    /// - Returns: how many.
    func send() async throws -> Int {
        var count = 0
        try await forEachPage { events in
            try await pool.withTransaction { try await Republishing.send(events, in: $0) }
            count += events.count
        }
        return count
    }

    private func forEachPage(_ body: ([OutgoingEvent]) async throws -> Void) async throws {
        if topics.contains(.problems) {
            var last = ""
            while true {
                let problems = try await ProblemStore.sent(
                    id: filter.key,
                    since: filter.since,
                    until: filter.until,
                    after: last,
                    limit: Self.page,
                    from: pool
                )
                try await body(missing(problems.compactMap { event(of: $0) { try ProblemLines.eventID(of: $0) } }))
                guard problems.count == Self.page, let end = problems.last else { break }
                last = end.payload.id
            }
        }
        if topics.contains(.runs) {
            let runs = try await RunStore.sent(id: filter.key, since: filter.since, until: filter.until, from: pool)
            try await body(missing(runs.compactMap { event(of: $0) { try RunSubmission.eventID(of: $0) } }))
        }
    }

    /// The event of what is stored; nil, with a word to the user, where this version refuses it.
    private func event<Payload: EventPayload>(
        of sent: SentEvent<Payload>,
        _ id: (Payload) throws -> String
    ) -> OutgoingEvent? {
        let payload = sent.payload
        do {
            // It goes on in the trace that it came in.
            return try OutgoingEvent(
                payload,
                id: id(payload),
                source: "/errata/cli",
                time: Date(),
                trace: sent.trace ?? TraceContext.current
            )
        } catch {
            Terminal.error("\(payload.id) is left out: \(error)")
            return nil
        }
    }

    private func missing(_ events: [OutgoingEvent]) async throws -> [OutgoingEvent] {
        let known = try await Republishing.known(events.map(\.attributes.id), from: pool)
        return events.filter { !known.contains($0.attributes.id) }
    }
}
