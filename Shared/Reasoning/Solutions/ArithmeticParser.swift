/// Works out an expression by recursive descent, in one of its readings.
///
/// Linear in the number of tokens; nil where the tokens are no whole expression, and where the value is no fraction of
/// 64-bit integers.
struct ArithmeticParser {
    private static let maximumDepth = 24
    private static let maximumTokens = 400

    private let tokens: [ArithmeticToken]
    private let reading: ArithmeticReading
    private var position = 0

    init(_ tokens: ArraySlice<ArithmeticToken>, reading: ArithmeticReading) {
        self.tokens = tokens.filter { $0.kind != .sign }
        self.reading = reading
    }

    /// The value of all tokens.
    mutating func whole() -> Rational? {
        guard tokens.count <= Self.maximumTokens, let value = sum(depth: 0), position == tokens.count else {
            return nil
        }
        return value
    }

    private func token(_ offset: Int = 0) -> ArithmeticToken? {
        position + offset < tokens.count ? tokens[position + offset] : nil
    }

    private func operation(_ offset: Int = 0) -> Character? {
        if case .operation(let sign)? = token(offset)?.kind { sign } else { nil }
    }

    private func number(_ offset: Int = 0) -> Rational? {
        if case .number(let value?)? = token(offset)?.kind { value } else { nil }
    }

    private mutating func sum(depth: Int) -> Rational? {
        guard depth < Self.maximumDepth, var value = product(depth: depth) else { return nil }
        while let sign = operation(), sign == "+" || sign == "-" {
            position += 1
            let isPercentage = reading.percent == .change && number() != nil && token(1)?.kind == .percent
            guard var right = product(depth: depth) else { return nil }
            if isPercentage {
                guard let change = value.multiplied(by: right) else { return nil }
                right = change
            }
            guard let result = sign == "+" ? value.adding(right) : value.subtracting(right) else { return nil }
            value = result
        }
        return value
    }

    private mutating func product(depth: Int) -> Rational? {
        guard var value = signed(depth: depth) else { return nil }
        while let token = token() {
            if let sign = operation(), sign == "*" || sign == "/" {
                position += 1
                guard let right = sign == "/" ? divisor(depth: depth) : signed(depth: depth),
                    let result = sign == "*" ? value.multiplied(by: right) : value.divided(by: right)
                else { return nil }
                value = result
            } else if isFactor(token) {
                guard let right = powered(depth: depth), let result = value.multiplied(by: right) else { return nil }
                value = result
            } else {
                break
            }
        }
        return value
    }

    /// Whether a token multiplies what it stands behind without a sign: `2(3)`, `(2)(3)`, `2√9`.
    private func isFactor(_ token: ArithmeticToken) -> Bool {
        guard position > 0, tokens[position - 1].endsValue else { return false }
        let isBehindBracket = tokens[position - 1].kind == .close
        switch token.kind {
        case .open: return !token.isSpaced || isBehindBracket
        case .root: return true
        case .fraction: return isBehindBracket
        case .number: return isBehindBracket && !token.isSpaced
        default: return false
        }
    }

    /// What stands behind a slash.
    private mutating func divisor(depth: Int) -> Rational? {
        if reading.joinsFractions, let top = number(), operation(1) == "/", let bottom = number(2), top < bottom,
            top == Rational(1) || token(1)?.isSpaced == false && token(2)?.isSpaced == false
        {
            position += 3
            return top.divided(by: bottom)
        }
        guard var value = signed(depth: depth) else { return nil }
        while reading.joinsProducts, let token = token(), isFactor(token) {
            guard let right = powered(depth: depth), let result = value.multiplied(by: right) else { return nil }
            value = result
        }
        return value
    }

