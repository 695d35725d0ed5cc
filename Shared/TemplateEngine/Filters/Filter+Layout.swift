extension Filter {
    /// Filters that arrange a text in lines and columns.
    static let layoutFilters: [Filter] = [
        Filter("center", ["width"]) { value, arguments, interpreter in
            let text = try interpreter.plain(value)
            return .string(try interpreter.centered(text, width: try arguments.integer(0, default: 80)))
        },
        Filter("indent", ["width", "first", "blank"]) { value, arguments, interpreter in
            try interpreter.indent(value, arguments)
        },
        Filter("wordwrap", ["width", "break_long_words", "wrapstring", "break_on_hyphens"]) {
            value,
            arguments,
            interpreter in
            try interpreter.wrapWords(value, arguments)
        },
        Filter("pprint") { value, _, interpreter in
            var printer = PrettyPrinter(interpreter)
            return .string(try printer.text(value))
        },
    ]
}

extension Interpreter {
    fileprivate func indent(_ value: Value, _ arguments: Bound) throws -> Value {
        if case .undefined(let undefined) = value { throw undefined.error }
        guard case .string(let text) = value else {
            throw TemplateError(
                .type,
                "unsupported operand type(s) for +=: '\(value.typeName)' and 'str'"
            )
        }
        var indentation: Text
        if let given = arguments[0]?.text {
            indentation = given
        } else {
            indentation = Text(try filling(" ", try arguments.integer(0, default: 4)))
        }
        if text.isMarkup { indentation = try escaped(Text(indentation.bytes)) }
        try work(bytes: 2 * text.bytes.count)
        // With a line break at the end, so that an empty last line counts.
        let lines = Text(text.bytes + [0x0A]).lines(keepingEnds: false)
        try charge(bytes: indentation.bytes.count, times: lines.count)
        let indentsBlank = arguments.isTrue(2)
        var output = arguments.isTrue(1) ? indentation.bytes : []
        for (position, line) in lines.enumerated() {
            if position > 0 {
                output.append(0x0A)
                if indentsBlank || !line.isEmpty { output += indentation.bytes }
            }
            output += line.bytes
        }
        try charge(bytes: output.count)
        return .string(Text(output, isMarkup: text.isMarkup))
    }

    fileprivate func wrapWords(_ value: Value, _ arguments: Bound) throws -> Value {
        if case .undefined(let undefined) = value { throw undefined.error }
        guard case .string(let text) = value else {
            throw TemplateError(.type, "'\(value.typeName)' object has no attribute 'splitlines'")
        }
        let width = try arguments.integer(0, default: 79)
        guard width > 0 || text.isEmpty else { throw TemplateError(.value, "invalid width \(width) (must be > 0)") }
        let separator = try arguments.optionalText(2) ?? "\n"
        let wrapper = WordWrapper(
            width: width,
            breaksLongWords: arguments.isTrue(1, default: true),
            breaksAtHyphens: arguments.isTrue(3, default: true)
        )
        try work(bytes: 16 * text.bytes.count)
        let lines = text.lines(keepingEnds: false).flatMap { line in
            // An empty line stays one.
            line.isEmpty ? [line] : wrapper.lines(Array(line.scalars))
        }
        try charge(bytes: separator.bytes.count, times: lines.count)
        try charge(bytes: text.bytes.count + separator.bytes.count * lines.count)
        return .text(Array(lines.map(\.bytes).joined(separator: separator.bytes)))
    }
}

/// Python's `textwrap.wrap`, of one line.
private struct WordWrapper {
    let width: Int
    let breaksLongWords: Bool
    let breaksAtHyphens: Bool

