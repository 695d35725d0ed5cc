/// The part of a replacement field after the colon: `[[fill]align][sign][z][#][0][width][grouping][.precision][type]`.
struct FormatSpecification {
    private(set) var fill: Text = " "
    private(set) var alignment: Unicode.Scalar?
    private(set) var sign: Unicode.Scalar = "-"
    private(set) var isAlternate = false
    /// Whether a zero stands before the width, which fills up numbers between their sign and digits.
    private(set) var isZeroPadded = false
    private(set) var width = 0
    private(set) var grouping: Unicode.Scalar?
    private(set) var precision: Int?
    private(set) var type: Unicode.Scalar?

    init(_ text: Text) throws {
        let scalars = Array(text.scalars)
        var position = 0
        func take(_ accepted: Set<Unicode.Scalar>) -> Unicode.Scalar? {
            guard position < scalars.count, accepted.contains(scalars[position]) else { return nil }
            position += 1
            return scalars[position - 1]
        }
        func number() throws -> Int? {
            var digits = ""
            while let digit = take(Set("0123456789".unicodeScalars)) { digits.unicodeScalars.append(digit) }
            if digits.isEmpty { return nil }
            guard let number = Int(digits) else {
                throw TemplateError(.value, "Too many decimal digits in format string")
            }
            return number
        }
        let alignments = Set("<>=^".unicodeScalars)
        if scalars.count > 1, alignments.contains(scalars[1]) {
            fill = Text(scalars: [scalars[0]])
            alignment = scalars[1]
            position = 2
        } else {
            alignment = take(alignments)
        }
        sign = take(["+", "-", " "]) ?? "-"
        _ = take(["z"])
        isAlternate = take(["#"]) != nil
        if alignments.isDisjoint(with: scalars.dropFirst().prefix(1)), take(["0"]) != nil {
            fill = "0"
            isZeroPadded = true
        }
        width = try number() ?? 0
        grouping = take([",", "_"])
        if take(["."]) != nil {
            precision = try number()
            if precision == nil { throw TemplateError(.value, "Format specifier missing precision") }
        }
        if position < scalars.count {
            type = scalars[position]
            position += 1
        }
        guard position == scalars.count else { throw TemplateError(.value, "Invalid format specifier") }
    }

    func unknownType(for value: Value) -> TemplateError {
        TemplateError(
            .value,
            "Unknown format code '\(type.map { String(Character($0)) } ?? "")' for object of type '\(value.typeName)'"
        )
    }
}

extension Interpreter {
    /// Python's `format(value, specification)`.
    func formatted(_ value: Value, _ specification: Text) throws -> Text {
        if specification.isEmpty { return try string(value) }
        switch value {
        case .string(let text): return try formatted(text, value, FormatSpecification(specification))
        case .int(let number): return try formatted(number, value, FormatSpecification(specification))
        case .bool(let flag): return try formatted(flag ? 1 : 0, value, FormatSpecification(specification))
        case .float(let number): return try formatted(number, value, FormatSpecification(specification))
        default:
            throw TemplateError(.type, "unsupported format string passed to \(value.typeName).__format__")
        }
    }

    private func formatted(_ text: Text, _ value: Value, _ format: FormatSpecification) throws -> Text {
        guard format.type == nil || format.type == "s" else { throw format.unknownType(for: value) }
        guard format.alignment != "=" else {
            throw TemplateError(.value, "'=' alignment not allowed in string format specifier")
        }
        guard format.sign == "-", !format.isAlternate else {
            throw TemplateError(.value, "Sign not allowed in string format specifier")
        }
        let shown = format.precision.map { text.slice(0..<min($0, text.count)) } ?? text
        return try aligned(Text(shown.bytes), prefix: "", format, standard: "<")
    }

