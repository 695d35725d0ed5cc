/// What of a value decides whether it is the same key: Python's `hash` and `==`, by which 1, 1.0 and True are one key.
enum HashKey: Hashable {
    case none
    case undefined
    case integer(Int)
    case float(Double)
    case text([UInt8])
    case tuple([HashKey])
    case object(ObjectIdentifier)

    /// The key of `value`; lists and dictionaries have none, which is a type error.
    init(_ value: Value) throws {
        switch value {
        case .none: self = .none
        case .undefined: self = .undefined
        case .bool(let value): self = .integer(value ? 1 : 0)
        case .int(let value): self = .integer(value)
        case .float(let value): self = Int(exactly: value).map { .integer($0) } ?? .float(value)
        case .string(let text): self = .text(text.bytes)
        case .tuple(let items): self = .tuple(try items.values.map { try HashKey($0) })
        case .object(let object): self = object.hashKey
        case .list, .dict: throw TemplateError(.type, "unhashable type: '\(value.typeName)'")
        }
    }
}

/// Keys and values in the order of insertion, as in a Python `dict`.
struct Members {
    private static let indexedFrom = 12

    private(set) var keys: [Value] = []
    private(set) var values: [Value] = []
    /// Positions by key, once there are many.
    private var positions: [HashKey: Int] = [:]

    var count: Int { keys.count }

    /// The position of a text key.
    func position(of key: [UInt8]) -> Int? {
        if !positions.isEmpty { return positions[.text(key)] }
        for (position, candidate) in keys.enumerated() {
            if case .string(let text) = candidate, text.bytes == key { return position }
        }
        return nil
    }

    func position(of key: HashKey) throws -> Int? {
        if case .text(let bytes) = key { return position(of: bytes) }
        if !positions.isEmpty { return positions[key] }
        return try keys.firstIndex { try HashKey($0) == key }
    }

    func value(for key: [UInt8]) -> Value? { position(of: key).map { values[$0] } }

    func value(for key: Value) throws -> Value? { try position(of: HashKey(key)).map { values[$0] } }

    /// Sets a member: a key that is there already keeps its place.
    mutating func set(_ value: Value, for key: Value) throws {
        let hashKey = try HashKey(key)
        if let position = try position(of: hashKey) {
            values[position] = value
            return
        }
        keys.append(key)
        values.append(value)
        if !positions.isEmpty {
            positions[hashKey] = keys.count - 1
        } else if keys.count == Self.indexedFrom {
            for (position, key) in keys.enumerated() { positions[try HashKey(key)] = position }
        }
    }

    mutating func set(_ value: Value, for name: Text) throws { try set(value, for: .string(name)) }
}
