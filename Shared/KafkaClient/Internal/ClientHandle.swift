import CLibrdkafka
import Dispatch
import Foundation
import Logging
import Synchronization

/// The one place that vouches for librdkafka's pointers across threads; ``MessageMemory`` does for memory of our own.
///
/// librdkafka documents `rd_kafka_t`, its queues and its mock cluster as safe to use from any thread, so long as
/// nobody uses them after they are destroyed. That is for the owning class to see to.
struct ThreadSafePointer: @unchecked Sendable {
    let raw: OpaquePointer
}

/// What librdkafka's callbacks reach through their `void *`; retained by ``ClientHandle`` for as long as the client
/// lives.
final class CallbackContext: Sendable {
    let logger: Logger
    let name: String
    let onRebalance: (@Sendable (OpaquePointer, rd_kafka_resp_err_t, [TopicPartition]) -> Void)?
    let onError: @Sendable (KafkaError) -> Void
    let onStatistics: (@Sendable (KafkaStatistics) -> Void)?
    private let commits = Mutex<(next: UInt, waiting: [UInt: Promise<Void>])>((1, [:]))

    init(
        name: String,
        logger: Logger,
        onRebalance: (@Sendable (OpaquePointer, rd_kafka_resp_err_t, [TopicPartition]) -> Void)? = nil,
        onError: @escaping @Sendable (KafkaError) -> Void = { _ in },
        onStatistics: (@Sendable (KafkaStatistics) -> Void)? = nil
    ) {
        self.name = name
        self.logger = logger
        self.onRebalance = onRebalance
        self.onError = onError
        self.onStatistics = onStatistics
    }

    // MARK: Commits under way, by a number that travels through `void *` (nothing to leak when no answer comes)

    func registerCommit() -> (id: UInt, promise: Promise<Void>) {
        let promise = Promise<Void>()
        let id = commits.withLock { commits in
            let id = commits.next
            commits.next += 1
            commits.waiting[id] = promise
            return id
        }
        return (id, promise)
    }

    func settleCommit(_ id: UInt, _ result: Result<Void, any Error>) {
        commits.withLock { $0.waiting.removeValue(forKey: id) }?.complete(result)
    }

    /// Ends everything that awaits an answer: none will come.
    func finish() {
        let waiting = commits.withLock { commits in
            defer { commits.waiting = [:] }
            return Array(commits.waiting.values)
        }
        for promise in waiting { promise.complete(.failure(KafkaError.closed(name))) }
    }

    /// The context behind a client; nil while the client is being made.
    static func of(_ client: OpaquePointer?) -> CallbackContext? {
        guard let client, let opaque = rd_kafka_opaque(client) else { return nil }
        return Unmanaged<CallbackContext>.fromOpaque(opaque).takeUnretainedValue()
    }
}

/// Owns one `rd_kafka_t`, its queues and the context of its callbacks; the last reference destroys the client.
///
/// A consumer has two queues: one of events, which is polled, and one of messages, to which its partitions' own queues lead.
/// So messages that wait for room hold up no event.
final class ClientHandle: Sendable {
    enum Kind: Sendable {
        case producer
        case consumer
    }

    let context: CallbackContext
    private let client: ThreadSafePointer
    private let queue: ThreadSafePointer
    private let messages: ThreadSafePointer?
    private let bell = Bell()

    init(_ kind: Kind, settings: [String: String], context: CallbackContext) throws {
        var configuration = ClientConfiguration()
        // Sorted, so that of several bad settings the same one is always named.
        for (name, value) in settings.sorted(by: { $0.key < $1.key }) { try configuration.set(name, value) }
        let retained = Unmanaged.passRetained(context)
        configuration.install(
            retained.toOpaque(),
            rebalance: context.onRebalance != nil,
            deliveries: kind == .producer
        )
        let client: OpaquePointer
        do {
            client = try configuration.makeClient(kind == .producer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER)
        } catch {
            retained.release()
            throw error
        }
        if kind == .consumer { rd_kafka_poll_set_consumer(client) }
        let queue = kind == .consumer ? rd_kafka_queue_get_consumer(client) : rd_kafka_queue_get_main(client)
        guard let queue else {
            rd_kafka_destroy(client)
            retained.release()
            throw KafkaError(
                code: .invalidArgument,
                message: "a consumer needs a group",
                setting: "group.id"
            )
        }
        self.context = context
        self.client = ThreadSafePointer(raw: client)
        self.queue = ThreadSafePointer(raw: queue)
        messages = kind == .consumer ? rd_kafka_queue_new(client).map { ThreadSafePointer(raw: $0) } : nil
        guard kind == .consumer else { return }
        for queue in [self.queue, messages].compactMap({ $0 }) {
            // The bell outlives the queues, which this owns as well.
            rd_kafka_queue_cb_event_enable(queue.raw, ringBell, Unmanaged.passUnretained(bell).toOpaque())
        }
    }

