/// Reads an expression from tokens by recursive descent.
///
/// What it cannot read it leaves where it is: a caller that does not find itself at the end takes the answer for text.
struct ExpressionParser {
    /// The deepest nesting that is read.
    static let maximumDepth = 48

    var tokens: [MathToken]
    var position: Int
    var end: Int
    /// What `\pm` stands for in this reading.
    let plusMinusIsMinus: Bool
    private var depth = 0
    private var openBars = 0
    /// Inside of a function's argument degrees are angles; elsewhere they are a unit.
    private var functionDepth = 0

    init(_ tokens: [MathToken], range: Range<Int>, plusMinusIsMinus: Bool = false) {
        self.tokens = tokens
        position = range.lowerBound
        end = range.upperBound
        self.plusMinusIsMinus = plusMinusIsMinus
    }

    var isAtEnd: Bool { position >= end }
    var next: MathToken.Kind? { position < end ? tokens[position].kind : nil }

    mutating func accept(_ kind: MathToken.Kind) -> Bool {
        guard next == kind else { return false }
        position += 1
        return true
    }

    // MARK: Sums and products

    mutating func sum() -> Expression? {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.maximumDepth, let first = product() else { return nil }
        var parts = [first]
        while let sign = next, let isMinus = isMinus(sign) {
            position += 1
            guard let part = product() else { return nil }
            parts.append(isMinus ? .negative(part) : part)
        }
        return parts.count == 1 ? first : .sum(parts)
    }

    private func isMinus(_ sign: MathToken.Kind) -> Bool? {
        switch sign {
        case .plus: false
        case .minus: true
        case .plusMinus: plusMinusIsMinus
        case .minusPlus: !plusMinusIsMinus
        default: nil
        }
    }

    private mutating func product() -> Expression? {
        guard var result = signed() else { return nil }
        while let token = next {
            if token == .times || token == .slash {
                position += 1
                guard let factor = signed() else { return nil }
                result = token == .slash ? .quotient(result, factor) : Self.product(result, factor)
            } else if isLetterTimes {
                position += 1
                guard let factor = signed() else { return nil }
                result = Self.product(result, factor)
            } else if startsFactor(token), !isUnit(at: position) {
                if case .number = token { return nil }
                guard let factor = power() else { return nil }
                result = Self.product(result, factor)
            } else {
                break
            }
        }
        return result
    }

    static func product(_ left: Expression, _ right: Expression) -> Expression {
        if case .product(let parts) = left { return .product(parts + [right]) }
        return .product([left, right])
    }

    private mutating func signed() -> Expression? {
        var isNegative = false
        while let sign = next, let isMinus = isMinus(sign) {
            if isMinus { isNegative.toggle() }
            position += 1
        }
        guard let value = power() else { return nil }
        return isNegative ? Self.negated(value) : value
    }

    /// A number keeps its sign, so that `-3` is a number.
    static func negated(_ value: Expression) -> Expression {
        switch value {
        case .number(let number): .number(number.negated)
        case .decimal(let number, let places): .decimal(number.negated, places: places)
        default: .negative(value)
        }
    }

    /// `3 x 4`: a letter that is a sign.
    private var isLetterTimes: Bool {
        guard position + 1 < end, position > 0,
            tokens[position].kind == .letters("x") || tokens[position].kind == .word("x")
        else { return false }
        guard case .number = tokens[position - 1].kind, case .number = tokens[position + 1].kind else { return false }
        return true
    }

    // MARK: Powers

    private mutating func power() -> Expression? {
        guard var base = primary() else { return nil }
        while let token = next {
            if token == .bang {
                position += 1
                base = .function(.factorial, [base])
            } else if token == .degree {
                position += 1
                if functionDepth > 0 { base = .function(.degrees, [base]) }
            } else if token == .percent, position + 1 < end {
                // At the end it is a unit, of which the comparison decides.
                position += 1
                base = .quotient(base, .number(ExactNumber(100)))
            } else if token == .caret {
                position += 1
                if acceptDegree() {
                    if functionDepth > 0 { base = .function(.degrees, [base]) }
                    continue
                }
                guard let exponent = exponent() else { return nil }
                base = .power(base, exponent)
            } else {
                break
            }
        }
        return base
    }

    /// `^\circ`, `^{\circ}`.
    private mutating func acceptDegree() -> Bool {
        if accept(.degree) { return true }
        if next == .open(.group), position + 2 < end, tokens[position + 1].kind == .degree,
            tokens[position + 2].kind == .close(.group)
        {
            position += 3
            return true
        }
        return false
    }

