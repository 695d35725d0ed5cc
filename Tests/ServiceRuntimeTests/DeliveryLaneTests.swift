import Foundation
import KafkaClient
import Testing

@testable import ServiceRuntime

@Suite("Lanes by key")
struct DeliveryLaneTests {
    private func message(_ key: String?, _ offset: Int64, topic: String = "t") -> KafkaMessage {
        KafkaMessage(topic: topic, partition: 0, offset: offset, key: key.map { Data($0.utf8) }, value: nil)
    }

    @Test("the first message of a key opens a lane, the lane gives its messages in order and closes when it is empty")
    func order() throws {
        let lanes = KeyedLanes()
        let lane = try #require(lanes.add(message("a", 0)))
        #expect(lanes.add(message("a", 1)) == nil)
        #expect(lanes.next(of: lane)?.offset == 0)
        #expect(lanes.next(of: lane)?.offset == 1)
        // Still open: its last message may be in work.
        #expect(lanes.add(message("a", 2)) == nil)
        #expect(lanes.next(of: lane)?.offset == 2)
        #expect(lanes.next(of: lane) == nil)
        #expect(lanes.count == 0)
        #expect(lanes.add(message("a", 3)) == lane)
    }

    @Test("keys do not share lanes, an empty key is a key, and messages without one are each on their own")
    func independence() throws {
        let lanes = KeyedLanes()
        let opened = [message("a", 0), message("b", 1), message("", 2), message(nil, 3), message(nil, 4)]
            .compactMap { lanes.add($0) }
        #expect(Set(opened).count == 5)
        #expect(lanes.add(message("", 5)) == nil)
        #expect(opened.map { lanes.next(of: $0)?.offset } == [0, 1, 2, 3, 4])
    }

    @Test("a message that waits for one of another topic with the same key does not stand in its way")
    func topics() throws {
        let lanes = KeyedLanes()
        let waiting = try #require(lanes.add(message("a", 0, topic: "traces")))
        let awaited = try #require(lanes.add(message("a", 0, topic: "problems")))
        #expect(waiting != awaited)
        #expect(lanes.next(of: awaited)?.topic == "problems")
    }
}
