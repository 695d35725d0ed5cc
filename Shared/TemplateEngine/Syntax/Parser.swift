/// Reads tokens into a syntax tree, by Jinja's grammar.
struct Parser {
    private let tokens: [Token]
    private let nesting: Int
    private var position = 0
    private var depth = 0
    /// The tags that are open, for messages.
    private var openTags: [Text] = []
    /// The tags that would end each open part.
    private var endTags: [[Text]] = []

    /// A parser that lets expressions and statements be nested so deeply.
    init(_ tokens: [Token], nesting: Int) {
        self.tokens = tokens
        self.nesting = nesting
    }

    /// The statements of a whole template.
    static func statements(of source: String, nesting: Int) throws -> [StatementSyntax] {
        var parser = Parser(try Lexer.tokens(of: source), nesting: nesting)
        return try parser.body(until: [])
    }

    // MARK: Tokens

    /// The token that is read next; the last one is the end and stays.
    var current: Token { tokens[position] }

    /// The token after ``current``.
    var following: Token { tokens[min(position + 1, tokens.count - 1)] }

    @discardableResult
    mutating func next() -> Token {
        let token = current
        position = min(position + 1, tokens.count - 1)
        return token
    }

    mutating func skipName(_ name: Text) -> Bool {
        guard current.isName(name) else { return false }
        next()
        return true
    }

    mutating func skipSymbol(_ symbol: Text) -> Bool {
        guard current.isSymbol(symbol) else { return false }
        next()
        return true
    }

    private func unexpected(_ expected: String) -> TemplateError {
        current.kind == .end
            ? failure("unexpected end of template, expected '\(expected)'.")
            : failure("expected token '\(expected)', got '\(current.description)'")
    }

    mutating func expectSymbol(_ symbol: Text) throws {
        guard skipSymbol(symbol) else { throw unexpected(symbol.string) }
    }

    mutating func expectName(_ name: Text) throws {
        guard skipName(name) else { throw unexpected(name.string) }
    }

    mutating func expectName() throws -> Text {
        guard current.kind == .name else { throw unexpected("name") }
        return next().text
    }

    mutating func expect(_ kind: Token.Kind) throws {
        guard current.kind == kind else {
            throw unexpected(Token(kind: kind, text: Text([UInt8]()), line: 0).description)
        }
        next()
    }

    func failure(_ message: String, line: Int? = nil) -> TemplateError {
        TemplateError(.syntax, message, line: line ?? current.line)
    }

    /// Reads something that may hold its like.
    mutating func nested<Result>(_ body: (inout Parser) throws -> Result) throws -> Result {
        depth += 1
        defer { depth -= 1 }
        guard depth <= nesting else {
            throw TemplateError(.limit, "the template is nested deeper than \(nesting) levels", line: current.line)
        }
        return try body(&self)
    }

    /// An expression that was read; one that is nested too deeply, by operators in a row too, is an error.
    func make(_ kind: ExpressionSyntax.Kind) throws -> ExpressionSyntax {
        let expression = ExpressionSyntax(kind)
        guard expression.height <= 2 * nesting else {
            throw TemplateError(.limit, "more than \(2 * nesting) operations inside each other", line: current.line)
        }
        return expression
    }

    // MARK: Statements in a row

    /// The statements up to one of the tags `ends`, whose name is read next; without them, up to the template's end.
    private mutating func body(until ends: [Text]) throws -> [StatementSyntax] {
        endTags.append(ends)
        defer { endTags.removeLast() }
        var statements: [StatementSyntax] = []
        var output: [StatementSyntax.OutputItem] = []
        var outputLine = 1
        func flushed() -> [StatementSyntax] {
            output.isEmpty ? [] : [StatementSyntax(kind: .output(output), line: outputLine)]
        }
        while current.kind != .end {
            if output.isEmpty { outputLine = current.line }
            switch current.kind {
            case .data: output.append(.data(next().text.bytes))
            case .variableBegin:
                let line = next().line
                output.append(.value(try tuple(), line: line))
                try expect(.variableEnd)
            default:
                try expect(.blockBegin)
                statements += flushed()
                output = []
                if ends.contains(where: { current.isName($0) }) { return statements }
                statements.append(try nested { try $0.statement() })
                try expect(.blockEnd)
            }
        }
        guard ends.isEmpty else { throw unknownTag(nil) }
        return statements + flushed()
    }

    /// The statements of a tag's body, from the end of the tag; the name of the tag that ends it is read next.
    mutating func tagBody(until ends: Text...) throws -> [StatementSyntax] {
        _ = skipSymbol(":")
        try expect(.blockEnd)
        return try body(until: ends)
    }

    /// As ``tagBody(until:)``, with the name of the one tag that ends it.
    mutating func wholeBody(until end: Text) throws -> [StatementSyntax] {
        let statements = try tagBody(until: end)
        next()
        return statements
    }

    private mutating func statement() throws -> StatementSyntax {
        guard current.kind == .name else { throw failure("tag name expected") }
        let line = current.line
        let tag = current.text
        guard let read = Self.tags[tag.string] else { throw unknownTag(tag) }
        openTags.append(tag)
        defer { openTags.removeLast() }
        next()
        return StatementSyntax(kind: try read(&self, line), line: line)
    }

    /// The error for a tag that is not known here, or for the template's end in the middle.
    private func unknownTag(_ tag: Text?) -> TemplateError {
        var message = tag.map { "Encountered unknown tag \($0.quoted.string)." } ?? "Unexpected end of template."
        if let expected = endTags.last, !expected.isEmpty {
            let names = expected.map(\.quoted.string).joined(separator: " or ")
            message +=
                tag.map { tag in endTags.contains { $0.contains(tag) } } ?? false
                ? " You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for \(names)."
                : " Jinja was looking for the following tags: \(names)."
        }
        if let open = openTags.last {
            message += " The innermost block that needs to be closed is \(open.quoted.string)."
        }
        return failure(message)
    }
}
