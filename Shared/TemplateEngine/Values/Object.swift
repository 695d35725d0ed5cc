/// A value that is neither data nor absent: what a template defines, calls or walks through.
class Object: Releasable {
    /// Python's `type(value).__name__`.
    var typeName: String { "object" }

    /// The levels of containers that this value holds.
    var depth: Int { 0 }

    var isTrue: Bool { true }

    /// Python's `len`, where the type has one.
    var length: Int? { nil }

    var isCallable: Bool { false }

    /// Whether it can be walked through.
    var isIterable: Bool { false }

    /// Whether `is sequence` holds: it has a length and can be subscripted.
    var isSequence: Bool { false }

    var hashKey: HashKey { .object(ObjectIdentifier(self)) }

    /// Python's `repr`, without the address that CPython puts into it.
    func representation(_ interpreter: Interpreter) throws -> Text { Text("<\(typeName) object>") }

    /// The attribute with this name; nil where there is none.
    func attribute(_ name: Text, _ interpreter: Interpreter) throws -> Value? { nil }

    /// The item with this key; nil where there is none or the type cannot be subscripted.
    func item(_ key: Value, _ interpreter: Interpreter) throws -> Value? { nil }

    func call(_ arguments: Arguments, _ interpreter: Interpreter) throws -> Value {
        throw TemplateError(.type, "'\(typeName)' object is not callable")
    }

    func iterator(_ interpreter: Interpreter) throws -> ValueIterator {
        throw TemplateError(.type, "'\(typeName)' object is not iterable")
    }

    func contains(_ value: Value, _ interpreter: Interpreter) throws -> Bool {
        guard isIterable else { throw TemplateError(.type, "argument of type '\(typeName)' is not iterable") }
        let iterator = try iterator(interpreter)
        while let candidate = try iterator.next(interpreter) {
            if try interpreter.areEqual(candidate, value) { return true }
        }
        return false
    }

    func isEqual(to other: Object, _ interpreter: Interpreter) throws -> Bool { self === other }

    /// Lets go of what it refers to, so that no cycle outlives a rendering.
    func release() {}
}

/// Walks through values once: a Python iterator, a generator among them.
final class ValueIterator: Object {
    private let kind: String
    private var pull: ((Interpreter) throws -> Value?)?
    private let sourceDepth: Int

    /// An iterator over what `pull` gives until it gives nil; `kind` is Python's name of its type.
    init(_ kind: String = "generator", depth: Int, pull: @escaping (Interpreter) throws -> Value?) {
        self.kind = kind
        self.pull = pull
        sourceDepth = depth
    }

    override var typeName: String { kind }

    override var depth: Int { sourceDepth + 1 }

    override var isIterable: Bool { true }

    override func iterator(_ interpreter: Interpreter) throws -> ValueIterator { self }

    override func release() { pull = nil }

    /// The next value; nil at the end and ever after.
    func next(_ interpreter: Interpreter) throws -> Value? {
        guard let pull else { return nil }
        try interpreter.step()
        do {
            if let value = try interpreter.nested({ try pull(interpreter) }) { return value }
        } catch {
            self.pull = nil
            throw error
        }
        self.pull = nil
        return nil
    }
}

/// A function or method of the engine.
final class Function: Object {
    private let name: String
    private let body: (Arguments, Interpreter) throws -> Value
    private let receiverDepth: Int

    init(_ name: String, receiverDepth: Int = 0, _ body: @escaping (Arguments, Interpreter) throws -> Value) {
        self.name = name
        self.receiverDepth = receiverDepth
        self.body = body
    }

    override var typeName: String { "function" }

    override var depth: Int { receiverDepth + 1 }

    override var isCallable: Bool { true }

    override func representation(_ interpreter: Interpreter) throws -> Text { Text("<function \(name)>") }

    override func call(_ arguments: Arguments, _ interpreter: Interpreter) throws -> Value {
        try body(arguments, interpreter)
    }
}

/// An integer that came in with the data and does not fit 64 bits: it can be printed and compared for equality.
final class WideInteger: Object {
    /// The decimal digits, with a sign if negative.
    let digits: Text

    init(_ digits: Text) { self.digits = digits }

    override var typeName: String { "int" }

    override var hashKey: HashKey { .tuple([.none, .text(digits.bytes)]) }

    override func representation(_ interpreter: Interpreter) throws -> Text { digits }

    override func isEqual(to other: Object, _ interpreter: Interpreter) throws -> Bool {
        (other as? WideInteger)?.digits == digits
    }
}
