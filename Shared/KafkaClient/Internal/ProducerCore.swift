import CLibrdkafka
import Foundation
import Logging
import Synchronization

/// The producer's client, the thread that polls it, and those who wait for room in its queue.
final class ProducerCore: Sendable {
    private struct State {
        var handle: ClientHandle?
        var isClosed = false
        var isStopping = false
        var roomWaiters: [Promise<Void>] = []
    }

    private enum Enqueued {
        case accepted(Promise<DeliveryReport>)
        case full(Promise<Void>)
    }

    let context: CallbackContext
    private let state: Mutex<State>
    private let stopped = Promise<Void>()

    init(
        settings: [String: String],
        logger: Logger,
        onStatistics: (@Sendable (KafkaStatistics) -> Void)? = nil
    ) throws {
        context = CallbackContext(name: "producer", logger: logger, onStatistics: onStatistics)
        let handle = try ClientHandle(.producer, settings: settings, context: context)
        state = Mutex(State(handle: handle))
        let thread = Thread { [self] in poll() }
        thread.name = "kafka-producer"
        thread.start()
    }

    var fatalError: KafkaError? { state.withLock { $0.handle }?.fatalError }

    func endFatally(reason: String) {
        state.withLock { $0.handle }?.withClient {
            _ = rd_kafka_test_fatal_error($0, RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, reason)
        }
    }

    // MARK: Sending

    /// Hands one record to librdkafka, waiting for room while its queue is full.
    func enqueue(_ record: KafkaRecord) async throws -> Promise<DeliveryReport> {
        while true {
            try Task.checkCancellation()
            switch try state.withLock({ try Self.tryEnqueue(record, &$0) }) {
            case .accepted(let promise): return promise
            case .full(let room): try await room.cancellableValue()
            }
        }
    }

    /// Under the lock, so that nothing slips in after `close` has emptied the queue; the call does not block.
    private static func tryEnqueue(_ record: KafkaRecord, _ state: inout State) throws -> Enqueued {
        guard let handle = state.handle, !state.isClosed else { throw KafkaError.closed("producer") }
        let promise = Promise<DeliveryReport>()
        var error = handle.withClient { produce(record, promise, on: $0) }
        if error == RD_KAFKA_RESP_ERR__QUEUE_FULL, handle.withClient({ rd_kafka_outq_len($0) }) == 0 {
            // Nothing is queued, so that no room will come: either it was made this instant, or the record never fits.
            error = handle.withClient { produce(record, promise, on: $0) }
            if error == RD_KAFKA_RESP_ERR__QUEUE_FULL, handle.withClient({ rd_kafka_outq_len($0) }) == 0 {
                throw KafkaError(
                    code: .messageTooLarge,
                    message: "a record of \(record.byteCount) bytes for \(record.topic) exceeds the whole local queue"
                        + " (queue.buffering.max.kbytes)",
                    setting: "queue.buffering.max.kbytes"
                )
            }
        }
        switch error {
        case RD_KAFKA_RESP_ERR_NO_ERROR:
            return .accepted(promise)
        case RD_KAFKA_RESP_ERR__QUEUE_FULL:
            let room = Promise<Void>()
            state.roomWaiters.append(room)
            return .full(room)
        case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
            let limit = handle.setting("message.max.bytes") ?? "its default"
            throw KafkaError(
                error,
                "record for \(record.topic)",
                detail: "its \(record.byteCount) bytes exceed message.max.bytes (\(limit)); "
                    + "send less, or raise the limit here and at the topic (max.message.bytes)"
            )
        case RD_KAFKA_RESP_ERR__FATAL:
            throw handle.fatalError ?? KafkaError(error, "record for \(record.topic)")
        default:
            throw KafkaError(error, "record for \(record.topic)")
        }
    }

