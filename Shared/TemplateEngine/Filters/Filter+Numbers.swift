import Foundation

extension Filter {
    /// Filters about numbers.
    static let numberFilters: [Filter] = [
        Filter("abs") { value, _, _ in
            switch value {
            case .float(let number): return .float(number.magnitude)
            default:
                guard let number = value.index else {
                    throw TemplateError(.type, "bad operand type for abs(): '\(value.typeName)'")
                }
                return .int(
                    try ArithmeticOperator.fitting(
                        number < 0 ? 0.subtractingReportingOverflow(number) : (number, false)
                    )
                )
            }
        },
        Filter("int", ["default", "base"]) { value, arguments, interpreter in
            let standard = arguments[0] ?? .int(0)
            switch value {
            case .undefined(let undefined): throw undefined.error
            case .int, .bool: return .int(value.index ?? 0)
            case .float(let number): return try IntegerReader.truncated(number) ?? standard
            case .string(let text):
                let base = arguments[1].map { $0.index } ?? 10
                if let base, let number = try IntegerReader.read(text, base: base) { return .int(number) }
                guard let number = FloatReader.read(text) else { return standard }
                return try IntegerReader.truncated(number) ?? standard
            default: return value.isWide ? value : standard
            }
        },
        Filter("float", ["default"]) { value, arguments, _ in
            if case .undefined(let undefined) = value { throw undefined.error }
            let number = Number(value)?.double ?? value.text.flatMap { FloatReader.read($0) }
            return number.map { .float($0) } ?? arguments[0] ?? .float(0)
        },
        Filter("round", ["precision", "method"]) { value, arguments, _ in
            try RoundFilter.apply(value, arguments)
        },
        Filter("filesizeformat", ["binary"]) { value, arguments, _ in
            if case .undefined(let undefined) = value { throw undefined.error }
            guard let bytes = Number(value)?.double ?? value.text.flatMap({ FloatReader.read($0) }) else {
                throw TemplateError(.type, "filesizeformat wants a number, not \(value.typeName)")
            }
            return .text(fileSize(bytes, isBinary: arguments.isTrue(0)))
        },
        Filter("random") { _, _, _ in
            throw TemplateError(.unsupported, "the filter random is left out: a prompt may not depend on chance")
        },
    ]

    private static func fileSize(_ bytes: Double, isBinary: Bool) -> String {
        let base: Double = isBinary ? 1024 : 1000
        if bytes == 1 { return "1 Byte" }
        // Zero is added so that none is negative.
        if bytes < base { return String(format: "%.0f Bytes", bytes.rounded(.towardZero) + 0) }
        var unit = base
        let prefixes = ["k", "M", "G", "T", "P", "E", "Z", "Y"]
        for (position, prefix) in prefixes.enumerated() {
            unit *= base
            if bytes < unit || position == prefixes.count - 1 {
                let name = isBinary ? prefix.uppercased() + "iB" : prefix + "B"
                return String(format: "%.1f ", base * bytes / unit) + name
            }
        }
        return ""
    }
}

/// The `round` filter.
private enum RoundFilter {
    static func apply(_ value: Value, _ arguments: Bound) throws -> Value {
        let method = try arguments.text(1, default: "common")
        guard ["common", "ceil", "floor"].contains(method) else {
            throw TemplateError(.type, "method must be common, ceil or floor")
        }
        if method == "common", arguments[0]?.isNone == true, case .float(let number) = value {
            guard let whole = try IntegerReader.truncated(number.rounded(.toNearestOrEven)) else {
                let name = FloatText.representation(number)
                throw TemplateError(.value, "cannot convert float \(name) to integer")
            }
            return whole
        }
        let precision = try arguments.optionalInteger(0) ?? 0
        guard let number = Number(value) else {
            throw TemplateError(.type, "type \(value.typeName) doesn't define __round__ method")
        }
        guard method != "common" else {
            switch number {
            case .int(let number): return .int(try NumberFormat.rounded(number, digits: precision))
            case .float(let number): return .float(try NumberFormat.rounded(number, digits: precision))
            }
        }
        let scale = try ArithmeticOperator.power.apply(.int(10), .int(precision))
        let scaled = try ArithmeticOperator.multiply.apply(number, Number(scale) ?? .int(1))
        let whole = (Number(scaled)?.double ?? 0).rounded(method == "ceil" ? .up : .down)
        guard whole.isFinite else { throw TemplateError(.value, "cannot convert float to integer") }
        return .float(whole / (Number(scale)?.double ?? 1))
    }
}