    func lines(_ scalars: [Unicode.Scalar]) -> [Text] {
        var chunks = ArraySlice(chunks(scalars))
        var lines: [Text] = []
        while !chunks.isEmpty {
            if !lines.isEmpty, let first = chunks.first, Self.isBlank(first) { chunks.removeFirst() }
            var line: [ArraySlice<Unicode.Scalar>] = []
            var length = 0
            while let chunk = chunks.first, length + chunk.count <= width {
                line.append(chunk)
                length += chunk.count
                chunks.removeFirst()
            }
            if let chunk = chunks.first, chunk.count > width {
                if breaksLongWords {
                    let room = breakPoint(chunk, room: width - length)
                    line.append(chunk.prefix(room))
                    chunks[chunks.startIndex] = chunk.dropFirst(room)
                } else if line.isEmpty {
                    line.append(chunk)
                    chunks.removeFirst()
                }
            }
            if let last = line.last, Self.isBlank(last) { line.removeLast() }
            if !line.isEmpty { lines.append(Text(scalars: line.joined())) }
        }
        return lines
    }

    /// How much of a word that is too long fits: up to a hyphen, where it may be broken there.
    private func breakPoint(_ chunk: ArraySlice<Unicode.Scalar>, room: Int) -> Int {
        guard breaksAtHyphens, chunk.count > room, let hyphen = chunk.prefix(room).lastIndex(of: "-"),
            hyphen > chunk.startIndex, chunk[..<hyphen].contains(where: { $0 != "-" })
        else { return room }
        return hyphen - chunk.startIndex + 1
    }

    private static func isBlank(_ chunk: ArraySlice<Unicode.Scalar>) -> Bool { chunk.allSatisfy(\.isPythonSpace) }

    private static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
        (0x09...0x0D).contains(scalar.value) || scalar == " "
    }

    /// The words and the white space between them, words with hyphens in parts.
    private func chunks(_ scalars: [Unicode.Scalar]) -> [ArraySlice<Unicode.Scalar>] {
        var chunks: [ArraySlice<Unicode.Scalar>] = []
        var start = 0
        while start < scalars.count {
            var end = start + 1
            if Self.isSpace(scalars[start]) {
                while end < scalars.count, Self.isSpace(scalars[end]) { end += 1 }
            } else if breaksAtHyphens {
                end = dashEnd(scalars, start) ?? wordEnd(scalars, start)
            } else {
                while end < scalars.count, !Self.isSpace(scalars[end]) { end += 1 }
            }
            chunks.append(scalars[start..<end])
            start = end
        }
        return chunks
    }

    private static func isWordPunctuation(_ scalar: Unicode.Scalar) -> Bool {
        scalar.isPythonWord || ["!", "\"", "'", "&", ".", ",", "?"].contains(scalar)
    }

    private static func isLetter(_ scalar: Unicode.Scalar) -> Bool { scalar.isPythonWord && !scalar.isPythonDecimal }

    /// The end of a dash of two hyphens or more between words that begins at `start`; nil where there is none.
    private func dashEnd(_ scalars: [Unicode.Scalar], _ start: Int) -> Int? {
        guard start > 0, Self.isWordPunctuation(scalars[start - 1]) else { return nil }
        var end = start
        while end < scalars.count, scalars[end] == "-" { end += 1 }
        return end - start >= 2 && end < scalars.count && scalars[end].isPythonWord ? end : nil
    }

    /// The end of the word or of its part up to a hyphen.
    private func wordEnd(_ scalars: [Unicode.Scalar], _ start: Int) -> Int {
        var end = start + 1
        while end < scalars.count, !Self.isSpace(scalars[end]) {
            if scalars[end] == "-", allowsBreak(scalars, after: end) { return end + 1 }
            if scalars[end] == "-", dashEnd(scalars, end) != nil { return end }
            end += 1
        }
        return end
    }

    /// Whether a word may be broken after its hyphen: letters stand before and behind it.
    private func allowsBreak(_ scalars: [Unicode.Scalar], after hyphen: Int) -> Bool {
        func isLetter(_ position: Int) -> Bool {
            scalars.indices.contains(position) && Self.isLetter(scalars[position])
        }
        let isAfterLetters =
            isLetter(hyphen - 1) && isLetter(hyphen - 2)
            || hyphen > 2 && isLetter(hyphen - 3) && scalars[hyphen - 2] == "-"
                && Self.isWordPunctuation(scalars[hyphen - 1])
        let hasHyphen = hyphen + 2 < scalars.count && scalars[hyphen + 2] == "-"
        return isAfterLetters && isLetter(hyphen + 1) && (isLetter(hyphen + 2) || hasHyphen && isLetter(hyphen + 3))
    }
}

