public import Foundation
public import PostgresClient
public import Schemas

/// Runs, and orders to them, that were refused: they stand among the dead letters alone.
extension RunStore {
    /// A run that was refused.
    public struct RefusedRun: Sendable {
        /// Its id.
        public let id: String
        /// Why, in the service's words.
        public let reason: String
    }

    /// An order that was refused.
    public struct RefusedOrder: Sendable {
        /// What it said; nil where its body cannot be read.
        public let order: RunControlEvent?
        /// Why it was refused.
        public let reason: String
        /// When.
        public let time: Date
    }

    /// The run that the service which takes runs up refused last under an id or the beginning of one; nil where it refused
    /// none, or the message was sent again or dropped since.
    public static func refusedRun(_ text: String, from pool: PostgresPool) async throws -> RefusedRun? {
        let bytes = Data(text.utf8)
        let row = try await pool.first(
            """
            SELECT key, cause_message FROM dead_letters
            WHERE topic = \(Topic.runs.rawValue) AND consumer = 'template-distiller' AND \(isOpen(.run))
              AND substring(key from 1 for \(bytes.count)::int) = \(bytes)
            ORDER BY failed_at DESC LIMIT 1
            """
        )
        return try row.map {
            RefusedRun(
                id: String(decoding: try $0.get("key", as: Data.self), as: UTF8.self),
                reason: try $0.get("cause_message", as: String.self)
            )
        }
    }

    /// The orders to a run that were refused, oldest first, but for those that were sent again or dropped since.
    public static func refusedOrders(to run: String, from pool: PostgresPool) async throws -> [RefusedOrder] {
        try await pool.query(
            """
            SELECT payload, cause_message, failed_at FROM dead_letters
            WHERE topic = \(Topic.runs.rawValue) AND key = \(Data(run.utf8)) AND \(isOpen(.runControl))
            ORDER BY failed_at, id
            """
        ).map { row in
            RefusedOrder(
                order: try row.get("payload", as: Data?.self).flatMap {
                    try? EventCoding.decode(RunControlEvent.self, from: $0, isStored: true)
                },
                reason: try row.get("cause_message", as: String.self),
                time: try row.get("failed_at", as: Date.self)
            )
        }
    }

    /// The condition on dead letters of a type that nothing has become of yet.
    private static func isOpen(_ type: EventType) throws -> SQL {
        let header = DeadLetterHeader(
            name: "ce_type",
            valueBase64: Data(type.rawValue.utf8).base64EncodedString()
        )
        let headers = String(decoding: try EventCoding.encodeJSON([header]), as: UTF8.self)
        return "headers @> \(headers)::jsonb AND \(DeadLetters.stateColumn) = 'open'"
    }
}
