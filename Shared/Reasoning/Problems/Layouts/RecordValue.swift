import Foundation

/// A JSON value of a problem's line.
enum RecordValue: Sendable, Hashable, Codable {
    case null
    case bool(Bool)
    case integer(Int64)
    case number(Double)
    case string(String)
    case array([RecordValue])
    case object([String: RecordValue])

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self = .null
        } else if let value = try? container.decode(String.self) {
            self = .string(value)
        } else if let value = try? container.decode(Bool.self) {
            self = .bool(value)
        } else if let value = try? container.decode(Int64.self) {
            self = .integer(value)
        } else if let value = try? container.decode(Double.self) {
            self = .number(value)
        } else if let value = try? container.decode([RecordValue].self) {
            self = .array(value)
        } else {
            self = .object(try container.decode([String: RecordValue].self))
        }
    }

    func encode(to encoder: any Encoder) throws {
        var container = encoder.singleValueContainer()
        switch self {
        case .null: try container.encodeNil()
        case .bool(let value): try container.encode(value)
        case .integer(let value): try container.encode(value)
        case .number(let value): try container.encode(value)
        case .string(let value): try container.encode(value)
        case .array(let value): try container.encode(value)
        case .object(let value): try container.encode(value)
        }
    }

    /// The text of a string or the digits of a number, trimmed; nil of all else.
    var text: String? {
        switch self {
        case .string(let value): value.trimmed
        case .integer(let value): String(value)
        case .number(let value): "\(value)"
        default: nil
        }
    }

    /// The text of a string, trimmed; nil of all else.
    var string: String? { if case .string(let value) = self { value.trimmed } else { nil } }

    var list: [RecordValue]? { if case .array(let value) = self { value } else { nil } }

    var fields: [String: RecordValue]? { if case .object(let value) = self { value } else { nil } }

    /// Null, a blank text, or an empty list: what data sets write where they have nothing.
    var isEmpty: Bool {
        switch self {
        case .null: true
        case .string(let value): value.trimmed.isEmpty
        case .array(let value): value.isEmpty
        default: false
        }
    }
}
