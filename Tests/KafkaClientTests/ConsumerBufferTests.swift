import Foundation
import Testing

@testable import KafkaClient

@Suite("The consumer's buffer, without a broker")
struct ConsumerBufferTests {
    private let first = TopicPartition(topic: "t", partition: 0)
    private let second = TopicPartition(topic: "t", partition: 1)

    private func message(_ partition: Int32, _ offset: Int64) -> KafkaMessage {
        KafkaMessage(topic: "t", partition: partition, offset: offset, key: nil, value: Data(count: 10))
    }

    private func buffer(messages: Int = 4, bytes: Int = 1_000) -> ConsumerBuffer {
        var buffer = ConsumerBuffer(limits: .init(messages: messages, bytes: bytes, batch: 2))
        #expect(buffer.assign([first, second]).isEmpty)
        return buffer
    }

    @Test("at the limit every partition is held, and released when half is read")
    func holds() {
        var buffer = buffer()
        for offset in 0..<4 { buffer.append(message(0, Int64(offset))) }
        #expect(buffer.flow() == .pause([first, second]))
        #expect(buffer.flow() == .none)
        #expect(buffer.takeBatch().map(\.offset) == [0, 1])
        #expect(buffer.flow() == .resume([first, second]))
        #expect(buffer.takeBatch().map(\.offset) == [2, 3])
        #expect(buffer.bytes == 0)
        #expect(buffer.count == 0)
    }

    @Test("bytes count as messages do")
    func bytes() {
        var buffer = buffer(messages: 100, bytes: 15)
        buffer.append(message(0, 0))
        #expect(buffer.flow() == .none)
        buffer.append(message(0, 1))
        #expect(buffer.flow() == .pause([first, second]))
    }

    @Test("partitions that come while the others are held are held too")
    func assignedWhileHeld() {
        var buffer = buffer(messages: 1)
        buffer.append(message(0, 0))
        _ = buffer.flow()
        let third = TopicPartition(topic: "u", partition: 0)
        #expect(buffer.assign([third]) == [third])
    }

    @Test("messages of a revoked partition are dropped, and late ones are not taken")
    func revoking() {
        var buffer = buffer()
        buffer.append(message(0, 0))
        buffer.append(message(1, 0))
        buffer.revoke([first])
        buffer.append(message(0, 1))
        #expect(buffer.takeBatch().map(\.partition) == [1])
        #expect(buffer.count == 0)
    }

    @Test("a message is held under the assignment that it came under, not under a later one of its partition")
    func assignments() throws {
        var buffer = buffer()
        buffer.append(message(0, 0))
        buffer.append(message(1, 0))
        let batch = buffer.takeBatch()
        #expect(batch.allSatisfy { buffer.holds($0) })
        buffer.revoke([first])
        #expect(batch.map { buffer.holds($0) } == [false, true])
        #expect(buffer.assign([first]).isEmpty)
        #expect(batch.map { buffer.holds($0) } == [false, true])
        buffer.append(message(0, 0))
        let again = try #require(buffer.takeBatch().first)
        #expect(buffer.holds(again))
        #expect(again.assignment > batch[0].assignment)
        // One that came from no consumer is nobody's.
        #expect(!buffer.holds(message(0, 0)))
    }
}
