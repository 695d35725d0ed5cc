import Foundation

/// An arithmetic operator of two operands.
enum ArithmeticOperator: String, Sendable {
    case add = "+"
    case subtract = "-"
    case multiply = "*"
    case divide = "/"
    case floorDivide = "//"
    case modulo = "%"
    case power = "**"
}

extension Interpreter {
    /// Python's `left + right` and its like.
    func calculate(_ left: Value, _ operation: ArithmeticOperator, _ right: Value) throws -> Value {
        if let left = Number(left), let right = Number(right) { return try operation.apply(left, right) }
        switch (operation, left, right) {
        case (.modulo, .string(let format), _): return .string(try percentFormat(format, right))
        case (_, .undefined(let undefined), _), (_, _, .undefined(let undefined)): throw undefined.error
        case (.add, .string(let left), .string(let right)): return .string(try join(left, right))
        case (.add, .list(let left), .list(let right)): return try list(joined(left.values, right.values))
        case (.add, .tuple(let left), .tuple(let right)): return try tuple(joined(left.values, right.values))
        case (.multiply, _, _):
            if let count = right.index, let product = try repeated(left, count) { return product }
            if let count = left.index, let product = try repeated(right, count) { return product }
        default: break
        }
        if left.isWide || right.isWide, Number(left) != nil || Number(right) != nil || left.isWide && right.isWide {
            throw ArithmeticOperator.tooWide
        }
        throw operation.mismatch(left, right)
    }

    /// Python's `-value`.
    func negate(_ value: Value) throws -> Value {
        switch value {
        case .undefined(let undefined): throw undefined.error
        case .float(let value): return .float(-value)
        default:
            guard let index = value.index else {
                throw TemplateError(.type, "bad operand type for unary -: '\(value.typeName)'")
            }
            return .int(try ArithmeticOperator.fitting(0.subtractingReportingOverflow(index)))
        }
    }

    /// Python's `+value`.
    func affirm(_ value: Value) throws -> Value {
        switch value {
        case .undefined(let undefined): throw undefined.error
        case .float: return value
        default:
            guard let index = value.index else {
                throw TemplateError(.type, "bad operand type for unary +: '\(value.typeName)'")
            }
            return .int(index)
        }
    }

    /// `left + right` of texts: where one is markup, the other is escaped.
    func join(_ left: Text, _ right: Text) throws -> Text {
        let isMarkup = left.isMarkup || right.isMarkup
        let left = isMarkup ? try escaped(left) : left
        let right = isMarkup ? try escaped(right) : right
        try charge(bytes: left.bytes.count + right.bytes.count)
        return Text(left.bytes + right.bytes, isMarkup: isMarkup)
    }

    private func joined(_ left: [Value], _ right: [Value]) throws -> [Value] {
        try checkItems(left.count + right.count)
        return left + right
    }

    private func repeated(_ value: Value, _ count: Int) throws -> Value? {
        let count = max(0, count)
        func repeated(_ values: [Value]) throws -> [Value] {
            let (total, overflow) = values.count.multipliedReportingOverflow(by: count)
            try checkItems(overflow ? .max : total)
            return Array(repeatElement(values, count: values.isEmpty ? 0 : count).joined())
        }
        switch value {
        case .string(let text):
            try charge(bytes: text.bytes.count, times: count)
            let bytes = Array(repeatElement(text.bytes, count: text.isEmpty ? 0 : count).joined())
            return .string(Text(bytes, isMarkup: text.isMarkup))
        case .list(let items): return try list(repeated(items.values))
        case .tuple(let items): return try tuple(repeated(items.values))
        default: return nil
        }
    }
}

extension Value {
    /// Whether this is an integer of more than 64 bits.
    var isWide: Bool {
        if case .object(let object) = self { return object is WideInteger }
        return false
    }
}

extension ArithmeticOperator {
    static let tooWide = TemplateError(.limit, "an integer of more than 64 bits")

    static func fitting(_ result: (partialValue: Int, overflow: Bool)) throws -> Int {
        guard !result.overflow else { throw tooWide }
        return result.partialValue
    }

