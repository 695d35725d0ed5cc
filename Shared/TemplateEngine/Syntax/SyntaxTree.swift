/// An expression as it was read.
struct ExpressionSyntax: Sendable {
    indirect enum Kind: Sendable {
        case text(Text)
        case scalar(ScalarLiteral.Kind)
        case name(Text)
        /// An attribute that is assigned to.
        case attributeTarget(owner: Text, name: Text)
        case tuple([ExpressionSyntax])
        case list([ExpressionSyntax])
        case dict([(key: ExpressionSyntax, value: ExpressionSyntax)])
        case arithmetic(ExpressionSyntax, ArithmeticOperator, ExpressionSyntax)
        case sign(isNegative: Bool, ExpressionSyntax)
        case not(ExpressionSyntax)
        case logic(ExpressionSyntax, isAnd: Bool, ExpressionSyntax)
        case comparison(ExpressionSyntax, [(comparison: ComparisonExpression.Operator, operand: ExpressionSyntax)])
        case concatenation([ExpressionSyntax])
        case conditional(
            condition: ExpressionSyntax,
            positive: ExpressionSyntax,
            negative: ExpressionSyntax?,
            line: Int
        )
        case attribute(ExpressionSyntax, Text)
        case item(ExpressionSyntax, ExpressionSyntax)
        case slice(ExpressionSyntax, start: ExpressionSyntax?, stop: ExpressionSyntax?, step: ExpressionSyntax?)
        case call(ExpressionSyntax, ArgumentSyntax)
        /// A filter; without an operand it works on what a block has captured.
        case filter(ExpressionSyntax?, name: Text, ArgumentSyntax, line: Int)
        case test(ExpressionSyntax, name: Text, ArgumentSyntax, line: Int)
    }

    let kind: Kind
    /// How deeply expressions are nested in this one, itself included: walks over it recurse as deeply.
    let height: Int

    init(_ kind: Kind) {
        self.kind = kind
        height = 1 + (kind.children.map(\.height).max() ?? 0)
    }
}

/// The arguments of a call as they were read.
struct ArgumentSyntax: Sendable {
    var positional: [ExpressionSyntax] = []
    var keywords: [(name: Text, value: ExpressionSyntax)] = []
    var spread: ExpressionSyntax?
    var keywordSpread: ExpressionSyntax?

    var all: [ExpressionSyntax] { positional + keywords.map(\.value) + [spread, keywordSpread].compactMap { $0 } }
}

/// A parameter of a macro or a call block.
struct ParameterSyntax: Sendable {
    let name: Text
    let standard: ExpressionSyntax?
}

/// A statement as it was read.
struct StatementSyntax: Sendable {
    /// One piece of template data or one value that is written.
    enum OutputItem: Sendable {
        case data([UInt8])
        case value(ExpressionSyntax, line: Int)
    }

    indirect enum Kind: Sendable {
        case output([OutputItem])
        case conditional(
            branches: [(condition: ExpressionSyntax, line: Int, body: [StatementSyntax])],
            otherwise: [StatementSyntax]
        )
        case loop(LoopSyntax)
        case leaveLoop
        case continueLoop
        case set(target: ExpressionSyntax, value: ExpressionSyntax)
        case setBlock(target: ExpressionSyntax, filter: ExpressionSyntax?, body: [StatementSyntax])
        case filterBlock(filter: ExpressionSyntax, body: [StatementSyntax])
        case with(assignments: [(target: ExpressionSyntax, value: ExpressionSyntax)], body: [StatementSyntax])
        case macro(name: Text, parameters: [ParameterSyntax], body: [StatementSyntax])
        case callBlock(
            callee: ExpressionSyntax,
            arguments: ArgumentSyntax,
            parameters: [ParameterSyntax],
            body: [StatementSyntax]
        )
        case generation(body: [StatementSyntax])
        case autoescape(isOn: ExpressionSyntax, body: [StatementSyntax])
        case block(name: Text, isScoped: Bool, isRequired: Bool, body: [StatementSyntax])
        /// `extends`, `include`, `import` and `from`, with the names that it would define.
        case otherTemplate(tag: Text, template: ExpressionSyntax, defines: [Text])
    }

    let kind: Kind
    let line: Int
}

struct LoopSyntax: Sendable {
    let target: ExpressionSyntax
    let values: ExpressionSyntax
    let filter: ExpressionSyntax?
    let isRecursive: Bool
    let body: [StatementSyntax]
    let otherwise: [StatementSyntax]
}

extension ExpressionSyntax {
    var children: [ExpressionSyntax] { kind.children }
}

extension ExpressionSyntax.Kind {
    /// The expressions that this one is made of, in the order in which they are evaluated.
    fileprivate var children: [ExpressionSyntax] {
        switch self {
        case .text, .scalar, .name, .attributeTarget: []
        case .tuple(let items), .list(let items), .concatenation(let items): items
        case .dict(let members): members.flatMap { [$0.key, $0.value] }
        case .arithmetic(let left, _, let right), .logic(let left, _, let right), .item(let left, let right):
            [left, right]
        case .sign(_, let operand), .not(let operand), .attribute(let operand, _): [operand]
        case .comparison(let first, let rest): [first] + rest.map(\.operand)
        case .conditional(let condition, let positive, let negative, _):
            [condition, positive, negative].compactMap { $0 }
        case .slice(let owner, let start, let stop, let step): [owner, start, stop, step].compactMap { $0 }
        case .call(let callee, let arguments): [callee] + arguments.all
        case .filter(let operand, _, let arguments, _): [operand].compactMap { $0 } + arguments.all
        case .test(let operand, _, let arguments, _): [operand] + arguments.all
        }
    }
}
