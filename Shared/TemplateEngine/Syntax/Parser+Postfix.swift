extension Parser {
    /// Attributes, items and calls behind a value.
    mutating func postfix(_ value: ExpressionSyntax) throws -> ExpressionSyntax {
        var value = value
        while true {
            if skipSymbol(".") {
                value = try attribute(of: value)
            } else if skipSymbol("[") {
                value = try subscripted(value)
            } else if current.isSymbol("(") {
                value = try make(.call(value, try arguments()))
            } else {
                return value
            }
        }
    }

    /// Filters, tests and calls behind a value.
    mutating func filters(_ value: ExpressionSyntax) throws -> ExpressionSyntax {
        var value = value
        while true {
            if current.isSymbol("|") {
                value = try filter(value)
            } else if current.isName("is") {
                value = try test(value)
            } else if current.isSymbol("(") {
                value = try make(.call(value, try arguments()))
            } else {
                return value
            }
        }
    }

    private mutating func attribute(of owner: ExpressionSyntax) throws -> ExpressionSyntax {
        let token = next()
        switch token.kind {
        case .name: return try make(.attribute(owner, token.text))
        case .integer(let index): return try make(.item(owner, ExpressionSyntax(.scalar(.int(index)))))
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
        return try make(.item(owner, keys.count == 1 ? keys[0] : try make(.tuple(keys))))
    }

    private mutating func rest(ofSlice owner: ExpressionSyntax, start: ExpressionSyntax?) throws -> ExpressionSyntax {
        next()
        func bound(_ parser: inout Parser) throws -> ExpressionSyntax? {
            let ends = [":", "]", ","].contains { parser.current.isSymbol($0) }
            return ends ? nil : try parser.expression()
        }
        let stop = try bound(&self)
        let step = skipSymbol(":") ? try bound(&self) : nil
        return try make(.slice(owner, start: start, stop: stop, step: step))
    }

    private mutating func arguments() throws -> ArgumentSyntax {
        let line = current.line
        try expectSymbol("(")
        var arguments = ArgumentSyntax()
        func ensure(_ holds: Bool) throws {
            guard holds else { throw failure("invalid syntax for function call expression", line: line) }
        }
        var isFirst = true
        var names: Set<Text> = []
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
                guard names.insert(name).inserted else {
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
    /// With `startsInline` the first one has no bar before it.
    mutating func filter(_ operand: ExpressionSyntax?, startsInline: Bool = false) throws -> ExpressionSyntax {
        var value = operand
        var isFirst = true
        while current.isSymbol("|") || startsInline && isFirst {
            if !isFirst || !startsInline { next() }
            isFirst = false
            let line = current.line
            let name = try dottedName()
            let arguments = current.isSymbol("(") ? try arguments() : ArgumentSyntax()
            value = try make(.filter(value, name: name, arguments, line: line))
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
        let value = try make(.test(operand, name: name, arguments, line: line))
        return isNegated ? try make(.not(value)) : value
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
