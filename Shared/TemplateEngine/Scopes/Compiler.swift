/// A template whose names are resolved, ready to be carried out.
struct CompiledTemplate: Sendable {
    let root: CompiledBlock
    let blocks: [Text: CompiledBlock]
}

/// The template itself or a `block`: text that sees the context and no variables around it.
struct CompiledBlock: Sendable {
    let entry: FrameEntry
    let body: [any Statement]
    let slotCount: Int
    /// Where `self` and `super` are read; nil where they are not.
    let selfSlot: Int?
    let superSlot: Int?
}

/// Where in a template something is compiled.
struct CompilationFrame {
    let symbols: Symbols
    /// The template itself and its conditions, whose assignments the context is told of.
    var isTopLevel = false
    /// Inside of a condition, where an unknown filter is an error only when it is reached.
    var isSoft = false
    /// Inside of a loop of the same call, so that it can be left.
    var isInLoop = false
    var escaping = Escaping.never

    /// A block inside with variables of its own.
    var inner: CompilationFrame { inner(in: symbols.function) }

    func inner(in function: FunctionLayout) -> CompilationFrame {
        CompilationFrame(
            symbols: Symbols(in: function, parent: symbols),
            isInLoop: isInLoop && function === symbols.function,
            escaping: escaping
        )
    }

    /// A block inside whose text is a call of its own.
    var function: CompilationFrame { inner(in: FunctionLayout(depth: symbols.function.depth + 1)) }

    var soft: CompilationFrame {
        var frame = self
        frame.isSoft = true
        return frame
    }
}

/// Makes a template that can be carried out of one that was read.
enum Compiler {
    static func compile(_ statements: [StatementSyntax]) throws -> CompiledTemplate {
        var blocks: [Text: CompiledBlock] = [:]
        for statement in statements.blocks {
            guard case .block(let name, _, _, let body) = statement.kind else { continue }
            guard blocks[name] == nil else {
                throw TemplateError(.syntax, "block \(name.quoted.string) defined twice", line: statement.line)
            }
            blocks[name] = try block(body, isRoot: false)
        }
        return CompiledTemplate(root: try block(statements, isRoot: true), blocks: blocks)
    }

    private static func block(_ body: [StatementSyntax], isRoot: Bool) throws -> CompiledBlock {
        let layout = FunctionLayout(depth: 0)
        var frame = CompilationFrame(symbols: Symbols(in: layout, parent: nil))
        frame.isTopLevel = isRoot
        let special = body.undeclared(among: isRoot ? ["self"] : ["self", "super"])
        let selfSlot = special.contains("self") ? frame.symbols.declareParameter("self") : nil
        let superSlot = special.contains("super") ? frame.symbols.declareParameter("super") : nil
        frame.symbols.visit(body)
        let entry = frame.symbols.entry
        let statements = try compile(body, frame)
        return CompiledBlock(
            entry: entry,
            body: statements,
            slotCount: layout.slotCount,
            selfSlot: selfSlot,
            superSlot: superSlot
        )
    }

    static func compile(_ statements: [StatementSyntax], _ frame: CompilationFrame) throws -> [any Statement] {
        try statements.map { statement in
            do {
                return try compile(statement, frame)
            } catch let error as TemplateError {
                throw error.located(line: statement.line)
            }
        }
    }
}