    private mutating func exponent() -> Expression? {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.maximumDepth else { return nil }
        if let sign = next, let isMinus = isMinus(sign) {
            position += 1
            return exponent().map { isMinus ? Self.negated($0) : $0 }
        }
        guard let base = primary() else { return nil }
        // 2^3^2 is 2^(3^2).
        guard accept(.caret) else { return base }
        return exponent().map { .power(base, $0) }
    }

    // MARK: Primaries

    private func startsFactor(_ token: MathToken.Kind) -> Bool {
        switch token {
        case .number, .letters, .symbol, .constant, .function, .fraction, .root, .binomial, .accent, .overline: true
        case .word(let word): word == "e" || word == "i"
        case .open(let bracket): bracket != .brace && bracket != .angle
        case .bar: openBars == 0
        default: false
        }
    }

    private mutating func primary() -> Expression? {
        depth += 1
        defer { depth -= 1 }
        guard depth <= Self.maximumDepth, let token = next else { return nil }
        position += 1
        switch token {
        case .number(let text): return number(text)
        case .letters(let run): return letters(run)
        case .word(let word) where word.utf8.count == 1 && tokens[position - 1].isText: return symbol(word)
        case .symbol(let name): return symbol(name)
        case .constant(let constant): return .constant(constant)
        case .function(let name): return call(name)
        case .fraction:
            guard let top = argument(), let bottom = argument() else { return nil }
            return .quotient(top, bottom)
        case .binomial:
            guard let n = argument(), let k = argument() else { return nil }
            return .function(.binomial, [n, k])
        case .root: return root()
        case .accent, .overline: return argument()
        case .open(let bracket): return group(bracket)
        case .bar:
            openBars += 1
            let inner = sum()
            openBars -= 1
            guard let inner, accept(.bar) else { return nil }
            return .function(.absolute, [inner])
        default:
            position -= 1
            return nil
        }
    }

    private mutating func group(_ bracket: Bracket) -> Expression? {
        let bars = openBars
        openBars = 0
        defer { openBars = bars }
        guard let inner = sum(), accept(.close(bracket)) else { return nil }
        switch bracket {
        case .floor: return .function(.floor, [inner])
        case .ceiling: return .function(.ceiling, [inner])
        case .round, .square, .group: return inner
        case .brace, .angle, .none, .bar: return nil
        }
    }

    /// A whole number before a fraction, or a base below it.
    private mutating func number(_ text: Numeral) -> Expression? {
        guard let value = text.value, let expression = text.expression else { return nil }
        if next == .underscore { return based(text) }
        guard text.places == nil, text.exponent == 0, let part = mixedPart() else { return expression }
        return value.adding(part).map { .number($0) }
    }

    /// `1/2` after a blank, and `\frac{1}{2}`, of whole numbers, the first being the smaller one.
    private mutating func mixedPart() -> ExactNumber? {
        let start = position
        if case .number(let top) = next, tokens[position].hasSpace, position + 2 < end,
            tokens[position + 1].kind == .slash, case .number(let bottom) = tokens[position + 2].kind,
            let part = Self.properFraction(top, bottom)
        {
            position += 3
            return part
        }
        if next == .fraction {
            position += 1
            if case .number(let top)? = argument(), case .number(let bottom)? = argument(), top.isWhole, bottom.isWhole,
                let part = top.divided(by: bottom), part < .one, .zero < part
            {
                return part
            }
            position = start
        }
        return nil
    }

    private static func properFraction(_ top: Numeral, _ bottom: Numeral) -> ExactNumber? {
        guard top.places == nil, bottom.places == nil, top.exponent == 0, bottom.exponent == 0, let a = top.value,
            let b = bottom.value, let part = a.divided(by: b), part < .one
        else { return nil }
        return part
    }

    /// `1011_2`: a number in another base.
    private mutating func based(_ text: Numeral) -> Expression? {
        guard text.places == nil, text.digits.utf8.count <= 400 else { return nil }
        position += 1
        guard let base = argument()?.exact?.int, (2...36).contains(base) else { return nil }
        var value = BigInteger.zero
        for byte in text.digits.utf8 {
            let digit = Int(byte) - 48
            guard digit < base else { return nil }
            value = value * BigInteger(base) + BigInteger(digit)
        }
        // Its digits alone are another number: 204 in base 5 is 54.
        return ExactNumber(value).map { .number($0) }
    }

