public import Foundation

/// Object ids of the built-in types that this client sends and reads.
enum TypeID {
    static let unspecified: UInt32 = 0
    static let bool: UInt32 = 16
    static let bytea: UInt32 = 17
    static let int8: UInt32 = 20
    static let int2: UInt32 = 21
    static let int4: UInt32 = 23
    static let text: UInt32 = 25
    static let oid: UInt32 = 26
    static let json: UInt32 = 114
    static let float4: UInt32 = 700
    static let float8: UInt32 = 701
    static let varchar: UInt32 = 1043
    static let date: UInt32 = 1082
    static let timestamp: UInt32 = 1114
    static let timestamptz: UInt32 = 1184
    static let numeric: UInt32 = 1700
    static let uuid: UInt32 = 2950
    static let jsonb: UInt32 = 3802

    /// Element type to array type.
    static let arrays: [UInt32: UInt32] = [
        bool: 1000, bytea: 1001, int2: 1005, int4: 1007, text: 1009, varchar: 1015, int8: 1016, float4: 1021,
        float8: 1022, oid: 1028, timestamp: 1115, date: 1182, timestamptz: 1185, numeric: 1231, uuid: 2951,
        json: 199, jsonb: 3807,
    ]

    /// Array type to element type.
    static let elements: [UInt32: UInt32] = {
        var result: [UInt32: UInt32] = [:]
        for (element, array) in arrays { result[array] = element }
        return result
    }()

    static func name(_ type: UInt32) -> String {
        let names: [UInt32: String] = [
            bool: "boolean", bytea: "bytea", int8: "bigint", int2: "smallint", int4: "integer", text: "text",
            oid: "oid", json: "json", float4: "real", float8: "double precision", varchar: "varchar", date: "date",
            timestamp: "timestamp", timestamptz: "timestamptz", numeric: "numeric", uuid: "uuid", jsonb: "jsonb",
        ]
        if let name = names[type] { return name }
        if let element = elements[type] { return name(element) + "[]" }
        return "type \(type)"
    }
}

/// A value on its way to the server.
public struct PostgresValue: Sendable, Hashable {
    enum Content: Sendable, Hashable {
        case null
        case text(String)
        case bytes(Data)
        /// The value cannot be sent; the reason is reported when the statement runs.
        case invalid(String)
    }

    let type: UInt32
    let content: Content

    /// SQL's NULL without a type.
    public static let null = PostgresValue(type: TypeID.unspecified, content: .null)

    /// A value in PostgreSQL's text form; type 0 lets the server infer the type from its place.
    public init(text: String, type: UInt32 = 0) {
        self.init(type: type, content: .text(text))
    }

    init(type: UInt32, content: Content) {
        self.type = type
        self.content = content
    }

    /// About the bytes that it takes.
    var byteCount: Int {
        switch content {
        case .text(let text): text.utf8.count
        case .bytes(let data): data.count
        case .null, .invalid: 0
        }
    }

    /// The text form, as parameters and array literals use it; nil is NULL.
    func textForm() throws -> String? {
        switch content {
        case .null: return nil
        case .text(let text):
            // C strings end at a NUL, so such a text would be cut in silence.
            guard !text.containsNUL else {
                throw PostgresError(
                    kind: .encoding,
                    message: "a text holds a NUL character, which PostgreSQL cannot store"
                )
            }
            return text
        case .bytes(let data): return Hexadecimal.bytea(data)
        case .invalid(let reason): throw PostgresError(kind: .encoding, message: reason)
        }
    }
}

extension String {
    /// Whether it holds a NUL.
    var containsNUL: Bool {
        let found = utf8.withContiguousStorageIfAvailable { bytes in
            bytes.baseAddress.map { memchr($0, 0, bytes.count) != nil } ?? false
        }
        return found ?? utf8.contains(0)
    }
}

/// A type whose values can be bound to a statement.
public protocol PostgresEncodable: Sendable {
    /// The object id of the PostgreSQL type, 0 to let the server infer it.
    static var postgresType: UInt32 { get }
    /// The value to send.
    var postgresValue: PostgresValue { get }
}

extension PostgresValue: PostgresEncodable {
    /// Inferred by the server.
    public static var postgresType: UInt32 { TypeID.unspecified }
    /// The value itself.
    public var postgresValue: PostgresValue { self }
}

extension Int: PostgresEncodable {
    /// bigint.
    public static var postgresType: UInt32 { TypeID.int8 }
    /// Decimal text.
    public var postgresValue: PostgresValue { PostgresValue(text: String(self), type: TypeID.int8) }
}

extension Int64: PostgresEncodable {
    /// bigint.
    public static var postgresType: UInt32 { TypeID.int8 }
    /// Decimal text.
    public var postgresValue: PostgresValue { PostgresValue(text: String(self), type: TypeID.int8) }
}

