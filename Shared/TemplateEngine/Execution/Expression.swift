/// A part of a compiled template that has a value.
protocol Expression: Sendable {
    /// To be called by ``Interpreter/evaluate(_:_:)``, which holds to the limits.
    func evaluate(_ interpreter: Interpreter, _ frame: Activation) throws -> Value
}

extension Interpreter {
    @inline(__always)
    func evaluate(_ expression: any Expression, _ frame: Activation) throws -> Value {
        try step()
        return try nested { try expression.evaluate(self, frame) }
    }
}

// MARK: Literals and names

struct TextLiteral: Expression {
    let text: Text

    func evaluate(_ interpreter: Interpreter, _ frame: Activation) throws -> Value { .string(text) }
}

/// A literal that is neither a text nor a collection.
struct ScalarLiteral: Expression {
    enum Kind: Sendable {
        case none
        case bool(Bool)
        case int(Int)
        case float(Double)
    }

    let kind: Kind

    func evaluate(_ interpreter: Interpreter, _ frame: Activation) throws -> Value {
        switch kind {
        case .none: .none
        case .bool(let value): .bool(value)
        case .int(let value): .int(value)
        case .float(let value): .float(value)
        }
    }
}

struct VariableExpression: Expression {
    let name: Text
    let reference: VariableReference

    func evaluate(_ interpreter: Interpreter, _ frame: Activation) throws -> Value {
        frame[reference] ?? .undefined(Undefined(.name(name)))
    }
}

struct ListExpression: Expression {
    let items: [any Expression]
    let isTuple: Bool

    func evaluate(_ interpreter: Interpreter, _ frame: Activation) throws -> Value {
        let values = try items.map { try interpreter.evaluate($0, frame) }
        return try isTuple ? interpreter.tuple(values) : interpreter.list(values)
    }
}

struct DictExpression: Expression {
    let members: [(key: any Expression, value: any Expression)]

    func evaluate(_ interpreter: Interpreter, _ frame: Activation) throws -> Value {
        var result = Members()
        for member in members {
            let key = try interpreter.evaluate(member.key, frame)
            try interpreter.work(key: key)
            try result.set(try interpreter.evaluate(member.value, frame), for: key)
        }
        return try interpreter.dict(result)
    }
}

// MARK: Operators

struct ArithmeticExpression: Expression {
    let left: any Expression
    let operation: ArithmeticOperator
    let right: any Expression

    func evaluate(_ interpreter: Interpreter, _ frame: Activation) throws -> Value {
        let left = try interpreter.evaluate(left, frame)
        return try interpreter.calculate(left, operation, try interpreter.evaluate(right, frame))
    }
}

struct SignExpression: Expression {
    let isNegative: Bool
    let operand: any Expression

    func evaluate(_ interpreter: Interpreter, _ frame: Activation) throws -> Value {
        let value = try interpreter.evaluate(operand, frame)
        return try isNegative ? interpreter.negate(value) : interpreter.affirm(value)
    }
}

struct NotExpression: Expression {
    let operand: any Expression

    func evaluate(_ interpreter: Interpreter, _ frame: Activation) throws -> Value {
        .bool(!(try interpreter.evaluate(operand, frame).isTrue))
    }
}

/// `and` and `or`, which give one of their operands.
struct LogicExpression: Expression {
    let left: any Expression
    let isAnd: Bool
    let right: any Expression

    func evaluate(_ interpreter: Interpreter, _ frame: Activation) throws -> Value {
        let value = try interpreter.evaluate(left, frame)
        return value.isTrue == isAnd ? try interpreter.evaluate(right, frame) : value
    }
}

/// A chain of comparisons, each with the value before it.
struct ComparisonExpression: Expression {
    enum Operator: Sendable {
        case equal
        case notEqual
        case order(OrderOperator)
        case isIn
        case notIn
    }

    let first: any Expression
    let rest: [(comparison: Operator, operand: any Expression)]

    func evaluate(_ interpreter: Interpreter, _ frame: Activation) throws -> Value {
        var left = try interpreter.evaluate(first, frame)
        for (comparison, operand) in rest {
            let right = try interpreter.evaluate(operand, frame)
            let holds =
                switch comparison {
                case .equal: try interpreter.areEqual(left, right)
                case .notEqual: try !interpreter.areEqual(left, right)
                case .order(let order): try interpreter.compare(left, order, right)
                case .isIn: try interpreter.contains(right, left)
                case .notIn: try !interpreter.contains(right, left)
                }
            guard holds else { return .bool(false) }
            left = right
        }
        return .bool(true)
    }
}

/// The operator `~`: its operands as texts, one after the other.
struct ConcatenationExpression: Expression {
    let operands: [any Expression]
    let escaping: Escaping

    func evaluate(_ interpreter: Interpreter, _ frame: Activation) throws -> Value {
        let values = try operands.map { try interpreter.evaluate($0, frame) }
        // With automatic escaping one piece of markup makes markup of the whole.
        let isMarkup = escaping.isOn(interpreter) && values.contains { $0.text?.isMarkup == true }
        var bytes: [UInt8] = []
        for value in values {
            bytes += try isMarkup ? interpreter.escaped(value).bytes : interpreter.string(value).bytes
            guard bytes.count <= interpreter.limits.valueBytes else { throw interpreter.tooLong }
        }
        try interpreter.charge(bytes: bytes.count)
        return .string(Text(bytes, isMarkup: isMarkup))
    }
}

struct ConditionalExpression: Expression {
    let condition: any Expression
    let positive: any Expression
    /// Nil without an `else`.
    let negative: (any Expression)?
    let line: Int

    func evaluate(_ interpreter: Interpreter, _ frame: Activation) throws -> Value {
        if try interpreter.evaluate(condition, frame).isTrue { return try interpreter.evaluate(positive, frame) }
        if let negative { return try interpreter.evaluate(negative, frame) }
        let hint = "the inline if-expression on line \(line) evaluated to false and no else section was defined."
        return .undefined(Undefined(.hint(hint)))
    }
}

/// Whether what stands in a place is escaped: known from the text around it, or only when rendering.
enum Escaping: Sendable {
    case never
    case always
    case dynamic

    func isOn(_ interpreter: Interpreter) -> Bool {
        switch self {
        case .never: false
        case .always: true
        case .dynamic: interpreter.autoescape
        }
    }
}