    private mutating func signed(depth: Int) -> Rational? {
        guard depth < Self.maximumDepth else { return nil }
        guard let sign = operation(), sign == "+" || sign == "-" else { return powered(depth: depth) }
        position += 1
        if sign == "-", reading.joinsSigns, let base = number(), token(1)?.kind == .power {
            position += 1
            return exponentiated(Rational(0).subtracting(base), depth: depth)
        }
        guard let value = signed(depth: depth + 1) else { return nil }
        return sign == "-" ? Rational(0).subtracting(value) : value
    }

    private mutating func powered(depth: Int) -> Rational? { exponentiated(postfixed(depth: depth), depth: depth) }

    private mutating func exponentiated(_ base: Rational?, depth: Int) -> Rational? {
        guard let base else { return nil }
        guard token()?.kind == .power else { return base }
        position += 1
        guard let exponent = signed(depth: depth + 1), exponent.isWhole else { return nil }
        return base.power(exponent.numerator)
    }

    private mutating func postfixed(depth: Int) -> Rational? {
        guard var value = atom(depth: depth) else { return nil }
        while let kind = token()?.kind {
            switch kind {
            case .percent:
                guard reading.percent != .unit else { break }
                guard let part = value.divided(by: Rational(100)) else { return nil }
                value = part
            case .factorial:
                guard let product = Self.factorial(value) else { return nil }
                value = product
            case .raised(let exponent):
                guard let power = value.power(exponent) else { return nil }
                value = power
            default: return value
            }
            position += 1
        }
        return value
    }

    private static func factorial(_ value: Rational) -> Rational? {
        guard value.isWhole, (0...20).contains(value.numerator) else { return nil }
        return Rational((0..<value.numerator).reduce(1) { $0 * ($1 + 1) })
    }

    private mutating func atom(depth: Int) -> Rational? {
        guard depth < Self.maximumDepth, let token = token() else { return nil }
        switch token.kind {
        case .number(let value):
            position += 1
            if let thousands = thousands(token) { return mixed(thousands, depth: depth) }
            return value.flatMap { mixed($0, depth: depth) }
        case .open:
            position += 1
            guard let value = sum(depth: depth + 1), self.token()?.kind == .close else { return nil }
            position += 1
            return value
        case .root:
            position += 1
            return atom(depth: depth + 1)?.squareRoot
        case .fraction:
            position += 1
            guard let top = atom(depth: depth + 1), let bottom = atom(depth: depth + 1) else { return nil }
            return top.divided(by: bottom)
        default: return nil
        }
    }

    /// `80 000` and `1 234 567`, which begin with one to three figures.
    private mutating func thousands(_ first: ArithmeticToken) -> Rational? {
        guard first.range.count <= 3, case .number(let value?) = first.kind, value.isWhole else { return nil }
        var total = value.numerator
        var isJoined = false
        while let next = token(), next.isSpaced, let group = next.group, total < 1_000_000_000_000 {
            // `3 125/1000` is a mixed number.
            if let top = number(), operation(1) == "/", let bottom = number(2), top < bottom { break }
            total = total * 1000 + group
            isJoined = true
            position += 1
        }
        return isJoined ? Rational(total) : nil
    }

    /// A whole number with a fraction behind it is a mixed number: `1 1/2`, `1 and 1/2`, `1\frac{1}{2}`.
    private mutating func mixed(_ whole: Rational, depth: Int) -> Rational? {
        guard whole.isWhole, let next = token() else { return whole }
        switch next.kind {
        case .fraction:
            return atom(depth: depth + 1).flatMap(whole.adding)
        case .and:
            position += 1
            if token()?.kind == .open { return atom(depth: depth + 1).flatMap(whole.adding) }
            return fraction().flatMap(whole.adding)
        case .number where next.isSpaced:
            return fraction().map { whole.adding($0) } ?? whole
        default: return whole
        }
    }

    /// A proper fraction of two whole numbers.
    private mutating func fraction() -> Rational? {
        guard let top = number(), operation(1) == "/", let bottom = number(2), top.isWhole, bottom.isWhole, top < bottom
        else { return nil }
        position += 3
        return top.divided(by: bottom)
    }
}
