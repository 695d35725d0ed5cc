/// Python's `json.dumps`, as far as transformers' `tojson` filter hands its parameters on.
struct JSONWriter {
    private let interpreter: Interpreter
    private let escapesNonASCII: Bool
    private let sortsKeys: Bool
    private let indentation: [UInt8]?
    private let itemSeparator: [UInt8]
    private let keySeparator: [UInt8]
    private var output: [UInt8] = []

    /// A writer that indents each level by `indentation`, or puts everything on one line without.
    init(
        _ interpreter: Interpreter,
        escapesNonASCII: Bool,
        sortsKeys: Bool,
        indentation: [UInt8]?,
        separators: (item: Text, key: Text)?
    ) {
        self.interpreter = interpreter
        self.escapesNonASCII = escapesNonASCII
        self.sortsKeys = sortsKeys
        self.indentation = indentation
        itemSeparator = separators?.item.bytes ?? Array((indentation == nil ? ", " : ",").utf8)
        keySeparator = separators?.key.bytes ?? Array(": ".utf8)
    }

    /// `value` as JSON; what JSON does not have is a type error.
    mutating func write(_ value: Value) throws -> Text {
        output = []
        try append(value, level: 0)
        try interpreter.charge(bytes: output.count)
        return Text(output)
    }

    private mutating func append(_ value: Value, level: Int) throws {
        try interpreter.step()
        switch value {
        case .none: output += "null".utf8
        case .bool(let value): output += (value ? "true" : "false").utf8
        case .int(let value): output += String(value).utf8
        case .float(let value): output += Self.number(value).utf8
        case .string(let text): try append(text)
        case .list(let items), .tuple(let items): try append(items.values, level: level)
        case .dict(let dictionary): try append(dictionary.members, level: level)
        case .object(let object as WideInteger): output += object.digits.bytes
        case .undefined, .object:
            throw TemplateError(.type, "Object of type \(value.typeName) is not JSON serializable")
        }
        if output.count > interpreter.limits.valueBytes { throw interpreter.tooLong }
    }

    private static func number(_ value: Double) -> String {
        value.isNaN
            ? "NaN" : value.isInfinite ? (value < 0 ? "-Infinity" : "Infinity") : FloatText.representation(value)
    }

    private mutating func append(_ values: [Value], level: Int) throws {
        guard !values.isEmpty else {
            output += "[]".utf8
            return
        }
        output.append(UInt8(ascii: "["))
        for (position, value) in values.enumerated() {
            if position > 0 { output += itemSeparator }
            breakLine(level + 1)
            try interpreter.nested { try append(value, level: level + 1) }
        }
        breakLine(level)
        output.append(UInt8(ascii: "]"))
    }

    private mutating func append(_ members: Members, level: Int) throws {
        guard members.count > 0 else {
            output += "{}".utf8
            return
        }
        output.append(UInt8(ascii: "{"))
        for (position, member) in try sorted(members).enumerated() {
            if position > 0 { output += itemSeparator }
            breakLine(level + 1)
            try append(key: member.key)
            output += keySeparator
            try interpreter.nested { try append(member.value, level: level + 1) }
        }
        breakLine(level)
        output.append(UInt8(ascii: "}"))
    }

    private func sorted(_ members: Members) throws -> [(key: Value, value: Value)] {
        let pairs = Array(zip(members.keys, members.values)).map { (key: $0, value: $1) }
        guard sortsKeys else { return pairs }
        let order = try interpreter.sorted(pairs.indices.map { .int($0) }, reverse: false) { index in
            pairs[index.index ?? 0].key
        }
        return order.map { pairs[$0.index ?? 0] }
    }

    private mutating func breakLine(_ level: Int) {
        guard let indentation else { return }
        output.append(0x0A)
        for _ in 0..<level { output += indentation }
    }

    private mutating func append(key: Value) throws {
        switch key {
        case .string(let text): try append(text)
        case .none, .bool, .int, .float:
            output.append(UInt8(ascii: "\""))
            try append(key, level: 0)
            output.append(UInt8(ascii: "\""))
        default:
            throw TemplateError(.type, "keys must be str, int, float, bool or None, not \(key.typeName)")
        }
    }

    private mutating func append(_ text: Text) throws {
        try interpreter.work(bytes: text.bytes.count)
        output.append(UInt8(ascii: "\""))
        var plainStart = 0
        var position = 0
        while position < text.bytes.count {
            let byte = text.bytes[position]
            guard
                byte < 0x20 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
                    || escapesNonASCII && byte >= 0x7F
            else {
                position += 1
                continue
            }
            output += text.bytes[plainStart..<position]
            let (scalar, length) = text.bytes[...].scalar(at: position)
            appendEscape(of: scalar)
            position += length
            plainStart = position
            if output.count > interpreter.limits.valueBytes { throw interpreter.tooLong }
        }
        output += text.bytes[plainStart...]
        output.append(UInt8(ascii: "\""))
    }

    private mutating func appendEscape(of scalar: Unicode.Scalar) {
        output.append(UInt8(ascii: "\\"))
        switch scalar {
        case "\"", "\\": output.append(UInt8(truncatingIfNeeded: scalar.value))
        case "\n": output.append(UInt8(ascii: "n"))
        case "\r": output.append(UInt8(ascii: "r"))
        case "\t": output.append(UInt8(ascii: "t"))
        case "\u{8}": output.append(UInt8(ascii: "b"))
        case "\u{C}": output.append(UInt8(ascii: "f"))
        case _ where scalar.value < 0x10000: appendUnit(scalar.value)
        default:
            appendUnit(0xD7C0 + scalar.value >> 10)
            output.append(UInt8(ascii: "\\"))
            appendUnit(0xDC00 + scalar.value & 0x3FF)
        }
    }

    /// The letter `u` and the four digits of a UTF-16 unit.
    private mutating func appendUnit(_ unit: UInt32) {
        output.append(UInt8(ascii: "u"))
        for shift in [12, 8, 4, 0] as [UInt32] {
            let digit = UInt8(truncatingIfNeeded: unit >> shift & 15)
            output.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
        }
    }
}
