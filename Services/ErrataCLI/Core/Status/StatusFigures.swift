import KafkaClient
import LanguageModel
import PostgresClient
import Schemas
import ServiceRuntime

/// What `errata status` tells of the database.
struct StatusFigures: Sendable {
    let counts: PipelineCounts
    let ledger: LedgerSummary
    let system: SystemFigures
    let letters: [DeadLetters.Cause]
    let waiting: [StageWaiting.Reason]
    let evaluations: [EvaluationJobStore.Job]
    /// Messages that wait off their topics as they held others up, and those of them that have waited longest.
    let parkedCount: Int
    let parked: [ParkedMessages.Entry]
    /// Messages that were stored when they came and are not worked off, and what most of them wait for.
    let storedCount: Int
    let stored: [ParkedMessages.Arrivals]

    /// Bytes of the model store; nil where there is none here.
    let modelBytes: Int?

    /// Reads the figures of a database, and of the models that lie beside it.
    static func read(from pool: PostgresPool, models: ModelStore? = nil) async throws -> StatusFigures {
        let stored = try await ParkedMessages.arrivals(limit: 5, from: pool)
        return StatusFigures(
            counts: try await PipelineCounts.read(from: pool),
            ledger: try await LedgerSummary.read(from: pool),
            system: try await SystemFigures.read(from: pool),
            letters: try await DeadLetters.causes(DeadLetterFilter(states: [.open]), from: pool),
            waiting: try await StageWaiting.reasons(from: pool),
            evaluations: try await EvaluationJobStore.jobs(unfinished: true, from: pool),
            parkedCount: try await ParkedMessages.count(from: pool),
            parked: try await ParkedMessages.list(limit: 5, from: pool),
            storedCount: stored.total,
            stored: stored.kinds,
            modelBytes: models?.size()
        )
    }
}

/// How fast trainings go, between two looks.
struct TrainingRates {
    private var last: [StageID: (tokens: Int, at: ContinuousClock.Instant)] = [:]
    /// Tokens a second of the trainings that were looked at twice.
    private(set) var perSecond: [StageID: Double] = [:]

    /// Takes a look in.
    mutating func add(_ trainings: [SystemFigures.Training], at time: ContinuousClock.Instant) {
        var rates: [StageID: Double] = [:]
        for training in trainings {
            guard let before = last[training.id] else {
                last[training.id] = (training.tokens, time)
                continue
            }
            if training.tokens > before.tokens {
                let seconds = (time - before.at) / .seconds(1)
                rates[training.id] = seconds > 0 ? Double(training.tokens - before.tokens) / seconds : nil
                last[training.id] = (training.tokens, time)
            } else {
                // Progress is written down every few steps only.
                rates[training.id] = training.tokens < before.tokens ? nil : perSecond[training.id]
                if training.tokens < before.tokens { last[training.id] = (training.tokens, time) }
            }
        }
        let present = Set(trainings.map(\.id))
        last = last.filter { present.contains($0.key) }
        perSecond = rates
    }
}

/// How far the services' consumer groups are behind.
struct ConsumerLag: Sendable {
    let group: String
    let topics: [Topic]
    let messages: Int64

    /// The time between two questions to the broker, each of which takes several requests.
    static let interval = Duration.seconds(10)

    /// The consumer groups of the services and the topics that they read.
    private static let groups: [(group: String, topics: [Topic])] = [
        ("teacher-ingestion", [.problems, .attempts, .runs, .traces]),
        ("key-step-locator", [.traces, .runs]),
        ("template-distiller", [.runs]),
        ("evaluator", [.checkpoints]),
    ]

    static func read(_ system: SystemOptions) async throws -> [ConsumerLag] {
        let topics = Set(groups.flatMap(\.topics)).map(\.rawValue).sorted()
        let admin = try KafkaAdmin(try await system.answeringKafka(topics: topics), logger: LastWords().logger)
        var lags: [ConsumerLag] = []
        for entry in groups {
            let lag = try await admin.lag(
                group: entry.group,
                topics: entry.topics.map(\.rawValue),
                timeout: SystemOptions.patience
            )
            lags.append(ConsumerLag(group: entry.group, topics: entry.topics, messages: lag.values.reduce(0, +)))
        }
        return lags
    }
}
