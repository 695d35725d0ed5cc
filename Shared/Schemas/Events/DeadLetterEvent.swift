public import Foundation

/// A message that failed for good.
///
/// Record key: `topic/partition` of that message.
public struct DeadLetterEvent: EventPayload, Hashable {
    /// The event type.
    public static let type = EventType.deadLetter

    /// The most bytes of the original payload that the event carries; the database keeps all of them.
    public static let payloadLimit = 512 * 1024

    /// The most bytes that the original headers take in the event; those that go beyond are left out.
    ///
    /// Each counts as what it can take at most as JSON, so that a dead letter fits an event whatever the headers are: a
    /// message with thousands of empty ones must not become one that can never be given up.
    public static let headersLimit = 96 * 1024

    /// The dead letter's id.
    public var id: String
    /// The topic of the message.
    public var topic: String
    /// Its partition.
    public var partition: Int32
    /// Its offset.
    public var offset: Int64
    /// Its key, as far as it is UTF-8; not there when the message has none.
    public var recordKey: String?
    /// The consumer that gave up on it.
    public var consumer: String
    /// Why.
    public var cause: DeadLetterCause
    /// The original payload in base64, its first ``payloadLimit`` bytes; not there for a tombstone.
    public var payloadBase64: String?
    /// The size of the original payload in bytes; more than what is carried when that was cut, 0 for a tombstone.
    public var payloadSize: Int
    /// The headers of the message.
    public var headers: [DeadLetterHeader]
    /// When the consumer gave up.
    public var failedAt: Date
    /// How often it was tried.
    public var attempts: Int

    /// Makes a dead letter from the message as it came; what is too large for an event is cut.
    ///
    /// What is not UTF-8 in the key is replaced by U+FFFD. The payload is nil for a tombstone, and the value of a
    /// header nil where it is null.
    public init(
        id: String,
        topic: String,
        partition: Int32,
        offset: Int64,
        recordKey: Data?,
        consumer: String,
        cause: DeadLetterCause,
        payload: Data?,
        headers: [(String, Data?)],
        failedAt: Date,
        attempts: Int
    ) {
        self.id = id
        self.topic = topic
        self.partition = partition
        self.offset = offset
        self.recordKey = recordKey.map { String(decoding: $0.prefix(4096), as: UTF8.self) }
        self.consumer = consumer
        self.cause = cause
        payloadBase64 = payload.map { $0.prefix(Self.payloadLimit).base64EncodedString() }
        payloadSize = payload?.count ?? 0
        var room = Self.headersLimit
        self.headers = headers.prefix { name, value in
            room -= DeadLetterHeader.longestForm(name: name, value: value)
            return room >= 0
        }.map { DeadLetterHeader(name: $0, valueBase64: $1?.base64EncodedString()) }
        self.failedAt = failedAt
        self.attempts = attempts
    }

    /// `topic/partition` of the message that failed.
    public var key: String { "\(topic)/\(partition)" }

    /// The original payload, as much of it as the event carries; nil for a tombstone.
    public var payload: Data? { payloadBase64.flatMap { Data(base64Encoded: $0) } }

    /// Whether the original payload was larger than what the event carries.
    public var isPayloadCut: Bool { payloadSize > (payload?.count ?? 0) }

    /// Checks ids and ranges, and that the bytes are base64.
    public func validate() throws {
        let check = Validation(type: Self.type)
        try check.identifier(id, "id")
        try check.notBlank(topic, "topic")
        try check.atLeast(partition, 0, "partition")
        try check.atLeast(offset, 0, "offset")
        try check.notBlank(consumer, "consumer")
        try check.notBlank(cause.code, "cause.code")
        try check.notBlank(cause.message, "cause.message")
        if payloadBase64 != nil {
            try check.require(payload != nil, "payloadBase64", "must be base64")
        }
        try check.atLeast(payloadSize, payload?.count ?? 0, "payloadSize")
        for (index, header) in headers.enumerated() {
            guard let text = header.valueBase64 else { continue }
            try check.require(
                Data(base64Encoded: text) != nil,
                "headers[\(index)].valueBase64",
                "must be base64"
            )
        }
        try check.atLeast(attempts, 1, "attempts")
    }
}

/// Why a message failed.
public struct DeadLetterCause: Sendable, Hashable, Codable {
    /// A stable code, for example one of ``SchemasError/Code``.
    public var code: String
    /// What is wrong, where, and what would mend it.
    public var message: String

    /// Makes a cause; a long message is cut to 4,000 bytes.
    public init(code: String, message: String) {
        self.code = code
        self.message = message.cut(toBytes: 4000)
    }

    /// Makes a cause from an error of this module.
    public init(_ error: SchemasError) {
        self.init(code: error.code.rawValue, message: error.message)
    }
}

/// A header of a message that failed.
public struct DeadLetterHeader: Sendable, Hashable, Codable {
    /// The header's name.
    public var name: String
    /// Its value in base64; not there when it is null.
    public var valueBase64: String?

    /// Makes a header.
    public init(name: String, valueBase64: String?) {
        self.name = name
        self.valueBase64 = valueBase64
    }

    /// The most bytes that a header takes in a list as JSON: a byte of the name at most six, of the value four thirds.
    static func longestForm(name: String, value: Data?) -> Int {
        let framing = #"{"name":"","valueBase64":""},"#.utf8.count
        return framing + 6 * name.utf8.count + ((value?.count ?? 0) + 2) / 3 * 4
    }
}
