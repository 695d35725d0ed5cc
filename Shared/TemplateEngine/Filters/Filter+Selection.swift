extension Filter {
    /// Filters that change or choose each of several values, one at a time and not before it is asked for.
    static let selectionFilters: [Filter] = [
        Filter(variadic: "map") { value, arguments, interpreter in
            // What is not true is empty, whatever it is.
            try interpreter.generator(over: value.depth) { interpreter in
                value.isTrue ? (try interpreter.iterate(value), try Transformation(arguments, interpreter)) : nil
            } next: { state, interpreter in
                guard let (values, transformation) = state, let value = try values.next(interpreter) else { return nil }
                return try transformation.apply(to: value, interpreter)
            }
        },
        Filter(variadic: "select") { try $2.select($0, $1, wanted: true, byAttribute: false) },
        Filter(variadic: "reject") { try $2.select($0, $1, wanted: false, byAttribute: false) },
        Filter(variadic: "selectattr") { try $2.select($0, $1, wanted: true, byAttribute: true) },
        Filter(variadic: "rejectattr") { try $2.select($0, $1, wanted: false, byAttribute: true) },
    ]
}

extension Interpreter {
    fileprivate func select(
        _ value: Value,
        _ arguments: Arguments,
        wanted: Bool,
        byAttribute: Bool
    ) throws -> Value {
        try generator(over: value.depth) { interpreter in
            guard value.isTrue else { return nil }
            let condition = try Condition(arguments, byAttribute: byAttribute, interpreter)
            return (try interpreter.iterate(value), condition)
        } next: { (state: inout (ValueIterator, Condition)?, interpreter) in
            guard let (values, condition) = state else { return nil }
            while let value = try values.next(interpreter) {
                if try condition.holds(of: value, interpreter) == wanted { return value }
            }
            return nil
        }
    }

    /// An iterator whose state is made when the first value is asked for, as in a Python generator.
    func generator<State>(
        over depth: Int,
        begin: @escaping (Interpreter) throws -> State,
        next: @escaping (inout State, Interpreter) throws -> Value?
    ) throws -> Value {
        var kept: State?
        return try generator(over: depth) { interpreter in
            var state: State
            if let current = kept {
                state = current
                // The state has one owner at a time, so that what is in it can be changed in place.
                kept = nil
            } else {
                state = try begin(interpreter)
            }
            let value = try next(&state, interpreter)
            kept = state
            return value
        }
    }
}

/// What `map` does with each value: looks up an attribute or applies a filter.
private enum Transformation {
    case attribute(AttributePath)
    case filter(Filter, Arguments)

    init(_ given: Arguments, _ interpreter: Interpreter) throws {
        var arguments = given
        if arguments.positional.isEmpty, let attribute = arguments.take("attribute") {
            self = .attribute(try AttributePath(attribute, default: arguments.take("default")))
            if let surplus = arguments.keywords.first {
                throw TemplateError(.type, "Unexpected keyword argument \(surplus.name.quoted.string)")
            }
            return
        }
        guard !arguments.positional.isEmpty else {
            throw TemplateError(.type, "map requires a filter argument")
        }
        self = .filter(try interpreter.filter(named: arguments.positional.removeFirst()), arguments)
    }

    func apply(to value: Value, _ interpreter: Interpreter) throws -> Value {
        switch self {
        case .attribute(let path): try path.value(in: value, interpreter)
        case .filter(let filter, let arguments): try filter.apply(value, arguments, interpreter)
        }
    }
}

/// What `select` and its like ask of each value: a test of it or of an attribute, or just that it is true.
private struct Condition {
    private let path: AttributePath
    private let test: (test: Test, arguments: Arguments)?

    init(_ given: Arguments, byAttribute: Bool, _ interpreter: Interpreter) throws {
        var arguments = given
        if byAttribute {
            guard !arguments.positional.isEmpty else {
                throw TemplateError(.type, "Missing parameter for attribute name")
            }
            path = try AttributePath(arguments.positional.removeFirst())
        } else {
            path = try AttributePath(.none)
        }
        guard !arguments.positional.isEmpty else {
            test = nil
            return
        }
        test = (try interpreter.test(named: arguments.positional.removeFirst()), arguments)
    }

    func holds(of value: Value, _ interpreter: Interpreter) throws -> Bool {
        let value = try path.value(in: value, interpreter)
        guard let (test, arguments) = test else { return value.isTrue }
        return try test.holds(value, arguments, interpreter)
    }
}
