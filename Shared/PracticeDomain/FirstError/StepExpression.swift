import Reasoning

/// An expression of a step: what it is made of, its value, and the value that the text states for it.
struct StepExpression: Hashable {
    let tree: ExpressionTree
    /// The exact value.
    let value: Rational
    /// The value that the text claims for it, where it claims one.
    let claim: Rational?
    /// The operations, inner ones first.
    let operations: [StepOperation]
    /// The numbers that stand in it.
    let operands: [Rational]

    /// Nil where the expression has no operation, or no value.
    init?(_ tree: ExpressionTree, claim: Rational?) {
        guard let value = tree.value(), let operations = tree.operations(), !operations.isEmpty else { return nil }
        self.tree = tree
        self.value = value
        self.claim = claim
        self.operations = operations
        operands = tree.operands
    }

    /// The same operations on the same numbers, in whatever order.
    struct Shape: Hashable {
        var signs: [Character]
        var operands: [Rational]
    }

    /// What an equal expression has in common with it.
    var shape: Shape { Shape(signs: operations.map(\.sign).sorted(), operands: operands.sorted()) }

    /// Whether the claim is not the value, even rounded to the places that it shows or as a percentage.
    var isMiscalculated: Bool {
        guard let claim, claim != value else { return false }
        let ratio = claim.doubleValue / value.doubleValue
        if abs(ratio - 100) <= 1e-9 || abs(ratio - 0.01) <= 1e-9 { return false }
        if value.isWhole { return true }
        var tolerance = 0.500_001
        var scaled = claim
        for _ in 0..<6 where !scaled.isWhole {
            guard let next = scaled.multiplied(by: Rational(10)) else { break }
            scaled = next
            tolerance /= 10
        }
        return abs(claim.doubleValue - value.doubleValue) > tolerance
    }

    /// The value and, where the text states another for it, that one.
    var statedValues: [Rational] {
        guard let claim, claim != value else { return [value] }
        return [value, claim]
    }
}
