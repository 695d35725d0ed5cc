/// The condition of a `for` block, which has variables of its own.
struct LoopFilter: Sendable {
    let target: AssignmentTarget
    let condition: any Expression
    let entry: FrameEntry
    let slotCount: Int

    /// The values for which the condition holds, found out one at a time.
    func iterator(_ values: ValueIterator, _ interpreter: Interpreter, _ frame: Activation) throws -> ValueIterator {
        try interpreter.work(bytes: 16 * slotCount)
        let inner = Activation(slotCount: slotCount, parent: frame, context: frame.context)
        var hasBegun = false
        return ValueIterator(depth: 0) { interpreter in
            if !hasBegun { try interpreter.enter(entry, inner) }
            hasBegun = true
            while let value = try values.next(interpreter) {
                try target.assign(value, interpreter, inner)
                if try interpreter.evaluate(condition, inner).isTrue { return value }
            }
            return nil
        }
    }
}

/// The parts of a `for` block that do not depend on whether it is recursive.
struct LoopBody: Sendable {
    let target: AssignmentTarget
    let filter: LoopFilter?
    /// Where the body reads `loop`; nil where it does not.
    let loopSlot: Int?
    let entry: FrameEntry
    let body: [any Statement]
    let elseEntry: FrameEntry
    let otherwise: [any Statement]

    /// Carries out the body for each of `values`; `surroundings` are the variables around the block, which are those of
    /// `frame` unless it is recursive.
    func run(
        over values: Value,
        in surroundings: Activation,
        depth: Int = 0,
        recurse: ((Value, Int, Interpreter) throws -> Value)? = nil,
        _ interpreter: Interpreter,
        _ frame: Activation
    ) throws -> Flow {
        var iterator = try interpreter.iterate(values)
        if let filter { iterator = try filter.iterator(iterator, interpreter, surroundings) }
        var loop: LoopObject?
        if loopSlot != nil {
            let length = filter == nil ? length(of: values) : nil
            loop = try interpreter.adopt(LoopObject(iterator, length: length, depth: depth, recurse: recurse))
        }
        var completesIteration = false
        iteration: while let value = try loop?.next(interpreter) ?? (loop == nil ? iterator.next(interpreter) : nil) {
            try target.assign(value, interpreter, frame)
            if let loop, let loopSlot { frame[loopSlot] = .object(loop) }
            try interpreter.enter(entry, frame)
            switch try interpreter.execute(body, frame) {
            case .normal: completesIteration = true
            case .continuesLoop: continue iteration
            case .leavesLoop: break iteration
            }
        }
        guard !completesIteration, !otherwise.isEmpty else { return .normal }
        // Jinja marks an iteration when the body has come to its end, so that a loop which always jumps counts as empty.
        try interpreter.enter(elseEntry, frame)
        return try interpreter.execute(otherwise, frame)
    }

    private func length(of values: Value) -> Int? {
        switch values {
        case .list(let items), .tuple(let items): items.values.count
        case .dict(let dictionary): dictionary.members.count
        case .string(let text): text.count
        case .undefined: 0
        case .object(let object): object.length
        default: nil
        }
    }
}

struct ForStatement: Statement {
    let line: Int
    let values: any Expression
    let loop: LoopBody

    func execute(_ interpreter: Interpreter, _ frame: Activation) throws -> Flow {
        try loop.run(over: try interpreter.evaluate(values, frame), in: frame, interpreter, frame)
    }
}

/// A `for` block whose body may run itself over other values.
struct RecursiveForStatement: Statement {
    let line: Int
    let values: any Expression
    let loop: LoopBody
    let slotCount: Int
    let escaping: Escaping

    func execute(_ interpreter: Interpreter, _ frame: Activation) throws -> Flow {
        let value = try run(over: try interpreter.evaluate(values, frame), depth: 0, interpreter, frame)
        try interpreter.write(interpreter.string(value).bytes)
        return .normal
    }

    private func run(over values: Value, depth: Int, _ interpreter: Interpreter, _ frame: Activation) throws -> Value {
        try interpreter.work(bytes: 16 * slotCount)
        let inner = Activation(slotCount: slotCount, parent: frame, context: frame.context)
        interpreter.beginCapture()
        _ = try loop.run(
            over: values,
            in: frame,
            depth: depth,
            recurse: { try run(over: $0, depth: $1, $2, frame) },
            interpreter,
            inner
        )
        return .string(Text(try interpreter.endCapture(), isMarkup: escaping.isOn(interpreter)))
    }
}

/// A `block`, rendered where it stands.
struct BlockStatement: Statement {
    let line: Int
    let name: Text
    /// Variables that a scoped block sees; nil for one that only sees the context.
    let locals: [(name: Text, reference: VariableReference)]?

    func execute(_ interpreter: Interpreter, _ frame: Activation) throws -> Flow {
        var context = frame.context
        if let locals {
            try interpreter.work(bytes: 64 * (locals.count + context.count))
            let values = locals.compactMap { local in frame[local.reference].map { (local.name, $0) } }
            context = try interpreter.adopt(try context.derived(with: values))
        }
        try interpreter.renderBlock(name, context)
        return .normal
    }
}
