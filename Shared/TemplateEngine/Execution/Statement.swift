/// A part of a compiled template that is carried out.
protocol Statement: Sendable {
    var line: Int { get }

    /// To be called by ``Interpreter/execute(_:_:)``, which holds to the limits.
    func execute(_ interpreter: Interpreter, _ frame: Activation) throws -> Flow
}

/// How a statement ends.
enum Flow {
    case normal
    case leavesLoop
    case continuesLoop
}

/// What the variables of a block hold when it begins.
struct FrameEntry: Sendable {
    enum Load: Sendable {
        /// What the context has under a name.
        case resolve(Text)
        /// What a variable further out holds.
        case alias(VariableReference)
        case undefined
    }

    let loads: [(slot: Int, load: Load)]
}

extension Interpreter {
    /// Carries out statements until one leaves a loop or goes on with it.
    func execute(_ statements: [any Statement], _ frame: Activation) throws -> Flow {
        for statement in statements {
            do {
                try step()
                let flow = try nested { try statement.execute(self, frame) }
                guard flow == .normal else { return flow }
            } catch let error as TemplateError {
                throw error.located(line: statement.line)
            }
        }
        return .normal
    }

    /// Sets the variables of a block that begins.
    func enter(_ entry: FrameEntry, _ frame: Activation) throws {
        try work(bytes: 64 * entry.loads.count)
        for (slot, load) in entry.loads {
            switch load {
            case .resolve(let name): frame[slot] = frame.context.resolve(name)
            case .alias(let reference): frame[slot] = frame[reference]
            case .undefined: frame[slot] = nil
            }
        }
    }
}

/// Template data and the values in double braces.
struct OutputStatement: Statement {
    enum Item: Sendable {
        case data([UInt8])
        case value(any Expression, line: Int)
    }

    let line: Int
    let items: [Item]
    let escaping: Escaping

    func execute(_ interpreter: Interpreter, _ frame: Activation) throws -> Flow {
        for item in items {
            switch item {
            case .data(let bytes): try interpreter.write(bytes)
            case .value(let expression, let line):
                do {
                    let value = try interpreter.evaluate(expression, frame)
                    try interpreter.write(
                        escaping.isOn(interpreter)
                            ? interpreter.escaped(value).bytes : interpreter.string(value).bytes
                    )
                } catch let error as TemplateError {
                    throw error.located(line: line)
                }
            }
        }
        return .normal
    }
}

struct IfStatement: Statement {
    let line: Int
    let branches: [(condition: any Expression, line: Int, body: [any Statement])]
    let otherwise: [any Statement]

    func execute(_ interpreter: Interpreter, _ frame: Activation) throws -> Flow {
        for branch in branches {
            let condition: Value
            do {
                condition = try interpreter.evaluate(branch.condition, frame)
            } catch let error as TemplateError {
                throw error.located(line: branch.line)
            }
            if condition.isTrue { return try interpreter.execute(branch.body, frame) }
        }
        return try interpreter.execute(otherwise, frame)
    }
}

struct JumpStatement: Statement {
    let line: Int
    let flow: Flow

    func execute(_ interpreter: Interpreter, _ frame: Activation) throws -> Flow { flow }
}

/// A statement that always fails: what would need other templates.
struct FailingStatement: Statement {
    let line: Int
    let error: TemplateError

    func execute(_ interpreter: Interpreter, _ frame: Activation) throws -> Flow { throw error }
}
