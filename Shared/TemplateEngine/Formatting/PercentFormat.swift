extension Interpreter {
    /// Python's `format % arguments`.
    func percentFormat(_ format: Text, _ arguments: Value) throws -> Text {
        var formatter = PercentFormatter(self, format, arguments)
        return try formatter.text()
    }
}

/// One use of the `%` operator on a text.
private struct PercentFormatter {
    private let interpreter: Interpreter
    private let format: Text
    private let arguments: Value
    private let values: [Value]
    private let isMapping: Bool
    private var used = 0
    private var usesMapping = false
    private var scalars: [Unicode.Scalar]
    private var position = 0

    init(_ interpreter: Interpreter, _ format: Text, _ arguments: Value) {
        self.interpreter = interpreter
        self.format = format
        self.arguments = arguments
        scalars = Array(format.scalars)
        if case .tuple(let items) = arguments {
            values = items.values
            isMapping = false
        } else {
            values = [arguments]
            switch arguments {
            case .list, .dict, .undefined: isMapping = true
            case .object(let object): isMapping = object.isSequence
            default: isMapping = false
            }
        }
    }

    mutating func text() throws -> Text {
        var output: [UInt8] = []
        try interpreter.work(bytes: 4 * format.bytes.count)
        while position < scalars.count {
            let scalar = scalars[position]
            position += 1
            if scalar == "%" {
                output += try conversion()
                guard output.count <= interpreter.limits.valueBytes else { throw interpreter.tooLong }
            } else {
                output.append(scalar)
            }
        }
        guard used == values.count || isMapping || usesMapping else {
            throw TemplateError(.type, "not all arguments converted during string formatting")
        }
        try interpreter.charge(bytes: output.count)
        return Text(output, isMarkup: format.isMarkup)
    }

    private mutating func next() throws -> Value {
        guard used < values.count else {
            throw TemplateError(.type, "not enough arguments for format string")
        }
        used += 1
        return values[used - 1]
    }

    private mutating func take(_ accepted: Set<Unicode.Scalar>) -> Unicode.Scalar? {
        guard position < scalars.count, accepted.contains(scalars[position]) else { return nil }
        position += 1
        return scalars[position - 1]
    }

    private mutating func number() throws -> Int? {
        if take(["*"]) != nil {
            guard case .int(let value) = try next() else { throw TemplateError(.type, "* wants int") }
            return value
        }
        var digits = ""
        while let digit = take(Set("0123456789".unicodeScalars)) { digits.unicodeScalars.append(digit) }
        if digits.isEmpty { return nil }
        guard let number = Int(digits) else { throw TemplateError(.value, "width too big") }
        return number
    }

    /// The text in parentheses after the percent sign, which may hold parentheses itself.
    private mutating func key() throws -> Text? {
        guard take(["("]) != nil else { return nil }
        let start = position
        var depth = 1
        while position < scalars.count {
            if scalars[position] == "(" { depth += 1 }
            if scalars[position] == ")" { depth -= 1 }
            position += 1
            if depth == 0 { return Text(scalars: scalars[start..<position - 1]) }
        }
        throw TemplateError(.value, "incomplete format key")
    }

    private mutating func conversion() throws -> [UInt8] {
        var keyed: Value?
        if let key = try key() {
            guard isMapping else { throw TemplateError(.type, "format requires a mapping") }
            usesMapping = true
            keyed = try member(key)
        }
        var flags: Set<Unicode.Scalar> = []
        while let flag = take(["-", "+", " ", "#", "0"]) { flags.insert(flag) }
        var width = try number() ?? 0
        if width < 0 {
            flags.insert("-")
            width = width == .min ? .max : -width
        }
        var precision: Int?
        if take(["."]) != nil { precision = max(0, try number() ?? 0) }
        while take(["h", "l", "L"]) != nil {}
        guard position < scalars.count else { throw TemplateError(.value, "incomplete format") }
        let type = scalars[position]
        position += 1
        if type == "%" { return Array("%".utf8) }
        let value = try keyed ?? next()
        let (prefix, text) = try converted(value, type, flags, precision)
        let missing = max(0, width - prefix.utf8.count - text.count)
        if flags.contains("-") {
            return Array(prefix.utf8) + text.bytes + (try interpreter.filling(" ", missing))
        }
        if flags.contains("0"), !["s", "r", "a", "c"].contains(type) {
            return Array(prefix.utf8) + (try interpreter.filling("0", missing)) + text.bytes
        }
        return try interpreter.filling(" ", missing) + prefix.utf8 + text.bytes
    }

