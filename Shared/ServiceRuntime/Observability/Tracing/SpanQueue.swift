import DequeModule
import Metrics
import Synchronization

/// Spans that wait to be sent: so many and no more, as work is never held up for them.
public final class SpanQueue: Sendable {
    /// Why spans were not sent.
    enum Loss: String {
        /// More came than could be sent.
        case full = "queue_full"
        /// The collector did not answer for long.
        case unreachable
        /// The collector refused them.
        case refused
        /// The process ended first.
        case ended
    }

    private let limit: Int
    private let batch: Int
    private let spans = Mutex(Deque<SpanRecord>())
    private let wake: AsyncStream<Void>.Continuation
    /// Something comes when there is a first span, and when there is a whole batch.
    let wakes: AsyncStream<Void>

    /// Makes a queue.
    ///
    /// Arguments:
    ///   - limit: the most spans that wait; default 8192.
    ///   - batch: the most spans that are sent at once; default 512.
    public init(limit: Int = 8_192, batch: Int = 512) {
        self.limit = max(1, limit)
        self.batch = max(1, batch)
        let (stream, continuation) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        wakes = stream
        wake = continuation
    }

    /// Whether a whole batch waits.
    var hasBatch: Bool { spans.withLock { $0.count >= batch } }

    /// Adds a span; where too many wait it is dropped.
    func add(_ span: SpanRecord) {
        let count = spans.withLock { spans -> Int? in
            guard spans.count < limit else { return nil }
            spans.append(span)
            return spans.count
        }
        guard let count else { return Self.lost(1, .full) }
        if count == 1 || count == batch { wake.yield() }
    }

    /// Takes the spans that are to be sent next, oldest first; nil where there are none.
    func take() -> [SpanRecord]? {
        spans.withLock { spans in
            guard !spans.isEmpty else { return nil }
            let taken = Array(spans.prefix(batch))
            spans.removeFirst(taken.count)
            return taken
        }
    }

    /// Puts spans back that were taken and not sent.
    func putBack(_ taken: [SpanRecord]) {
        spans.withLock { $0.insert(contentsOf: taken, at: 0) }
        wake.yield()
    }

    /// Counts spans that are not sent.
    static func lost(_ count: Int, _ loss: Loss) {
        guard count > 0 else { return }
        Counter(label: MetricName.spansDropped.rawValue, dimensions: [("reason", loss.rawValue)]).increment(by: count)
    }
}
