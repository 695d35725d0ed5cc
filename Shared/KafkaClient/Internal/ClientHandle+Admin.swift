import CLibrdkafka
import Foundation

/// Owns the topics of one request.
private struct NewTopics: ~Copyable {
    private var pointers: [OpaquePointer?] = []

    init(_ topics: [TopicSpecification]) throws {
        for topic in topics {
            var text = [CChar](repeating: 0, count: 512)
            guard
                let partitions = Int32(exactly: topic.partitions),
                let replication = Int32(exactly: topic.replication),
                let pointer = rd_kafka_NewTopic_new(topic.name, partitions, replication, &text, text.count)
            else {
                throw KafkaError(code: .invalidArgument, message: "topic '\(topic.name)': \(text.asText)")
            }
            pointers.append(pointer)
            var settings = topic.settings
            if let retention = topic.retention { settings["retention.ms"] = "\(retention.components.seconds * 1_000)" }
            for (name, value) in settings {
                try KafkaError.check(
                    rd_kafka_NewTopic_set_config(pointer, name, value),
                    "topic '\(topic.name)', setting '\(name)'"
                )
            }
        }
    }

    deinit {
        for pointer in pointers { rd_kafka_NewTopic_destroy(pointer) }
    }

    borrowing func request(_ client: OpaquePointer, _ options: OpaquePointer?, _ queue: OpaquePointer?) {
        var pointers = pointers
        rd_kafka_CreateTopics(client, &pointers, pointers.count, options, queue)
    }
}

extension ClientHandle {
    /// Makes topics through the admin protocol; blocks.
    func createTopics(_ topics: [TopicSpecification], timeout: Duration) throws -> [String] {
        let topics = try NewTopics(topics)
        let what = "creating topics"
        return try ask(RD_KAFKA_ADMIN_OP_CREATETOPICS, what, timeout: timeout) { client, options, queue in
            var text = [CChar](repeating: 0, count: 512)
            try KafkaError.check(
                rd_kafka_AdminOptions_set_operation_timeout(options, max(timeout.milliseconds, 1), &text, text.count),
                what
            )
            topics.request(client, options, queue)
        } read: {
            try Self.created($0)
        }
    }

    /// Puts a question through the admin protocol and reads the answer; blocks.
    ///
    /// Arguments:
    ///   - what: what is being done, for errors.
    ///   - request: sends the question with the options, its answer to come to the queue.
    private func ask<Answer>(
        _ operation: rd_kafka_admin_op_t,
        _ what: String,
        timeout: Duration,
        _ request: (_ client: OpaquePointer, _ options: OpaquePointer?, _ queue: OpaquePointer?) throws -> Void,
        read: (OpaquePointer) throws -> Answer
    ) throws -> Answer {
        try withClient { client in
            let options = rd_kafka_AdminOptions_new(client, operation)
            defer { rd_kafka_AdminOptions_destroy(options) }
            let milliseconds = max(timeout.milliseconds, 1)
            var text = [CChar](repeating: 0, count: 512)
            try KafkaError.check(
                rd_kafka_AdminOptions_set_request_timeout(options, milliseconds, &text, text.count),
                what
            )
            let queue = rd_kafka_queue_new(client)
            defer { rd_kafka_queue_destroy(queue) }
            try request(client, options, queue)
            guard let event = rd_kafka_queue_poll(queue, milliseconds) else {
                throw KafkaError(code: .timedOut, message: "\(what) took more than \(timeout)")
            }
            defer { rd_kafka_event_destroy(event) }
            try KafkaError.check(
                rd_kafka_event_error(event),
                "\(what): \(rd_kafka_event_error_string(event).map { String(cString: $0) } ?? "")"
            )
            return try read(event)
        }
    }