    private func member(_ key: Text) throws -> Value {
        switch arguments {
        case .undefined(let undefined): throw undefined.error
        case .dict(let dictionary):
            if let value = dictionary.members.value(for: key.bytes) { return value }
        default: throw TemplateError(.type, "\(arguments.typeName) indices must be integers or slices, not str")
        }
        throw TemplateError(.value, key.quoted.string)
    }

    private func converted(
        _ value: Value,
        _ type: Unicode.Scalar,
        _ flags: Set<Unicode.Scalar>,
        _ precision: Int?
    ) throws -> (prefix: String, text: Text) {
        switch type {
        case "s", "r", "a":
            var text = type == "s" ? try interpreter.softString(value) : try interpreter.representation(value)
            if type == "a" {
                text = Text(
                    text.scalars.flatMap {
                        $0.isASCII ? [UInt8($0.value)] : Array(Text.escape($0, shortest: true).utf8)
                    }
                )
            }
            if format.isMarkup { text = try interpreter.escaped(text) }
            return ("", precision.map { text.slice(0..<min($0, text.count)) } ?? text)
        case "c": return ("", try character(value))
        case "d", "i", "u", "o", "x", "X": return try integer(value, type, flags, precision)
        case "e", "E", "f", "F", "g", "G": return try float(value, type, flags, precision)
        default:
            let code = String(type.value, radix: 16)
            throw TemplateError(
                .value,
                "unsupported format character '\(Character(type))' (0x\(code)) at index \(position - 1)"
            )
        }
    }

    private func sign(_ isNegative: Bool, _ flags: Set<Unicode.Scalar>) -> String {
        Interpreter.sign(isNegative, flags.contains("+") ? "+" : flags.contains(" ") ? " " : "-")
    }

    private func character(_ value: Value) throws -> Text {
        if case .string(let text) = value, text.count == 1 { return text }
        guard let index = value.index else { throw TemplateError(.type, "%c requires int or char") }
        guard let scalar = UInt32(exactly: index).flatMap(Unicode.Scalar.init) else {
            throw TemplateError(.value, "%c arg not in range(0x110000)")
        }
        return Text(scalars: [scalar])
    }

    private func integer(
        _ value: Value,
        _ type: Unicode.Scalar,
        _ flags: Set<Unicode.Scalar>,
        _ precision: Int?
    ) throws -> (prefix: String, text: Text) {
        let isDecimal = type == "d" || type == "i" || type == "u"
        let number: Int
        switch value {
        case .float(let float) where isDecimal:
            guard let whole = Int(exactly: float.rounded(.towardZero)) else {
                throw float.isFinite
                    ? ArithmeticOperator.tooWide
                    : TemplateError(.value, "cannot convert float \(FloatText.representation(float)) to integer")
            }
            number = whole
        case .undefined(let undefined): throw undefined.error
        default:
            guard let index = value.index else {
                throw TemplateError(
                    .type,
                    isDecimal
                        ? "%\(Character(type)) format: a real number is required, not \(value.typeName)"
                        : "%\(Character(type)) format: an integer is required, not \(value.typeName)"
                )
            }
            number = index
        }
        let (radix, mark) = isDecimal ? (10, "") : type == "o" ? (8, "0o") : (16, "0\(Character(type))")
        var digits = NumberFormat.digits(number.magnitude, radix: radix, isUpper: type == "X")
        if let precision, precision > digits.utf8.count {
            try interpreter.charge(bytes: precision)
            digits = String(repeating: "0", count: precision - digits.utf8.count) + digits
        }
        return (sign(number < 0, flags) + (flags.contains("#") ? mark : ""), Text(digits))
    }

    private func float(
        _ value: Value,
        _ type: Unicode.Scalar,
        _ flags: Set<Unicode.Scalar>,
        _ precision: Int?
    ) throws -> (prefix: String, text: Text) {
        if case .undefined(let undefined) = value { throw undefined.error }
        guard let number = Number(value)?.double else {
            throw TemplateError(.type, "must be real number, not \(value.typeName)")
        }
        let digits = try NumberFormat.digits(
            number.magnitude,
            style: Character(type),
            precision: precision ?? 6,
            isAlternate: flags.contains("#")
        )
        return (sign(number.sign == .minus && !number.isNaN, flags), Text(digits))
    }
}
