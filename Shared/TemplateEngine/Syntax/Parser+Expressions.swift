extension Parser {
    // MARK: Targets of assignments

    private static let constants: [Text: ScalarLiteral.Kind] = [
        "true": .bool(true), "True": .bool(true), "false": .bool(false), "False": .bool(false), "none": .none,
        "None": .none,
    ]

    /// A name that may be assigned to.
    mutating func assignableName() throws -> Text {
        let line = current.line
        let name = try expectName()
        guard Self.constants[name] == nil else { throw failure("can't assign to 'name'", line: line) }
        return name
    }

    /// What is assigned to: a name, a tuple or, where that is allowed, an attribute.
    mutating func assignmentTarget(allowsAttributes: Bool = false) throws -> ExpressionSyntax {
        let line = current.line
        let target = try tuple {
            try $0.primary(allowsAttributes: allowsAttributes)
        }
        guard target.isAssignable else { throw failure("can't assign to this expression", line: line) }
        return target
    }

    // MARK: Operators, from the weakest binding to the strongest

    /// One expression or, with commas, a tuple; `element` reads an item, if that is no expression.
    mutating func tuple(
        allowsConditional: Bool = true,
        isInParentheses: Bool = false,
        _ element: ((inout Parser) throws -> ExpressionSyntax)? = nil
    ) throws -> ExpressionSyntax {
        var items: [ExpressionSyntax] = []
        var isTuple = false
        while true {
            if isTuple { try expectSymbol(",") }
            if current.kind == .variableEnd || current.kind == .blockEnd || current.isSymbol(")") { break }
            items.append(try element?(&self) ?? expression(allowsConditional: allowsConditional))
            guard current.isSymbol(",") else { break }
            isTuple = true
        }
        if isTuple || items.isEmpty && isInParentheses { return try make(.tuple(items)) }
        guard let item = items.first else {
            throw failure("Expected an expression, got '\(current.description)'")
        }
        return item
    }

    mutating func expression(allowsConditional: Bool = true) throws -> ExpressionSyntax {
        try nested { try allowsConditional ? $0.conditionalExpression() : $0.operation(.disjunction) }
    }

    private mutating func conditionalExpression() throws -> ExpressionSyntax {
        var line = current.line
        var value = try operation(.disjunction)
        while skipName("if") {
            let condition = try operation(.disjunction)
            let negative = skipName("else") ? try nested { try $0.conditionalExpression() } : nil
            value = try make(.conditional(condition: condition, positive: value, negative: negative, line: line))
            line = current.line
        }
        return value
    }

    /// Operands with operators between them that bind at least so strongly.
    private mutating func operation(_ weakest: Binding) throws -> ExpressionSyntax {
        var left: ExpressionSyntax
        if weakest <= .negation, skipName("not") {
            left = try make(.not(try nested { try $0.operation(.negation) }))
        } else {
            left = try unary()
        }
        while let found = binaryOperator, found.binding >= weakest {
            switch found {
            case .logic(let isAnd):
                next()
                left = try make(.logic(left, isAnd: isAnd, try operation(found.binding.stronger)))
            case .arithmetic(let operation):
                next()
                left = try make(.arithmetic(left, operation, try self.operation(found.binding.stronger)))
            case .concatenation:
                var operands = [left]
                while skipSymbol("~") { operands.append(try operation(.product)) }
                left = try make(.concatenation(operands))
            case .comparison: left = try comparison(left)
            }
        }
        return left
    }

    /// The comparisons that follow a first operand.
    private mutating func comparison(_ first: ExpressionSyntax) throws -> ExpressionSyntax {
        var rest: [(comparison: ComparisonExpression.Operator, operand: ExpressionSyntax)] = []
        while case .comparison(let comparison) = binaryOperator {
            if next().isName("not") { next() }
            rest.append((comparison, try operation(.sum)))
        }
        return try make(.comparison(first, rest))
    }

    /// The operator that stands here.
    private var binaryOperator: BinaryOperator? {
        switch current.kind {
        case .symbol: BinaryOperator.symbols[current.text]
        case .name:
            current.isName("not") && following.isName("in") ? .comparison(.notIn) : BinaryOperator.names[current.text]
        default: nil
        }
    }

    private mutating func unary(allowsFilters: Bool = true) throws -> ExpressionSyntax {
        var value: ExpressionSyntax
        if current.isSymbol("-") || current.isSymbol("+") {
            let isNegative = next().text == "-"
            value = try make(.sign(isNegative: isNegative, try nested { try $0.unary(allowsFilters: false) }))
        } else {
            value = try primary()
        }
        value = try postfix(value)
        return allowsFilters ? try filters(value) : value
    }

    // MARK: Literals and names

    mutating func primary(allowsAttributes: Bool = false) throws -> ExpressionSyntax {
        let token = current
        switch token.kind {
        case .name:
            next()
            if let constant = Self.constants[token.text] { return ExpressionSyntax(.scalar(constant)) }
            if allowsAttributes, skipSymbol(".") {
                return ExpressionSyntax(.attributeTarget(owner: token.text, name: try expectName()))
            }
            return ExpressionSyntax(.name(token.text))
        case .string:
            var bytes: [UInt8] = []
            while current.kind == .string { bytes += next().text.bytes }
            return ExpressionSyntax(.text(Text(bytes)))
        case .integer(let value):
            next()
            return ExpressionSyntax(.scalar(.int(value)))
        case .float(let value):
            next()
            return ExpressionSyntax(.scalar(.float(value)))
        default: break
        }
        if skipSymbol("(") {
            let value = try nested { try $0.tuple(isInParentheses: true) }
            try expectSymbol(")")
            return value
        }
        if skipSymbol("[") { return try make(.list(try elements(until: "]") { try $0.expression() })) }
        if skipSymbol("{") {
            let members = try elements(until: "}") { parser in
                let key = try parser.expression()
                try parser.expectSymbol(":")
                return (key: key, value: try parser.expression())
            }
            return try make(.dict(members))
        }
        throw failure("unexpected '\(token.description)'")
    }

    /// Elements with commas between them and at most one behind.
    private mutating func elements<Element>(
        until end: Text,
        _ element: (inout Parser) throws -> Element
    ) throws -> [Element] {
        var elements: [Element] = []
        while !current.isSymbol(end) {
            if !elements.isEmpty {
                try expectSymbol(",")
                if current.isSymbol(end) { break }
            }
            elements.append(try element(&self))
        }
        next()
        return elements
    }
}

