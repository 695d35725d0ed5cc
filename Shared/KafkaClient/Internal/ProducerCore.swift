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
        /// Stretches of records that are being handed over.
        var handingOver = 0
        var roomWaiters: [Promise<Void>] = []
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

    /// The most records that are handed over before the task is asked whether it is cancelled.
    private static let stretch = 256

    /// Hands records to librdkafka in order, waiting for room while its queue is full, and awaits their results.
    ///
    /// One that is refused does not hold up those behind it.
    func deliver(_ records: [KafkaRecord]) async throws -> [Result<DeliveryReport, KafkaError>] {
        let batch = DeliveryBatch(records)
        var next = 0
        do {
            while next < records.count {
                try Task.checkCancellation()
                let end = min(records.count, next + Self.stretch)
                next = try handOver(batch, next..<end)
                if next < end { try await waitForRoom() }
            }
        } catch {
            batch.fail(from: next, .closed("producer"))
            guard error is CancellationError else { return try await batch.results() }
            throw error
        }
        return try await batch.results()
    }

    /// Hands over records; gives the first that the queue has no room for, or the end.
    ///
    /// Not under the lock, which others need: that a stretch is under way keeps the thread from emptying the queue for the
    /// last time before it is done. The calls do not block.
    ///
    /// - Throws: ``KafkaError`` where the producer is closed.
    private func handOver(_ batch: DeliveryBatch, _ range: Range<Int>) throws -> Int {
        let open = state.withLock { state -> ClientHandle? in
            guard let handle = state.handle, !state.isClosed else { return nil }
            state.handingOver += 1
            return handle
        }
        guard let open else { throw KafkaError.closed("producer") }
        defer { state.withLock { $0.handingOver -= 1 } }
        return open.withClient { client in
            var topic = ProducedTopic()
            for index in range {
                let record = batch.records[index]
                let place = batch.place(of: index)
                var error = Self.produce(record, to: topic.handle(of: record, on: client), place, on: client)
                if error == RD_KAFKA_RESP_ERR__QUEUE_FULL, rd_kafka_outq_len(client) == 0 {
                    // Nothing is queued, so that no room will come: it was made this instant, or the record never fits.
                    error = Self.produce(record, to: topic.handle(of: record, on: client), place, on: client)
                    if error == RD_KAFKA_RESP_ERR__QUEUE_FULL, rd_kafka_outq_len(client) == 0 {
                        batch.fail(index, Self.tooLargeForQueue(record))
                        continue
                    }
                }
                switch error {
                case RD_KAFKA_RESP_ERR_NO_ERROR: break
                case RD_KAFKA_RESP_ERR__QUEUE_FULL: return index
                default: batch.fail(index, Self.refusal(error, record, open))
                }
            }
            return range.upperBound
        }
    }

    /// Waits until the thread has taken reports, or the producer ends.
    private func waitForRoom() async throws {
        let room = Promise<Void>()
        let hasEnded = state.withLock { state in
            guard state.handle != nil else { return true }
            state.roomWaiters.append(room)
            return false
        }
        if !hasEnded { try await room.cancellableValue() }
    }

    private static func tooLargeForQueue(_ record: KafkaRecord) -> KafkaError {
        KafkaError(
            code: .messageTooLarge,
            message: "a record of \(record.byteCount) bytes for \(record.topic) exceeds the whole local queue"
                + " (queue.buffering.max.kbytes)",
            setting: "queue.buffering.max.kbytes"
        )
    }

    /// Why librdkafka did not take a record.
    private static func refusal(
        _ error: rd_kafka_resp_err_t,
        _ record: KafkaRecord,
        _ handle: ClientHandle
    ) -> KafkaError {
        switch error {
        case RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE:
            let limit = handle.setting("message.max.bytes") ?? "its default"
            return KafkaError(
                error,
                "record for \(record.topic)",
                detail: "its \(record.byteCount) bytes exceed message.max.bytes (\(limit)); "
                    + "send less, or raise the limit here and at the topic (max.message.bytes)"
            )
        case RD_KAFKA_RESP_ERR__FATAL:
            return handle.fatalError ?? KafkaError(error, "record for \(record.topic)")
        default:
            return KafkaError(error, "record for \(record.topic)")
        }
    }

    private static func produce(
        _ record: KafkaRecord,
        to topic: OpaquePointer?,
        _ place: UnsafeMutableRawPointer?,
        on client: OpaquePointer
    ) -> rd_kafka_resp_err_t {
        guard let topic else { return rd_kafka_last_error() }
        let headers = makeHeaders(record.headers)
        let milliseconds = record.timestamp.map { Int64(($0.timeIntervalSince1970 * 1_000).rounded()) } ?? 0
        let error = withBytes(record.key) { key, keyLength in
            withBytes(record.value) { value, valueLength in
                errata_kafka_produce(
                    client,
                    topic,
                    record.partition ?? -1,
                    milliseconds,
                    key,
                    keyLength,
                    value,
                    valueLength,
                    headers,
                    place
                )
            }
        }
        // Refused: no delivery report will come, and the headers are still ours.
        if error != RD_KAFKA_RESP_ERR_NO_ERROR, let headers { rd_kafka_headers_destroy(headers) }
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
        // Nobody begins another stretch.
        while state.withLock({ $0.handingOver > 0 }) { handle?.withClient { _ = rd_kafka_poll($0, 1) } }
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

/// librdkafka's handle of the topic that records go to, looked up anew where the next one's is another.
private struct ProducedTopic: ~Copyable {
    private var name = ""
    private var handle: OpaquePointer?

    deinit {
        if let handle { rd_kafka_topic_destroy(handle) }
    }

    /// The topic of a record; nil where librdkafka refuses its name, with the reason as its last error.
    mutating func handle(of record: KafkaRecord, on client: OpaquePointer) -> OpaquePointer? {
        if let handle, name == record.topic { return handle }
        if let handle { rd_kafka_topic_destroy(handle) }
        name = record.topic
        handle = rd_kafka_topic_new(client, name, nil)
        return handle
    }
}
