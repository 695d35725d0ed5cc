extension Compiler {
    static func compile(_ statement: StatementSyntax, _ frame: CompilationFrame) throws -> any Statement {
        let line = statement.line
        switch statement.kind {
        case .output(let items): return try output(items, line, frame)
        case .conditional(let branches, let otherwise):
            return IfStatement(
                line: line,
                branches: try branches.map {
                    (try compile($0.condition, frame.soft), $0.line, try compile($0.body, frame.soft))
                },
                otherwise: try compile(otherwise, frame.soft)
            )
        case .loop(let loop): return try compileLoop(loop, line, frame)
        case .leaveLoop, .continueLoop:
            guard frame.isInLoop else { throw TemplateError(.syntax, "'break' or 'continue' outside loop") }
            if case .leaveLoop = statement.kind { return JumpStatement(line: line, flow: .leavesLoop) }
            return JumpStatement(line: line, flow: .continuesLoop)
        case .set(let target, let value):
            return SetStatement(
                line: line,
                target: try compile(target: target, frame),
                value: try compile(value, frame),
                export: try export(target, frame)
            )
        case .setBlock(let target, let filter, let body):
            return try capture(body, filter, line, frame, target: target)
        case .filterBlock(let filter, let body): return try capture(body, filter, line, frame, target: nil)
        case .with(let assignments, let body): return try with(assignments, body, line, frame)
        case .macro(let name, let parameters, let body):
            return MacroStatement(
                line: line,
                definition: try macro(name, parameters, body, frame),
                slot: try frame.symbols.slot(name),
                export: try export(ExpressionSyntax(.name(name)), frame)
            )
        case .callBlock(let callee, let arguments, let parameters, let body):
            return CallBlockStatement(
                line: line,
                call: CallExpression(callee: try compile(callee, frame), arguments: try compile(arguments, frame)),
                body: try macro(nil, parameters, body, frame)
            )
        case .generation(let body):
            return GenerationStatement(line: line, body: try macro(nil, [], body, frame))
        case .autoescape(let isOn, let body): return try autoescape(isOn, body, line, frame)
        case .block(let name, let isScoped, let isRequired, _):
            guard !isRequired else {
                let message = "Required block \(name.quoted.string) not found"
                return FailingStatement(line: line, error: TemplateError(.unsupported, message))
            }
            return BlockStatement(line: line, name: name, locals: isScoped ? frame.symbols.assigned : nil)
        case .otherTemplate(let tag, _, _):
            guard tag != "extends" || frame.isTopLevel else {
                throw TemplateError(.syntax, "cannot use extend from a non top-level scope")
            }
            let message = "the tag \(tag.string) needs another template: a chat template stands alone"
            return FailingStatement(line: line, error: TemplateError(.unsupported, message))
        }
    }

    private static func output(
        _ items: [StatementSyntax.OutputItem],
        _ line: Int,
        _ frame: CompilationFrame
    ) throws -> OutputStatement {
        OutputStatement(
            line: line,
            items: try items.map { item in
                switch item {
                case .data(let bytes): .data(bytes)
                case .value(let expression, let line): .value(try compile(expression, frame), line: line)
                }
            },
            escaping: frame.escaping
        )
    }

    /// The names that an assignment on the outermost level tells the context of.
    private static func export(_ target: ExpressionSyntax, _ frame: CompilationFrame) throws -> ContextExport {
        guard frame.isTopLevel else { return ContextExport(names: []) }
        func names(_ target: ExpressionSyntax) -> [Text] {
            switch target.kind {
            case .name(let name): [name]
            case .tuple(let items): items.flatMap(names)
            default: []
            }
        }
        return ContextExport(names: try names(target).map { ($0, try frame.symbols.slot($0)) })
    }

    private static func compileLoop(
        _ loop: LoopSyntax,
        _ line: Int,
        _ frame: CompilationFrame
    ) throws -> any Statement {
        guard !loop.target.assigns("loop"), !loop.body.assign("loop"), !loop.otherwise.assign("loop") else {
            throw TemplateError(.syntax, "Can't assign to special loop variable in for-loop target")
        }
        let usesLoop =
            loop.isRecursive || !loop.body.undeclared(among: ["loop"]).isEmpty
            || (loop.body + loop.otherwise).blocks.contains { $0.isScopedBlock }
        let layout = FunctionLayout(depth: frame.symbols.function.depth + 1)
        var bodyFrame = loop.isRecursive ? frame.inner(in: layout) : frame.inner
        let elseFrame = loop.isRecursive ? frame.inner(in: layout) : frame.inner
        bodyFrame.isInLoop = true
        let loopSlot = usesLoop ? bodyFrame.symbols.declareParameter("loop") : nil
        bodyFrame.symbols.visit(target: loop.target, isParameter: true)
        bodyFrame.symbols.visit(loop.body)
        elseFrame.symbols.visit(loop.otherwise)
        let body = LoopBody(
            target: try compile(target: loop.target, bodyFrame),
            filter: try loop.filter.map { try filter($0, loop.target, frame) },
            loopSlot: loopSlot,
            entry: bodyFrame.symbols.entry,
            body: try compile(loop.body, bodyFrame),
            elseEntry: elseFrame.symbols.entry,
            otherwise: try compile(loop.otherwise, elseFrame)
        )
        let values = try compile(loop.values, frame)
        guard loop.isRecursive else { return ForStatement(line: line, values: values, loop: body) }
        return RecursiveForStatement(
            line: line,
            values: values,
            loop: body,
            slotCount: layout.slotCount,
            escaping: frame.escaping
        )
    }

    private static func filter(
        _ condition: ExpressionSyntax,
        _ target: ExpressionSyntax,
        _ frame: CompilationFrame
    ) throws -> LoopFilter {
        let inner = frame.function
        inner.symbols.visit(target: target, isParameter: true)
        inner.symbols.visit(condition)
        return LoopFilter(
            target: try compile(target: target, inner),
            condition: try compile(condition, inner),
            entry: inner.symbols.entry,
            slotCount: inner.symbols.function.slotCount
        )
    }

    /// A `set` block, or a filter block without a target.
    private static func capture(
        _ body: [StatementSyntax],
        _ filter: ExpressionSyntax?,
        _ line: Int,
        _ frame: CompilationFrame,
        target: ExpressionSyntax?
    ) throws -> CaptureStatement {
        let inner = frame.inner
        inner.symbols.visit(body)
        if target == nil, let filter { inner.symbols.visit(filter) }
        return CaptureStatement(
            line: line,
            target: try target.map { try compile(target: $0, frame) },
            entry: inner.symbols.entry,
            body: try compile(body, inner),
            filtered: try filter.map { try compile($0, inner) } ?? CapturedExpression(escaping: .never),
            export: try target.map { try export($0, frame) } ?? ContextExport(names: [])
        )
    }

    private static func with(
        _ assignments: [(target: ExpressionSyntax, value: ExpressionSyntax)],
        _ body: [StatementSyntax],
        _ line: Int,
        _ frame: CompilationFrame
    ) throws -> WithStatement {
        let inner = frame.inner
        for assignment in assignments { inner.symbols.visit(target: assignment.target, isParameter: true) }
        inner.symbols.visit(body)
        return WithStatement(
            line: line,
            entry: inner.symbols.entry,
            assignments: try assignments.map {
                (try compile(target: $0.target, inner), try compile($0.value, frame))
            },
            body: try compile(body, inner)
        )
    }

    private static func autoescape(
        _ isOn: ExpressionSyntax,
        _ body: [StatementSyntax],
        _ line: Int,
        _ frame: CompilationFrame
    ) throws -> AutoescapeStatement {
        var inner = frame.inner
        inner.symbols.visit(isOn)
        inner.symbols.visit(body)
        let value = try compile(isOn, inner)
        switch isOn.kind {
        case .scalar(let kind):
            inner.escaping =
                switch kind {
                case .none: .never
                case .bool(let value): value ? .always : .never
                case .int(let value): value != 0 ? .always : .never
                case .float(let value): value != 0 ? .always : .never
                }
        case .text(let text): inner.escaping = text.isEmpty ? .never : .always
        default: inner.escaping = .dynamic
        }
        return AutoescapeStatement(
            line: line,
            entry: inner.symbols.entry,
            isOn: value,
            body: try compile(body, inner)
        )
    }

    /// A macro, or the body of a call or generation block, which has no name.
    private static func macro(
        _ name: Text?,
        _ parameters: [ParameterSyntax],
        _ body: [StatementSyntax],
        _ frame: CompilationFrame
    ) throws -> MacroDefinition {
        let inner = frame.function
        let slots = parameters.map { inner.symbols.declareParameter($0.name) }
        let special = body.undeclared(among: ["caller", "kwargs", "varargs"])
        func specialSlot(_ name: Text) -> Int? {
            guard special.contains(name), !parameters.contains(where: { $0.name == name }) else { return nil }
            return inner.symbols.declareParameter(name)
        }
        if special.contains("caller"), parameters.contains(where: { $0.name == "caller" && $0.standard == nil }) {
            throw TemplateError(
                .syntax,
                "When defining macros or call blocks the special \"caller\" argument must be omitted or be given a "
                    + "default."
            )
        }
        let (callerSlot, keywordsSlot, positionalSlot) =
            (specialSlot("caller"), specialSlot("kwargs"), specialSlot("varargs"))
        for parameter in parameters {
            if let standard = parameter.standard { inner.symbols.visit(standard) }
        }
        inner.symbols.visit(body)
        let entry = inner.symbols.entry
        let standards = try parameters.map { try $0.standard.map { try compile($0, inner) } }
        let compiled = try compile(body, inner)
        return MacroDefinition(
            name: name,
            parameters: zip(parameters, zip(slots, standards)).map {
                MacroDefinition.Parameter(name: $0.name, slot: $1.0, standard: $1.1)
            },
            callerSlot: callerSlot,
            keywordsSlot: keywordsSlot,
            positionalSlot: positionalSlot,
            entry: entry,
            body: compiled,
            slotCount: inner.symbols.function.slotCount
        )
    }
}

extension StatementSyntax {
    fileprivate var isScopedBlock: Bool {
        if case .block(_, let isScoped, _, _) = kind { return isScoped }
        return false
    }
}
