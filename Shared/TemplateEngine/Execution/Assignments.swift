/// What is assigned to.
indirect enum AssignmentTarget: Sendable {
    case variable(slot: Int)
    case attribute(owner: VariableReference, name: Text)
    case tuple([AssignmentTarget])

    func assign(_ value: Value, _ interpreter: Interpreter, _ frame: Activation) throws {
        switch self {
        case .variable(let slot): frame[slot] = value
        case .attribute(let owner, let name): try Self.namespace(owner, frame).set(value, for: name, interpreter)
        case .tuple(let targets):
            for (target, value) in zip(targets, try interpreter.unpack(value, targets.count)) {
                try target.assign(value, interpreter, frame)
            }
        }
    }

    /// Fails where an attribute is to be set of something that is no namespace.
    func check(_ frame: Activation) throws {
        switch self {
        case .variable: break
        case .attribute(let owner, _): _ = try Self.namespace(owner, frame)
        case .tuple(let targets): for target in targets { try target.check(frame) }
        }
    }

    private static func namespace(_ owner: VariableReference, _ frame: Activation) throws -> Namespace {
        guard case .object(let object as Namespace) = frame[owner] else {
            throw TemplateError(.type, "cannot assign attribute on non-namespace object")
        }
        return object
    }
}

/// What the context is told of an assignment on the outermost level.
struct ContextExport: Sendable {
    let names: [(name: Text, slot: Int)]

    func apply(_ frame: Activation) throws {
        for (name, slot) in names {
            if let value = frame[slot] { try frame.context.assign(value, to: name) }
        }
    }
}

struct SetStatement: Statement {
    let line: Int
    let target: AssignmentTarget
    let value: any Expression
    let export: ContextExport

    func execute(_ interpreter: Interpreter, _ frame: Activation) throws -> Flow {
        try target.check(frame)
        try target.assign(try interpreter.evaluate(value, frame), interpreter, frame)
        try export.apply(frame)
        return .normal
    }
}

/// A `set` block, or a filter block where nothing is assigned.
struct CaptureStatement: Statement {
    let line: Int
    /// Nil for a filter block, whose result is written.
    let target: AssignmentTarget?
    let entry: FrameEntry
    let body: [any Statement]
    /// The filters, on ``CapturedExpression``.
    let filtered: any Expression
    let export: ContextExport

    func execute(_ interpreter: Interpreter, _ frame: Activation) throws -> Flow {
        try interpreter.enter(entry, frame)
        interpreter.beginCapture()
        let flow = try interpreter.execute(body, frame)
        let captured = try interpreter.endCapture()
        guard flow == .normal else { return flow }
        interpreter.captured = captured
        let value = try interpreter.evaluate(filtered, frame)
        guard let target else {
            try interpreter.write(interpreter.string(value).bytes)
            return .normal
        }
        let result =
            interpreter.autoescape ? try .string(Text(interpreter.softString(value).bytes, isMarkup: true)) : value
        try target.assign(result, interpreter, frame)
        try export.apply(frame)
        return .normal
    }
}

struct WithStatement: Statement {
    let line: Int
    let entry: FrameEntry
    let assignments: [(target: AssignmentTarget, value: any Expression)]
    let body: [any Statement]

    func execute(_ interpreter: Interpreter, _ frame: Activation) throws -> Flow {
        try interpreter.enter(entry, frame)
        for (target, value) in assignments {
            try target.assign(try interpreter.evaluate(value, frame), interpreter, frame)
        }
        return try interpreter.execute(body, frame)
    }
}

/// An `autoescape` block.
struct AutoescapeStatement: Statement {
    let line: Int
    let entry: FrameEntry
    let isOn: any Expression
    let body: [any Statement]

    func execute(_ interpreter: Interpreter, _ frame: Activation) throws -> Flow {
        try interpreter.enter(entry, frame)
        let before = interpreter.autoescape
        interpreter.autoescape = try interpreter.evaluate(isOn, frame).isTrue
        let flow = try interpreter.execute(body, frame)
        // Jinja's code for this stands behind the body, where a jump out of it does not come by.
        if flow == .normal { interpreter.autoescape = before }
        return flow
    }
}

struct MacroStatement: Statement {
    let line: Int
    let definition: MacroDefinition
    let slot: Int
    let export: ContextExport

    func execute(_ interpreter: Interpreter, _ frame: Activation) throws -> Flow {
        try frame.escape(interpreter)
        frame[slot] = .object(Macro(definition, in: frame))
        try export.apply(frame)
        return .normal
    }
}

struct CallBlockStatement: Statement {
    let line: Int
    let call: CallExpression
    let body: MacroDefinition

    func execute(_ interpreter: Interpreter, _ frame: Activation) throws -> Flow {
        try frame.escape(interpreter)
        let caller = Value.object(Macro(body, in: frame))
        let value = try interpreter.nested { try call.evaluate(interpreter, frame, caller: caller) }
        try interpreter.write(interpreter.string(value).bytes)
        return .normal
    }
}

/// A `generation` block: what it writes is the assistant's.
struct GenerationStatement: Statement {
    let line: Int
    let body: MacroDefinition

    func execute(_ interpreter: Interpreter, _ frame: Activation) throws -> Flow {
        let text = try interpreter.string(try Macro(body, in: frame).call(Arguments(), interpreter))
        interpreter.noteGeneration(text.bytes)
        try interpreter.write(text.bytes)
        return .normal
    }
}
