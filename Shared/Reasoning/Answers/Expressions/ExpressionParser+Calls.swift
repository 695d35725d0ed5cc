extension ExpressionParser {
    /// A logarithm without a base is one of base 10, as in school; `\ln` is the natural one.
    mutating func call(_ name: FunctionName) -> Expression? {
        functionDepth += 1
        defer { functionDepth -= 1 }
        if name == .sqrt || name == .cbrt {
            return rootArgument().map { .function(.root, [.number(ExactNumber(name == .sqrt ? 2 : 3)), $0]) }
        }
        var base: Expression?
        if accept(.underscore) {
            base = argumentOrNumber()
            guard base != nil else { return nil }
        }
        var power: Expression?
        if accept(.caret) {
            power = exponent()
            guard power != nil else { return nil }
        }
        guard var result = applied(name, base: base) else { return nil }
        if let power {
            if power.exact == ExactNumber(-1), case .function(let function, let values) = result {
                guard let inverse = function.inverse else { return nil }
                result = .function(inverse, values)
            } else {
                result = .power(result, power)
            }
        }
        return result
    }

    mutating func argumentOrNumber() -> Expression? {
        if case .number(let text) = next {
            position += 1
            return text.expression
        }
        return argument()
    }

    mutating func applied(_ name: FunctionName, base: Expression?) -> Expression? {
        if let function = name.function, function.arity == nil {
            guard next == .open(.round) else { return nil }
            return arguments().map { .function(function, $0) }
        }
        guard let argument = unbracketedArgument() else { return nil }
        switch name {
        case .exp: return .power(.constant(.e), argument)
        case .log: return .function(.log, [base ?? .number(ExactNumber(10)), argument])
        case .lg: return .function(.log, [.number(ExactNumber(10)), argument])
        default: return name.function.map { .function($0, [argument]) }
        }
    }

    /// What a function without brackets is taken of: the factors up to the next sign or function.
    mutating func unbracketedArgument() -> Expression? {
        if case .open(let bracket) = next, bracket == .round || bracket == .square || bracket == .group {
            position += 1
            return group(bracket)
        }
        guard var result = power() else { return nil }
        while let token = next, startsFactor(token), !isUnit(at: position) {
            if case .function = token { break }
            if case .open = token { break }
            if case .number = token { return nil }
            guard let factor = power() else { return nil }
            result = Self.product(result, factor)
        }
        return result
    }
}

extension MathFunction {
    var inverse: MathFunction? {
        switch self {
        case .sin: .arcsin
        case .cos: .arccos
        case .tan: .arctan
        default: nil
        }
    }
}
