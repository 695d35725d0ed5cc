import Reasoning

/// Tells a right chain in other ways: what makes repeated samples of a teacher differ.
enum Rewording {
    /// The chain with the operands of some sums and products swapped, each with the given chance.
    static func swapped(_ lines: [String], chance: Double, _ random: inout ReasoningRandom) -> [String] {
        lines.map { line in
            var scalars = Array(line.unicodeScalars)
            for found in CalculationScanner.scan(scalars).reversed() {
                // Only two operands: of more, a swap could change what is worked out first.
                let expression = scalars[found.expressionRange]
                let numbers = ChainRewriter.numberRanges(Array(expression)).map { range in
                    range.lowerBound + expression.startIndex..<range.upperBound + expression.startIndex
                }
                guard numbers.count == 2, random.chance(chance) else { continue }
                let between = expression[numbers[0].upperBound..<numbers[1].lowerBound]
                guard
                    between.filter({ $0 != " " }).elementsEqual("+".unicodeScalars)
                        || between.filter({ $0 != " " }).elementsEqual("*".unicodeScalars)
                else { continue }
                let swapped = Array(scalars[numbers[1]]) + Array(between) + Array(scalars[numbers[0]])
                scalars.replaceSubrange(numbers[0].lowerBound..<numbers[1].upperBound, with: swapped)
            }
            return String(String.UnicodeScalarView(scalars))
        }
    }
}
