public import Foundation

/// What every event body has: its type, its record key, and a check of its values beyond their shape.
public protocol EventPayload: Codable, Sendable {
    /// The CloudEvents type of the payload.
    static var type: EventType { get }

    /// Whether a key that the type does not know is refused; by default it is ignored.
    static var refusesUnknownKeys: Bool { get }

    /// Brings a body that an earlier form of the same version wrote into today's form; by default it is left as it is.
    ///
    /// - Throws: ``SchemasError`` that names an unknown key of the earlier form by its place, unless those are ignored.
    static func upgraded(_ json: JSONValue, ignoresUnknownKeys: Bool) throws -> JSONValue

    /// The id of the thing that the event is about.
    var id: String { get }

    /// The key of the Kafka record; what it means is told by ``Topic/keyMeaning``.
    var key: String { get }

    /// Checks ids, ranges and consistency.
    ///
    /// - Throws: ``SchemasError`` with the code `invalidPayload` that names the field.
    func validate() throws
}

extension EventPayload {
    /// A later version's fields are ignored.
    public static var refusesUnknownKeys: Bool { false }

    /// There was no earlier form.
    public static func upgraded(_ json: JSONValue, ignoresUnknownKeys: Bool) throws -> JSONValue { json }
}

/// The JSON form of event bodies: strict, deterministic and bounded.
public enum EventCoding {
    /// The largest event body that is written or read, in bytes: what a broker accepts by default.
    public static let defaultSizeLimit = 1 << 20

    /// Checks a payload and writes it as JSON with sorted keys, RFC 3339 times and finite numbers.
    ///
    /// - Throws: ``SchemasError``: `invalidPayload`, `unencodable` (with the path of the value) or `tooLarge`.
    public static func encode(
        _ payload: some EventPayload,
        sizeLimit: Int = EventCoding.defaultSizeLimit
    ) throws -> Data {
        try payload.validate()
        let data = try write(payload)
        try checkSize(data, limit: sizeLimit, what: "\(type(of: payload).type.rawValue) \(payload.id)")
        return data
    }

    /// Reads and checks a payload.
    ///
    /// A missing or malformed value is refused with its path, and so is a key that the type does not know, if it says so.
    ///
    /// - Parameters:
    ///   - type: The payload's type.
    ///   - data: The body.
    ///   - sizeLimit: The most bytes.
    ///   - isStored: Whether it was checked when it came: unknown keys are ignored, and what is refused by now is read.
    /// - Returns: The payload.
    /// - Throws: ``SchemasError``: `emptyMessage`, `tooLarge`, `malformedPayload` or `invalidPayload`.
    public static func decode<Payload: EventPayload>(
        _ type: Payload.Type = Payload.self,
        from data: Data,
        sizeLimit: Int = EventCoding.defaultSizeLimit,
        isStored: Bool = false
    ) throws -> Payload {
        let name = Payload.type.rawValue
        guard !data.isEmpty else { throw SchemasError(.emptyMessage, "\(name): the message has an empty body") }
        try checkSize(data, limit: sizeLimit, what: name)
        if !isStored { try checkShape(data, what: name) }
        guard Payload.refusesUnknownKeys else {
            let payload = try decodeJSON(type, from: data, what: name)
            if !isStored { try payload.validate() }
            return payload
        }
        let json = try Payload.upgraded(
            decodeJSON(JSONValue.self, from: data, what: name),
            ignoresUnknownKeys: isStored
        )
        guard !isStored else { return try decodeJSON(type, from: encodeJSON(json), what: name) }
        let payload = try decodeStrictly(type, from: json, what: name)
        try payload.validate()
        return payload
    }

    private static func write(_ payload: some EventPayload) throws -> Data {
        guard let payload = payload as? any JSONText.Writing else { return try encodeJSON(payload) }
        var json = JSONText(capacity: 8_192)
        payload.write(to: &json)
        return json.data
    }