/// Python's `int(text, base)`.
enum IntegerReader {
    /// The integer that a text writes; nil where it writes none or there is no such base.
    static func read(_ text: Text, base: Int) throws -> Int? {
        guard base == 0 || (2...36).contains(base) else { return nil }
        let stripped = text.stripped(leading: true, trailing: true) { $0.isPythonSpace }
        var digits = Array(stripped.scalars)
        var isNegative = false
        if let sign = digits.first, sign == "-" || sign == "+" {
            isNegative = sign == "-"
            digits.removeFirst()
        }
        var radix = base == 0 ? 10 : base
        var hasPrefix = false
        for (mark, prefixed) in [("b", 2), ("o", 8), ("x", 16)] as [(Unicode.Scalar, Int)]
        where digits.count > 1 && digits[0] == "0" && Unicode.Scalar(digits[1].value | 0x20) == mark {
            guard base == 0 || base == prefixed else { continue }
            radix = prefixed
            hasPrefix = true
            digits.removeFirst(2)
            if digits.first == "_" { digits.removeFirst() }
        }
        if base == 0, !hasPrefix, digits.first == "0", digits.contains(where: { !["0", "_"].contains($0) }) {
            return nil
        }
        guard hasOnlySingleUnderscores(digits) else { return nil }
        var number = 0
        for digit in digits where digit != "_" {
            guard let value = value(of: digit), value < radix else { return nil }
            let shifted = try ArithmeticOperator.fitting(number.multipliedReportingOverflow(by: radix))
            number = try ArithmeticOperator.fitting(shifted.addingReportingOverflow(isNegative ? -value : value))
        }
        return number
    }

    private static func value(of digit: Unicode.Scalar) -> Int? {
        if digit.isPythonDecimal { return digit.properties.numericValue.map { Int($0) } }
        return Character(digit).hexDigitValue ?? (digit.isASCII ? letterValue(digit) : nil)
    }

    private static func letterValue(_ digit: Unicode.Scalar) -> Int? {
        let letter = digit.value | 0x20
        return (0x61...0x7A).contains(letter) ? Int(letter) - 0x61 + 10 : nil
    }

    /// Whether there are digits, and underscores only between two of them.
    static func hasOnlySingleUnderscores(_ digits: [Unicode.Scalar]) -> Bool {
        guard let first = digits.first, first != "_", digits.last != "_" else { return false }
        return !zip(digits, digits.dropFirst()).contains { $0 == "_" && $1 == "_" }
    }

    /// Python's `int` of a float; nil for what is no number.
    static func truncated(_ number: Double) throws -> Value? {
        guard number.isFinite else { return nil }
        guard let whole = Int(exactly: number.rounded(.towardZero)) else { throw ArithmeticOperator.tooWide }
        return .int(whole)
    }
}

/// Python's `float(text)`.
enum FloatReader {
    /// The number that a text writes; nil where it writes none.
    static func read(_ text: Text) -> Double? {
        let stripped = text.stripped(leading: true, trailing: true) { $0.isPythonSpace }
        var digits: [Unicode.Scalar] = []
        var previous: Unicode.Scalar?
        for scalar in stripped.scalars {
            let isDigit = scalar.isPythonDecimal
            if previous == "_", !isDigit { return nil }
            if scalar == "_" {
                guard let last = digits.last, ("0"..."9").contains(last) else { return nil }
            } else if isDigit, let value = scalar.properties.numericValue {
                digits += String(Int(value)).unicodeScalars
            } else {
                digits.append(scalar)
            }
            previous = scalar
        }
        guard previous != "_" else { return nil }
        let number = String(String.UnicodeScalarView(digits)).lowercased()
        let magnitude = number.hasPrefix("-") || number.hasPrefix("+") ? String(number.dropFirst()) : number
        switch magnitude {
        case "inf", "infinity": return number.hasPrefix("-") ? -.infinity : .infinity
        case "nan": return .nan
        default:
            // What Swift reads beyond Python's grammar: hexadecimal floats and other words.
            guard magnitude.utf8.allSatisfy({ (0x30...0x39).contains($0) || "+-.e".utf8.contains($0) }) else {
                return nil
            }
            if let value = Double(number) { return value }
            // Swift wants digits on both sides of the point.
            return completed(magnitude).flatMap { Double($0) }.map { number.hasPrefix("-") ? -$0 : $0 }
        }
    }

    private static func completed(_ magnitude: String) -> String? {
        let parts = magnitude.split(separator: "e", maxSplits: 1, omittingEmptySubsequences: false)
        let mantissa = parts[0].split(separator: ".", omittingEmptySubsequences: false)
        guard mantissa.count == 2, !(mantissa[0].isEmpty && mantissa[1].isEmpty) else { return nil }
        return (mantissa[0].isEmpty ? "0" : mantissa[0]) + "." + (mantissa[1].isEmpty ? "0" : mantissa[1])
            + (parts.count > 1 ? "e" + parts[1] : "")
    }
}