    /// The argument of a LaTeX command: `{…}`, one digit or one letter.
    mutating func argument() -> Expression? {
        guard position < end else { return nil }
        switch tokens[position].kind {
        case .number(let text) where text.digits.utf8.count > 1 && text.places == nil && text.exponent == 0:
            var rest = text
            let first = String(rest.digits.removeFirst())
            tokens[position].kind = .number(rest)
            tokens[position].hasSpace = false
            return Numeral(digits: first).expression
        case .number(let text):
            position += 1
            return text.expression
        case .letters(let run) where run.unicodeScalars.count > 1:
            var rest = run
            let first = String(rest.removeFirst())
            tokens[position] = MathToken(kind: .letters(rest), hasSpace: false, isRest: true)
            return Self.letter(first)
        case .minus:
            position += 1
            return argument().map(Self.negated)
        default: return primary()
        }
    }

    private mutating func root() -> Expression? {
        var degree = Expression.number(ExactNumber(2))
        if next == .open(.square), let close = indexOfClose(from: position), case .close(.square) = tokens[close].kind,
            close + 1 < end
        {
            position += 1
            guard let inner = sum(), accept(.close(.square)) else { return nil }
            degree = inner
        }
        guard let radicand = rootArgument() else { return nil }
        return .function(.root, [degree, radicand])
    }

    /// `\sqrt12` is taken as √12: models write it so.
    private mutating func rootArgument() -> Expression? {
        if case .number(let text) = next {
            position += 1
            return text.expression
        }
        return argument()
    }

    /// Where the bracket at an index closes.
    func indexOfClose(from start: Int) -> Int? {
        var level = 0
        for index in start..<end {
            switch tokens[index].kind {
            case .open, .begin: level += 1
            case .close, .end:
                level -= 1
                if level == 0 { return index }
            default: break
            }
        }
        return nil
    }

    // MARK: Names

    private mutating func letters(_ run: String) -> Expression? {
        let isName = run.unicodeScalars.count == 1
        if isName { return symbol(run) }
        if run.allSatisfy({ $0.isUppercase }) { return symbol(run) }
        guard Self.isProduct(run) else {
            position -= 1
            return nil
        }
        // One letter now, the others as factors after it: in `ab^2` the power is b's.
        guard let first = run.first else { return nil }
        position -= 1
        tokens[position] = MathToken(kind: .letters(String(run.dropFirst())), hasSpace: false, isRest: true)
        return Self.letter(String(first))
    }

    /// Whether letters that stand together are variables rather than a word.
    static func isProduct(_ run: String) -> Bool {
        run.utf8.count <= 3 || run.utf8.count <= 5 && !run.contains { "aeiouAEIOU".contains($0) }
    }

    private static func letter(_ name: String) -> Expression {
        switch name {
        case "e": .constant(.e)
        case "i": .constant(.imaginaryUnit)
        default: .symbol(name)
        }
    }

    private mutating func symbol(_ start: String) -> Expression? {
        var name = start
        var isPlain = true
        while true {
            if accept(.prime) {
                name += "'"
                isPlain = false
            } else if next == .underscore {
                position += 1
                guard let index = subscriptText() else { return nil }
                name += "_" + index
                isPlain = false
            } else {
                break
            }
        }
        let isFunction = ["f", "g", "h", "F", "G", "H", "P"].contains(start)
        if isFunction, next == .open(.round), !tokens[position].hasSpace, let arguments = arguments() {
            return .application(name, arguments)
        }
        return isPlain ? Self.letter(name) : .symbol(name)
    }

    /// The tokens of a subscript as text.
    private mutating func subscriptText() -> String? {
        guard position < end else { return nil }
        if next != .open(.group) {
            defer { position += 1 }
            return MathText.of(tokens[position])
        }
        guard let close = indexOfClose(from: position) else { return nil }
        let text = tokens[position + 1..<close].map(MathText.of).joined()
        position = close + 1
        return text
    }

    /// `(a, b)`, left alone where it is no list of expressions.
    private mutating func arguments() -> [Expression]? {
        let start = position
        position += 1
        var result: [Expression] = []
        repeat {
            guard let part = sum() else {
                position = start
                return nil
            }
            result.append(part)
        } while accept(.comma)
        guard accept(.close(.round)) else {
            position = start
            return nil
        }
        return result
    }

    // MARK: Calls

    /// A logarithm without a base is one of base 10, as in school; `\ln` is the natural one.
    private mutating func call(_ name: FunctionName) -> Expression? {
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

    private mutating func argumentOrNumber() -> Expression? {
        if case .number(let text) = next {
            position += 1
            return text.expression
        }
        return argument()
    }

    private mutating func applied(_ name: FunctionName, base: Expression?) -> Expression? {
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
    private mutating func unbracketedArgument() -> Expression? {
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