    private static func produce(
        _ record: KafkaRecord,
        _ promise: Promise<DeliveryReport>,
        on client: OpaquePointer
    ) -> rd_kafka_resp_err_t {
        let headers = makeHeaders(record.headers)
        let retained = Unmanaged.passRetained(promise)
        let milliseconds = record.timestamp.map { Int64(($0.timeIntervalSince1970 * 1_000).rounded()) } ?? 0
        let error = withBytes(record.key) { key, keyLength in
            withBytes(record.value) { value, valueLength in
                errata_kafka_produce(
                    client,
                    record.topic,
                    record.partition ?? -1,
                    milliseconds,
                    key,
                    keyLength,
                    value,
                    valueLength,
                    headers,
                    retained.toOpaque()
                )
            }
        }
        if error != RD_KAFKA_RESP_ERR_NO_ERROR {
            // Refused: no delivery report will come, and the headers are still ours.
            retained.release()
            if let headers { rd_kafka_headers_destroy(headers) }
        }
        return error
    }

    private static func makeHeaders(_ headers: [KafkaHeader]) -> OpaquePointer? {
        guard !headers.isEmpty, let list = rd_kafka_headers_new(headers.count) else { return nil }
        for header in headers {
            withBytes(header.value) { value, length in
                // Fails only for a header that is beyond any message's size, which producing then refuses.
                _ = rd_kafka_header_add(list, header.key, header.key.utf8.count, value, length)
            }
        }
        return list
    }

    /// Lends the bytes; no data at all is NULL, empty data is a pointer to no bytes (they differ on the wire).
    private static func withBytes<Result>(_ data: Data?, _ body: (UnsafeRawPointer?, Int) -> Result) -> Result {
        guard let data else { return body(nil, 0) }
        return data.withUnsafeBytes { bytes in
            if let base = bytes.baseAddress { return body(base, bytes.count) }
            return withUnsafeBytes(of: UInt8(0)) { body($0.baseAddress, 0) }
        }
    }

    // MARK: Looking

    func metadata(timeout: Duration) async throws -> ClusterMetadata {
        guard let handle = state.withLock({ $0.handle }) else { throw KafkaError.closed("producer") }
        return try await BlockingCalls.run { try handle.metadata(timeout: timeout) }
    }

    // MARK: The thread

    private func poll() {
        var handle = state.withLock { $0.handle }
        while !state.withLock({ $0.isStopping }) {
            handle?.withClient { _ = rd_kafka_poll($0, 200) }
            madeRoom()
        }
        handle?.withClient { client in
            // What was not delivered in time is given up; every report still comes, so that nobody waits for ever.
            rd_kafka_purge(client, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT)
            var rounds = 0
            while rd_kafka_outq_len(client) > 0, rounds < 100 {
                rd_kafka_poll(client, 50)
                rounds += 1
            }
        }
        state.withLock { $0.handle = nil }
        handle = nil
        madeRoom()
        context.finish()
        stopped.complete(.success(()))
    }

    private func madeRoom() {
        let waiters = state.withLock { state in
            defer { state.roomWaiters.removeAll() }
            return state.roomWaiters
        }
        for waiter in waiters { waiter.complete(.success(())) }
    }

    // MARK: Ending

    func flush(timeout: Duration) async throws {
        guard let handle = state.withLock({ $0.handle }) else { return }
        let error = try await BlockingCalls.run { handle.withClient { rd_kafka_flush($0, timeout.milliseconds) } }
        madeRoom()
        try KafkaError.check(error, "flush: not all records were delivered within \(timeout)")
    }

    /// Refuses new records from now on.
    func refuseMore() {
        state.withLock { $0.isClosed = true }
    }

    /// Ends the thread, giving up what is still queued.
    func stop() {
        let handle = state.withLock { state in
            state.isClosed = true
            state.isStopping = true
            return state.handle
        }
        handle?.wake()
    }

    func awaitStop() async {
        _ = try? await stopped.value()
    }
}

extension KafkaRecord {
    /// Bytes of key, value and headers.
    var byteCount: Int {
        (key?.count ?? 0) + (value?.count ?? 0)
            + headers.reduce(0) { $0 + $1.key.utf8.count + ($1.value?.count ?? 0) }
    }

    /// The most bytes that this record takes alone on the wire without compression, the framing included: what a
    /// producer's and a broker's limits are held against.
    public var largestSize: Int {
        // A record batch's header takes 61 bytes; a record's attributes, five lengths, offset and time at most 1 + 8 · 5
        // + 10; a header's two lengths at most 2 · 5.
        byteCount + 112 + 10 * headers.count
    }
}
