extension [StatementSyntax] {
    /// Which of `names` are read in these statements before they are assigned there.
    func undeclared(among names: Set<Text>) -> Set<Text> {
        var search = UndeclaredNames(sought: names)
        search.visit(self)
        return search.found
    }

    /// Whether `name` is assigned somewhere, in blocks inside too.
    func assign(_ name: Text) -> Bool {
        contains { statement in
            let targets: [ExpressionSyntax] =
                switch statement.kind {
                case .loop(let loop): [loop.target]
                case .set(let target, _), .setBlock(let target, _, _): [target]
                default: []
                }
            return targets.contains { $0.assigns(name) } || statement.bodies.contains { $0.assign(name) }
        }
    }

    /// All blocks, those inside of others too.
    var blocks: [StatementSyntax] {
        flatMap { statement -> [StatementSyntax] in
            let inside = statement.bodies.flatMap(\.blocks)
            if case .block = statement.kind { return [statement] + inside }
            return inside
        }
    }
}

extension ExpressionSyntax {
    func assigns(_ name: Text) -> Bool {
        if case .name(let found) = kind { return found == name }
        return children.contains { $0.assigns(name) }
    }
}

extension StatementSyntax {
    /// The statements inside.
    fileprivate var bodies: [[StatementSyntax]] {
        switch kind {
        case .output, .leaveLoop, .continueLoop, .set, .otherTemplate: []
        case .conditional(let branches, let otherwise): branches.map(\.body) + [otherwise]
        case .loop(let loop): [loop.body, loop.otherwise]
        case .setBlock(_, _, let body), .filterBlock(_, let body), .with(_, let body), .macro(_, _, let body),
            .callBlock(_, _, _, let body), .generation(let body), .autoescape(_, let body), .block(_, _, _, let body):
            [body]
        }
    }
}

/// A search for names that are read without having been assigned, in the order of the text, as Jinja searches.
private struct UndeclaredNames {
    private var sought: Set<Text>
    private(set) var found: Set<Text> = []

    init(sought: Set<Text>) { self.sought = sought }

    mutating func visit(_ body: [StatementSyntax]) {
        for statement in body { visit(statement) }
    }

    private mutating func visit(_ expression: ExpressionSyntax) {
        if case .name(let name) = expression.kind, sought.contains(name) { found.insert(name) }
        for child in expression.children { visit(child) }
    }

    private mutating func visit(target: ExpressionSyntax) {
        if case .name(let name) = target.kind { sought.remove(name) }
        for child in target.children { visit(target: child) }
    }

    private mutating func visit(_ parameters: [ParameterSyntax]) {
        for parameter in parameters { sought.remove(parameter.name) }
        for parameter in parameters {
            if let standard = parameter.standard { visit(standard) }
        }
    }

    private mutating func visit(_ statement: StatementSyntax) {
        switch statement.kind {
        case .output(let items):
            for case .value(let expression, _) in items { visit(expression) }
        case .conditional(let branches, let otherwise):
            for branch in branches {
                visit(branch.condition)
                visit(branch.body)
            }
            visit(otherwise)
        case .loop(let loop):
            visit(target: loop.target)
            visit(loop.values)
            visit(loop.body)
            visit(loop.otherwise)
            if let filter = loop.filter { visit(filter) }
        case .set(let target, let value):
            visit(target: target)
            visit(value)
        case .setBlock(let target, let filter, let body):
            visit(target: target)
            if let filter { visit(filter) }
            visit(body)
        case .filterBlock(let filter, let body):
            visit(body)
            visit(filter)
        case .with(let assignments, let body):
            for assignment in assignments { visit(target: assignment.target) }
            for assignment in assignments { visit(assignment.value) }
            visit(body)
        case .macro(_, let parameters, let body):
            visit(parameters)
            visit(body)
        case .callBlock(let callee, let arguments, let parameters, let body):
            visit(callee)
            for argument in arguments.all { visit(argument) }
            visit(parameters)
            visit(body)
        case .generation(let body): visit(body)
        case .autoescape(let isOn, let body):
            visit(isOn)
            visit(body)
        case .otherTemplate(_, let template, _): visit(template)
        case .leaveLoop, .continueLoop, .block: break
        }
    }
}
