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
    var depth = 0
    var openBars = 0
    /// Inside of a function's argument degrees are angles; elsewhere they are a unit.
    var functionDepth = 0

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

    func isMinus(_ sign: MathToken.Kind) -> Bool? {
        switch sign {
        case .plus: false
        case .minus: true
        case .plusMinus: plusMinusIsMinus
        case .minusPlus: !plusMinusIsMinus
        default: nil
        }
    }

    mutating func product() -> Expression? {
        guard var result = signed() else { return nil }
        while let token = next {
            // `20/hour`
            if token == .slash, isUnitWord(at: position + 1) { break }
            if token == .times || token == .slash {
                position += 1
                guard let factor = signed() else { return nil }
                result = token == .slash ? .quotient(result, factor) : Self.product(result, factor)
            } else if isLetterTimes {
                position += 1
                guard let factor = signed() else { return nil }
                result = Self.product(result, factor)
            } else if startsFactor(token), !isUnit(at: position) {
                // `2!3!` and `2^{3}5^{2}` are products; of other numbers side by side nothing is known.
                if case .number = token, !startsFigures(at: position) { return nil }
                guard let factor = power() else { return nil }
                result = Self.product(result, factor)
            } else {
                break
            }
        }
        return result
    }

    private func startsFigures(at index: Int) -> Bool {
        switch tokens[index - 1].kind {
        case .close(.group): true
        case .bang: index + 1 < end && tokens[index + 1].kind == .bang
        default: false
        }
    }

    /// Whether a word stands at an index that can only be a unit.
    private func isUnitWord(at index: Int) -> Bool {
        guard index < end, case .letters(let run) = tokens[index].kind else { return false }
        return run.utf8.count > 1 && (AnswerUnit.isAbbreviation(run) || run.utf8.count > 3 && isUnit(at: index))
    }

    static func product(_ left: Expression, _ right: Expression) -> Expression {
        if case .product(let parts) = left { return .product(parts + [right]) }
        return .product([left, right])
    }

    mutating func signed() -> Expression? {
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
            [.letters("x"), .word("x"), .letters("X"), .word("X")].contains(tokens[position].kind)
        else { return false }
        guard case .number = tokens[position - 1].kind, case .number = tokens[position + 1].kind else { return false }
        return true
    }

    // MARK: Powers

    mutating func power() -> Expression? {
        guard var base = primary() else { return nil }
        while let token = next {
            if token == .bang {
                position += 1
                base = .function(.factorial, [base])
            } else if token == .degree || token == .caret, case let start = position, acceptDegreeSign() {
                if isUnitDegree(behind: position) {
                    position = start
                    break
                }
                if functionDepth > 0 { base = .function(.degrees, [base]) }
            } else if token == .percent, position + 1 < end, !isUnit(at: position + 1) {
                // At the end, and before words, it is a unit, of which the comparison decides.
                position += 1
                base = .quotient(base, .number(ExactNumber(100)))
            } else if token == .caret {
                position += 1
                guard let exponent = exponent() else { return nil }
                base = .power(base, exponent)
            } else {
                break
            }
        }
        return base
    }

    /// `°`, `^\circ`, `^{\circ}`, and `^o` behind a number.
    mutating func acceptDegreeSign() -> Bool {
        if accept(.degree) { return true }
        guard next == .caret, position + 1 < end else { return false }
        if isDegreeSign(at: position + 1) {
            position += 2
            return true
        }
        guard tokens[position + 1].kind == .open(.group), position + 3 < end, isDegreeSign(at: position + 2),
            tokens[position + 3].kind == .close(.group)
        else { return false }
        position += 4
        return true
    }

    /// Whether a raised sign at an index is that of degrees; of a number that the caret stands behind, also the letter o.
    private func isDegreeSign(at index: Int) -> Bool {
        if tokens[index].kind == .degree { return true }
        guard tokens[index].kind == .letters("o") || tokens[index].kind == .word("o"), position > 0,
            case .number = tokens[position - 1].kind
        else {
            return false
        }
        return true
    }

    mutating func exponent() -> Expression? {
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

    func startsFactor(_ token: MathToken.Kind) -> Bool {
        switch token {
        case .number, .letters, .symbol, .constant, .function, .fraction, .root, .binomial, .accent: true
        case .begin(let name): name == MatrixEnvironments.determinant
        case .word(let word): word == "e" || word == "i"
        case .open(let bracket): bracket != .brace && bracket != .angle
        case .bar: openBars == 0
        default: false
        }
    }

    mutating func primary() -> Expression? {
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
        case .accent(let name): return argument().flatMap { Self.accented(name, $0) }
        case .open(let bracket): return group(bracket)
        case .begin(MatrixEnvironments.determinant):
            position -= 1
            return determinant()
        case .bar where position < end && isBegin(tokens[position].kind):
            return determinant().flatMap { accept(.bar) ? $0 : nil }
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

    mutating func group(_ bracket: Bracket) -> Expression? {
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
    mutating func number(_ text: Numeral) -> Expression? {
        guard let value = text.value, let expression = text.expression else { return nil }
        if next == .underscore { return based(text) }
        guard text.places == nil, text.exponent == 0, let part = mixedPart() else { return expression }
        return value.adding(part).map { .number($0) }
    }

    /// `1/2` after a blank, and `\frac{1}{2}`, of whole numbers, the first being the smaller one.
    mutating func mixedPart() -> ExactNumber? {
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

    static func properFraction(_ top: Numeral, _ bottom: Numeral) -> ExactNumber? {
        guard top.places == nil, bottom.places == nil, top.exponent == 0, bottom.exponent == 0, let a = top.value,
            let b = bottom.value, !a.isZero, let part = a.divided(by: b), part < .one
        else { return nil }
        return part
    }

    /// `1011_2`: a number in another base.
    mutating func based(_ text: Numeral) -> Expression? {
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

    mutating func root() -> Expression? {
        var degree = Expression.number(ExactNumber(2))
        if next == .open(.square), let close = tokens.closing(position..<end),
            case .close(.square) = tokens[close].kind, close + 1 < end
        {
            position += 1
            guard let inner = sum(), accept(.close(.square)) else { return nil }
            degree = inner
        }
        guard let radicand = rootArgument() else { return nil }
        return .function(.root, [degree, radicand])
    }

    /// `\sqrt12` is taken as √12: models write it so.
    mutating func rootArgument() -> Expression? {
        if case .number(let text) = next {
            position += 1
            return text.expression
        }
        return argument()
    }
}
