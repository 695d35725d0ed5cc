import CLibrdkafka
import Foundation
import Synchronization

/// The records of one call to the producer, and what became of each.
///
/// Each record is settled once: by its delivery report, or because it was not handed over. Until all are the batch holds
/// itself, whoever waits for it or has given that up.
final class DeliveryBatch: Sendable {
    /// A record's place in the batch, which travels through librdkafka with it.
    private struct Place {
        let batch: Unmanaged<DeliveryBatch>
        let index: Int
        /// What the report says: written once, by whoever settles the record.
        var partition: Int32 = -1
        var offset: Int64 = -1
        /// -1 where there is none.
        var milliseconds: Int64 = -1
    }

    /// The places, in memory that stays where it is.
    ///
    /// Each is written by one thread, before ``open`` says that it is settled.
    private final class Places: @unchecked Sendable {
        let all: UnsafeMutableBufferPointer<Place>

        init(count: Int) { all = .allocate(capacity: count) }

        deinit { all.deallocate() }
    }

    private struct State {
        var errors: [Int: KafkaError] = [:]
        var isDone: Bool
        var isCancelled = false
        var waiter: CheckedContinuation<Void, any Error>?
    }

    let records: [KafkaRecord]
    private let places: Places
    /// The number of records that are not settled.
    private let open: Atomic<Int>
    private let state: Mutex<State>

    init(_ records: [KafkaRecord]) {
        self.records = records
        places = Places(count: records.count)
        open = Atomic(records.count)
        state = Mutex(State(isDone: records.isEmpty))
        guard !records.isEmpty else { return }
        let own = Unmanaged.passRetained(self)
        for index in records.indices { places.all.initializeElement(at: index, to: Place(batch: own, index: index)) }
    }

    /// What goes with a record to librdkafka.
    func place(of index: Int) -> UnsafeMutableRawPointer? {
        places.all.baseAddress.map { UnsafeMutableRawPointer($0 + index) }
    }

    // MARK: Settling

    /// Settles the record of a delivery report.
    static func settle(_ place: UnsafeMutableRawPointer, with message: UnsafePointer<rd_kafka_message_t>) {
        let place = place.assumingMemoryBound(to: Place.self)
        let batch = place.pointee.batch.takeUnretainedValue()
        let partition = message.pointee.partition
        guard message.pointee.err == RD_KAFKA_RESP_ERR_NO_ERROR else {
            let index = place.pointee.index
            let topic = batch.records[index].topic
            let size = message.pointee.len + message.pointee.key_len
            let end = partition >= 0 ? "\(topic)[\(partition)]" : topic
            batch.fail(index, KafkaError(message.pointee.err, "a message of \(size) bytes was not delivered to \(end)"))
            return
        }
        place.pointee.partition = partition
        place.pointee.offset = message.pointee.offset
        place.pointee.milliseconds = creationMilliseconds(of: message) ?? -1
        batch.settled(1)
    }

    /// Settles a record that was refused.
    func fail(_ index: Int, _ error: KafkaError) {
        state.withLock { $0.errors[index] = error }
        settled(1)
    }

    /// Settles the records from one on, which were not handed over.
    func fail(from index: Int, _ error: KafkaError) {
        guard index < records.count else { return }
        state.withLock { state in
            for index in index..<records.count { state.errors[index] = error }
        }
        settled(records.count - index)
    }

    private func settled(_ count: Int) {
        guard open.wrappingSubtract(count, ordering: .acquiringAndReleasing).newValue == 0 else { return }
        let waiter = state.withLock { state in
            state.isDone = true
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
        Unmanaged.passUnretained(self).release()
    }

    // MARK: Waiting

    /// Awaits all results; a cancelled task stops waiting, and what was handed over may still be delivered.
    func results() async throws -> [Result<DeliveryReport, KafkaError>] {
        try await withTaskCancellationHandler {
            try await withCheckedThrowingContinuation { continuation in
                let ready: Result<Void, any Error>? = state.withLock { state in
                    if state.isDone { return .success(()) }
                    if state.isCancelled { return .failure(CancellationError()) }
                    state.waiter = continuation
                    return nil
                }
                if let ready { continuation.resume(with: ready) }
            }
        } onCancel: {
            let waiter = state.withLock { state in
                state.isCancelled = true
                defer { state.waiter = nil }
                return state.waiter
            }
            waiter?.resume(throwing: CancellationError())
        }
        let errors = state.withLock { $0.errors }
        return records.indices.map { index in
            if let error = errors[index] { return .failure(error) }
            let place = places.all[index]
            return .success(
                DeliveryReport(
                    topic: records[index].topic,
                    partition: place.partition,
                    offset: place.offset,
                    timestamp: place.milliseconds < 0
                        ? nil : Date(timeIntervalSince1970: Double(place.milliseconds) / 1_000)
                )
            )
        }
    }
}
