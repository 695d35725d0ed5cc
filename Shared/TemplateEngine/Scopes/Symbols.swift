/// The variables of one call, while a template is compiled.
final class FunctionLayout {
    /// How many calls this one's text stands inside of.
    let depth: Int
    private(set) var slotCount = 0

    init(depth: Int) { self.depth = depth }

    func newSlot() -> Int {
        slotCount += 1
        return slotCount - 1
    }
}

/// The names that a block of a template uses, and where their values live.
///
/// Which variable a name means is decided when the template is compiled, from where it is assigned in the text, not from
/// what was carried out so far; that shows where a name is both passed in and assigned. The rules are those of Jinja's
/// own analysis, so that the same templates see the same values.
final class Symbols {
    struct Location: Hashable {
        let depth: Int
        let slot: Int
    }

    enum Load {
        /// Set by what begins the block.
        case parameter
        case resolve(Text)
        case alias(Location)
        case undefined
    }

    let function: FunctionLayout
    private let parent: Symbols?
    private var references: [Text: Location] = [:]
    private var loads: [Int: Load] = [:]
    private var stores: Set<Text> = []
    /// How many `if` blocks the walk is inside of.
    private var conditions = 0

    init(in function: FunctionLayout, parent: Symbols?) {
        self.function = function
        self.parent = parent
    }

    // MARK: Names

    private func define(_ name: Text, _ load: Load) -> Location {
        let location = references[name] ?? Location(depth: function.depth, slot: function.newSlot())
        references[name] = location
        loads[location.slot] = load
        return location
    }

    private func find(_ name: Text) -> Location? { references[name] ?? parent?.find(name) }

    func store(_ name: Text) {
        let isFirst = stores.insert(name).inserted
        let outer = parent?.find(name)
        if conditions > 0 {
            // The branch may not be taken, so that the name begins with what it means without it.
            if isFirst { _ = define(name, outer.map { .alias($0) } ?? .resolve(name)) }
        } else if references[name] == nil {
            _ = define(name, outer.map { .alias($0) } ?? .undefined)
        }
    }

    @discardableResult
    func declareParameter(_ name: Text) -> Int {
        stores.insert(name)
        return define(name, .parameter).slot
    }

    func load(_ name: Text) {
        if find(name) == nil { _ = define(name, .resolve(name)) }
    }

    // MARK: Results

    /// The place of a variable, seen from this block.
    func reference(_ name: Text) throws -> VariableReference {
        guard let location = find(name) else {
            throw TemplateError(.syntax, "the name \(name.quoted.string) is not known where it is used")
        }
        return reference(location)
    }

    private func reference(_ location: Location) -> VariableReference {
        VariableReference(hops: function.depth - location.depth, slot: location.slot)
    }

    /// The slot of a variable that this block assigns.
    func slot(_ name: Text) throws -> Int { try reference(name).slot }

    /// What the variables hold when the block begins.
    var entry: FrameEntry {
        let sorted = loads.sorted { $0.key < $1.key }
        return FrameEntry(
            loads: sorted.compactMap { slot, load in
                switch load {
                case .parameter: nil
                case .resolve(let name): (slot, .resolve(name))
                case .alias(let location): (slot, .alias(reference(location)))
                case .undefined: (slot, .undefined)
                }
            }
        )
    }

    /// The variables that this block and those around it assign, for a scoped block.
    var assigned: [(name: Text, reference: VariableReference)] {
        var names: Set<Text> = []
        var symbols: Symbols? = self
        while let current = symbols {
            names.formUnion(current.stores)
            symbols = current.parent
        }
        return names.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) }
            .compactMap { name in find(name).map { (name, reference($0)) } }
    }
}

// MARK: The walk over a block's text

extension Symbols {
    func visit(_ expression: ExpressionSyntax) {
        if case .name(let name) = expression.kind { load(name) }
        for child in expression.children { visit(child) }
    }

    func visit(target: ExpressionSyntax, isParameter: Bool = false) {
        switch target.kind {
        case .name(let name):
            if isParameter {
                declareParameter(name)
            } else {
                store(name)
            }
        case .attributeTarget(let owner, _): load(owner)
        default: for child in target.children { visit(target: child, isParameter: isParameter) }
        }
    }

    func visit(_ body: [StatementSyntax]) {
        for statement in body { visit(statement) }
    }

    /// Visits what belongs to this block; blocks inside that have variables of their own are left out.
    private func visit(_ statement: StatementSyntax) {
        switch statement.kind {
        case .output(let items):
            for case .value(let expression, _) in items { visit(expression) }
        case .conditional(let branches, let otherwise): visit(branches, otherwise)
        case .loop(let loop): visit(loop.values)
        case .set(let target, let value):
            visit(value)
            visit(target: target)
        case .setBlock(let target, _, _): visit(target: target)
        case .filterBlock(let filter, _): visit(filter)
        case .with(let assignments, _): for assignment in assignments { visit(assignment.value) }
        case .macro(let name, _, _): store(name)
        case .callBlock(let callee, let arguments, _, _):
            visit(callee)
            for argument in arguments.all { visit(argument) }
        case .otherTemplate(_, let template, let names):
            visit(template)
            for name in names { store(name) }
        case .leaveLoop, .continueLoop, .generation, .autoescape, .block: break
        }
    }

    private func visit(
        _ branches: [(condition: ExpressionSyntax, line: Int, body: [StatementSyntax])],
        _ otherwise: [StatementSyntax]
    ) {
        conditions += 1
        for branch in branches {
            visit(branch.condition)
            visit(branch.body)
        }
        visit(otherwise)
        conditions -= 1
    }
}
