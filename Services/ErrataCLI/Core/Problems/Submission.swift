import KafkaClient
import Reasoning
import Schemas

/// What `errata submit` has read and not yet sent, and what it refused.
struct Submission {
    /// A problem that is ready to be sent.
    struct Entry {
        let place: String
        let event: ProblemEvent
        let record: KafkaRecord
    }

    /// The most problems that are sent at once.
    static let batchSize = 200

    private let reader: ProblemReader
    private let dataset: String
    private let split: ProblemSplit
    private let place: String
    private let limit: Int?
    private let recordSizeLimit: Int
    private let stopsAtError: Bool
    private var known = ProblemLines.KnownIDs()
    private var batch: [Entry] = []
    private var accepted = 0
    /// How many lines were refused.
    private(set) var rejected = 0

    init(
        reader: ProblemReader,
        dataset: String,
        split: ProblemSplit,
        place: String,
        limit: Int?,
        recordSizeLimit: Int,
        stopsAtError: Bool
    ) {
        self.reader = reader
        self.dataset = dataset
        self.split = split
        self.place = place
        self.limit = limit
        self.recordSizeLimit = recordSizeLimit
        self.stopsAtError = stopsAtError
    }

    /// Whether nothing more is to be read.
    var isOver: Bool { limit.map { accepted >= $0 } == true || stopsAtError && rejected > 0 }

    /// Whether there is anything to send.
    var hasBatch: Bool { !batch.isEmpty }

    /// Whether it is time to send.
    var isBatchFull: Bool { batch.count >= Self.batchSize }

    /// Takes in a line; what is wrong with it, where something is.
    mutating func add(_ item: ProblemSource.Item) -> String? {
        do {
            let event = try ProblemLines.event(of: item.text, reader: reader, dataset: dataset, split: split)
            try known.add(event, line: item.number)
            let record = try ProblemLines.record(of: event)
            guard record.largestSize <= recordSizeLimit else {
                throw CLIError(
                    "the problem takes \(record.largestSize) bytes, the limit is \(recordSizeLimit); shorten it, "
                        + "or raise message.max.bytes in ERRATA_KAFKA_SETTINGS and max.message.bytes of the topic"
                )
            }
            batch.append(Entry(place: item.place, event: event, record: record))
            accepted += 1
            return nil
        } catch let error as ReasoningError {
            return reject(error.message, at: item.place)
        } catch {
            return reject("\(error)", at: item.place)
        }
    }

    /// Counts a refusal; its message.
    mutating func reject(_ reason: String, at place: String) -> String {
        rejected += 1
        return "\(self.place)\(place): \(reason)"
    }

    /// What is to be sent now.
    mutating func takeBatch() -> [Entry] {
        defer { batch.removeAll(keepingCapacity: true) }
        return batch
    }
}
