import CLibrdkafka

/// What went wrong in a Kafka client, with the broker's or librdkafka's own code.
public struct KafkaError: Error, Sendable, Hashable, CustomStringConvertible {
    /// A Kafka protocol error code, or a negative one of librdkafka's own.
    public struct Code: RawRepresentable, Sendable, Hashable, CustomStringConvertible {
        /// The number on the wire, or librdkafka's negative number.
        public let rawValue: Int32

        /// Makes a code from its number.
        public init(rawValue: Int32) { self.rawValue = rawValue }

        /// librdkafka's name of the code, such as `MSG_SIZE_TOO_LARGE`.
        public var description: String {
            rd_kafka_err2name(rd_kafka_resp_err_t(rawValue: rawValue)).map { String(cString: $0) } ?? "\(rawValue)"
        }
    }

    /// The code.
    public let code: Code
    /// What happened, where, and what to do about it; safe to log.
    public let message: String
    /// Whether the same call may succeed when tried again.
    public let isRetriable: Bool
    /// Whether the client is beyond use and a new one must be made.
    public let isFatal: Bool
    /// The name of the refused setting, when a setting is the cause.
    public let setting: String?

    /// librdkafka's name of the code, such as `MSG_SIZE_TOO_LARGE`.
    public var name: String { code.description }

    /// Whether it is the record that is refused, so that sending it again as it is cannot succeed.
    ///
    /// A broker refuses a whole batch for one record in it.
    public var refusesRecord: Bool { Code.refusals.contains(code) }

    /// The name, the message, and whether it is fatal.
    public var description: String {
        "\(name): \(message)\(isFatal ? " (fatal: make a new client)" : "")"
    }

    /// Makes an error; whether it is retriable and fatal follows from the code unless said.
    public init(
        code: Code,
        message: String,
        isRetriable: Bool? = nil,
        isFatal: Bool? = nil,
        setting: String? = nil
    ) {
        self.code = code
        self.message = message
        self.isRetriable = isRetriable ?? Code.retriable.contains(code)
        self.isFatal = isFatal ?? (code == .fatal || code == .fenced)
        self.setting = setting
    }
}

extension KafkaError.Code {
    /// The message exceeds `message.max.bytes` here or at the broker.
    public static let messageTooLarge = Self(rawValue: 10)
    /// The topic or partition does not exist at the broker.
    public static let unknownTopicOrPartition = Self(rawValue: 3)
    /// The group is being rebalanced.
    public static let rebalanceInProgress = Self(rawValue: 27)
    /// Not enough replicas are in sync.
    public static let notEnoughReplicas = Self(rawValue: 19)
    /// The partition's leader is elsewhere.
    public static let notLeaderForPartition = Self(rawValue: 6)
    /// The request took too long at the broker.
    public static let requestTimedOut = Self(rawValue: 7)
    /// This principal may not touch the topic.
    public static let topicAuthorizationFailed = Self(rawValue: 29)
    /// This principal may not use the group.
    public static let groupAuthorizationFailed = Self(rawValue: 30)
    /// A setting or argument is refused.
    public static let invalidArgument = Self(rawValue: -186)
    /// The call took longer than allowed.
    public static let timedOut = Self(rawValue: -185)
    /// The message was not delivered within `delivery.timeout.ms`.
    public static let messageTimedOut = Self(rawValue: -192)
    /// The connection broke.
    public static let transport = Self(rawValue: -195)
    /// No broker can be reached.
    public static let allBrokersDown = Self(rawValue: -187)
    /// Authentication failed.
    public static let authentication = Self(rawValue: -169)
    /// The broker or this librdkafka lacks the feature.
    public static let unsupportedFeature = Self(rawValue: -165)
    /// The client cannot go on.
    public static let fatal = Self(rawValue: -150)
    /// Another member has joined the group under this one's `group.instance.id`.
    public static let fencedInstance = Self(rawValue: 82)
    /// Another client with the same identity took over.
    public static let fenced = Self(rawValue: -144)
    /// The client is closed.
    public static let closed = Self(rawValue: -197)
    /// The offset, partition or state does not fit the call.
    public static let invalidState = Self(rawValue: -172)

    /// Codes after which the same call may succeed later.
    static let retriable: Set<Self> = Set(
        [
            2, 3, 5, 6, 7, 8, 9, 13, 14, 15, 16, 19, 20, 27, 56, 57, 72, 74, 89, -184, -185, -187, -192, -193, -195,
            -196, -181,
        ]
        .map { Self(rawValue: $0) }
    )

    /// Codes by which a record itself is refused: too large, alone or with others; bad time; against a policy; not valid.
    static let refusals: Set<Self> = Set([10, 18, 32, 43, 44, 87, -199].map { Self(rawValue: $0) })

    /// Codes on which a consumer gives up instead of trying again.
    static let hopeless: Set<Self> = [
        .topicAuthorizationFailed, .groupAuthorizationFailed, .authentication, .fatal, .fenced,
        .fencedInstance,
    ]
}

extension KafkaError {
    /// An error from a response code; `context` names the place, `detail` replaces librdkafka's own sentence.
    init(_ error: rd_kafka_resp_err_t, _ context: String, detail: String? = nil) {
        let sentence = detail ?? rd_kafka_err2str(error).map { String(cString: $0) } ?? "unknown error"
        self.init(code: Code(rawValue: error.rawValue), message: "\(context): \(sentence)")
    }

    /// Takes over and frees an error object of librdkafka's.
    init(consuming error: OpaquePointer, _ context: String) {
        let code = Code(rawValue: rd_kafka_error_code(error).rawValue)
        let sentence = rd_kafka_error_string(error).map { String(cString: $0) } ?? "unknown error"
        let isRetriable = rd_kafka_error_is_retriable(error) != 0 || Code.retriable.contains(code)
        let isFatal = rd_kafka_error_is_fatal(error) != 0
        rd_kafka_error_destroy(error)
        self.init(
            code: code,
            message: "\(context): \(sentence)",
            isRetriable: isRetriable,
            isFatal: isFatal || code == .fatal || code == .fenced
        )
    }

    /// The error of a call on a client that is closed.
    static func closed(_ client: String) -> KafkaError {
        KafkaError(
            code: .closed,
            message: "the \(client) is closed; make a new one",
            isRetriable: false,
            isFatal: false
        )
    }

    /// Throws unless the code says success.
    static func check(_ error: rd_kafka_resp_err_t, _ context: @autoclosure () -> String) throws {
        if error != RD_KAFKA_RESP_ERR_NO_ERROR { throw KafkaError(error, context()) }
    }
}
