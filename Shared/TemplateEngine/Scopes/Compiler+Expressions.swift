extension Compiler {
    static func compile(_ expression: ExpressionSyntax, _ frame: CompilationFrame) throws -> any Expression {
        switch expression.kind {
        case .text(let text): return TextLiteral(text: text)
        case .scalar(let kind): return ScalarLiteral(kind: kind)
        case .name(let name), .attributeTarget(let name, _):
            return VariableExpression(name: name, reference: try frame.symbols.reference(name))
        case .tuple(let items): return ListExpression(items: try compile(items, frame), isTuple: true)
        case .list(let items): return ListExpression(items: try compile(items, frame), isTuple: false)
        case .dict(let members):
            return DictExpression(
                members: try members.map { (try compile($0.key, frame), try compile($0.value, frame)) }
            )
        case .arithmetic(let left, let operation, let right):
            return ArithmeticExpression(
                left: try compile(left, frame),
                operation: operation,
                right: try compile(right, frame)
            )
        case .sign(let isNegative, let operand):
            return SignExpression(isNegative: isNegative, operand: try compile(operand, frame))
        case .not(let operand): return NotExpression(operand: try compile(operand, frame))
        case .logic(let left, let isAnd, let right):
            return LogicExpression(left: try compile(left, frame), isAnd: isAnd, right: try compile(right, frame))
        case .comparison(let first, let rest):
            return ComparisonExpression(
                first: try compile(first, frame),
                rest: try rest.map { ($0.comparison, try compile($0.operand, frame)) }
            )
        case .concatenation(let operands):
            return ConcatenationExpression(operands: try compile(operands, frame), escaping: frame.escaping)
        case .conditional(let condition, let positive, let negative, let line):
            return ConditionalExpression(
                condition: try compile(condition, frame.soft),
                positive: try compile(positive, frame.soft),
                negative: try negative.map { try compile($0, frame.soft) },
                line: line
            )
        case .attribute(let owner, let name):
            return AttributeExpression(owner: try compile(owner, frame), name: AttributeName(name))
        case .item(let owner, let key):
            return ItemExpression(owner: try compile(owner, frame), key: try compile(key, frame))
        case .slice(let owner, let start, let stop, let step):
            return SliceExpression(
                owner: try compile(owner, frame),
                start: try start.map { try compile($0, frame) },
                stop: try stop.map { try compile($0, frame) },
                step: try step.map { try compile($0, frame) }
            )
        case .call(let callee, let arguments): return try compileCall(callee, arguments, frame)
        case .filter(let operand, let name, let arguments, let line):
            return try compileFilter(operand, name, arguments, line, frame)
        case .test(let operand, let name, let arguments, let line):
            guard let test = Test.named(name.string) else {
                return try unknown("No test named \(name.quoted.string).", line, frame)
            }
            return TestExpression(
                operand: try compile(operand, frame),
                test: test,
                arguments: try compile(arguments, frame)
            )
        }
    }

    private static func compile(_ items: [ExpressionSyntax], _ frame: CompilationFrame) throws -> [any Expression] {
        try items.map { try compile($0, frame) }
    }

    static func compile(_ arguments: ArgumentSyntax, _ frame: CompilationFrame) throws -> ArgumentList {
        ArgumentList(
            positional: try compile(arguments.positional, frame),
            keywords: try arguments.keywords.map { ($0.name, try compile($0.value, frame)) },
            spread: try arguments.spread.map { try compile($0, frame) },
            keywordSpread: try arguments.keywordSpread.map { try compile($0, frame) }
        )
    }

    private static func compileCall(
        _ callee: ExpressionSyntax,
        _ arguments: ArgumentSyntax,
        _ frame: CompilationFrame
    ) throws -> any Expression {
        let arguments = try compile(arguments, frame)
        if case .attribute(let receiver, let name) = callee.kind {
            return MethodCallExpression(
                receiver: try compile(receiver, frame),
                name: AttributeName(name),
                arguments: arguments
            )
        }
        return CallExpression(callee: try compile(callee, frame), arguments: arguments)
    }

    private static func compileFilter(
        _ operand: ExpressionSyntax?,
        _ name: Text,
        _ arguments: ArgumentSyntax,
        _ line: Int,
        _ frame: CompilationFrame
    ) throws -> any Expression {
        guard let filter = Filter.named(name.string) else {
            return try unknown("No filter named \(name.quoted.string).", line, frame)
        }
        return FilterExpression(
            operand: try operand.map { try compile($0, frame) } ?? CapturedExpression(escaping: frame.escaping),
            filter: filter,
            arguments: try compile(arguments, frame)
        )
    }

    private static func unknown(
        _ message: String,
        _ line: Int,
        _ frame: CompilationFrame
    ) throws -> UnknownNameExpression {
        guard frame.isSoft else { throw TemplateError(.syntax, message, line: line) }
        return UnknownNameExpression(message: message)
    }

    /// What is assigned to, seen from the block that assigns.
    static func compile(target: ExpressionSyntax, _ frame: CompilationFrame) throws -> AssignmentTarget {
        switch target.kind {
        case .name(let name): .variable(slot: try frame.symbols.slot(name))
        case .attributeTarget(let owner, let name):
            .attribute(owner: try frame.symbols.reference(owner), name: name)
        case .tuple(let items): .tuple(try items.map { try compile(target: $0, frame) })
        default: throw TemplateError(.syntax, "can't assign to this expression")
        }
    }
}