    private func formatted(_ number: Int, _ value: Value, _ format: FormatSpecification) throws -> Text {
        let (radix, mark): (Int, String)
        switch format.type {
        case nil, "d", "n": (radix, mark) = (10, "")
        case "b": (radix, mark) = (2, "0b")
        case "o": (radix, mark) = (8, "0o")
        case "x": (radix, mark) = (16, "0x")
        case "X": (radix, mark) = (16, "0X")
        case "c":
            guard let scalar = UInt32(exactly: number).flatMap(Unicode.Scalar.init) else {
                throw TemplateError(.value, "%c arg not in range(0x110000)")
            }
            let standard: Unicode.Scalar = format.isZeroPadded ? "=" : "<"
            return try aligned(Text(scalars: [scalar]), prefix: "", format, standard: standard)
        case "e", "E", "f", "F", "g", "G", "%": return try formatted(Double(number), value, format)
        default: throw format.unknownType(for: value)
        }
        guard format.precision == nil else {
            throw TemplateError(.value, "Precision not allowed in integer format specifier")
        }
        let digits = NumberFormat.digits(number.magnitude, radix: radix, isUpper: format.type == "X")
        let prefix = Self.sign(number < 0, format.sign) + (format.isAlternate ? mark : "")
        return try numeric(digits, rest: "", prefix: prefix, format, groupSize: radix == 10 ? 3 : 4)
    }

    private func formatted(_ number: Double, _ value: Value, _ format: FormatSpecification) throws -> Text {
        var rest = ""
        let magnitude = number.magnitude
        let isNegative = number.sign == .minus && !number.isNaN
        let digits: String
        switch format.type {
        case nil where format.precision == nil: digits = FloatText.representation(magnitude)
        case nil:
            // Like `g`, but with a digit after the point.
            let general = try NumberFormat.digits(magnitude, style: "g", precision: max(1, format.precision ?? 6))
            digits = general.contains(where: { ".en".contains($0) }) ? general : general + ".0"
        case "e", "E", "f", "F", "g", "G":
            digits = try NumberFormat.digits(
                magnitude,
                style: format.type.map(Character.init) ?? "g",
                precision: format.precision ?? 6,
                isAlternate: format.isAlternate
            )
        case "n": digits = try NumberFormat.digits(magnitude, style: "g", precision: format.precision ?? 6)
        case "%":
            digits = try NumberFormat.digits(magnitude * 100, style: "f", precision: format.precision ?? 6)
            rest = "%"
        default: throw format.unknownType(for: value)
        }
        let whole = digits.prefix { $0.isNumber }
        return try numeric(
            String(whole),
            rest: digits.dropFirst(whole.count) + rest,
            prefix: Self.sign(isNegative, format.sign),
            format,
            groupSize: 3
        )
    }

    static func sign(_ isNegative: Bool, _ sign: Unicode.Scalar) -> String {
        isNegative ? "-" : sign == "-" ? "" : String(Character(sign))
    }

    private func numeric(
        _ digits: String,
        rest: String,
        prefix: String,
        _ format: FormatSpecification,
        groupSize: Int
    ) throws -> Text {
        let standard: Unicode.Scalar = format.isZeroPadded ? "=" : ">"
        guard let grouping = format.grouping else {
            return try aligned(Text(digits + rest), prefix: prefix, format, standard: standard)
        }
        var digits = digits
        if format.fill == "0", format.alignment ?? standard == "=" {
            // The zeros that fill up are grouped too.
            let room = format.width - prefix.count - rest.count
            try charge(bytes: max(0, room))
            var count = max(0, room) - max(0, room) / (groupSize + 1)
            if Self.groupedLength(count, groupSize) < room { count += 1 }
            digits = String(repeating: "0", count: max(0, count - digits.count)) + digits
        }
        let grouped = NumberFormat.grouped(digits, by: Character(grouping), size: groupSize)
        return try aligned(Text(grouped + rest), prefix: prefix, format, standard: standard)
    }

    private static func groupedLength(_ count: Int, _ size: Int) -> Int { count + (count - 1) / size }

    private func aligned(
        _ text: Text,
        prefix: String,
        _ format: FormatSpecification,
        standard: Unicode.Scalar
    ) throws -> Text {
        let prefixBytes = Array(prefix.utf8)
        let missing = max(0, format.width - prefixBytes.count - text.count)
        let left: Int
        switch format.alignment ?? standard {
        case "<": left = 0
        case "^": left = missing / 2
        case "=": return Text(prefixBytes + (try filling(format.fill, missing)) + text.bytes)
        default: left = missing
        }
        let before = try filling(format.fill, left)
        let after = try filling(format.fill, missing - left)
        return Text(before + prefixBytes + text.bytes + after)
    }
}
