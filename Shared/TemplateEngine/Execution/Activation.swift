/// The variables of one call: of the template itself, a macro, a block or the body of a recursive loop.
final class Activation: Releasable {
    private var slots: [Value?]
    /// The call in whose text this one's text stands.
    let parent: Activation?
    /// Where names that no text around assigns are looked up.
    let context: Context
    private var isAdopted = false

    init(slotCount: Int, parent: Activation?, context: Context) {
        slots = [Value?](repeating: nil, count: slotCount)
        self.parent = parent
        self.context = context
    }

    subscript(slot: Int) -> Value? {
        get { slots[slot] }
        set { slots[slot] = newValue }
    }

    /// The activation so many levels out.
    @inline(__always)
    func outer(_ hops: Int) -> Activation {
        var activation = self
        for _ in 0..<hops {
            guard let parent = activation.parent else { return activation }
            activation = parent
        }
        return activation
    }

    /// Tells the rendering that something which may outlive the call refers to this activation.
    func escape(_ interpreter: Interpreter) throws {
        guard !isAdopted else { return }
        isAdopted = true
        _ = try interpreter.adopt(self)
    }

    func release() { slots = slots.map { _ in nil } }
}

/// What a template is rendered with, and what its outermost level assigned.
final class Context: Releasable {
    private var variables: Members
    private var assigned = Members()

    init(_ variables: Members) { self.variables = variables }

    /// The value of a name: assigned, passed in or one of Jinja's globals.
    func resolve(_ name: Text) -> Value? {
        assigned.value(for: name.bytes) ?? variables.value(for: name.bytes) ?? Globals.value(named: name)
    }

    /// How many names it holds itself.
    var count: Int { variables.count + assigned.count }

    func assign(_ value: Value, to name: Text) throws { try assigned.set(value, for: name) }

    func release() {
        variables = Members()
        assigned = Members()
    }

    /// A context that also has `locals`.
    func derived(with locals: [(name: Text, value: Value)]) throws -> Context {
        var all = variables
        for (key, value) in zip(assigned.keys, assigned.values) { try all.set(value, for: key) }
        for local in locals { try all.set(local.value, for: local.name) }
        return Context(all)
    }
}

/// A place for a variable, seen from the call that uses it.
struct VariableReference: Sendable, Hashable {
    /// How many calls further out the variable lives.
    let hops: Int
    let slot: Int
}

extension Activation {
    subscript(reference: VariableReference) -> Value? {
        get { outer(reference.hops).slots[reference.slot] }
        set { outer(reference.hops).slots[reference.slot] = newValue }
    }
}
