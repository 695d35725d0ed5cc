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

    /// One expression or, with commas, a tuple.
    ///
    /// `element` reads one item, if not an expression.
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
        if isTuple || items.isEmpty && isInParentheses { return .tuple(items) }
        guard let item = items.first else {
            throw failure("Expected an expression, got '\(current.description)'")
        }
        return item
    }

    mutating func expression(allowsConditional: Bool = true) throws -> ExpressionSyntax {
        try nested { try allowsConditional ? $0.conditionalExpression() : $0.disjunction() }
    }

    private mutating func conditionalExpression() throws -> ExpressionSyntax {
        var line = current.line
        var value = try disjunction()
        var length = 0
        while skipName("if") {
            length += 1
            try checkChain(length)
            let condition = try disjunction()
            let negative = skipName("else") ? try nested { try $0.conditionalExpression() } : nil
            value = .conditional(condition: condition, positive: value, negative: negative, line: line)
            line = current.line
        }
        return value
    }

    /// Operands with operators of one strength between them, which bind to the left.
    private mutating func chain(
        _ operand: (inout Parser) throws -> ExpressionSyntax,
        _ combine: (inout Parser) -> ((ExpressionSyntax, ExpressionSyntax) -> ExpressionSyntax)?
    ) throws -> ExpressionSyntax {
        var left = try operand(&self)
        var length = 0
        while let combined = combine(&self) {
            length += 1
            try checkChain(length)
            left = combined(left, try operand(&self))
        }
        return left
    }

    private mutating func disjunction() throws -> ExpressionSyntax {
        try chain({ try $0.conjunction() }, { $0.skipName("or") ? { .logic($0, isAnd: false, $1) } : nil })
    }

    private mutating func conjunction() throws -> ExpressionSyntax {
        try chain({ try $0.negation() }, { $0.skipName("and") ? { .logic($0, isAnd: true, $1) } : nil })
    }

    private mutating func negation() throws -> ExpressionSyntax {
        guard skipName("not") else { return try comparison() }
        return .not(try nested { try $0.negation() })
    }

    private static let comparisons: [Text: ComparisonExpression.Operator] = [
        "==": .equal, "!=": .notEqual, "<": .order(.less), "<=": .order(.lessOrEqual), ">": .order(.greater),
        ">=": .order(.greaterOrEqual),
    ]

    private mutating func comparison() throws -> ExpressionSyntax {
        let first = try sum()
        var rest: [(comparison: ComparisonExpression.Operator, operand: ExpressionSyntax)] = []
        while true {
            let comparison: ComparisonExpression.Operator
            if current.kind == .symbol, let found = Self.comparisons[current.text] {
                next()
                comparison = found
            } else if skipName("in") {
                comparison = .isIn
            } else if current.isName("not"), following.isName("in") {
                next()
                next()
                comparison = .notIn
            } else {
                return rest.isEmpty ? first : .comparison(first, rest)
            }
            rest.append((comparison, try sum()))
            try checkChain(rest.count)
        }
    }

    private mutating func arithmetic(
        _ operators: [Text: ArithmeticOperator],
        _ operand: (inout Parser) throws -> ExpressionSyntax
    ) throws -> ExpressionSyntax {
        try chain(operand) { parser in
            guard parser.current.kind == .symbol, let found = operators[parser.current.text] else { return nil }
            parser.next()
            return { .arithmetic($0, found, $1) }
        }
    }

    private mutating func sum() throws -> ExpressionSyntax {
        try arithmetic(["+": .add, "-": .subtract]) { try $0.concatenation() }
    }

    private mutating func concatenation() throws -> ExpressionSyntax {
        var operands = [try product()]
        while skipSymbol("~") { operands.append(try product()) }
        return operands.count == 1 ? operands[0] : .concatenation(operands)
    }

    private mutating func product() throws -> ExpressionSyntax {
        try arithmetic(["*": .multiply, "/": .divide, "//": .floorDivide, "%": .modulo]) { try $0.power() }
    }

    private mutating func power() throws -> ExpressionSyntax {
        try arithmetic(["**": .power]) { try $0.unary() }
    }

    private mutating func unary(allowsFilters: Bool = true) throws -> ExpressionSyntax {
        var value: ExpressionSyntax
        if current.isSymbol("-") || current.isSymbol("+") {
            let isNegative = next().text == "-"
            value = .sign(isNegative: isNegative, try nested { try $0.unary(allowsFilters: false) })
        } else {
            value = try primary()
        }
        value = try postfix(value)
        return allowsFilters ? try filters(value) : value
    }

    // MARK: Literals and names

    private mutating func primary(allowsAttributes: Bool = false) throws -> ExpressionSyntax {
        let token = current
        switch token.kind {
        case .name:
            next()
            if let constant = Self.constants[token.text] { return .scalar(constant) }
            if allowsAttributes, skipSymbol(".") {
                return .attributeTarget(owner: token.text, name: try expectName())
            }
            return .name(token.text)
        case .string:
            var bytes: [UInt8] = []
            while current.kind == .string { bytes += next().text.bytes }
            return .text(Text(bytes))
        case .integer(let value):
            next()
            return .scalar(.int(value))
        case .float(let value):
            next()
            return .scalar(.float(value))
        default: break
        }
        if skipSymbol("(") {
            let value = try nested { try $0.tuple(isInParentheses: true) }
            try expectSymbol(")")
            return value
        }
        if skipSymbol("[") { return .list(try elements(until: "]") { try $0.expression() }) }
        if skipSymbol("{") {
            return .dict(
                try elements(until: "}") { parser in
                    let key = try parser.expression()
                    try parser.expectSymbol(":")
                    return (key, try parser.expression())
                }
            )
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

    // MARK: What stands behind a value

    private mutating func postfix(_ value: ExpressionSyntax) throws -> ExpressionSyntax {
        var value = value
        var length = 0
        while true {
            if skipSymbol(".") {
                value = try attribute(of: value)
            } else if skipSymbol("[") {
                value = try subscripted(value)
            } else if current.isSymbol("(") {
                value = .call(value, try arguments())
            } else {
                return value
            }
            length += 1
            try checkChain(length)
        }
    }

    private mutating func filters(_ value: ExpressionSyntax) throws -> ExpressionSyntax {
        var value = value
        var length = 0
        while true {
            if current.isSymbol("|") {
                value = try filter(value)
            } else if current.isName("is") {
                value = try test(value)
            } else if current.isSymbol("(") {
                value = .call(value, try arguments())
            } else {
                return value
            }
            length += 1
            try checkChain(length)
        }
    }

    private mutating func attribute(of owner: ExpressionSyntax) throws -> ExpressionSyntax {
        let token = next()
        switch token.kind {
        case .name: return .attribute(owner, token.text)
        case .integer(let index): return .item(owner, .scalar(.int(index)))
        default: throw failure("expected name or number", line: token.line)
        }
    }

    private mutating func subscripted(_ owner: ExpressionSyntax) throws -> ExpressionSyntax {
        var keys: [ExpressionSyntax] = []
        while !current.isSymbol("]") {
            if !keys.isEmpty { try expectSymbol(",") }
            let key = current.isSymbol(":") ? nil : try expression()
            if current.isSymbol(":") {
                let slice = try rest(ofSlice: owner, start: key)
                guard keys.isEmpty, skipSymbol("]") else { throw failure("a slice must stand alone in its brackets") }
                return slice
            }
            if let key { keys.append(key) }
        }
        next()
        return .item(owner, keys.count == 1 ? keys[0] : .tuple(keys))
    }

    private mutating func rest(ofSlice owner: ExpressionSyntax, start: ExpressionSyntax?) throws -> ExpressionSyntax {
        next()
        func bound(_ parser: inout Parser) throws -> ExpressionSyntax? {
            let ends = [":", "]", ","].contains { parser.current.isSymbol($0) }
            return ends ? nil : try parser.expression()
        }
        let stop = try bound(&self)
        let step = skipSymbol(":") ? try bound(&self) : nil
        return .slice(owner, start: start, stop: stop, step: step)
    }

    private mutating func arguments() throws -> ArgumentSyntax {
        let line = current.line
        try expectSymbol("(")
        var arguments = ArgumentSyntax()
        func ensure(_ holds: Bool) throws {
            guard holds else { throw failure("invalid syntax for function call expression", line: line) }
        }
        var isFirst = true
        while !current.isSymbol(")") {
            if !isFirst {
                try expectSymbol(",")
                if current.isSymbol(")") { break }
            }
            isFirst = false
            if current.isSymbol("*") {
                try ensure(arguments.spread == nil && arguments.keywordSpread == nil)
                next()
                arguments.spread = try expression()
            } else if current.isSymbol("**") {
                try ensure(arguments.keywordSpread == nil)
                next()
                arguments.keywordSpread = try expression()
            } else if current.kind == .name, following.isSymbol("=") {
                try ensure(arguments.keywordSpread == nil)
                let name = next().text
                next()
                guard !arguments.keywords.contains(where: { $0.name == name }) else {
                    throw failure("keyword argument repeated: \(name.string)")
                }
                arguments.keywords.append((name, try expression()))
            } else {
                try ensure(
                    arguments.spread == nil && arguments.keywordSpread == nil && arguments.keywords.isEmpty
                )
                arguments.positional.append(try expression())
            }
        }
        next()
        return arguments
    }

    /// The name of a filter or test, which may have points in it.
    private mutating func dottedName() throws -> Text {
        var name = try expectName()
        while skipSymbol(".") { name = Text(name.bytes + ".".utf8 + (try expectName()).bytes) }
        return name
    }

    /// Filters in a row on `operand`; without one, on what a block has captured.
    ///
    /// `startsInline` says whether the first one has no bar before it.
    mutating func filter(_ operand: ExpressionSyntax?, startsInline: Bool = false) throws -> ExpressionSyntax {
        var value = operand
        var length = 0
        while current.isSymbol("|") || startsInline && length == 0 {
            if length > 0 || !startsInline { next() }
            let line = current.line
            let name = try dottedName()
            let arguments = current.isSymbol("(") ? try arguments() : ArgumentSyntax()
            value = .filter(value, name: name, arguments, line: line)
            length += 1
            try checkChain(length)
        }
        guard let value else { throw failure("expected a filter") }
        return value
    }

    private mutating func test(_ operand: ExpressionSyntax) throws -> ExpressionSyntax {
        let line = next().line
        let isNegated = skipName("not")
        let name = try dottedName()
        var arguments = ArgumentSyntax()
        if current.isSymbol("(") {
            arguments = try self.arguments()
        } else if startsOperand {
            guard !current.isName("is") else { throw failure("You cannot chain multiple tests with is") }
            arguments.positional = [try nested { try $0.postfix(try $0.primary()) }]
        }
        let value = ExpressionSyntax.test(operand, name: name, arguments, line: line)
        return isNegated ? .not(value) : value
    }

    /// Whether the argument of a test stands here, without parentheses.
    private var startsOperand: Bool {
        switch current.kind {
        case .name: !["else", "or", "and"].contains(current.text)
        case .string, .integer, .float: true
        default: current.isSymbol("[") || current.isSymbol("{")
        }
    }
}

extension ExpressionSyntax {
    /// Whether it can stand on the left of an assignment.
    fileprivate var isAssignable: Bool {
        switch self {
        case .name, .attributeTarget: true
        case .tuple(let items): items.allSatisfy(\.isAssignable)
        default: false
        }
    }
}
