import Foundation
import PostgresClient
import Schemas

/// Events kept whole in a `jsonb` column.
enum EventBody {
    /// The JSON text of an event.
    static func text(of event: some EventPayload) throws -> String {
        String(decoding: try EventCoding.encode(event), as: UTF8.self)
    }

    /// Reads an event from the column `body`, which the query casts to text.
    static func event<Payload: EventPayload>(_ type: Payload.Type, of row: Row) throws -> Payload {
        try event(type, from: row.get("body", as: String.self))
    }

    /// Reads an event from the text of a column; it was checked when it came.
    static func event<Payload: EventPayload>(_ type: Payload.Type, from text: String) throws -> Payload {
        try EventCoding.decode(type, from: Data(text.utf8), isStored: true)
    }
}
