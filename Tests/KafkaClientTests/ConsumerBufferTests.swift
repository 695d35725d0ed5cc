import Foundation
import Testing

@testable import KafkaClient

@Suite("The consumer's buffer, without a broker")
struct ConsumerBufferTests {
    private let first = TopicPartition(topic: "t", partition: 0)
    private let second = TopicPartition(topic: "t", partition: 1)

    private func message(_ partition: Int32, _ offset: Int64, assignment: UInt64 = 1) -> KafkaMessage {
        var message = KafkaMessage(topic: "t", partition: partition, offset: offset, key: nil, value: Data(count: 10))
        message.assignment = assignment
        return message
    }

    private func buffer(messages: Int = 4, bytes: Int = 1_000) -> ConsumerBuffer {
        var buffer = ConsumerBuffer(limits: .init(messages: messages, bytes: bytes, batch: 2))
        buffer.assign([first, second])
        return buffer
    }

    @Test("at the limit no more comes until half is read")
    func holds() {
        var buffer = buffer()
        #expect(buffer.room() == 2)
        for offset in [0, 2] { buffer.append([message(0, Int64(offset)), message(0, Int64(offset + 1))]) }
        #expect(buffer.room() == 0)
        #expect(buffer.isHolding && !buffer.wantsRelease)
        #expect(buffer.takeBatch().map(\.offset) == [0, 1])
        #expect(buffer.wantsRelease)
        #expect(buffer.room() == 2)
        #expect(buffer.takeBatch().map(\.offset) == [2, 3])
        #expect(buffer.bytes == 0)
        #expect(buffer.count == 0)
    }

    @Test("bytes count as messages do")
    func bytes() {
        var buffer = buffer(messages: 100, bytes: 15)
        buffer.append([message(0, 0)])
        #expect(buffer.room() == 2)
        buffer.append([message(0, 1)])
        #expect(buffer.room() == 0)
    }

    @Test("messages of a revoked partition are dropped, whatever came with them")
    func revoking() {
        var buffer = buffer()
        buffer.append([message(0, 0)])
        buffer.append([message(1, 0), message(0, 1)])
        buffer.revoke([first])
        #expect(buffer.count == 1 && buffer.bytes == 10)
        #expect(buffer.takeBatch().map(\.partition) == [1])
        #expect(buffer.count == 0 && buffer.bytes == 0)
    }

    @Test("a message is held under the assignment that it came under, not under a later one of its partition")
    func assignments() throws {
        var buffer = buffer()
        buffer.append([message(0, 0), message(1, 0)])
        let batch = buffer.takeBatch()
        #expect(batch.allSatisfy { buffer.holds($0) })
        buffer.revoke([first])
        #expect(batch.map { buffer.holds($0) } == [false, true])
        buffer.assign([first])
        #expect(batch.map { buffer.holds($0) } == [false, true])
        let again = try #require(buffer.assignments[first])
        #expect(again > batch[0].assignment)
        #expect(buffer.holds(message(0, 0, assignment: again)))
        // One that came from no consumer is nobody's.
        #expect(!buffer.holds(message(0, 0, assignment: 0)))
    }
}
