/// The name of an attribute with what it means on the types that have methods.
struct AttributeName: Sendable {
    let text: Text
    let stringMethod: StringMethod?
    let listMethod: ListMethod?
    let dictMethod: DictMethod?
    /// Whether every Python object has it, which the sandbox hides.
    let isInternal: Bool

    init(_ text: Text) {
        self.text = text
        let name = text.string
        stringMethod = StringMethod(rawValue: name)
        listMethod = ListMethod(rawValue: name)
        dictMethod = DictMethod(rawValue: name)
        isInternal = name.utf8.starts(with: "__".utf8) && Self.internalNames.contains(name)
    }

    private static let internalNames: Set<String> = [
        "__class__", "__delattr__", "__dir__", "__doc__", "__eq__", "__format__", "__ge__", "__getattribute__",
        "__getstate__", "__gt__", "__hash__", "__init__", "__init_subclass__", "__le__", "__lt__", "__module__",
        "__ne__", "__new__", "__reduce__", "__reduce_ex__", "__repr__", "__setattr__", "__sizeof__", "__str__",
        "__subclasshook__",
    ]
}

extension Interpreter {
    /// Jinja's `value.name`: the attribute, else the item, else something undefined.
    func attribute(_ value: Value, _ name: AttributeName) throws -> Value {
        if let attribute = try plainAttribute(value, name) { return attribute }
        switch value {
        case .dict(let dictionary):
            if let item = dictionary.members.value(for: name.text.bytes) { return item }
        case .object(let object):
            if let item = try object.item(.string(name.text), self) { return item }
        default: break
        }
        return .undefined(Undefined(.attribute(name.text, of: value.objectDescription)))
    }

    /// Python's `getattr(value, name)` within the sandbox; nil where there is no such attribute.
    func plainAttribute(_ value: Value, _ name: AttributeName) throws -> Value? {
        if name.isInternal { return .undefined(Undefined(.unsafe(name.text, of: value.typeName))) }
        switch value {
        case .undefined(let undefined): throw undefined.error
        case .none: return nil
        case .bool(let value): return NumberAttribute.value(of: .int(value ? 1 : 0), name.text)
        case .int, .float: return NumberAttribute.value(of: value, name.text)
        case .string(let text):
            guard let method = name.stringMethod else { return nil }
            return .object(Function(method.rawValue) { try $1.call(method, on: text, $0) })
        case .list(let items):
            guard let method = name.listMethod else { return nil }
            guard !method.changesList else { return .undefined(Undefined(.unsafe(name.text, of: value.typeName))) }
            return .object(
                Function(method.rawValue, receiverDepth: items.depth) { try $1.call(method, on: items, $0) }
            )
        case .tuple(let items):
            if items.isGroup {
                if name.text == "grouper" { return items.values[0] }
                if name.text == "list" { return items.values[1] }
            }
            guard let method = name.listMethod, method.isOfTuples else { return nil }
            return .object(
                Function(method.rawValue, receiverDepth: items.depth) { try $1.call(method, on: items, $0) }
            )
        case .dict(let dictionary):
            guard let method = name.dictMethod else { return nil }
            guard !method.changesDict else { return .undefined(Undefined(.unsafe(name.text, of: value.typeName))) }
            return .object(
                Function(method.rawValue, receiverDepth: dictionary.depth) { try $1.call(method, on: dictionary, $0) }
            )
        case .object(let object): return try object.attribute(name.text, self)
        }
    }

    /// Python's `value.name(…)`, without making a value of the method where that can be spared.
    func callMethod(_ value: Value, _ name: AttributeName, _ arguments: Arguments) throws -> Value {
        switch value {
        case .string(let text):
            if let method = name.stringMethod { return try call(method, on: text, arguments) }
        case .dict(let dictionary):
            if let method = name.dictMethod, !method.changesDict {
                return try call(method, on: dictionary, arguments)
            }
        default: break
        }
        return try call(try attribute(value, name), arguments)
    }

    /// Python's `value(…)`.
    func call(_ value: Value, _ arguments: Arguments) throws -> Value {
        switch value {
        case .undefined(let undefined): throw undefined.error
        case .object(let object): return try nested { try object.call(arguments, self) }
        default: throw TemplateError(.type, "'\(value.typeName)' object is not callable")
        }
    }
}

/// The attributes of numbers that are data.
private enum NumberAttribute {
    static func value(of number: Value, _ name: Text) -> Value? {
        switch (name.string, number) {
        case ("real", _), ("numerator", .int): number
        case ("imag", .int): .int(0)
        case ("imag", .float): .float(0)
        case ("denominator", .int): .int(1)
        case ("bit_length", .int(let value)):
            .object(Function("bit_length") { _, _ in .int(Int.bitWidth - value.magnitude.leadingZeroBitCount) })
        case ("is_integer", .float(let value)):
            .object(Function("is_integer") { _, _ in .bool(value.isFinite && value == value.rounded()) })
        default: nil
        }
    }
}
