/// What can be part of a cycle of references.
protocol Releasable: AnyObject {
    /// Lets go of what it refers to.
    func release()
}

/// One rendering: its variables, what was written so far and how much of the limits is used up.
final class Interpreter {
    let limits: TemplateLimits
    let moment: TemplateMoment
    /// Whether what filters and macros make is markup, set by `autoescape` blocks.
    var autoescape = false
    /// What the innermost block that captures its output has written; the rendered text where there is none.
    private(set) var output: [UInt8] = []

    /// What a `set` or filter block has captured, for the filters that are applied to it next.
    var captured: [UInt8] = []

    private let blocks: [Text: CompiledBlock]
    private var captures: [[UInt8]] = []
    private var steps = 0
    private var depth = 0
    private var totalBytes = 0
    /// Objects that can refer to each other in cycles.
    private var cyclic: [any Releasable] = []
    /// Ranges of what `generation` blocks wrote, in scalars of the rendered text.
    private(set) var generations: [Range<Int>] = []

    init(_ template: CompiledTemplate, limits: TemplateLimits, moment: TemplateMoment) {
        blocks = template.blocks
        self.limits = limits
        self.moment = moment
    }

    /// Ends the rendering: what it made is let go of, cycles too.
    func finish() {
        // Each object is kept alive by the list until all have let go, so that no chain of them is torn down in one
        // recursion.
        for object in cyclic { object.release() }
        cyclic = []
    }

    /// Remembers an object that may become part of a cycle.
    func adopt<Adopted: Releasable>(_ object: Adopted) throws -> Adopted {
        try charge(bytes: 128)
        cyclic.append(object)
        return object
    }
}

// MARK: Blocks

extension Interpreter {
    /// Carries out the template itself or one of its blocks.
    func render(_ block: CompiledBlock, name: Text? = nil, _ context: Context) throws {
        try work(bytes: 16 * block.slotCount)
        let frame = Activation(slotCount: block.slotCount, parent: nil, context: context)
        if let slot = block.selfSlot { frame[slot] = .object(TemplateReference(context)) }
        if let slot = block.superSlot, let name {
            let hint = "there is no parent block called \(name.quoted.string)."
            frame[slot] = .undefined(Undefined(.hint(hint)))
        }
        try enter(block.entry, frame)
        _ = try execute(block.body, frame)
    }

    func renderBlock(_ name: Text, _ context: Context) throws {
        guard let block = blocks[name] else { return }
        try nested { try render(block, name: name, context) }
    }

    func hasBlock(_ name: Text) -> Bool { blocks[name] != nil }
}

/// The variable `self`: a template's blocks by name.
private final class TemplateReference: Object {
    private let context: Context

    init(_ context: Context) { self.context = context }

    override var typeName: String { "TemplateReference" }

    override func item(_ key: Value, _ interpreter: Interpreter) throws -> Value? {
        guard let name = key.text, interpreter.hasBlock(name) else { return nil }
        return .object(
            Function(name.string) { [context] arguments, interpreter in
                _ = try arguments.bound(to: Signature("block"))
                interpreter.beginCapture()
                try interpreter.renderBlock(name, context)
                return .string(Text(try interpreter.endCapture(), isMarkup: interpreter.autoescape))
            }
        )
    }
}

// MARK: Limits

extension Interpreter {
    @inline(__always)
    func step() throws {
        steps &+= 1
        if steps > limits.steps { throw stepsExceeded() }
    }

    /// Counts work that is proportional to `bytes`.
    func work(bytes: Int) throws {
        steps &+= bytes >> 4
        if steps > limits.steps { throw stepsExceeded() }
    }

    /// Counts the work of looking up a key.
    func work(key: Value) throws {
        switch key {
        case .string(let text): try work(bytes: text.bytes.count)
        case .tuple(let items):
            for value in items.values {
                try step()
                try work(key: value)
            }
        default: break
        }
    }

    private func stepsExceeded() -> TemplateError {
        TemplateError(.limit, "the rendering takes more than \(limits.steps) steps")
    }