    deinit {
        for queue in [queue, messages].compactMap({ $0 }) { rd_kafka_queue_cb_event_enable(queue.raw, nil, nil) }
        // What stands in it holds on to its partition, for whose end the client would wait.
        if let messages { rd_kafka_queue_destroy(messages.raw) }
        rd_kafka_queue_destroy(queue.raw)
        rd_kafka_destroy(client.raw)
        Unmanaged.passUnretained(context).release()
    }

    func withClient<Result>(_ body: (OpaquePointer) throws -> Result) rethrows -> Result {
        try body(client.raw)
    }

    func withQueue<Result>(_ body: (OpaquePointer) throws -> Result) rethrows -> Result {
        try body(queue.raw)
    }

    /// Has the thread that polls go on at once.
    func wake() {
        if messages == nil { rd_kafka_queue_yield(queue.raw) } else { bell.ring() }
    }

    // MARK: A consumer's messages

    /// Waits until there is an event or a message, or somebody calls ``wake()``.
    func wait(milliseconds: Int) { bell.wait(milliseconds: milliseconds) }

    /// Has partitions bring their messages to the queue of messages: before they are assigned, so that none comes elsewhere.
    func forwardMessages(of partitions: [TopicPartition]) {
        guard let messages else { return }
        for partition in partitions {
            let queue = rd_kafka_queue_get_partition(client.raw, partition.topic, partition.partition)
            guard let queue else { continue }
            rd_kafka_queue_forward(queue, messages.raw)
            rd_kafka_queue_destroy(queue)
        }
    }

    /// Lends the next messages that are there, none where there are none.
    ///
    /// `singly`: they are taken one by one, which is slower. librdkafka before 2.1 may lose messages of a partition that is
    /// kept in a cooperative rebalance while a batch is taken ("Consumer batch API messaging guarantees" in its changes).
    func withMessages<Result>(
        atMost count: Int,
        singly: Bool,
        _ body: (UnsafeBufferPointer<UnsafeMutablePointer<rd_kafka_message_t>?>) -> Result
    ) -> Result {
        withUnsafeTemporaryAllocation(of: UnsafeMutablePointer<rd_kafka_message_t>?.self, capacity: count) { taken in
            taken.initialize(repeating: nil)
            var number = 0
            if let messages, singly {
                while number < count, let message = rd_kafka_consume_queue(messages.raw, 0) {
                    taken[number] = message
                    number += 1
                }
            } else if let messages {
                number = rd_kafka_consume_batch_queue(messages.raw, 0, taken.baseAddress, count)
            }
            let lent = UnsafeBufferPointer(rebasing: taken[..<max(0, number)])
            defer { for message in lent { rd_kafka_message_destroy(message) } }
            return body(lent)
        }
    }

    /// The value in force of a setting.
    func setting(_ name: String) -> String? {
        var size = 512
        var text = [CChar](repeating: 0, count: size)
        guard rd_kafka_conf_get(rd_kafka_conf(client.raw), name, &text, &size) == RD_KAFKA_CONF_OK else { return nil }
        return text.asText
    }

    /// The error that ended the client, if one did.
    var fatalError: KafkaError? {
        var text = [CChar](repeating: 0, count: 512)
        let code = rd_kafka_fatal_error(client.raw, &text, text.count)
        guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return nil }
        return KafkaError(
            code: .init(rawValue: code.rawValue),
            message: text.asText,
            isRetriable: false,
            isFatal: true
        )
    }
}

/// Wakes one waiting thread; rung before, it does not wait.
private final class Bell: Sendable {
    private let isRung = Atomic(false)
    private let semaphore = DispatchSemaphore(value: 0)

    func ring() {
        if !isRung.exchange(true, ordering: .acquiringAndReleasing) { semaphore.signal() }
    }

    func wait(milliseconds: Int) {
        _ = semaphore.wait(timeout: .now() + .milliseconds(milliseconds))
        // Before the caller looks at what there is, so that whatever comes after that rings again.
        isRung.store(false, ordering: .sequentiallyConsistent)
    }
}

/// Called on librdkafka's own threads when a queue that was empty has something.
private func ringBell(client: OpaquePointer?, opaque: UnsafeMutableRawPointer?) {
    guard let opaque else { return }
    Unmanaged<Bell>.fromOpaque(opaque).takeUnretainedValue().ring()
}

extension [CChar] {
    /// The text up to the first NUL.
    var asText: String {
        String(decoding: prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