extension Int32: PostgresEncodable {
    /// integer.
    public static var postgresType: UInt32 { TypeID.int4 }
    /// Decimal text.
    public var postgresValue: PostgresValue { PostgresValue(text: String(self), type: TypeID.int4) }
}

extension Double: PostgresEncodable {
    /// double precision.
    public static var postgresType: UInt32 { TypeID.float8 }
    /// The shortest text that reads back to the same number.
    public var postgresValue: PostgresValue { PostgresValue(text: "\(self)", type: TypeID.float8) }
}

extension Float: PostgresEncodable {
    /// real.
    public static var postgresType: UInt32 { TypeID.float4 }
    /// The shortest text that reads back to the same number.
    public var postgresValue: PostgresValue { PostgresValue(text: "\(self)", type: TypeID.float4) }
}

extension Bool: PostgresEncodable {
    /// boolean.
    public static var postgresType: UInt32 { TypeID.bool }
    /// `t` or `f`.
    public var postgresValue: PostgresValue { PostgresValue(text: self ? "t" : "f", type: TypeID.bool) }
}

extension String: PostgresEncodable {
    /// Inferred by the server, so that a text also serves as an enum, a uuid or JSON; text where nothing tells.
    public static var postgresType: UInt32 { TypeID.unspecified }
    /// The text itself.
    public var postgresValue: PostgresValue { PostgresValue(text: self) }
}

extension Data: PostgresEncodable {
    /// bytea.
    public static var postgresType: UInt32 { TypeID.bytea }
    /// The bytes, sent in binary form.
    public var postgresValue: PostgresValue { PostgresValue(type: TypeID.bytea, content: .bytes(self)) }
}

extension UUID: PostgresEncodable {
    /// uuid.
    public static var postgresType: UInt32 { TypeID.uuid }
    /// The text form.
    public var postgresValue: PostgresValue { PostgresValue(text: uuidString, type: TypeID.uuid) }
}

extension Date: PostgresEncodable {
    /// timestamptz.
    public static var postgresType: UInt32 { TypeID.timestamptz }
    /// UTC with microseconds, the resolution of the server.
    public var postgresValue: PostgresValue {
        guard let text = TimestampText.format(self) else {
            return PostgresValue(type: TypeID.timestamptz, content: .invalid("a date lies outside the years 1 to 9999"))
        }
        return PostgresValue(text: text, type: TypeID.timestamptz)
    }
}

extension Optional: PostgresEncodable where Wrapped: PostgresEncodable {
    /// The type of the wrapped value.
    public static var postgresType: UInt32 { Wrapped.postgresType }
    /// The value, or a typed NULL.
    public var postgresValue: PostgresValue {
        self?.postgresValue ?? PostgresValue(type: Wrapped.postgresType, content: .null)
    }
}

extension Array: PostgresEncodable where Element: PostgresEncodable {
    /// The array of the element's type; text[] for texts.
    public static var postgresType: UInt32 {
        let element = Element.postgresType
        return TypeID.arrays[element == TypeID.unspecified ? TypeID.text : element] ?? TypeID.unspecified
    }

    /// An array of one dimension: of texts and bytes in binary form, which needs no marks, of others as a literal.
    public var postgresValue: PostgresValue {
        guard TypeID.elements[Element.postgresType] == nil else {
            return PostgresValue(type: TypeID.unspecified, content: .invalid("arrays of arrays are not supported"))
        }
        do {
            let type = Element.postgresType == TypeID.unspecified ? TypeID.text : Element.postgresType
            if type == TypeID.text || type == TypeID.bytea {
                let array = try BinaryArray.format(map(\.postgresValue), elementType: type)
                return PostgresValue(type: Self.postgresType, content: .bytes(array))
            }
            let elements = try map { try $0.postgresValue.textForm() }
            return PostgresValue(text: ArrayText.format(elements), type: Self.postgresType)
        } catch {
            let reason = (error as? PostgresError)?.message ?? "\(error)"
            return PostgresValue(type: Self.postgresType, content: .invalid("in an array: \(reason)"))
        }
    }
}

/// A Codable value that travels as jsonb.
public struct PostgresJSON<Value: Sendable>: Sendable {
    /// The value.
    public var value: Value

    /// Wraps a value.
    public init(_ value: Value) {
        self.value = value
    }
}

extension PostgresJSON: PostgresEncodable where Value: Encodable {
    /// jsonb.
    public static var postgresType: UInt32 { TypeID.jsonb }
    /// JSON text with sorted keys and ISO-8601 dates.
    public var postgresValue: PostgresValue {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.dateEncodingStrategy = .iso8601
        do {
            let data = try encoder.encode(value)
            return PostgresValue(text: String(decoding: data, as: UTF8.self), type: TypeID.jsonb)
        } catch {
            return PostgresValue(
                type: TypeID.jsonb,
                content: .invalid("\(Value.self) does not encode as JSON: \(error)")
            )
        }
    }
}