    func mismatch(_ left: Value, _ right: Value) -> TemplateError {
        if self == .add {
            switch left {
            case .string, .list, .tuple:
                return TemplateError(
                    .type,
                    "can only concatenate \(left.typeName) (not \"\(right.typeName)\") to \(left.typeName)"
                )
            default: break
            }
        }
        if self == .multiply {
            for (sequence, other) in [(left, right), (right, left)] {
                switch sequence {
                case .string, .list, .tuple:
                    return TemplateError(.type, "can't multiply sequence by non-int of type '\(other.typeName)'")
                default: break
                }
            }
        }
        let sign = self == .power ? "** or pow()" : rawValue
        return TemplateError(
            .type,
            "unsupported operand type(s) for \(sign): '\(left.typeName)' and '\(right.typeName)'"
        )
    }

    func apply(_ left: Number, _ right: Number) throws -> Value {
        if case .int(let left) = left, case .int(let right) = right { return try apply(left, right) }
        return try .float(apply(left.double, right.double))
    }

    private func apply(_ left: Int, _ right: Int) throws -> Value {
        switch self {
        case .add: return .int(try Self.fitting(left.addingReportingOverflow(right)))
        case .subtract: return .int(try Self.fitting(left.subtractingReportingOverflow(right)))
        case .multiply: return .int(try Self.fitting(left.multipliedReportingOverflow(by: right)))
        case .divide:
            guard right != 0 else { throw TemplateError(.value, "division by zero") }
            return .float(Double(left) / Double(right))
        case .floorDivide:
            guard right != 0 else { throw TemplateError(.value, "integer division or modulo by zero") }
            let quotient = try Self.fitting(left.dividedReportingOverflow(by: right))
            return .int(left % right != 0 && (left < 0) != (right < 0) ? quotient - 1 : quotient)
        case .modulo:
            guard right != 0 else { throw TemplateError(.value, "integer modulo by zero") }
            if right == -1 { return .int(0) }
            let remainder = left % right
            return .int(remainder != 0 && (remainder < 0) != (right < 0) ? remainder + right : remainder)
        case .power:
            guard right >= 0 else {
                guard left != 0 else { throw TemplateError(.value, "0.0 cannot be raised to a negative power") }
                return .float(pow(Double(left), Double(right)))
            }
            return .int(try power(left, right))
        }
    }

    private func power(_ base: Int, _ exponent: Int) throws -> Int {
        if exponent == 0 || base == 1 { return 1 }
        if base == 0 { return 0 }
        if base == -1 { return exponent % 2 == 0 ? 1 : -1 }
        guard exponent < 64 else { throw Self.tooWide }
        var result = 1
        for _ in 0..<exponent { result = try Self.fitting(result.multipliedReportingOverflow(by: base)) }
        return result
    }

    private func apply(_ left: Double, _ right: Double) throws -> Double {
        switch self {
        case .add: return left + right
        case .subtract: return left - right
        case .multiply: return left * right
        case .divide:
            guard right != 0 else { throw TemplateError(.value, "float division by zero") }
            return left / right
        case .floorDivide:
            guard right != 0 else { throw TemplateError(.value, "float floor division by zero") }
            let (quotient, _) = Self.divided(left, right)
            return quotient
        case .modulo:
            guard right != 0 else { throw TemplateError(.value, "float modulo by zero") }
            let (_, remainder) = Self.divided(left, right)
            return remainder
        case .power:
            if left == 0, right < 0 { throw TemplateError(.value, "0.0 cannot be raised to a negative power") }
            if left < 0, left.isFinite, right.isFinite, right != right.rounded() {
                throw TemplateError(.type, "a complex number, which a template has no use for")
            }
            let result = pow(left, right)
            if result.isInfinite, left.isFinite, right.isFinite {
                throw TemplateError(.value, "(34, 'Numerical result out of range')")
            }
            return result
        }
    }

    /// Python's `divmod` of floats: the remainder has the sign of the divisor.
    private static func divided(_ left: Double, _ right: Double) -> (quotient: Double, remainder: Double) {
        var remainder = fmod(left, right)
        var quotient = (left - remainder) / right
        if remainder != 0 {
            if (right < 0) != (remainder < 0) {
                remainder += right
                quotient -= 1
            }
        } else {
            remainder = Double(signOf: right, magnitudeOf: 0)
        }
        guard quotient != 0 else { return (Double(signOf: left / right, magnitudeOf: 0), remainder) }
        let floor = quotient.rounded(.down)
        return (quotient - floor > 0.5 ? floor + 1 : floor, remainder)
    }
}
