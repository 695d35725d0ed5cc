import KafkaClient

/// Asks a broker for its topics, for the checks of `/ready`; what it said is given again for a moment, so that several
/// checks, and those who ask often, cost one request.
actor BrokerContact {
    private let servers: String
    private let freshFor: Duration
    private let ask: @Sendable () async throws -> ClusterMetadata
    private var last: (answer: Task<ClusterMetadata, any Error>, askedAt: ContinuousClock.Instant)?

    /// Makes a contact that has asked nothing yet.
    ///
    /// Arguments:
    ///   - servers: where the brokers are, for the messages.
    ///   - freshFor: for how long an answer, or that there was none, is given again.
    ///   - ask: asks a broker, for no longer than a check may take.
    init(
        servers: String,
        freshFor: Duration = .seconds(1),
        ask: @escaping @Sendable () async throws -> ClusterMetadata
    ) {
        self.servers = servers
        self.freshFor = freshFor
        self.ask = ask
    }

    /// Fails where no broker answers.
    func checkBroker() async throws {
        do {
            _ = try await metadata()
        } catch {
            throw NotReady("no broker at \(servers) answers: \(error)")
        }
    }

    /// Fails where a topic is missing or cannot be used, and names it.
    func checkTopics(_ names: [String]) async throws {
        let found: ClusterMetadata
        do {
            found = try await metadata()
        } catch {
            throw NotReady("not known, as no broker answers")
        }
        let topics = Dictionary(found.topics.map { ($0.name, $0.partitions) }) { first, _ in first }
        // A topic that is being deleted, or is unknown, may be listed without partitions.
        let missing = names.filter { topics[$0, default: []].isEmpty }
        guard missing.isEmpty else {
            throw NotReady("the broker lacks \(missing.joined(separator: ", ")); `errata migrate` makes the topics")
        }
        let leaderless = names.flatMap { name in
            topics[name, default: []].filter { $0.leader < 0 }.map { "\(name)/\($0.partition)" }
        }
        guard leaderless.isEmpty else {
            throw NotReady("no broker leads \(leaderless.joined(separator: ", ")) now")
        }
    }

    private func metadata() async throws -> ClusterMetadata {
        if let last, last.askedAt.duration(to: .now) < freshFor { return try await last.answer.value }
        let answer = Task { [ask] in try await ask() }
        last = (answer: answer, askedAt: ContinuousClock.now)
        return try await answer.value
    }
}

/// Why a service is not ready.
struct NotReady: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
