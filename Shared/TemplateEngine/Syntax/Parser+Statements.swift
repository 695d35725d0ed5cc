extension Parser {
    typealias TagReader = @Sendable (inout Parser, _ line: Int) throws -> StatementSyntax.Kind

    /// How each tag is read once its name was.
    static let tags: [String: TagReader] = [
        "for": { parser, _ in .loop(try parser.loop()) },
        "if": { parser, line in try parser.conditional(line) },
        "break": { _, _ in .leaveLoop },
        "continue": { _, _ in .continueLoop },
        "set": { parser, _ in try parser.set() },
        "with": { parser, _ in try parser.with() },
        "macro": { parser, _ in try parser.macro() },
        "call": { parser, line in try parser.callBlock(line) },
        "filter": { parser, _ in
            let filter = try parser.filter(nil, startsInline: true)
            return .filterBlock(filter: filter, body: try parser.wholeBody(until: "endfilter"))
        },
        "generation": { parser, _ in .generation(body: try parser.wholeBody(until: "endgeneration")) },
        "autoescape": { parser, _ in
            let isOn = try parser.expression()
            return .autoescape(isOn: isOn, body: try parser.wholeBody(until: "endautoescape"))
        },
        "print": { parser, line in try parser.print(line) },
        "block": { parser, _ in try parser.block() },
        "extends": { parser, _ in
            .otherTemplate(tag: "extends", template: try parser.expression(), defines: [])
        },
        "include": { parser, _ in try parser.include() },
        "import": { parser, _ in try parser.importTemplate() },
        "from": { parser, _ in try parser.importNames() },
    ]

    private mutating func loop() throws -> LoopSyntax {
        let target = try assignmentTarget()
        try expectName("in")
        let values = try tuple(allowsConditional: false)
        let filter = skipName("if") ? try expression() : nil
        let isRecursive = skipName("recursive")
        let body = try tagBody(until: "endfor", "else")
        let otherwise = next().text == "endfor" ? [] : try wholeBody(until: "endfor")
        return LoopSyntax(
            target: target,
            values: values,
            filter: filter,
            isRecursive: isRecursive,
            body: body,
            otherwise: otherwise
        )
    }

    private mutating func conditional(_ line: Int) throws -> StatementSyntax.Kind {
        var branches: [(condition: ExpressionSyntax, line: Int, body: [StatementSyntax])] = []
        var branchLine = line
        while true {
            let condition = try tuple(allowsConditional: false)
            branches.append((condition, branchLine, try tagBody(until: "elif", "else", "endif")))
            let tag = next()
            branchLine = tag.line
            if tag.isName("elif") { continue }
            let otherwise = tag.isName("else") ? try wholeBody(until: "endif") : []
            return .conditional(branches: branches, otherwise: otherwise)
        }
    }

    private mutating func set() throws -> StatementSyntax.Kind {
        let target = try assignmentTarget(allowsAttributes: true)
        if skipSymbol("=") { return .set(target: target, value: try tuple()) }
        let filter = current.isSymbol("|") ? try self.filter(nil) : nil
        return .setBlock(target: target, filter: filter, body: try wholeBody(until: "endset"))
    }

    private mutating func with() throws -> StatementSyntax.Kind {
        var assignments: [(target: ExpressionSyntax, value: ExpressionSyntax)] = []
        while current.kind != .blockEnd {
            if !assignments.isEmpty { try expectSymbol(",") }
            let target = try assignmentTarget()
            try expectSymbol("=")
            assignments.append((target, try expression()))
        }
        return .with(assignments: assignments, body: try wholeBody(until: "endwith"))
    }

    private mutating func macro() throws -> StatementSyntax.Kind {
        let name = try assignableName()
        let parameters = try parameters()
        return .macro(name: name, parameters: parameters, body: try wholeBody(until: "endmacro"))
    }

    private mutating func callBlock(_ line: Int) throws -> StatementSyntax.Kind {
        let parameters = current.isSymbol("(") ? try parameters() : []
        guard case .call(let callee, let arguments) = try expression().kind else {
            throw failure("expected call", line: line)
        }
        return .callBlock(
            callee: callee,
            arguments: arguments,
            parameters: parameters,
            body: try wholeBody(until: "endcall")
        )
    }

    private mutating func parameters() throws -> [ParameterSyntax] {
        try expectSymbol("(")
        var parameters: [ParameterSyntax] = []
        var names: Set<Text> = []
        while !current.isSymbol(")") {
            if !parameters.isEmpty { try expectSymbol(",") }
            let name = try assignableName()
            let standard = skipSymbol("=") ? try expression() : nil
            if standard == nil, parameters.last?.standard != nil {
                throw failure("non-default argument follows default argument")
            }
            guard names.insert(name).inserted else {
                throw failure("duplicate argument \(name.quoted.string)")
            }
            parameters.append(ParameterSyntax(name: name, standard: standard))
        }
        next()
        return parameters
    }

    private mutating func print(_ line: Int) throws -> StatementSyntax.Kind {
        var items: [StatementSyntax.OutputItem] = []
        while current.kind != .blockEnd {
            if !items.isEmpty { try expectSymbol(",") }
            items.append(.value(try expression(), line: line))
        }
        return .output(items)
    }

    private mutating func block() throws -> StatementSyntax.Kind {
        let name = try expectName()
        let isScoped = skipName("scoped")
        let isRequired = skipName("required")
        guard !current.isSymbol("-") else {
            throw failure(
                "Block names in Jinja have to be valid Python identifiers and may not contain hyphens, use an "
                    + "underscore instead."
            )
        }
        let body = try wholeBody(until: "endblock")
        if isRequired, body.contains(where: { !$0.isBlank }) {
            throw failure("Required blocks can only contain comments or whitespace")
        }
        _ = skipName(name)
        return .block(name: name, isScoped: isScoped, isRequired: isRequired, body: body)
    }

    // MARK: Other templates, which there are none of

    private mutating func skipContext() -> Bool {
        guard current.isName("with") || current.isName("without"), following.isName("context") else { return false }
        next()
        next()
        return true
    }

    private mutating func include() throws -> StatementSyntax.Kind {
        let template = try expression()
        if current.isName("ignore"), following.isName("missing") {
            next()
            next()
        }
        _ = skipContext()
        return .otherTemplate(tag: "include", template: template, defines: [])
    }

    private mutating func importTemplate() throws -> StatementSyntax.Kind {
        let template = try expression()
        try expectName("as")
        let name = try assignableName()
        _ = skipContext()
        return .otherTemplate(tag: "import", template: template, defines: [name])
    }

    private mutating func importNames() throws -> StatementSyntax.Kind {
        let template = try expression()
        try expectName("import")
        var names: [Text] = []
        while !skipContext() {
            let name = try assignableName()
            guard name.bytes.first != UInt8(ascii: "_") else {
                throw failure("names starting with an underline can not be imported")
            }
            names.append(skipName("as") ? try assignableName() : name)
            if skipContext() { break }
            guard skipSymbol(",") else { break }
        }
        return .otherTemplate(tag: "from", template: template, defines: names)
    }
}

extension StatementSyntax {
    /// Whether it only writes white space.
    fileprivate var isBlank: Bool {
        guard case .output(let items) = kind else { return false }
        return items.allSatisfy { item in
            guard case .data(let bytes) = item else { return false }
            return Text(bytes).scalars.allSatisfy(\.isPythonSpace)
        }
    }
}
