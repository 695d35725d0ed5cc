/// The variable `loop` of a `for` block.
final class LoopObject: Object {
    private let iterator: ValueIterator
    /// The length of what is walked through, where that has one.
    private var knownLength: Int?
    private let depth0: Int
    /// Runs the body over other values, for a recursive loop.
    private var recurse: ((Value, Int, Interpreter) throws -> Value)?

    private var index0 = -1
    private var previous: Value?
    private var current: Value?
    /// Values that were read ahead, to answer `last`, `nextitem` and `length`.
    private var ahead: ArraySlice<Value> = []
    private var lastChanged: [Value]?

    init(
        _ iterator: ValueIterator,
        length: Int?,
        depth: Int = 0,
        recurse: ((Value, Int, Interpreter) throws -> Value)? = nil
    ) {
        self.iterator = iterator
        knownLength = length
        depth0 = depth
        self.recurse = recurse
    }

    override var typeName: String { "LoopContext" }

    override var isCallable: Bool { true }

    override var isIterable: Bool { true }

    override var length: Int? { knownLength }

    override func release() {
        (previous, current, recurse, lastChanged) = (nil, nil, nil, nil)
        ahead = []
        iterator.release()
    }

    /// Goes on to the next value; nil at the end.
    func next(_ interpreter: Interpreter) throws -> Value? {
        guard let value = try ahead.popFirst() ?? iterator.next(interpreter) else { return nil }
        index0 += 1
        previous = current
        current = value
        return value
    }

    private func following(_ interpreter: Interpreter) throws -> Value? {
        if let value = ahead.first { return value }
        guard let value = try iterator.next(interpreter) else { return nil }
        ahead = [value]
        return value
    }

    private func length(_ interpreter: Interpreter) throws -> Int {
        if let knownLength { return knownLength }
        while let value = try iterator.next(interpreter) {
            ahead.append(value)
            if ahead.count > interpreter.limits.items { try interpreter.checkItems(ahead.count) }
        }
        let length = index0 + 1 + ahead.count
        knownLength = length
        return length
    }

    override func attribute(_ name: Text, _ interpreter: Interpreter) throws -> Value? {
        switch name.string {
        case "index": return .int(index0 + 1)
        case "index0": return .int(index0)
        case "revindex": return .int(try length(interpreter) - index0)
        case "revindex0": return .int(try length(interpreter) - index0 - 1)
        case "first": return .bool(index0 == 0)
        case "last": return .bool(try following(interpreter) == nil)
        case "length": return .int(try length(interpreter))
        case "depth": return .int(depth0 + 1)
        case "depth0": return .int(depth0)
        case "previtem":
            return index0 == 0
                ? .undefined(Undefined(.hint("there is no previous item"))) : previous ?? .undefined(noItem)
        case "nextitem": return try following(interpreter) ?? .undefined(noItem)
        case "cycle":
            return .object(
                Function("cycle") { [self] arguments, _ in
                    let values = arguments.positional
                    guard !values.isEmpty else { throw TemplateError(.type, "no items for cycling given") }
                    return values[index0 % values.count]
                }
            )
        case "changed":
            return .object(
                Function("changed") { [self] arguments, interpreter in
                    if let lastChanged, try interpreter.areEqual(lastChanged, arguments.positional) {
                        return .bool(false)
                    }
                    lastChanged = arguments.positional
                    return .bool(true)
                }
            )
        default: return nil
        }
    }

    private var noItem: Undefined { Undefined(.hint("there is no next item")) }

    override func call(_ arguments: Arguments, _ interpreter: Interpreter) throws -> Value {
        let values = try arguments.bound(to: Signature("loop", ["iterable"])).value(0)
        guard let recurse else {
            throw TemplateError(.type, "The loop must have the 'recursive' marker to be called recursively.")
        }
        return try recurse(values, depth0 + 1, interpreter)
    }

    override func iterator(_ interpreter: Interpreter) throws -> ValueIterator {
        ValueIterator("LoopContext", depth: 0) { [self] interpreter in
            try next(interpreter).map { try interpreter.tuple([$0, .object(self)]) }
        }
    }

    override func representation(_ interpreter: Interpreter) throws -> Text {
        Text("<LoopContext \(index0 + 1)/\(try length(interpreter))>")
    }
}
