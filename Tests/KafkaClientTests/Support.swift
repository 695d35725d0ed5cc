import Foundation
import KafkaClient

struct DeadlinePassed: Error, CustomStringConvertible {
    let what: String
    var description: String { "the deadline passed while waiting for \(what)" }
}

/// Runs `body`, and throws when it takes longer than `limit`.
func within<Value: Sendable>(
    _ what: String,
    limit: Duration = .seconds(90),
    _ body: @escaping @Sendable () async throws -> Value
) async throws -> Value {
    try await withThrowingTaskGroup(of: Value.self) { group in
        group.addTask { try await body() }
        group.addTask {
            try await ContinuousClock().sleep(for: limit)
            throw DeadlinePassed(what: what)
        }
        defer { group.cancelAll() }
        guard let value = try await group.next() else { throw DeadlinePassed(what: what) }
        return value
    }
}

extension KafkaBatches {
    /// Reads until `count` messages have come.
    func take(_ count: Int, within limit: Duration = .seconds(90)) async throws -> [KafkaMessage] {
        try await KafkaClientTests.within("\(count) messages", limit: limit) {
            var messages: [KafkaMessage] = []
            for try await batch in self {
                messages += batch
                if messages.count >= count { break }
            }
            return messages
        }
    }
}

extension KafkaRecord {
    init(_ topic: String, key: String? = nil, _ text: String) {
        self.init(topic: topic, key: key.map { Data($0.utf8) }, value: Data(text.utf8))
    }
}

extension KafkaMessage {
    var text: String { value.map { String(decoding: $0, as: UTF8.self) } ?? "" }
}

extension KafkaConfiguration {
    func with(_ settings: [String: String]) -> KafkaConfiguration {
        KafkaConfiguration(bootstrapServers: bootstrapServers, settings: self.settings.merging(settings) { $1 })
    }
}