extension ExpressionSyntax {
    /// Whether it can stand on the left of an assignment.
    fileprivate var isAssignable: Bool {
        switch kind {
        case .name, .attributeTarget: true
        case .tuple(let items): items.allSatisfy(\.isAssignable)
        default: false
        }
    }
}

/// How strongly an operator binds, from the weakest.
private enum Binding: Int, Comparable {
    case disjunction
    case conjunction
    case negation
    case comparison
    case sum
    case concatenation
    case product
    case power
    case operand

    static func < (left: Binding, right: Binding) -> Bool { left.rawValue < right.rawValue }

    /// The next stronger one, for the right operand of an operator that binds to the left.
    var stronger: Binding { Binding(rawValue: rawValue + 1) ?? .operand }
}

/// An operator between two operands.
private enum BinaryOperator {
    case logic(isAnd: Bool)
    case comparison(ComparisonExpression.Operator)
    case arithmetic(ArithmeticOperator)
    case concatenation

    static let names: [Text: BinaryOperator] = [
        "or": .logic(isAnd: false), "and": .logic(isAnd: true), "in": .comparison(.isIn),
    ]

    static let symbols: [Text: BinaryOperator] = [
        "==": .comparison(.equal), "!=": .comparison(.notEqual), "<": .comparison(.order(.less)),
        "<=": .comparison(.order(.lessOrEqual)), ">": .comparison(.order(.greater)),
        ">=": .comparison(.order(.greaterOrEqual)), "+": .arithmetic(.add), "-": .arithmetic(.subtract),
        "*": .arithmetic(.multiply), "/": .arithmetic(.divide), "//": .arithmetic(.floorDivide),
        "%": .arithmetic(.modulo), "**": .arithmetic(.power), "~": .concatenation,
    ]

    var binding: Binding {
        switch self {
        case .logic(let isAnd): isAnd ? .conjunction : .disjunction
        case .comparison: .comparison
        case .concatenation: .concatenation
        case .arithmetic(let operation):
            switch operation {
            case .add, .subtract: .sum
            case .multiply, .divide, .floorDivide, .modulo: .product
            case .power: .power
            }
        }
    }
}
