import CLibrdkafka
import Foundation
import Logging

// The functions that librdkafka calls. Each finds its context through the client's opaque pointer.

/// Called on librdkafka's own threads.
func logCallback(
    client: OpaquePointer?,
    level: Int32,
    facility: UnsafePointer<CChar>?,
    text: UnsafePointer<CChar>?
) {
    guard let context = CallbackContext.of(client) else { return }
    let facility = facility.map { String(cString: $0) } ?? ""
    let text = text.map { String(cString: $0) } ?? ""
    // One set of settings serves producers and consumers alike: that the other kind's are ignored is no news.
    let severity: Logger.Level = facility == "CONFWARN" ? .debug : Logger.Level(syslog: level)
    context.logger.log(level: severity, "\(text)", metadata: ["client": "\(context.name)", "facility": "\(facility)"])
}

/// Called on the thread that polls.
func errorCallback(
    client: OpaquePointer?,
    code: Int32,
    reason: UnsafePointer<CChar>?,
    opaque: UnsafeMutableRawPointer?
) {
    guard let opaque else { return }
    let context = Unmanaged<CallbackContext>.fromOpaque(opaque).takeUnretainedValue()
    let reason = reason.map { String(cString: $0) } ?? ""
    let error = KafkaError(rd_kafka_resp_err_t(rawValue: code), context.name, detail: reason)
    context.logger.log(
        level: error.isFatal ? .error : .warning,
        "\(error)",
        metadata: ["client": "\(context.name)"]
    )
    context.onError(error)
}

/// Called on the thread that polls; 0 tells librdkafka to free the text.
func statisticsCallback(
    client: OpaquePointer?,
    json: UnsafeMutablePointer<CChar>?,
    length: Int,
    opaque: UnsafeMutableRawPointer?
) -> Int32 {
    guard let opaque, let json else { return 0 }
    let context = Unmanaged<CallbackContext>.fromOpaque(opaque).takeUnretainedValue()
    let data = Data(bytes: json, count: length)
    do {
        context.onStatistics?(try KafkaStatistics(json: data))
    } catch {
        context.logger.warning("unreadable statistics: \(error)", metadata: ["client": "\(context.name)"])
    }
    return 0
}

/// Called on the thread that polls, which must not go on before the assignment is taken or given up.
func rebalanceCallback(
    client: OpaquePointer?,
    code: rd_kafka_resp_err_t,
    partitions: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?,
    opaque: UnsafeMutableRawPointer?
) {
    guard let client, let opaque else { return }
    let context = Unmanaged<CallbackContext>.fromOpaque(opaque).takeUnretainedValue()
    context.onRebalance?(client, code, TopicPartitionList.elements(of: partitions).map(\.partition))
}

/// Called on the thread that polls or flushes, once for each message that was taken.
func deliveryCallback(
    client: OpaquePointer?,
    message: UnsafePointer<rd_kafka_message_t>?,
    opaque: UnsafeMutableRawPointer?
) {
    guard let message, let place = message.pointee._private else { return }
    DeliveryBatch.settle(place, with: message)
}

/// Called on the thread that polls; the opaque pointer is the commit's number.
func commitCallback(
    client: OpaquePointer?,
    code: rd_kafka_resp_err_t,
    offsets: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>?,
    opaque: UnsafeMutableRawPointer?
) {
    guard let context = CallbackContext.of(client), let opaque else { return }
    let id = UInt(bitPattern: opaque)
    let failed = TopicPartitionList.elements(of: offsets).first { $0.error != RD_KAFKA_RESP_ERR_NO_ERROR }
    if let failed {
        context.settleCommit(id, .failure(KafkaError(failed.error, "commit of \(failed.partition)@\(failed.offset)")))
    } else if code != RD_KAFKA_RESP_ERR_NO_ERROR {
        context.settleCommit(id, .failure(KafkaError(code, "commit")))
    } else {
        context.settleCommit(id, .success(()))
    }
}

/// The time of a message in milliseconds since 1970.
func creationMilliseconds(of message: UnsafePointer<rd_kafka_message_t>) -> Int64? {
    var type = RD_KAFKA_TIMESTAMP_NOT_AVAILABLE
    let milliseconds = rd_kafka_message_timestamp(message, &type)
    return type != RD_KAFKA_TIMESTAMP_NOT_AVAILABLE && milliseconds >= 0 ? milliseconds : nil
}

extension KafkaMessage {
    /// Copies a message of the topic, whose partition came with the assignment, out of librdkafka's memory.
    init(
        copying message: UnsafePointer<rd_kafka_message_t>,
        into memory: inout MessageMemory,
        topic: String,
        assignment: UInt64
    ) {
        let fields = message.pointee
        self.init(
            topic: topic,
            partition: fields.partition,
            offset: fields.offset,
            key: fields.key.map { memory.copy($0, count: fields.key_len) },
            value: fields.payload.map { memory.copy($0, count: fields.len) },
            headers: Self.headers(of: message, in: &memory),
            timestamp: creationMilliseconds(of: message).map { Date(timeIntervalSince1970: Double($0) / 1_000) }
        )
        self.assignment = assignment
    }

    private static func headers(
        of message: UnsafePointer<rd_kafka_message_t>,
        in memory: inout MessageMemory
    ) -> [KafkaHeader] {
        var list: OpaquePointer?
        guard rd_kafka_message_headers(message, &list) == RD_KAFKA_RESP_ERR_NO_ERROR, let list else { return [] }
        var headers: [KafkaHeader] = []
        var name: UnsafePointer<CChar>?
        var value: UnsafeRawPointer?
        var size = 0
        while rd_kafka_header_get_all(list, headers.count, &name, &value, &size) == RD_KAFKA_RESP_ERR_NO_ERROR {
            headers.append(
                KafkaHeader(
                    key: name.map { String(cString: $0) } ?? "",
                    value: value.map { memory.copy($0, count: size) }
                )
            )
        }
        return headers
    }
}

/// The names of topics, each copied out of librdkafka's memory once as long as its messages come one after the other.
struct TopicNames {
    private var last: (topic: OpaquePointer, name: String)?

    /// The name of a message's topic; empty where it has none.
    mutating func name(of message: UnsafePointer<rd_kafka_message_t>) -> String {
        guard let topic = message.pointee.rkt else { return "" }
        if let last, last.topic == topic { return last.name }
        let name = rd_kafka_topic_name(topic).map { String(cString: $0) } ?? ""
        last = (topic, name)
        return name
    }
}

extension Logger.Level {
    /// The level of a syslog severity, as librdkafka gives it.
    init(syslog: Int32) {
        switch syslog {
        case ...2: self = .critical
        case 3: self = .error
        case 4: self = .warning
        case 5: self = .notice
        case 6: self = .info
        default: self = .debug
        }
    }
}
