import KafkaClient
import Logging
import Testing

@Suite("Topics that are there")
struct TopicDifferenceTests {
    private let wanted = TopicSpecification(name: "t", partitions: 4, retention: .seconds(30 * 86_400))

    @Test(
        "fewer partitions and another retention are differences; more partitions and what is not known are none",
        arguments: [
            (4, "2592000000", []), (8, nil, []), (4, "odd", []),
            (1, nil, [TopicDifference.Kind.partitions(found: 1, wanted: 4)]),
            (4, "604800000", [.retention(found: 604_800_000, wanted: 2_592_000_000)]),
            (2, "-1", [.partitions(found: 2, wanted: 4), .retention(found: -1, wanted: 2_592_000_000)]),
        ] as [(Int, String?, [TopicDifference.Kind])]
    )
    func differences(partitions: Int, retention: String?, kinds: [TopicDifference.Kind]) {
        let found = TopicDifference.of(wanted, partitions: partitions, retention: retention)
        #expect(found.map(\.kind) == kinds && found.allSatisfy { $0.topic == "t" })
    }

    @Test("each says what it is and what changes it")
    func words() {
        let texts = TopicDifference.of(wanted, partitions: 1, retention: "-1").map(\.description)
        #expect(texts[0].contains("topic t has 1 partition and not 4") && texts[0].contains("--topic t --partitions 4"))
        #expect(texts[1].contains("keeps messages for ever and not 30 days"))
        #expect(texts[1].contains("--add-config retention.ms=2592000000"))
        let week = TopicDifference.of(wanted, partitions: 4, retention: "604800000").map(\.description)
        #expect(week.first?.contains("for 7 days and not 30 days") == true)
    }

    @Test(
        "a broker is asked for its partitions, and one that tells no settings for nothing more; missing topics are none"
    )
    func asked() async throws {
        let broker = try EmbeddedBroker(topics: ["few": 1, "enough": 4])
        defer { broker.stop() }
        let admin = try KafkaAdmin(broker.configuration)
        let topics = ["few", "enough", "missing"].map {
            TopicSpecification(name: $0, partitions: 4, retention: .seconds(60))
        }
        let found = try await admin.differences(from: topics)
        #expect(found.map(\.topic) == ["few"])
        #expect(found.map(\.kind) == [.partitions(found: 1, wanted: 4)])
    }
}
