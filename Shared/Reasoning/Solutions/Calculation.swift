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

    /// Whether the claimed value is that of the expression, exactly or rounded to the places that it shows.
    ///
    /// Nil where either cannot be read.
    public var isCorrect: Bool? {
        guard let exact = Arithmetic.evaluate(expression), let claimed = Arithmetic.evaluate(value) else { return nil }
        return Calculation.agrees(claimed: claimed, text: value, exact: exact)
    }

    static func agrees(claimed: Rational, text: String, exact: Rational) -> Bool {
        if claimed == exact { return true }
        guard !exact.isWhole else { return false }
        let places = text.split(separator: ".", omittingEmptySubsequences: false).dropFirst().first.map {
            $0.prefix { $0.isNumber }.count
        }
        var tolerance = 0.500_001
        for _ in 0..<min(places ?? 0, 12) { tolerance /= 10 }
        // A whole claim for a fraction is a rounding only where it is the nearest whole number.
        return abs(claimed.doubleValue - exact.doubleValue) <= tolerance
    }
}

/// A calculation found in a line, with its place in the line's Unicode scalars.
///
package struct FoundCalculation: Sendable, Hashable {
    package var calculation: Calculation
    /// The expression, where it stands in the running text.
    package var expressionRange: Range<Int>
    /// The claimed value.
    package var valueRange: Range<Int>
    package var exact: Rational
}

/// Finds calculations in running text.
package enum CalculationScanner {
    /// Every `expression = value` in a line without calculator marks.
    ///
    /// Linear in the line's length.
    package static func scan(_ scalars: [Unicode.Scalar]) -> [FoundCalculation] {
        var found: [FoundCalculation] = []
        for (index, scalar) in scalars.enumerated() where scalar == "=" {
            guard let value = valueRange(scalars, after: index + 1),
                let expression = expressionRange(scalars, before: index),
                let exact = Arithmetic.evaluate(scalars[expression])
            else { continue }
            found.append(
                FoundCalculation(
                    calculation: Calculation(
                        expression: text(scalars[expression]),
                        value: text(scalars[value])
                    ),
                    expressionRange: expression,
                    valueRange: value,
                    exact: exact
                )
            )
        }
        return found
    }

    package static func scan(_ line: String) -> [FoundCalculation] { scan(Array(line.unicodeScalars)) }

    private static func text(_ slice: ArraySlice<Unicode.Scalar>) -> String {
        String(String.UnicodeScalarView(slice))
    }

    private static func isDigit(_ scalar: Unicode.Scalar) -> Bool { ("0"..."9").contains(scalar) }

    /// The number that follows, after blanks and a currency sign.
    ///
    private static func valueRange(_ scalars: [Unicode.Scalar], after start: Int) -> Range<Int>? {
        var position = start
        while position < scalars.count, scalars[position] == " " || scalars[position] == "$" { position += 1 }
        let first = position
        if position < scalars.count, scalars[position] == "-" { position += 1 }
        let digits = position
        while position < scalars.count, isDigit(scalars[position]) || ".,".unicodeScalars.contains(scalars[position]) {
            position += 1
        }
        while position > digits, !isDigit(scalars[position - 1]) { position -= 1 }
        guard position > digits else { return nil }
        // A number that an operator follows belongs to a longer expression (`a = b + c = d`).
        var next = position
        while next < scalars.count, scalars[next] == " " { next += 1 }
        if next + 1 < scalars.count, let sign = Arithmetic.operation(scalars[next]), scalars[next] != "x",
            scalars[next] != "X", sign != "-" || isDigit(scalars[next + 1]) || scalars[next + 1] == " "
        {
            let rest = scalars[(next + 1)...].drop { $0 == " " || $0 == "$" || $0 == "(" }
            if let scalar = rest.first, isDigit(scalar) { return nil }
        }
        return first..<position
    }

    /// The longest stretch before the sign that reads as an expression with an operator.
    private static func expressionRange(_ scalars: [Unicode.Scalar], before end: Int) -> Range<Int>? {
        var start = end
        var operators = 0
        while start > 0, end - start < Arithmetic.maximumLength {
            let scalar = scalars[start - 1]
            if isDigit(scalar) || " .,$%()".unicodeScalars.contains(scalar) {
                start -= 1
            } else if Arithmetic.operation(scalar) != nil {
                // An x inside a word is a letter.
                if scalar == "x" || scalar == "X", start >= 2, scalars[start - 2].properties.isAlphabetic { break }
                operators += 1
                start -= 1
            } else {
                break
            }
        }
        guard operators > 0 else { return nil }
        var last = end
        while last > start, scalars[last - 1] == " " { last -= 1 }
        // Leading punctuation of the sentence is not part of it: drop from the left until it reads.
        var tries = 0
        while start < last, tries < 40 {
            let scalar = scalars[start]
            if isDigit(scalar) || scalar == "(" || scalar == "-" || scalar == "$" || scalar == "." {
                let slice = scalars[start..<last]
                let signs = slice.dropFirst().filter { Arithmetic.operation($0) != nil }.count
                if signs == 0 { return nil }
                if Arithmetic.evaluate(slice) != nil { return start..<last }
            }
            start += 1
            tries += 1
        }
        return nil
    }
}
