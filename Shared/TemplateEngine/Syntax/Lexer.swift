/// Splits a template's source into tokens, as Jinja does with `trim_blocks` and `lstrip_blocks`.
struct Lexer {
    /// The source with line breaks of one kind and without one at its end.
    let source: [UInt8]
    var position = 0
    var line = 1
    private(set) var tokens: [Token] = []
    /// Whether what was last read ends with a line break, so that white space which follows begins a line.
    private var isAtLineStart = true

    private init(_ source: [UInt8]) { self.source = source }

    /// The tokens of a template, the last of them ``Token/Kind/end``.
    static func tokens(of source: String) throws -> [Token] {
        var lexer = Lexer(normalized(Array(source.utf8)))
        try lexer.run()
        return lexer.tokens
    }

    private static func normalized(_ source: [UInt8]) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(source.count)
        var previous: UInt8 = 0
        for byte in source {
            if byte == 0x0D {
                output.append(0x0A)
            } else if byte != 0x0A || previous != 0x0D {
                output.append(byte)
            }
            previous = byte
        }
        if output.last == 0x0A { output.removeLast() }
        return output
    }

    // MARK: Outside of tags

    private enum Tag {
        case variable
        case block
        case comment
        /// A raw block, with where its beginning ends.
        case raw(end: Int)

        var isVariable: Bool {
            if case .variable = self { return true }
            return false
        }
    }

    private mutating func run() throws {
        while let (start, tag) = nextTag() {
            let control = start + 2 < source.count ? Self.control(source[start + 2]) : nil
            appendData(upTo: start, control: control, isVariable: tag.isVariable)
            position = start + 2 + (control == nil ? 0 : 1)
            switch tag {
            case .variable: try expression(until: .variableEnd)
            case .block: try expression(until: .blockEnd)
            case .comment: try comment()
            case .raw(let end): try raw(begun: start, end)
            }
        }
        appendData(upTo: source.count, control: "+", isVariable: true)
        append(.end, Text([UInt8]()))
    }

    private static func control(_ byte: UInt8) -> Character? {
        byte == UInt8(ascii: "-") ? "-" : byte == UInt8(ascii: "+") ? "+" : nil
    }

    /// Where the next tag begins.
    private func nextTag() -> (start: Int, tag: Tag)? {
        var start = position
        while start + 1 < source.count {
            if source[start] == UInt8(ascii: "{") {
                switch source[start + 1] {
                case UInt8(ascii: "{"): return (start, .variable)
                case UInt8(ascii: "#"): return (start, .comment)
                case UInt8(ascii: "%"): return (start, rawEnd(start).map { .raw(end: $0) } ?? .block)
                default: break
                }
            }
            start += 1
        }
        return nil
    }

    /// Where the tag `raw` at `start` ends; nil if it is another one.
    private func rawEnd(_ start: Int) -> Int? {
        var scanner = start + 2
        if scanner < source.count, Self.control(source[scanner]) != nil { scanner += 1 }
        scanner = endOfSpace(scanner)
        guard source[scanner...].starts(with: "raw".utf8) else { return nil }
        scanner = endOfSpace(scanner + 3)
        if source[scanner...].starts(with: "-%}".utf8) { return endOfSpace(scanner + 3) }
        return source[scanner...].starts(with: "%}".utf8) ? scanner + 2 : nil
    }

    /// Appends the text before a tag, without the white space that the tag strips.
    private mutating func appendData(upTo end: Int, control: Character?, isVariable: Bool) {
        var data = source[position..<end]
        if control == "-" {
            let kept = Text(data).stripped(leading: false, trailing: true) { $0.isPythonSpace }
            data = data.prefix(kept.bytes.count)
        } else if control == nil, !isVariable {
            let lineStart = data.lastIndex(of: 0x0A).map { $0 + 1 } ?? data.startIndex
            let indentation = Text(data[lineStart...])
            if lineStart > data.startIndex || isAtLineStart, !indentation.isEmpty,
                indentation.scalars.allSatisfy(\.isPythonSpace)
            {
                data = data[..<lineStart]
            }
        }
        if !data.isEmpty { append(.data, Text(data)) }
        line += source[position..<end].count { $0 == 0x0A }
        position = end
    }

    private mutating func comment() throws {
        guard let end = source.firstRange(of: Array("#}".utf8), from: position)?.lowerBound else {
            throw failure("Missing end of comment tag")
        }
        let content = source[position..<end]
        line += content.count { $0 == 0x0A }
        position = end + 2
        finishTag(control: content.last.flatMap(Self.control))
    }

    private mutating func raw(begun start: Int, _ bodyStart: Int) throws {
        line += source[start..<bodyStart].count { $0 == 0x0A }
        isAtLineStart = source[bodyStart - 1] == 0x0A
        position = bodyStart
        var scanner = bodyStart
        while scanner + 1 < source.count {
            if let (control, close) = rawClose(scanner) {
                appendData(upTo: scanner, control: control, isVariable: false)
                line += source[scanner..<close].count { $0 == 0x0A }
                position = close
                finishTag(control: Self.control(source[close - 3]))
                return
            }
            scanner += 1
        }
        throw failure("Missing end of raw directive")
    }

    /// The control sign and the end of the tag `endraw` at `start`; nil if it is another one.
    private func rawClose(_ start: Int) -> (control: Character?, end: Int)? {
        guard source[start...].starts(with: "{%".utf8) else { return nil }
        var scanner = start + 2
        let control = scanner < source.count ? Self.control(source[scanner]) : nil
        scanner = endOfSpace(scanner + (control == nil ? 0 : 1))
        guard source[scanner...].starts(with: "endraw".utf8) else { return nil }
        scanner = endOfSpace(scanner + 6)
        if scanner < source.count, Self.control(source[scanner]) != nil { scanner += 1 }
        return source[scanner...].starts(with: "%}".utf8) ? (control, scanner + 2) : nil
    }

    // MARK: White space around tags

    private func endOfSpace(_ start: Int) -> Int {
        var end = min(start, source.count)
        while end < source.count {
            let (scalar, length) = source[...].scalar(at: end)
            guard scalar.isPythonSpace else { break }
            end += length
        }
        return end
    }

    /// Skips white space inside of a tag.
    mutating func skipSpace() {
        let end = endOfSpace(position)
        line += source[position..<end].count { $0 == 0x0A }
        position = end
    }

    /// After a tag's end: `-` strips all white space, `+` nothing, else one line break goes where blocks are trimmed.
    mutating func finishTag(control: Character?, trimsLineBreak: Bool = true) {
        let start = position
        if control == "-" {
            position = endOfSpace(position)
        } else if control == nil, trimsLineBreak, position < source.count, source[position] == 0x0A {
            position += 1
        }
        line += source[start..<position].count { $0 == 0x0A }
        isAtLineStart = position > start && source[position - 1] == 0x0A
    }

    mutating func append(_ kind: Token.Kind, _ text: Text) {
        tokens.append(Token(kind: kind, text: text, line: line))
    }

    func failure(_ message: String) -> TemplateError { TemplateError(.syntax, message, line: line) }
}
