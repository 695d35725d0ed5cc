// MARK: Attributes, items and slices

struct AttributeExpression: Expression {
    let owner: any Expression
    let name: AttributeName

    func evaluate(_ interpreter: Interpreter, _ frame: Activation) throws -> Value {
        try interpreter.attribute(try interpreter.evaluate(owner, frame), name)
    }
}

struct ItemExpression: Expression {
    let owner: any Expression
    let key: any Expression

    func evaluate(_ interpreter: Interpreter, _ frame: Activation) throws -> Value {
        let owner = try interpreter.evaluate(owner, frame)
        return try interpreter.item(owner, try interpreter.evaluate(key, frame))
    }
}

struct SliceExpression: Expression {
    let owner: any Expression
    let start: (any Expression)?
    let stop: (any Expression)?
    let step: (any Expression)?

    func evaluate(_ interpreter: Interpreter, _ frame: Activation) throws -> Value {
        try interpreter.slice(
            try interpreter.evaluate(owner, frame),
            start: try start.map { try interpreter.evaluate($0, frame) } ?? .none,
            stop: try stop.map { try interpreter.evaluate($0, frame) } ?? .none,
            step: try step.map { try interpreter.evaluate($0, frame) } ?? .none
        )
    }
}

// MARK: Calls

/// The arguments of a call as they are written.
struct ArgumentList: Sendable {
    var positional: [any Expression] = []
    var keywords: [(name: Text, value: any Expression)] = []
    var spread: (any Expression)?
    var keywordSpread: (any Expression)?

    func evaluate(_ interpreter: Interpreter, _ frame: Activation) throws -> Arguments {
        var arguments = Arguments()
        for expression in positional { arguments.positional.append(try interpreter.evaluate(expression, frame)) }
        for (name, expression) in keywords {
            arguments.keywords.append((name, try interpreter.evaluate(expression, frame)))
        }
        if let spread {
            let values = try interpreter.array(try interpreter.evaluate(spread, frame))
            try interpreter.checkItems(arguments.positional.count + values.count)
            arguments.positional += values
        }
        if let keywordSpread { try add(try interpreter.evaluate(keywordSpread, frame), to: &arguments, interpreter) }
        return arguments
    }

    private func add(_ value: Value, to arguments: inout Arguments, _ interpreter: Interpreter) throws {
        guard case .dict(let dictionary) = value else {
            throw TemplateError(.type, "argument after ** must be a mapping, not \(value.typeName)")
        }
        var names = Set(arguments.keywords.map(\.name))
        for (key, value) in zip(dictionary.members.keys, dictionary.members.values) {
            try interpreter.step()
            guard case .string(let name) = key else { throw TemplateError(.type, "keywords must be strings") }
            guard names.insert(name).inserted else {
                throw TemplateError(.type, "got multiple values for keyword argument \(name.quoted.string)")
            }
            arguments.keywords.append((name, value))
        }
    }
}

struct CallExpression: Expression {
    let callee: any Expression
    let arguments: ArgumentList

    func evaluate(_ interpreter: Interpreter, _ frame: Activation) throws -> Value {
        let callee = try interpreter.evaluate(callee, frame)
        return try interpreter.call(callee, try arguments.evaluate(interpreter, frame))
    }

    /// The value of the call with a `caller`, for a call block.
    func evaluate(_ interpreter: Interpreter, _ frame: Activation, caller: Value) throws -> Value {
        let callee = try interpreter.evaluate(callee, frame)
        var arguments = try arguments.evaluate(interpreter, frame)
        if arguments.take("caller") != nil {
            throw TemplateError(.type, "got multiple values for keyword argument 'caller'")
        }
        arguments.keywords.append(("caller", caller))
        return try interpreter.call(callee, arguments)
    }
}

struct MethodCallExpression: Expression {
    let receiver: any Expression
    let name: AttributeName
    let arguments: ArgumentList

    func evaluate(_ interpreter: Interpreter, _ frame: Activation) throws -> Value {
        let receiver = try interpreter.evaluate(receiver, frame)
        if case .undefined(let undefined) = receiver { throw undefined.error }
        return try interpreter.callMethod(receiver, name, try arguments.evaluate(interpreter, frame))
    }
}

struct FilterExpression: Expression {
    let operand: any Expression
    let filter: Filter
    let arguments: ArgumentList

    func evaluate(_ interpreter: Interpreter, _ frame: Activation) throws -> Value {
        let value = try interpreter.evaluate(operand, frame)
        return try filter.apply(value, try arguments.evaluate(interpreter, frame), interpreter)
    }
}

struct TestExpression: Expression {
    let operand: any Expression
    let test: Test
    let arguments: ArgumentList

    func evaluate(_ interpreter: Interpreter, _ frame: Activation) throws -> Value {
        let value = try interpreter.evaluate(operand, frame)
        return .bool(try test.holds(value, try arguments.evaluate(interpreter, frame), interpreter))
    }
}

/// A filter or test that there is not, in a place that may never be reached.
struct UnknownNameExpression: Expression {
    let message: String

    func evaluate(_ interpreter: Interpreter, _ frame: Activation) throws -> Value {
        throw TemplateError(.type, message)
    }
}

/// What a filter block or a `set` block has captured, where its filters are applied.
struct CapturedExpression: Expression {
    let escaping: Escaping

    func evaluate(_ interpreter: Interpreter, _ frame: Activation) throws -> Value {
        .string(Text(interpreter.captured, isMarkup: escaping.isOn(interpreter)))
    }
}
