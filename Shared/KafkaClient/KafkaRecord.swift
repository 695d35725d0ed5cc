public import Foundation

/// One header of a record: names may repeat, order is kept, a value may be null.
public struct KafkaHeader: Sendable, Hashable {
    /// The name.
    public var key: String
    /// The bytes; nil is a null on the wire, which differs from no bytes.
    public var value: Data?

    /// Makes a header of bytes.
    public init(key: String, value: Data?) {
        self.key = key
        self.value = value
    }

    /// Makes a header of text.
    public init(key: String, text: String) {
        self.init(key: key, value: Data(text.utf8))
    }
}

/// A record to be produced.
public struct KafkaRecord: Sendable, Hashable {
    /// The topic.
    public var topic: String
    /// The partition; nil lets the key's hash choose.
    public var partition: Int32?
    /// The key; records with one key keep their order.
    public var key: Data?
    /// The value; nil is a tombstone.
    public var value: Data?
    /// The headers, in order.
    public var headers: [KafkaHeader]
    /// The creation time; nil means now.
    public var timestamp: Date?

    /// Makes a record.
    public init(
        topic: String,
        partition: Int32? = nil,
        key: Data? = nil,
        value: Data?,
        headers: [KafkaHeader] = [],
        timestamp: Date? = nil
    ) {
        self.topic = topic
        self.partition = partition
        self.key = key
        self.value = value
        self.headers = headers
        self.timestamp = timestamp
    }
}

extension KafkaRecord {
    /// Bytes of key, value and headers.
    var byteCount: Int { (key?.count ?? 0) + (value?.count ?? 0) + headers.byteCount }

    /// The most bytes that this record takes alone on the wire without compression, the framing included: what a
    /// producer's and a broker's limits are held against.
    public var largestSize: Int { Self.largestSize(headers: headers, of: (key?.count ?? 0) + (value?.count ?? 0)) }

    /// ``largestSize`` of a record with headers and so many bytes of key and value.
    public static func largestSize(headers: [KafkaHeader], of bytes: Int) -> Int {
        // A record batch's header takes 61 bytes; a record's attributes, five lengths, offset and time at most 1 + 8 · 5
        // + 10; a header's two lengths at most 2 · 5.
        bytes + headers.byteCount + 112 + 10 * headers.count
    }
}

extension [KafkaHeader] {
    /// Bytes of names and values.
    fileprivate var byteCount: Int { reduce(0) { $0 + $1.key.utf8.count + ($1.value?.count ?? 0) } }
}

/// A record as a consumer receives it.
public struct KafkaMessage: Sendable, Hashable {
    /// The topic.
    public let topic: String
    /// The partition.
    public let partition: Int32
    /// The offset in the partition.
    public let offset: Int64
    /// The key.
    public let key: Data?
    /// The value; nil is a tombstone.
    public let value: Data?
    /// The headers, in order.
    public let headers: [KafkaHeader]
    /// When it was created or appended, as the topic is set up.
    public let timestamp: Date?
    /// The number of the assignment that brought its partition to the consumer, which grows; 0 where it came from none.
    public internal(set) var assignment: UInt64 = 0

    /// Makes a message, for tests of what handles messages.
    public init(
        topic: String,
        partition: Int32,
        offset: Int64,
        key: Data?,
        value: Data?,
        headers: [KafkaHeader] = [],
        timestamp: Date? = nil
    ) {
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.key = key
        self.value = value
        self.headers = headers
        self.timestamp = timestamp
    }

    /// The last header of that name; nil when there is none or it is null.
    public func header(_ key: String) -> Data? {
        headers.last { $0.key == key }?.value
    }

    /// Where it came from.
    public var topicPartition: TopicPartition { TopicPartition(topic: topic, partition: partition) }

    /// Bytes of key, value and headers.
    public var byteCount: Int { (key?.count ?? 0) + (value?.count ?? 0) + headers.byteCount }
}

/// A partition of a topic.
public struct TopicPartition: Sendable, Hashable, Comparable, CustomStringConvertible {
    /// The topic.
    public let topic: String
    /// The partition's number, from 0.
    public let partition: Int32

    /// Names a partition.
    public init(topic: String, partition: Int32) {
        self.topic = topic
        self.partition = partition
    }

    /// `topic[partition]`.
    public var description: String { "\(topic)[\(partition)]" }

    /// Orders by topic, then number.
    public static func < (left: TopicPartition, right: TopicPartition) -> Bool {
        (left.topic, left.partition) < (right.topic, right.partition)
    }
}

/// A position in a partition.
public struct TopicPartitionOffset: Sendable, Hashable, CustomStringConvertible {
    /// The topic.
    public let topic: String
    /// The partition.
    public let partition: Int32
    /// The offset of the next message to read: one past the last that was handled.
    public let offset: Int64

    /// Names a position.
    public init(topic: String, partition: Int32, offset: Int64) {
        self.topic = topic
        self.partition = partition
        self.offset = offset
    }

    /// The partition.
    public var topicPartition: TopicPartition { TopicPartition(topic: topic, partition: partition) }

    /// `topic[partition]@offset`.
    public var description: String { "\(topicPartition)@\(offset)" }

    /// The positions that say "these messages are handled": for each partition one past its highest offset.
    public static func after(_ messages: [KafkaMessage]) -> [TopicPartitionOffset] {
        var next: [TopicPartition: Int64] = [:]
        for message in messages {
            next[message.topicPartition] = max(next[message.topicPartition] ?? 0, message.offset + 1)
        }
        return next.sorted { $0.key < $1.key }
            .map { TopicPartitionOffset(topic: $0.key.topic, partition: $0.key.partition, offset: $0.value) }
    }
}

/// What the broker said of a delivered record.
public struct DeliveryReport: Sendable, Hashable {
    /// The topic.
    public let topic: String
    /// The partition that it went to.
    public let partition: Int32
    /// The offset that it got; -1 where the broker did not say (an idempotent resend of what was already there).
    public let offset: Int64
    /// Its time.
    public let timestamp: Date?
}

/// First and next offset of a partition.
public struct Watermarks: Sendable, Hashable {
    /// The oldest offset that is still there.
    public let low: Int64
    /// The offset that the next message will get.
    public let high: Int64
}