    private static func created(_ event: OpaquePointer) throws -> [String] {
        var count = 0
        guard
            let result = rd_kafka_event_CreateTopics_result(event),
            let results = rd_kafka_CreateTopics_result_topics(result, &count)
        else {
            throw KafkaError(code: .invalidState, message: "creating topics: the broker's answer holds no result")
        }
        var created: [String] = []
        for topic in UnsafeBufferPointer(start: results, count: count) {
            let name = rd_kafka_topic_result_name(topic).map { String(cString: $0) } ?? ""
            let error = rd_kafka_topic_result_error(topic)
            switch error {
            case RD_KAFKA_RESP_ERR_NO_ERROR: created.append(name)
            case RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS: break
            default:
                let reason = rd_kafka_topic_result_error_string(topic).map { String(cString: $0) }
                throw KafkaError(error, "creating topic '\(name)'", detail: reason)
            }
        }
        return created
    }

    /// A setting of topics as the brokers have it, by their names; blocks.
    ///
    /// Topics that this user may not be told of are not there.
    func setting(_ setting: String, ofTopics names: [String], timeout: Duration) throws -> [String: String] {
        try ask(RD_KAFKA_ADMIN_OP_DESCRIBECONFIGS, "describing topics", timeout: timeout) { client, options, queue in
            var resources = names.map { rd_kafka_ConfigResource_new(RD_KAFKA_RESOURCE_TOPIC, $0) }
            defer { for resource in resources { rd_kafka_ConfigResource_destroy(resource) } }
            rd_kafka_DescribeConfigs(client, &resources, resources.count, options, queue)
        } read: {
            Self.values(of: setting, in: $0)
        }
    }

    private static func values(of setting: String, in event: OpaquePointer) -> [String: String] {
        var count = 0
        guard let result = rd_kafka_event_DescribeConfigs_result(event),
            let resources = rd_kafka_DescribeConfigs_result_resources(result, &count)
        else { return [:] }
        var values: [String: String] = [:]
        for resource in UnsafeBufferPointer(start: resources, count: count) {
            var entries = 0
            guard rd_kafka_ConfigResource_error(resource) == RD_KAFKA_RESP_ERR_NO_ERROR,
                let name = rd_kafka_ConfigResource_name(resource),
                let settings = rd_kafka_ConfigResource_configs(resource, &entries)
            else { continue }
            for entry in UnsafeBufferPointer(start: settings, count: entries) {
                guard let key = rd_kafka_ConfigEntry_name(entry), String(cString: key) == setting,
                    let value = rd_kafka_ConfigEntry_value(entry)
                else { continue }
                values[String(cString: name)] = String(cString: value)
            }
        }
        return values
    }

    /// Describes the cluster; blocks.
    func metadata(timeout: Duration) throws -> ClusterMetadata {
        try withClient { client in
            var pointer: UnsafePointer<rd_kafka_metadata>?
            let error = rd_kafka_metadata(client, 1, nil, &pointer, timeout.milliseconds)
            try KafkaError.check(error, "metadata from \(setting("bootstrap.servers") ?? "the brokers")")
            guard let pointer else {
                throw KafkaError(code: .invalidState, message: "the broker's metadata is empty")
            }
            defer { rd_kafka_metadata_destroy(pointer) }
            let metadata = pointer.pointee
            return ClusterMetadata(
                brokers: UnsafeBufferPointer(start: metadata.brokers, count: Int(metadata.broker_cnt))
                    .map { .init(id: $0.id, host: String(cString: $0.host), port: $0.port) }
                    .sorted { $0.id < $1.id },
                topics: UnsafeBufferPointer(start: metadata.topics, count: Int(metadata.topic_cnt))
                    .map { .init(name: String(cString: $0.topic), partitions: Self.partitions(of: $0)) }
                    .sorted { $0.name < $1.name }
            )
        }
    }

    private static func partitions(of topic: rd_kafka_metadata_topic) -> [ClusterMetadata.Partition] {
        UnsafeBufferPointer(start: topic.partitions, count: Int(topic.partition_cnt))
            .map {
                .init(
                    partition: $0.id,
                    leader: $0.leader,
                    replicas: Array(UnsafeBufferPointer(start: $0.replicas, count: Int($0.replica_cnt))),
                    inSyncReplicas: Array(UnsafeBufferPointer(start: $0.isrs, count: Int($0.isr_cnt)))
                )
            }
            .sorted { $0.partition < $1.partition }
    }
}
