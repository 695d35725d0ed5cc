/// A calculation found in a line, with its place in the line's Unicode scalars.
package struct FoundCalculation: Sendable, Hashable {
    package var calculation: Calculation
    /// The expression, where it stands in the running text.
    package var expressionRange: Range<Int>
    /// The claimed value.
    package var valueRange: Range<Int>
    /// The expression's value, in its plain reading.
    package var exact: Rational
    /// Whether it is right, or wrong whatever stands beside it.
    package var isSure = false
}

/// Finds calculations in running text.
///
/// What is wrong is so for sure only where nothing beside it can change what is meant: a variable, an operator before a word,
/// a unit that is converted, a remainder.
package enum CalculationScanner {
    /// Every `expression = value` in a line without calculator marks.
    ///
    /// Linear in the line's length.
    package static func scan(_ scalars: [Unicode.Scalar]) -> [FoundCalculation] {
        guard scalars.contains("=") else { return [] }
        let line = ArithmeticLine(scalars)
        return line.tokens.indices.compactMap { line.tokens[$0].kind == .equals ? find(in: line, at: $0) : nil }
    }

    package static func scan(_ line: String) -> [FoundCalculation] { scan(Array(line.unicodeScalars)) }

    private static func find(in line: ArithmeticLine, at equals: Int) -> FoundCalculation? {
        guard let value = ClaimedValue(line, after: equals), let expression = ClaimedExpression(line, before: equals)
        else { return nil }
        for start in expression.starts {
            for claim in value.readings {
                if var found = line.calculation(start..<expression.end, claim), found.calculation.isCorrect == true {
                    found.isSure = true
                    return found
                }
            }
        }
        if let wrong = surelyWrong(line, expression, value) { return wrong }
        guard let claim = value.readings.first else { return nil }
        return expression.starts.lazy.compactMap { line.calculation($0..<expression.end, claim) }.first
    }

    /// A calculation that is read whole, means what it says, and is wrong.
    private static func surelyWrong(
        _ line: ArithmeticLine,
        _ expression: ClaimedExpression,
        _ value: ClaimedValue
    ) -> FoundCalculation? {
        guard expression.isWhole, value.isWhole, !line.isOtherArithmetic, let start = expression.starts.first,
            let claim = value.readings.last, var found = line.calculation(start..<expression.end, claim),
            found.calculation.isCorrect == false, let stated = Arithmetic.readings(found.calculation.value).first,
            !line.isShare(start..<expression.end, of: stated), !line.isRounded(start..<expression.end, to: found.exact),
            !UnitConversion.mayExplain(stated, of: found.exact, unit: value.unit, inLine: line.words)
        else { return nil }
        found.isSure = true
        return found
    }
}

/// A line cut into tokens.
struct ArithmeticLine {
    let scalars: [Unicode.Scalar]
    let tokens: [ArithmeticToken]
    /// Its words in lower case.
    let words: Set<String>

    init(_ scalars: [Unicode.Scalar]) {
        self.scalars = scalars
        tokens = ArithmeticTokenizer.tokens(scalars[...])
        words = Set(tokens.compactMap { if case .word(let word) = $0.kind { word } else { nil } })
    }

    func kind(_ index: Int) -> ArithmeticToken.Kind? { tokens.indices.contains(index) ? tokens[index].kind : nil }

    /// Whether it speaks of remainders or of another base, where plain arithmetic does not hold.
    var isOtherArithmetic: Bool {
        !words.isDisjoint(with: ["mod", "modulo", "modulus", "base", "binary", "octal", "hexadecimal", "congruent"])
    }

    /// The calculation that two stretches of tokens are; nil where the expression calculates nothing or has no value.
    func calculation(_ expression: Range<Int>, _ value: Range<Int>) -> FoundCalculation? {
        guard calculates(expression) else { return nil }
        let place = range(expression)
        guard place.count <= Arithmetic.maximumLength else { return nil }
        let text = text(place)
        guard let exact = Arithmetic.readings(text).first else { return nil }
        let valuePlace = range(value.drop { tokens[$0].kind == .sign })
        return FoundCalculation(
            calculation: Calculation(expression: text, value: self.text(valuePlace)),
            expressionRange: place,
            valueRange: valuePlace,
            exact: exact
        )
    }

    /// Whether there is something to work out: an operator that is no number's sign, or a product without one.
    private func calculates(_ expression: Range<Int>) -> Bool {
        expression.dropFirst().contains { index in
            switch tokens[index].kind {
            case .operation, .power, .raised, .factorial: true
            case .open, .root, .fraction: tokens[index - 1].endsValue
            default: false
            }
        } || expression.first.map { [.root, .fraction].contains(tokens[$0].kind) } == true
    }

    /// Whether a fraction alone is set equal to a whole number: `3/4 = 45 minutes` says what the share is of something.
    func isShare(_ expression: Range<Int>, of value: Rational) -> Bool {
        let signs = tokens[expression].filter(\.isOperation)
        guard value.isWhole, value > Rational(1), signs.count == 1, signs.first?.kind == .operation("/") else {
            return false
        }
        let numbers = tokens[expression].filter(\.isNumber).suffix(2).compactMap { token -> Rational? in
            if case .number(let value) = token.kind { value } else { nil }
        }
        // `8/24 = 3` is a division the wrong way round.
        guard numbers.count == 2, let inverse = numbers[1].divided(by: numbers[0]) else { return false }
        return numbers[0] < numbers[1] && numbers[1] <= Rational(12) && inverse != value
    }

    /// Whether the line speaks of the remainder of a division, or of rounding what is no whole number.
    func isRounded(_ expression: Range<Int>, to exact: Rational) -> Bool {
        guard !exact.isWhole else { return false }
        let signs = tokens[expression].filter(\.isOperation)
        let divides = signs.allSatisfy { $0.kind == .operation("/") }
        return !words.isDisjoint(with: ArithmeticWords.roundings)
            || divides && !words.isDisjoint(with: ArithmeticWords.remainders)
    }

    private func range(_ part: some Collection<Int>) -> Range<Int> {
        guard let first = part.first, let last = part.suffix(1).first else { return 0..<0 }
        return tokens[first].range.lowerBound..<tokens[last].range.upperBound
    }

    private func text(_ range: Range<Int>) -> String { String(scalars: scalars[range]) }
}
