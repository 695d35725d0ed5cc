/// A calculation as it stands in a text: an expression and the value that is claimed for it.
public struct Calculation: Sendable, Hashable, Codable {
    /// The expression as written, such as `12 x 3`.
    public var expression: String
    /// The claimed value as written.
    public var value: String

    /// Makes a calculation.
    public init(expression: String, value: String) {
        self.expression = expression
        self.value = value
    }

    /// Whether the claimed value is that of the expression, exactly or rounded to the places that it shows, in one of the
    /// ways in which both may be meant.
    ///
    /// Nil where either cannot be read whole.
    public var isCorrect: Bool? {
        let exact = Arithmetic.readings(expression)
        guard !exact.isEmpty, let claim = Claim(value) else { return nil }
        return exact.contains { claim.agrees(with: $0) }
    }
}

/// A claimed value.
private struct Claim {
    /// What it may mean, a percent sign left out.
    private let values: [Rational]
    private let isPercentage: Bool
    /// The decimal places that it shows; nil where it is an expression, which is never rounded.
    private let places: Int?

    /// Nil where it cannot be read.
    init?(_ text: String) {
        let scalars = text.scalarArray
        guard scalars.count <= Arithmetic.maximumLength else { return nil }
        var tokens = ArithmeticTokenizer.tokens(scalars[...])[...]
        isPercentage = tokens.last?.kind == .percent && tokens.count { $0.kind == .percent } == 1
        if isPercentage { tokens.removeLast() }
        values = Arithmetic.readings(tokens)
        guard !values.isEmpty else { return nil }
        let isNumber = tokens.dropFirst().allSatisfy { $0.isNumber }
        places = isNumber ? Self.places(in: scalars[...]) : nil
    }

    private static func places(in text: ArraySlice<Unicode.Scalar>) -> Int {
        guard let point = text.lastIndex(of: ".") ?? decimalComma(in: text) else { return 0 }
        return text[(point + 1)...].prefix { ArithmeticTokenizer.isDigit($0) }.count
    }

    /// The comma of `0,25`.
    private static func decimalComma(in text: ArraySlice<Unicode.Scalar>) -> Int? {
        text.firstIndex(of: ",").flatMap { $0 > 0 && text[$0 - 1] == "0" && $0 < 3 ? $0 : nil }
    }

    func agrees(with exact: Rational) -> Bool {
        values.contains { value in
            if isRounding(value, of: exact) { return true }
            guard isPercentage, let part = exact.multiplied(by: Rational(100)) else { return false }
            return isRounding(value, of: part)
        }
    }

    private func isRounding(_ value: Rational, of exact: Rational) -> Bool {
        if value == exact { return true }
        guard let places, !exact.isWhole else { return false }
        // Nothing is not what a share is rounded to.
        if places == 0, value == Rational(0) { return false }
        var tolerance = 0.500_001
        for _ in 0..<min(places, 12) { tolerance /= 10 }
        return abs(value.doubleValue - exact.doubleValue) <= tolerance
    }
}
