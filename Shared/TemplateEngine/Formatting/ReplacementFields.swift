extension Interpreter {
    /// Python's `format.format(…)` within the sandbox.
    func format(_ format: Text, _ arguments: Arguments) throws -> Text {
        var fields = ReplacementFields(self, arguments.positional) { name in
            arguments.keywords.first { $0.name == name }?.value
        }
        return Text(try fields.text(of: format, isMarkup: format.isMarkup), isMarkup: format.isMarkup)
    }

    /// Python's `format.format_map(mapping)` within the sandbox.
    func format(_ format: Text, mapping: Value) throws -> Text {
        var fields = ReplacementFields(self, []) { [self] name in
            guard case .dict(let dictionary) = mapping else {
                throw TemplateError(.type, "'\(mapping.typeName)' object is not subscriptable")
            }
            try work(bytes: name.bytes.count)
            return dictionary.members.value(for: name.bytes)
        }
        return Text(try fields.text(of: format, isMarkup: format.isMarkup), isMarkup: format.isMarkup)
    }
}

/// The fields in braces of a format text.
private struct ReplacementFields {
    private let interpreter: Interpreter
    private let positional: [Value]
    private let named: (Text) throws -> Value?
    /// The next automatic number; nil once fields were numbered by hand.
    private var automatic: Int? = 0

    init(_ interpreter: Interpreter, _ positional: [Value], named: @escaping (Text) throws -> Value?) {
        self.interpreter = interpreter
        self.positional = positional
        self.named = named
    }

    mutating func text(of format: Text, isMarkup: Bool = false, depth: Int = 2) throws -> [UInt8] {
        guard depth >= 0 else { throw TemplateError(.value, "Max string recursion exceeded") }
        let scalars = Array(format.scalars)
        var output: [UInt8] = []
        var position = 0
        while position < scalars.count {
            let scalar = scalars[position]
            position += 1
            guard scalar == "{" || scalar == "}" else {
                output.append(scalar)
                continue
            }
            if position < scalars.count, scalars[position] == scalar {
                output.append(scalar)
                position += 1
                continue
            }
            guard scalar == "{" else {
                throw TemplateError(.value, "Single '}' encountered in format string")
            }
            guard position < scalars.count else {
                throw TemplateError(.value, "Single '{' encountered in format string")
            }
            let start = position
            var open = 1
            while open > 0 {
                guard position < scalars.count else { throw TemplateError(.value, "expected '}' before end of string") }
                if scalars[position] == "{" { open += 1 }
                if scalars[position] == "}" { open -= 1 }
                position += 1
            }
            let field = try value(of: scalars[start..<position - 1], depth: depth)
            output += isMarkup ? try interpreter.escaped(field).bytes : field.bytes
            guard output.count <= interpreter.limits.valueBytes else { throw interpreter.tooLong }
        }
        try interpreter.charge(bytes: output.count)
        return output
    }

    /// The text for the inside of a pair of braces: `name!conversion:specification`.
    private mutating func value(of field: ArraySlice<Unicode.Scalar>, depth: Int) throws -> Text {
        var end = field.startIndex
        var brackets = 0
        while end < field.endIndex {
            if field[end] == "[" { brackets += 1 }
            if field[end] == "]" { brackets = max(0, brackets - 1) }
            if brackets == 0, field[end] == "!" || field[end] == ":" { break }
            end += 1
        }
        var value = try resolve(field[..<end])
        var rest = field[end...]
        if rest.first == "!" {
            rest = rest.dropFirst()
            guard let conversion = rest.popFirst() else {
                throw TemplateError(.value, "end of string while looking for conversion specifier")
            }
            guard rest.isEmpty || rest.first == ":" else {
                throw TemplateError(.value, "expected ':' after conversion specifier")
            }
            switch conversion {
            case "s": value = .string(try interpreter.string(value))
            case "r": value = .string(try interpreter.representation(value))
            case "a": value = try interpreter.calculate(.string("%a"), .modulo, interpreter.tuple([value]))
            default: throw TemplateError(.value, "Unknown conversion specifier \(Character(conversion))")
            }
        }
        let specification = Text(scalars: rest.dropFirst())
        let expanded = Text(try text(of: specification, depth: depth - 1))
        if case .string(let text) = value, text.isMarkup {
            guard expanded.isEmpty else {
                throw TemplateError(.value, "Unsupported format specification for Markup.")
            }
            return text
        }
        return try interpreter.formatted(value, expanded)
    }

    /// The value of `first.attribute[item]…`.
    private mutating func resolve(_ name: ArraySlice<Unicode.Scalar>) throws -> Value {
        let first = name.prefix { $0 != "." && $0 != "[" }
        var value = try root(Text(scalars: first))
        var rest = name[first.endIndex...]
        while let mark = rest.popFirst() {
            try interpreter.step()
            if mark == "." {
                let attribute = rest.prefix { $0 != "." && $0 != "[" }
                guard !attribute.isEmpty else { throw TemplateError(.value, "Empty attribute in format string") }
                rest = rest[attribute.endIndex...]
                value = try interpreter.attribute(value, AttributeName(Text(scalars: attribute)))
            } else {
                guard mark == "[" else {
                    throw TemplateError(.value, "Only '.' or '[' may follow ']' in format field specifier")
                }
                let key = rest.prefix { $0 != "]" }
                guard key.endIndex < rest.endIndex else { throw TemplateError(.value, "Missing ']' in format string") }
                guard !key.isEmpty else { throw TemplateError(.value, "Empty attribute in format string") }
                rest = rest[(key.endIndex + 1)...]
                let text = Text(scalars: key)
                let number = key.allSatisfy { ("0"..."9").contains($0) } ? Int(text.string) : nil
                value = try interpreter.item(value, number.map { .int($0) } ?? .string(text))
            }
        }
        return value
    }

    private mutating func root(_ name: Text) throws -> Value {
        let isNumber = !name.isEmpty && name.scalars.allSatisfy { ("0"..."9").contains($0) }
        guard name.isEmpty || isNumber else {
            guard let value = try named(name) else { throw TemplateError(.value, name.quoted.string) }
            return value
        }
        let index: Int
        if isNumber {
            guard automatic == nil || automatic == 0 else {
                throw TemplateError(
                    .value,
                    "cannot switch from automatic field numbering to manual field specification"
                )
            }
            automatic = nil
            index = Int(name.string) ?? .max
        } else {
            guard let next = automatic else {
                throw TemplateError(
                    .value,
                    "cannot switch from manual field specification to automatic field numbering"
                )
            }
            automatic = next + 1
            index = next
        }
        guard positional.indices.contains(index) else {
            throw TemplateError(.value, "Replacement index \(index) out of range for positional args tuple")
        }
        return positional[index]
    }
}
