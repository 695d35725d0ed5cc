/// What `namespace(…)` gives: attributes that a template may set from inside of loops and macros.
final class Namespace: Object {
    private var attributes: Members

    private init(_ attributes: Members) { self.attributes = attributes }

    static func make(_ arguments: Arguments, _ interpreter: Interpreter) throws -> Namespace {
        let attributes = try Globals.dict(arguments, interpreter)
        for case .string(let name) in attributes.keys { try check(name) }
        return try interpreter.adopt(Namespace(attributes))
    }

    private static func check(_ name: Text) throws {
        guard name.bytes.first != UInt8(ascii: "_") else {
            throw TemplateError(
                .security,
                "Chat templates cannot store underscore-prefixed attributes on a namespace, but got "
                    + "\(name.quoted.string). Please rename the attribute."
            )
        }
    }

    override var typeName: String { "TemplateNamespace" }

    func set(_ value: Value, for name: Text, _ interpreter: Interpreter) throws {
        try Self.check(name)
        try attributes.set(value, for: name)
        try interpreter.checkItems(attributes.count)
    }

    override func attribute(_ name: Text, _ interpreter: Interpreter) throws -> Value? {
        attributes.value(for: name.bytes)
    }

    override func item(_ key: Value, _ interpreter: Interpreter) throws -> Value? { nil }

    override func representation(_ interpreter: Interpreter) throws -> Text {
        let dictionary = try interpreter.representation(interpreter.dict(attributes))
        return Text(Array("<Namespace ".utf8) + dictionary.bytes + Array(">".utf8))
    }

    override func release() { attributes = Members() }
}

/// What `cycler(…)` gives: its values in turn, over and over.
final class Cycler: Object {
    private let values: [Value]
    private let valuesDepth: Int
    private var position = 0

    private init(_ values: [Value], depth: Int) {
        self.values = values
        valuesDepth = depth
    }

    static func make(_ arguments: Arguments, _ interpreter: Interpreter) throws -> Cycler {
        guard arguments.keywords.isEmpty else {
            throw TemplateError(.type, "cycler() takes no keyword arguments")
        }
        guard !arguments.positional.isEmpty else {
            throw TemplateError(.value, "at least one item has to be provided")
        }
        let depth = try interpreter.tuple(arguments.positional).depth
        return Cycler(arguments.positional, depth: depth)
    }

    override var typeName: String { "Cycler" }

    override var depth: Int { valuesDepth + 1 }

    override func attribute(_ name: Text, _ interpreter: Interpreter) throws -> Value? {
        switch name.string {
        case "current": return values[position]
        case "items": return try interpreter.tuple(values)
        case "pos": return .int(position)
        case "next":
            return .object(
                Function("next", receiverDepth: depth) { [self] arguments, _ in
                    _ = try arguments.bound(to: Signature("next"))
                    defer { position = (position + 1) % values.count }
                    return values[position]
                }
            )
        case "reset":
            return .object(
                Function("reset", receiverDepth: depth) { [self] arguments, _ in
                    _ = try arguments.bound(to: Signature("reset"))
                    position = 0
                    return .none
                }
            )
        default: return nil
        }
    }
}

/// What `joiner(…)` gives: nothing when called first, then the separator.
final class Joiner: Object {
    private let separator: Value
    private var isUsed = false

    private init(_ separator: Value) { self.separator = separator }

    static func make(_ arguments: Arguments, _ interpreter: Interpreter) throws -> Joiner {
        let separator = try arguments.bound(to: Signature("joiner", ["sep"], required: 0))[0] ?? .string(", ")
        _ = try interpreter.tuple([separator])
        return Joiner(separator)
    }

    override var typeName: String { "Joiner" }

    override var depth: Int { separator.depth + 1 }

    override var isCallable: Bool { true }

    override func call(_ arguments: Arguments, _ interpreter: Interpreter) throws -> Value {
        _ = try arguments.bound(to: Signature("joiner"))
        defer { isUsed = true }
        return isUsed ? separator : .string("")
    }

    override func attribute(_ name: Text, _ interpreter: Interpreter) throws -> Value? {
        switch name.string {
        case "sep": separator
        case "used": .bool(isUsed)
        default: nil
        }
    }
}
