import Foundation
import KafkaClient
import PostgresClient
import Schemas
import TestSupport
import Testing

@testable import ServiceRuntime

@Suite("Members of a consumer group that have names")
struct DeliveryMemberTests {
    private static let kafka = KafkaConfiguration(bootstrapServers: "127.0.0.1:1", settings: ["client.id": "mine"])

    @Test("a process with a name is that member of its group, one without is a new member at each start")
    func names() throws {
        #expect(try EventService.consumer(Self.kafka, named: nil).settings == ["client.id": "mine"])
        let named = try EventService.consumer(Self.kafka, named: "worker-3")
        #expect(named.settings == ["client.id": "mine", "group.instance.id": "worker-3"])
        let machine = try EventService.consumer(Self.kafka, named: "hostname").settings["group.instance.id"]
        let own = try String(contentsOfFile: "/proc/sys/kernel/hostname", encoding: .utf8)
        #expect(machine == own.trimmingCharacters(in: .whitespacesAndNewlines))
    }

    @Test("a name that the settings give too is refused")
    func twice() {
        var kafka = Self.kafka
        kafka.settings["group.instance.id"] = "other"
        let error = #expect(throws: ConfigurationError.self) { try EventService.consumer(kafka, named: "worker-3") }
        #expect(error?.description.contains("ERRATA_KAFKA_SETTINGS") == true)
    }

    @Test(
        "a name must be one for Kafka",
        arguments: ["", ".", "..", "a b", "a/b", "ä", String(repeating: "x", count: 250)]
    )
    func malformed(name: String) {
        #expect(EventService.member.fault(in: name) != nil)
        #expect(EventService.member.fault(in: "a.B-9_\(String(repeating: "x", count: 243))") == nil)
    }

    @Test("a worker whose name another process took ends in mid-work, and says what to do", arguments: [1, 32])
    func fenced(batch: Int) async throws {
        try await DeliveryBench.with(partitions: 1) { bench in
            var kafka = bench.broker.configuration
            kafka.settings["group.instance.id"] = "worker-3"
            let working = Gate()
            let worker = EffectsWorker(
                processor: ClosureProcessor(batchLimit: batch) { event in
                    if event.id == "p-2" {
                        working.open()
                        try await Task.sleep(for: .seconds(3600))
                    }
                    return try DeliveryBench.effects(of: event)
                },
                pool: bench.pool,
                kafka: kafka,
                logger: quiet
            )
            let ended = Gate()
            let running = Task {
                defer { ended.open() }
                try await worker.run()
            }
            defer { running.cancel() }
            try await bench.send([("p-1", "p-1")])
            try await eventually("the effect") { try await bench.count("effects") == 1 }
            try await bench.send([("p-2", "p-2")])
            try await eventually("work") { working.isOpen }
            try bench.broker.injectErrors(Array(repeating: .fencedInstance, count: 100), into: .heartbeat)
            try await eventually("the end of the worker") { ended.isOpen }
            let error = await #expect(throws: ConfigurationError.self) { try await running.value }
            #expect(error?.description.contains("ERRATA_MEMBER") == true)
            #expect(error?.description.contains("worker-3") == true)
        }
    }
}
