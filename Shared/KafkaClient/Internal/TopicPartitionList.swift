import CLibrdkafka

/// Owns one list of librdkafka's; the pointer is lent only inside ``withPointer(_:)``.
struct TopicPartitionList: ~Copyable {
    private let pointer: UnsafeMutablePointer<rd_kafka_topic_partition_list_t>

    init(_ partitions: [TopicPartition]) {
        pointer = rd_kafka_topic_partition_list_new(Int32(partitions.count))
        for partition in partitions {
            rd_kafka_topic_partition_list_add(pointer, partition.topic, partition.partition)
        }
    }

    init(topics: [String]) {
        // RD_KAFKA_PARTITION_UA: any partition.
        self.init(topics.map { TopicPartition(topic: $0, partition: -1) })
    }

    init(_ offsets: [TopicPartitionOffset]) {
        pointer = rd_kafka_topic_partition_list_new(Int32(offsets.count))
        for offset in offsets {
            let element = rd_kafka_topic_partition_list_add(pointer, offset.topic, offset.partition)
            element?.pointee.offset = offset.offset
        }
    }

    deinit {
        rd_kafka_topic_partition_list_destroy(pointer)
    }

    borrowing func withPointer<Result>(
        _ body: (UnsafeMutablePointer<rd_kafka_topic_partition_list_t>) throws -> Result
    ) rethrows -> Result {
        try body(pointer)
    }

    /// Every element, as librdkafka left it.
    borrowing func elements() -> [Element] { Self.elements(of: pointer) }

    /// Throws the first error that a call left on an element.
    borrowing func checkElements(_ context: String) throws {
        for element in elements() where element.error != RD_KAFKA_RESP_ERR_NO_ERROR {
            throw KafkaError(element.error, "\(context), \(element.partition)")
        }
    }

    struct Element {
        let partition: TopicPartition
        let offset: Int64
        let error: rd_kafka_resp_err_t
    }

    static func elements(of list: UnsafePointer<rd_kafka_topic_partition_list_t>?) -> [Element] {
        guard let list, let first = list.pointee.elems else { return [] }
        return UnsafeBufferPointer(start: first, count: Int(list.pointee.cnt)).map {
            Element(
                partition: TopicPartition(topic: String(cString: $0.topic), partition: $0.partition),
                offset: $0.offset,
                error: $0.err
            )
        }
    }
}
