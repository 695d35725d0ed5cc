import Reasoning

/// Quantities on other ways to the same results: the terms and factors of each result, taken apart through the results
/// before it and put together otherwise.
///
/// These are sums of some of the terms, products of some of the factors, what is left of two terms when a factor that
/// they share is taken out, and a product with one of its factors, where that is a sum, replaced by a term of it.
struct QuantityReordering {
    /// The most terms or factors of a result that are put together in all ways.
    private static let most = 7
    private static let depth = 4
    private static let innerDepth = 3

    /// Without their sign.
    private(set) var quantities: Set<QuantityFingerprint> = []
    private let definitions: [QuantityFingerprint: ReferenceGraph.Definition]

    init(_ definitions: [QuantityFingerprint: ReferenceGraph.Definition]) {
        self.definitions = definitions
        for (result, definition) in definitions {
            if QuantityReordering.isSum(definition) { addSums(of: result) } else { addProducts(of: result) }
        }
    }

    private static func isSum(_ definition: ReferenceGraph.Definition) -> Bool {
        definition.sign == "+" || definition.sign == "-"
    }

    private func terms(_ quantity: QuantityFingerprint, isPlus: Bool, depth: Int) -> [QuantityFingerprint] {
        if depth > 0, let definition = definitions[quantity], QuantityReordering.isSum(definition) {
            return terms(definition.left, isPlus: isPlus, depth: depth - 1)
                + terms(definition.right, isPlus: definition.sign == "+" ? isPlus : !isPlus, depth: depth - 1)
        }
        return [isPlus ? quantity : quantity.negated]
    }

    private struct Factor: Hashable {
        var quantity: QuantityFingerprint
        var isAbove: Bool
        /// What it multiplies with.
        var multiplier: QuantityFingerprint
    }

    private func factors(_ quantity: QuantityFingerprint, isAbove: Bool, depth: Int) -> [Factor] {
        if depth > 0, let definition = definitions[quantity], !QuantityReordering.isSum(definition) {
            return factors(definition.left, isAbove: isAbove, depth: depth - 1)
                + factors(definition.right, isAbove: definition.sign == "*" ? isAbove : !isAbove, depth: depth - 1)
        }
        return [Factor(quantity: quantity, isAbove: isAbove, multiplier: isAbove ? quantity : quantity.inverse)]
    }

    private mutating func add(_ quantity: QuantityFingerprint) { quantities.insert(quantity.magnitude) }

    private mutating func addSums(of result: QuantityFingerprint) {
        let terms = self.terms(result, isPlus: true, depth: QuantityReordering.depth).prefix(QuantityReordering.most)
        for chosen in 1..<(1 << terms.count) {
            var sum = QuantityFingerprint.zero
            for (index, term) in terms.enumerated() where chosen >> index & 1 == 1 { sum = sum + term }
            add(sum)
        }
        let split = terms.map { term in
            Set(factors(term, isAbove: true, depth: QuantityReordering.innerDepth))
                .union(factors(term.negated, isAbove: true, depth: QuantityReordering.innerDepth))
        }
        for first in split.indices {
            for second in split.indices where second > first {
                for common in split[first].intersection(split[second]) where common.quantity != .zero {
                    let without = common.isAbove ? common.quantity.inverse : common.quantity
                    add((terms[first] + terms[second]) * without)
                    add((terms[first] - terms[second]) * without)
                }
            }
        }
    }

    private mutating func addProducts(of result: QuantityFingerprint) {
        let factors = self.factors(result, isAbove: true, depth: QuantityReordering.depth).prefix(
            QuantityReordering.most
        )
        for chosen in 1..<(1 << factors.count) {
            var product = QuantityFingerprint.one
            for (index, factor) in factors.enumerated() where chosen >> index & 1 == 1 {
                product = product * factor.multiplier
            }
            add(product)
            add(product.inverse)
        }
        for factor in factors where factor.quantity != .zero {
            guard let definition = definitions[factor.quantity], QuantityReordering.isSum(definition) else { continue }
            let rest = result * (factor.isAbove ? factor.quantity.inverse : factor.quantity)
            for part in terms(factor.quantity, isPlus: true, depth: QuantityReordering.innerDepth) {
                add(factor.isAbove ? rest * part : rest * part.inverse)
            }
        }
    }
}