    /// Writes any value with the conventions of event bodies, without a size limit.
    ///
    /// - Throws: ``SchemasError`` with the code `unencodable`.
    public static func encodeJSON(_ value: some Encodable) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        encoder.nonConformingFloatEncodingStrategy = .throw
        encoder.dateEncodingStrategy = .custom { date, encoder in
            var container = encoder.singleValueContainer()
            try container.encode(Timestamp.format(date))
        }
        do {
            return try encoder.encode(value)
        } catch let error as EncodingError {
            throw unencodable(error)
        }
    }

    /// Reads a value from JSON and refuses keys that its type does not have.
    ///
    /// - Throws: ``SchemasError`` with the place and, of an unknown key, the keys that are known there.
    public static func decodeStrictly<Value: Decodable>(
        _ type: Value.Type = Value.self,
        from json: JSONValue,
        what: String
    ) throws -> Value {
        let value = try decodeJSON(type, from: encodeJSON(json), what: what)
        try UnknownKeys.check(json, against: value, what: what)
        return value
    }

    /// Reads any value with the conventions of event bodies.
    ///
    /// - Throws: ``SchemasError`` with the code `malformedPayload` and the path of the value.
    public static func decodeJSON<Value: Decodable>(
        _ type: Value.Type = Value.self,
        from data: Data,
        what: String = "JSON"
    ) throws -> Value {
        let decoder = JSONDecoder()
        decoder.dateDecodingStrategy = .custom { decoder in
            let container = try decoder.singleValueContainer()
            let text = try container.decode(String.self)
            guard let date = Timestamp.parse(text) else {
                throw DecodingError.dataCorruptedError(
                    in: container,
                    debugDescription: "expected a time like 2026-01-31T12:00:00.000Z"
                )
            }
            return date
        }
        do {
            return try decoder.decode(type, from: data)
        } catch let error as DecodingError {
            throw SchemasError(.malformedPayload, "\(what): \(explain(error))")
        }
    }

    /// Reads any JSON value that somebody else wrote, such as a server's answer; how long it may be is the caller's to say.
    ///
    /// - Throws: ``SchemasError`` with the code `malformedPayload`, also where the text nests too deep or holds too many
    ///   values.
    public static func decodeForeign(_ data: Data, what: String = "JSON") throws -> JSONValue {
        try checkShape(data, what: what)
        return try decodeJSON(JSONValue.self, from: data, what: what)
    }

    private static func checkShape(_ data: Data, what: String) throws {
        guard let fault = JSONShape.fault(in: data) else { return }
        throw SchemasError(.malformedPayload, "\(what): the body \(fault)")
    }

    /// The path of a value in JSONPath notation, `$.right.spans[2].start`.
    static func path(_ codingPath: [any CodingKey]) -> String {
        codingPath.reduce(into: "$") { text, key in
            if let index = key.intValue {
                text += "[\(index)]"
            } else {
                text += ".\(key.stringValue)"
            }
        }
    }

    private static func checkSize(_ data: Data, limit: Int, what: String) throws {
        guard data.count <= limit else {
            throw SchemasError(
                .tooLarge,
                "\(what): the body has \(data.count) bytes, the limit is \(limit); shorten its texts"
            )
        }
    }

    private static func explain(_ error: DecodingError) -> String {
        switch error {
        case .keyNotFound(let key, let context):
            "\(path(context.codingPath + [key])) is missing"
        case .valueNotFound(let type, let context):
            "\(path(context.codingPath)) is null, expected \(name(of: type))"
        case .typeMismatch(let type, let context):
            "\(path(context.codingPath)) is not \(name(of: type))"
        case .dataCorrupted(let context):
            if let cause = context.underlyingError, context.codingPath.isEmpty {
                "not valid JSON: \(String(describing: cause).prefix(200))"
            } else {
                "\(path(context.codingPath)): \(context.debugDescription.prefix(200))"
            }
        @unknown default:
            "not readable: \(String(describing: error).prefix(200))"
        }
    }

    private static func unencodable(_ error: EncodingError) -> SchemasError {
        switch error {
        case .invalidValue(let value, let context):
            let shown = (value as? Double).map { "\($0)" } ?? (value as? Float).map { "\($0)" } ?? "the value"
            return SchemasError(
                .unencodable,
                "\(path(context.codingPath)): \(shown) cannot be written; numbers must be finite"
            )
        @unknown default:
            return SchemasError(.unencodable, String(describing: error))
        }
    }

    private static func name(of type: Any.Type) -> String {
        switch type {
        case is String.Type: "text"
        case is Bool.Type: "true or false"
        case is Double.Type, is Float.Type: "a number"
        case is any FixedWidthInteger.Type: "a whole number in range"
        default:
            if String(describing: type).hasPrefix("Array") {
                "a list"
            } else if String(describing: type).hasPrefix("Dictionary") {
                "a map"
            } else {
                "of the form \(type)"
            }
        }
    }
}