    /// Counts a text or list of this size that is about to be made.
    func charge(bytes: Int) throws {
        guard bytes <= limits.valueBytes else {
            throw TemplateError(.limit, "a text of more than \(limits.valueBytes) bytes")
        }
        guard bytes <= limits.totalBytes - totalBytes else {
            throw TemplateError(.limit, "the rendering makes more than \(limits.totalBytes) bytes of texts and lists")
        }
        totalBytes += bytes
        try work(bytes: bytes)
    }

    /// Counts a text of `count` times `bytes` that is about to be made.
    func charge(bytes: Int, times count: Int) throws {
        let (size, overflow) = bytes.multipliedReportingOverflow(by: count)
        try charge(bytes: overflow ? .max : size)
    }

    /// Runs `body` one level deeper.
    @inline(__always)
    func nested<Result>(_ body: () throws -> Result) throws -> Result {
        depth += 1
        defer { depth -= 1 }
        if depth > limits.depth {
            throw TemplateError(.limit, "the rendering is nested deeper than \(limits.depth) levels")
        }
        return try body()
    }
}

// MARK: Values within the limits

extension Interpreter {
    private func checked(_ count: Int, depth: Int) throws {
        guard count <= limits.items else {
            throw TemplateError(.limit, "a list of more than \(limits.items) items")
        }
        guard depth <= limits.valueDepth else {
            throw TemplateError(.limit, "values nested deeper than \(limits.valueDepth) levels")
        }
        try charge(bytes: 16 * count)
    }

    private func items(_ values: [Value], isGroup: Bool = false) throws -> Items {
        var depth = 0
        for value in values { depth = max(depth, value.depth) }
        try checked(values.count, depth: depth + 1)
        return Items(values, depth: depth + 1, isGroup: isGroup)
    }

    func list(_ values: [Value]) throws -> Value { .list(try items(values)) }

    func tuple(_ values: [Value]) throws -> Value { .tuple(try items(values)) }

    func group(_ grouper: Value, _ values: [Value]) throws -> Value {
        .tuple(try items([grouper, try list(values)], isGroup: true))
    }

    func dict(_ members: Members) throws -> Value {
        var depth = 0
        for value in members.values { depth = max(depth, value.depth) }
        for key in members.keys { depth = max(depth, key.depth) }
        try checked(2 * members.count, depth: depth + 1)
        return .dict(Entries(members, depth: depth + 1))
    }

    /// Checks the number of items of a list that is about to be made.
    func checkItems(_ count: Int) throws { try checked(count, depth: 0) }

    /// An iterator that is a value of the template and draws on values of this depth.
    func generator(
        _ kind: String = "generator",
        over depth: Int,
        pull: @escaping (Interpreter) throws -> Value?
    ) throws -> Value {
        try checked(4, depth: depth + 1)
        return .object(try adopt(ValueIterator(kind, depth: depth, pull: pull)))
    }
}

// MARK: Output

extension Interpreter {
    /// Appends to the output.
    func write(_ bytes: [UInt8]) throws {
        try work(bytes: bytes.count)
        guard output.count + bytes.count <= limits.outputBytes else {
            throw TemplateError(.limit, "more than \(limits.outputBytes) bytes of output")
        }
        output.append(contentsOf: bytes)
    }

    /// Begins to collect what is written; ``endCapture()`` gives it.
    func beginCapture() {
        captures.append(output)
        output = []
    }

    /// Ends the innermost capture: the bytes that were written since it began.
    func endCapture() throws -> [UInt8] {
        let captured = output
        output = captures.popLast() ?? []
        try charge(bytes: captured.count)
        return captured
    }

    /// Remembers that a `generation` block made `text`.
    ///
    /// Transformers takes the block to stand at the end of what the template has written to the outermost level so far,
    /// which is also so inside of a macro or a block whose output is captured.
    func noteGeneration(_ text: [UInt8]) {
        let start = Text.count((captures.first ?? output)[...])
        generations.append(start..<start + Text.count(text[...]))
    }
}
