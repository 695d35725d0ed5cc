import DataSupport
import Foundation
import KafkaClient
import Schemas
import Testing

@testable import ServiceRuntime

@Suite("Messages of anyone", .timeLimit(.minutes(5)))
struct EventReaderFuzzTests {
    private static let problem = ProblemEvent(id: "p", dataset: "d", split: .train, question: "1 + 1?", answer: "2")

    @Test("a mutated message is an event of its topic or a failure for good, and that fits a dead letter")
    func messages() throws {
        let body = [UInt8](try EventCoding.encode(Self.problem))
        let event = CloudEvent(id: "e", source: "/x", time: Date(timeIntervalSince1970: 0), payload: Self.problem)
        let headers = try event.headers().map { KafkaHeader(key: $0.0, value: $0.1) }
        let names = headers.map { [UInt8]($0.key.utf8) }
        let values = headers.compactMap { $0.value.map { [UInt8]($0) } }
        var mutator = ByteMutator(seed: 1, words: ["ce_", "ce_type", "errata.run.v1", "application/json"])
        let rounds = ByteMutator.rounds(3_000)
        var events = 0
        for round in 0..<rounds {
            let topic = Topic.allCases[round % 3 == 0 ? mutator.number(below: Topic.allCases.count) : 0]
            var changed = headers
            for _ in 0..<mutator.number(below: 3) {
                let place = mutator.number(below: changed.count)
                switch mutator.number(below: 4) {
                case 0: changed[place].key = String(decoding: mutator.mutant(of: names), as: UTF8.self)
                case 1: changed[place].value = nil
                case 2: changed.append(changed[place])
                default: changed[place].value = Data(mutator.mutant(of: values))
                }
            }
            let message = KafkaMessage(
                topic: topic.rawValue,
                partition: 0,
                offset: Int64(round),
                key: round % 2 == 0 ? Data(mutator.mutant(of: [body])) : nil,
                value: round % 16 == 0 ? nil : Data(round % 4 == 0 ? mutator.mutant(of: [body]) : body),
                headers: round % 5 == 0 ? [] : changed
            )
            do {
                let read = try EventReader.read(message, topic: topic)
                let type = try read.attributes.requireType(oneOf: topic.eventTypes)
                #expect(type.topic == topic && !read.id.isEmpty)
                events += 1
            } catch let failure as PermanentFailure {
                #expect(!failure.code.isEmpty && failure.message.utf8.count <= 5_000)
                let effects = try DeadLetters.effects(
                    of: message,
                    consumer: "c",
                    failure: failure,
                    attempts: 1,
                    at: Date(timeIntervalSince1970: 0)
                )
                #expect(effects.events.first?.attributes.eventType == .deadLetter)
            }
        }
        #expect(events > 100 && events < rounds)
    }

    /// Messages that a broker takes, and that must be possible to give up.
    private static let unwieldy: [KafkaMessage] = [
        message(headers: Array(repeating: KafkaHeader(key: "", value: nil), count: 100_000)),
        message(headers: Array(repeating: KafkaHeader(key: "a", value: Data()), count: 100_000)),
        message(headers: [KafkaHeader(key: String(repeating: "\u{1}", count: 1 << 20), value: nil)]),
        message(key: Data(repeating: 1, count: 2 << 20)),
        message(value: Data(repeating: 0xFF, count: 4 << 20)),
    ]

    private static func message(
        key: Data? = nil,
        value: Data? = Data(repeating: 0x20, count: 1 << 20),
        headers: [KafkaHeader] = []
    ) -> KafkaMessage {
        KafkaMessage(topic: Topic.problems.rawValue, partition: 0, offset: 1, key: key, value: value, headers: headers)
    }

    @Test("a message of any size and with any headers can be given up", arguments: unwieldy.indices)
    func givenUp(index: Int) throws {
        let long = "e" + String(repeating: "\u{301}", count: 400_000)
        let effects = try DeadLetters.effects(
            of: Self.unwieldy[index],
            consumer: "c",
            failure: PermanentFailure(code: "x", message: long),
            attempts: 1,
            at: Date(timeIntervalSince1970: 0)
        )
        let size = effects.events.first?.payload.utf8.count ?? .max
        #expect(size <= EventCoding.defaultSizeLimit)
    }
}
