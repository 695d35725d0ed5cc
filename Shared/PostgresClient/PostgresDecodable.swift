public import Foundation

/// A type that reads a value of a result.
public protocol PostgresDecodable {
    /// Reads the field, or throws ``PostgresMismatch``.
    static func decode(_ field: PostgresField) throws -> Self
}

private func number<Number>(_ text: String, _ make: (String) -> Number?) throws -> Number {
    guard let value = make(text) else { throw PostgresMismatch("the number does not fit", value: text) }
    return value
}

extension Int: PostgresDecodable {
    /// Reads smallint, integer, bigint, oid, and a numeric without fraction.
    public static func decode(_ field: PostgresField) throws -> Int {
        let text = try field.accept(TypeID.int8, TypeID.int4, TypeID.int2, TypeID.oid, TypeID.numeric)
        return try number(text) { Int($0) }
    }
}

extension Int64: PostgresDecodable {
    /// Reads smallint, integer, bigint, oid, and a numeric without fraction.
    public static func decode(_ field: PostgresField) throws -> Int64 {
        Int64(try Int.decode(field))
    }
}

extension Int32: PostgresDecodable {
    /// Reads what `Int` reads, where it fits.
    public static func decode(_ field: PostgresField) throws -> Int32 {
        let text = try field.accept(TypeID.int4, TypeID.int2, TypeID.int8, TypeID.oid, TypeID.numeric)
        return try number(text) { Int32($0) }
    }
}

extension Double: PostgresDecodable {
    /// Reads every numeric type; NaN and infinities too.
    public static func decode(_ field: PostgresField) throws -> Double {
        let text = try field.accept(
            TypeID.float8,
            TypeID.float4,
            TypeID.numeric,
            TypeID.int8,
            TypeID.int4,
            TypeID.int2
        )
        return try number(text) { Double($0) }
    }
}

extension Float: PostgresDecodable {
    /// Reads every numeric type, rounded to the nearest Float.
    public static func decode(_ field: PostgresField) throws -> Float {
        let text = try field.accept(
            TypeID.float4,
            TypeID.float8,
            TypeID.numeric,
            TypeID.int8,
            TypeID.int4,
            TypeID.int2
        )
        return try number(text) { Float($0) }
    }
}

extension Bool: PostgresDecodable {
    /// Reads boolean.
    public static func decode(_ field: PostgresField) throws -> Bool {
        switch try field.accept(TypeID.bool) {
        case "t": true
        case "f": false
        default: throw PostgresMismatch("it is neither t nor f", value: field.text)
        }
    }
}

extension String: PostgresDecodable {
    /// Reads any type, in the server's text form.
    public static func decode(_ field: PostgresField) throws -> String {
        try field.required()
    }
}

extension Data: PostgresDecodable {
    /// Reads bytea.
    public static func decode(_ field: PostgresField) throws -> Data {
        guard let data = Hexadecimal.data(try field.accept(TypeID.bytea)) else {
            throw PostgresMismatch("it is not in bytea's hex form", value: field.text)
        }
        return data
    }
}

extension UUID: PostgresDecodable {
    /// Reads uuid.
    public static func decode(_ field: PostgresField) throws -> UUID {
        guard let value = UUID(uuidString: try field.accept(TypeID.uuid)) else {
            throw PostgresMismatch("it is no UUID", value: field.text)
        }
        return value
    }
}

extension Date: PostgresDecodable {
    /// Reads timestamptz; also timestamp and date, as UTC.
    ///
    /// Infinity and years before 1 do not decode.
    public static func decode(_ field: PostgresField) throws -> Date {
        guard let date = TimestampText.parse(try field.accept(TypeID.timestamptz, TypeID.timestamp, TypeID.date)) else {
            throw PostgresMismatch("it is no finite date of our era in ISO form", value: field.text)
        }
        return date
    }
}

extension Optional: PostgresDecodable where Wrapped: PostgresDecodable {
    /// NULL is nil.
    public static func decode(_ field: PostgresField) throws -> Wrapped? {
        field.text == nil ? nil : try Wrapped.decode(field)
    }
}

extension Array: PostgresDecodable where Element: PostgresDecodable {
    /// Reads an array of one dimension.
    public static func decode(_ field: PostgresField) throws -> [Element] {
        let text = try field.required()
        guard field.type == TypeID.unspecified || TypeID.elements[field.type] != nil else {
            throw PostgresMismatch("the type is no array of a known type", value: text)
        }
        guard let elements = ArrayText.parse(text) else {
            throw PostgresMismatch("it is no array of one dimension", value: text)
        }
        let type = TypeID.elements[field.type] ?? TypeID.unspecified
        return try elements.enumerated().map { index, element in
            do {
                return try Element.decode(PostgresField(text: element, type: type))
            } catch let mismatch as PostgresMismatch {
                throw PostgresMismatch("element \(index): \(mismatch.reason)", value: mismatch.value)
            }
        }
    }
}

extension PostgresJSON: PostgresDecodable where Value: Decodable {
    /// Reads json and jsonb.
    public static func decode(_ field: PostgresField) throws -> PostgresJSON<Value> {
        PostgresJSON(try field.json(Value.self))
    }
}
