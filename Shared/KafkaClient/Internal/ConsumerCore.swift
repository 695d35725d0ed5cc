import CLibrdkafka
import Foundation
import Logging
import Synchronization

/// The consumer's client and the thread that polls it: whatever the reader does, the thread keeps polling, so that
/// the group never counts this member as stuck.
final class ConsumerCore: Sendable {
    enum Source: Sendable {
        case group(topics: [String])
        case partitions([TopicPartitionOffset], stopAtEnd: Bool)
    }

    private struct State {
        var handle: ClientHandle?
        var buffer: ConsumerBuffer
        var readers: [Promise<Void>] = []
        var unfinished: Set<TopicPartition>?
        var failure: KafkaError?
        var isClosing = false
        var isFinished = false
    }

    private enum Step {
        case batch([KafkaMessage], release: ClientHandle?)
        case wait(Promise<Void>)
        case end
    }

    let context: CallbackContext
    let rebalances: AsyncStream<KafkaRebalance>
    private let name: String
    private let state: Mutex<State>
    /// Whether members keep partitions in a rebalance.
    private let isCooperative = Atomic(false)
    private let rebalanceEvents: AsyncStream<KafkaRebalance>.Continuation
    private let stopped = Promise<Void>()

    init(
        name: String,
        source: Source,
        settings: [String: String],
        limits: ConsumerBuffer.Limits,
        logger: Logger,
        onStatistics: (@Sendable (KafkaStatistics) -> Void)? = nil
    ) throws {
        self.name = name
        let relay = Relay()
        (rebalances, rebalanceEvents) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1_024))
        context = CallbackContext(
            name: name,
            logger: logger,
            onRebalance: { relay.core?.rebalance($0, $1, $2) },
            onError: { relay.core?.received($0) },
            onStatistics: { statistics in
                var statistics = statistics
                statistics.buffer = relay.core?.bufferState
                onStatistics?(statistics)
            }
        )
        state = Mutex(State(buffer: ConsumerBuffer(limits: limits)))
        let handle = try ClientHandle(.consumer, settings: settings, context: context)
        state.withLock { $0.handle = handle }
        relay.core = self
        try start(source, handle)
        let thread = Thread { [self] in poll() }
        thread.name = "kafka-consumer"
        thread.start()
    }

    /// Breaks the circle between the client's callbacks and the core that owns the client.
    private final class Relay: Sendable {
        private struct Weak { weak var core: ConsumerCore? }
        private let weak = Mutex(Weak())
        var core: ConsumerCore? {
            get { weak.withLock { $0.core } }
            set { weak.withLock { $0.core = newValue } }
        }
    }

    private func start(_ source: Source, _ handle: ClientHandle) throws {
        switch source {
        case .group(let topics):
            let list = TopicPartitionList(topics: topics)
            let error = handle.withClient { client in list.withPointer { rd_kafka_subscribe(client, $0) } }
            try KafkaError.check(error, "\(name): subscribing to \(topics.joined(separator: ", "))")
        case .partitions(let offsets, let stopAtEnd):
            let list = TopicPartitionList(offsets)
            let partitions = offsets.map(\.topicPartition)
            state.withLock { state in
                state.buffer.assign(partitions)
                if stopAtEnd { state.unfinished = Set(partitions) }
            }
            handle.forwardMessages(of: partitions)
            let error = handle.withClient { client in list.withPointer { rd_kafka_assign(client, $0) } }
            try KafkaError.check(error, "\(name): assigning partitions")
        }
    }

    // MARK: Reading

    func nextBatch() async throws -> [KafkaMessage]? {
        while !Task.isCancelled {
            switch try state.withLock({ try Self.step(&$0) }) {
            case .batch(let batch, let release):
                release?.wake()
                return batch
            case .wait(let promise):
                do { try await promise.cancellableValue() } catch is CancellationError { return nil }
            case .end:
                return nil
            }
        }
        return nil
    }

    private static func step(_ state: inout State) throws -> Step {
        if state.isClosing { return .end }
        let batch = state.buffer.takeBatch()
        if !batch.isEmpty { return .batch(batch, release: state.buffer.wantsRelease ? state.handle : nil) }
        if let failure = state.failure { throw failure }
        if state.isFinished { return .end }
        if let unfinished = state.unfinished, unfinished.isEmpty { return .end }
        let promise = Promise<Void>()
        state.readers.append(promise)
        return .wait(promise)
    }

    private func wakeReaders() {
        let readers = state.withLock { state in
            defer { state.readers.removeAll() }
            return state.readers
        }
        for reader in readers { reader.complete(.success(())) }
    }

    var assignment: Set<TopicPartition> { state.withLock { $0.buffer.assigned } }

    func holds(_ message: KafkaMessage) -> Bool { state.withLock { $0.buffer.holds(message) } }

    private var bufferState: KafkaStatistics.Buffer {
        state.withLock {
            .init(messages: $0.buffer.count, bytes: $0.buffer.bytes, isHoldingBack: $0.buffer.isHolding)
        }
    }

    // MARK: Calls

    /// Runs `body` with the open client, or throws when it is closed.
    func withHandle() throws -> ClientHandle {
        guard let handle = state.withLock({ $0.isClosing ? nil : $0.handle }) else { throw KafkaError.closed(name) }
        return handle
    }

    func commit(_ offsets: [TopicPartitionOffset]) async throws {
        guard !offsets.isEmpty else { return }
        // Under the lock, so that no commit slips in after the thread has given up on the outstanding ones.
        let promise = try state.withLock { state -> Promise<Void> in
            guard let handle = state.handle, !state.isClosing else { throw KafkaError.closed(name) }
            let (id, promise) = context.registerCommit()
            let list = TopicPartitionList(offsets)
            let error = handle.withClient { client in
                handle.withQueue { queue in
                    list.withPointer {
                        rd_kafka_commit_queue(
                            client,
                            $0,
                            queue,
                            commitCallback,
                            UnsafeMutableRawPointer(bitPattern: id)
                        )
                    }
                }
            }
            if error != RD_KAFKA_RESP_ERR_NO_ERROR {
                context.settleCommit(id, .failure(KafkaError(error, "\(name): commit")))
            }
            return promise
        }
        try await promise.cancellableValue()
    }

    // MARK: The thread

    private func poll() {
        var handle = state.withLock { $0.handle }
        var memory = MessageMemory()
        while let client = handle, !state.withLock({ $0.isClosing }) {
            serveEvents(client, &memory)
            let hasNews = takeMessages(client, &memory)
            if hasNews { wakeReaders() } else { client.wait(milliseconds: 250) }
        }
        finish(&handle)
    }

    /// Serves what is no message: rebalances, errors, statistics, answers to commits.
    ///
    /// librdkafka takes this for polling, so that the member is never counted as stuck.
    private func serveEvents(_ handle: ClientHandle, _ memory: inout MessageMemory) {
        while let event = handle.withClient({ rd_kafka_consumer_poll($0, 0) }) {
            defer { rd_kafka_message_destroy(event) }
            // An error, or a message of a partition whose queue could not be had.
            take(CollectionOfOne(event), count: 1, &memory)
            wakeReaders()
        }
    }

    /// Takes as many messages as there is room for, at most a batch; says whether there were any.
    ///
    /// What there is no room for stays with librdkafka, which fetches so far ahead as its own settings let it: a pause of
    /// the partitions would have it throw away what it has.
    private func takeMessages(_ handle: ClientHandle, _ memory: inout MessageMemory) -> Bool {
        let room = state.withLock { $0.buffer.room() }
        guard room > 0 else { return false }
        let singly = isCooperative.load(ordering: .relaxed) && rd_kafka_version() < 0x0201_0000
        return handle.withMessages(atMost: room, singly: singly) { messages in
            guard !messages.isEmpty else { return false }
            take(messages.lazy.compactMap { $0 }, count: messages.count, &memory)
            return true
        }
    }

    /// Copies messages into the buffer, and notes what came in place of some.
    private func take(
        _ messages: some Sequence<UnsafeMutablePointer<rd_kafka_message_t>>,
        count: Int,
        _ memory: inout MessageMemory
    ) {
        // Partitions come and go on this thread alone.
        let assignments = state.withLock { $0.buffer.assignments }
        var names = TopicNames()
        var copies: [KafkaMessage] = []
        copies.reserveCapacity(count)
        var partition: TopicPartition?
        var assignment: UInt64?
        for message in messages {
            let topic = names.name(of: message)
            // They come in stretches of one partition.
            if partition?.partition != message.pointee.partition || partition?.topic != topic {
                let new = TopicPartition(topic: topic, partition: message.pointee.partition)
                partition = new
                assignment = assignments[new]
            }
            switch message.pointee.err {
            case RD_KAFKA_RESP_ERR_NO_ERROR:
                guard let assignment else { continue }
                copies.append(KafkaMessage(copying: message, into: &memory, topic: topic, assignment: assignment))
            case RD_KAFKA_RESP_ERR__PARTITION_EOF:
                // Not before the messages that stand in front of it can be read.
                state.withLock { state in
                    state.buffer.append(copies)
                    if let partition { state.unfinished?.remove(partition) }
                }
                copies.removeAll()
            default:
                failed(message)
            }
        }
        state.withLock { $0.buffer.append(copies) }
    }

    /// Tells of an error that came in place of a message.
    private func failed(_ message: UnsafeMutablePointer<rd_kafka_message_t>) {
        let reason = rd_kafka_message_errstr(message).map { String(cString: $0) }
        let error = KafkaError(message.pointee.err, name, detail: reason)
        context.logger.warning("\(error)", metadata: ["client": "\(name)"])
        received(error)
    }

    /// Notes an error: one that trying again cannot mend ends the reading with it, any other is outlived.
    private func received(_ error: KafkaError) {
        guard error.isFatal || KafkaError.Code.hopeless.contains(error.code) else { return }
        let cause = state.withLock { state -> KafkaError in
            let cause = (error.isFatal ? state.handle?.fatalError : nil) ?? error
            if state.failure == nil { state.failure = cause }
            return cause
        }
        context.logger.error("reading ends: \(cause)", metadata: ["client": "\(name)"])
        wakeReaders()
    }

    /// Takes or gives up partitions, as the group wants; on the polling thread, inside `rd_kafka_consumer_poll`.
    private func rebalance(_ client: OpaquePointer, _ code: rd_kafka_resp_err_t, _ partitions: [TopicPartition]) {
        let isCooperative = rd_kafka_rebalance_protocol(client).map { String(cString: $0) } == "COOPERATIVE"
        self.isCooperative.store(isCooperative, ordering: .relaxed)
        let list = TopicPartitionList(partitions)
        switch code {
        case RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS:
            let handle = state.withLock { state in
                state.buffer.assign(partitions)
                return state.handle
            }
            handle?.forwardMessages(of: partitions)
            list.withPointer { pointer in
                if isCooperative {
                    report(rd_kafka_incremental_assign(client, pointer))
                } else {
                    report(rd_kafka_assign(client, pointer))
                }
            }
            rebalanceEvents.yield(.assigned(partitions))
        case RD_KAFKA_RESP_ERR__REVOKE_PARTITIONS:
            let isLost = rd_kafka_assignment_lost(client) != 0
            state.withLock { $0.buffer.revoke(partitions) }
            list.withPointer { pointer in
                if isCooperative {
                    report(rd_kafka_incremental_unassign(client, pointer))
                } else {
                    report(rd_kafka_assign(client, nil))
                }
            }
            rebalanceEvents.yield(isLost ? .lost(partitions) : .revoked(partitions))
        default:
            state.withLock { $0.buffer.revoke(Array($0.buffer.assigned)) }
            report(rd_kafka_assign(client, nil))
            context.logger.error("\(KafkaError(code, "\(name): rebalance"))", metadata: ["client": "\(name)"])
        }
        context.logger.info(
            "rebalance",
            metadata: [
                "client": "\(name)",
                "event": code == RD_KAFKA_RESP_ERR__ASSIGN_PARTITIONS ? "assigned" : "revoked",
                "partitions": "\(partitions.map(\.description).joined(separator: " "))",
            ]
        )
    }

    private func report(_ error: rd_kafka_resp_err_t) {
        if error != RD_KAFKA_RESP_ERR_NO_ERROR { refused(KafkaError(error, "\(name): taking the assignment")) }
    }

    private func report(_ error: OpaquePointer?) {
        if let error { refused(KafkaError(consuming: error, "\(name): taking the assignment")) }
    }

    private func refused(_ error: KafkaError) {
        context.logger.error("\(error)", metadata: ["client": "\(name)"])
        received(error)
    }

    // MARK: Ending

    private func finish(_ handle: inout ClientHandle?) {
        wakeReaders()
        if let error = handle?.withClient({ rd_kafka_consumer_close($0) }), error != RD_KAFKA_RESP_ERR_NO_ERROR {
            context.logger.warning("\(KafkaError(error, "\(name): leaving the group"))")
        }
        state.withLock { state in
            state.isFinished = true
            state.handle = nil
            state.buffer.revoke(Array(state.buffer.assigned))
        }
        handle = nil
        context.finish()
        rebalanceEvents.finish()
        wakeReaders()
        stopped.complete(.success(()))
    }

    /// Tells the thread to leave the group and end.
    func stop() {
        let handle = state.withLock { state in
            state.isClosing = true
            return state.handle
        }
        handle?.wake()
        wakeReaders()
    }

    func awaitStop() async {
        _ = try? await stopped.value()
    }
}