/// Python's `pprint.pformat`, without the breaking of long texts.
private struct PrettyPrinter {
    private static let width = 80
    private let interpreter: Interpreter

    init(_ interpreter: Interpreter) { self.interpreter = interpreter }

    mutating func text(_ value: Value) throws -> Text {
        var output: [UInt8] = []
        try append(value, indentation: 0, allowance: 0, to: &output)
        try interpreter.charge(bytes: output.count)
        return Text(output)
    }

    /// `value` with the members of dictionaries in the order of their keys, on one line.
    private func line(_ value: Value) throws -> Text { try interpreter.representation(sorted(value)) }

    private func sorted(_ value: Value) throws -> Value {
        try interpreter.nested {
            switch value {
            case .list(let items): return try interpreter.list(items.values.map { try sorted($0) })
            case .tuple(let items): return try interpreter.tuple(items.values.map { try sorted($0) })
            case .dict(let dictionary):
                var members = Members()
                for key in try keys(dictionary.members) {
                    try members.set(try sorted(try dictionary.members.value(for: key) ?? .none), for: key)
                }
                return try interpreter.dict(members)
            default: return value
            }
        }
    }

    /// The keys in order; those of types that have none between them as they are.
    private func keys(_ members: Members) throws -> [Value] {
        do {
            return try interpreter.sorted(members.keys, reverse: false) { $0 }
        } catch let error as TemplateError where error.code == .type {
            return members.keys
        }
    }

    private mutating func append(
        _ value: Value,
        indentation: Int,
        allowance: Int,
        to output: inout [UInt8]
    ) throws {
        let line = try line(value)
        guard line.count > Self.width - indentation - allowance else {
            output += line.bytes
            return
        }
        switch value {
        case .list(let items): try append(items.values, "[", "]", indentation, allowance, to: &output)
        case .tuple(let items):
            try append(items.values, "(", items.values.count == 1 ? ",)" : ")", indentation, allowance, to: &output)
        case .dict(let dictionary):
            output += "{".utf8
            let keys = try keys(dictionary.members)
            for (position, key) in keys.enumerated() {
                let isLast = position == keys.count - 1
                let name = try self.line(key)
                output += name.bytes + ": ".utf8
                let member = try dictionary.members.value(for: key) ?? .none
                try interpreter.nested {
                    try append(
                        member,
                        indentation: indentation + 1 + name.count + 2,
                        allowance: isLast ? allowance + 1 : 1,
                        to: &output
                    )
                }
                if !isLast { try breakLine(indentation + 1, to: &output) }
            }
            output += "}".utf8
        default: output += line.bytes
        }
    }

    private mutating func append(
        _ values: [Value],
        _ open: String,
        _ close: String,
        _ indentation: Int,
        _ allowance: Int,
        to output: inout [UInt8]
    ) throws {
        output += open.utf8
        for (position, value) in values.enumerated() {
            let isLast = position == values.count - 1
            try interpreter.nested {
                try append(
                    value,
                    indentation: indentation + 1,
                    allowance: isLast ? allowance + close.utf8.count : 1,
                    to: &output
                )
            }
            if !isLast { try breakLine(indentation + 1, to: &output) }
        }
        output += close.utf8
    }

    private func breakLine(_ indentation: Int, to output: inout [UInt8]) throws {
        output += ",\n".utf8
        output += try interpreter.filling(" ", indentation)
    }
}
