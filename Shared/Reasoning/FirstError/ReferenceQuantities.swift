/// The quantities of a problem and its reference solution, and what can be made of them on other ways to the answer.
struct ReferenceQuantities {
    /// Numbers of the question.
    let asked: Set<Rational>
    /// Numbers of the question and of the solution.
    let known: Set<Rational>
    /// Results of the solution's calculations, and the answer.
    let results: Set<Rational>
    /// The final answer.
    let answer: Rational?
    /// Values of other ways to the same results: sums of some of the terms, products of some of the factors, and
    /// what is left when a common factor is taken out.
    let reordered: Set<Rational>
    /// The solution's calculations as they stand.
    let shapes: Set<StepExpression.Shape>
    /// For two operands, the signs that the solution puts between them.
    let signs: [Set<Rational>: Set<Character>]
    /// The words of the lines that reach a value.
    let wordsOfResult: [Rational: Set<String>]
    /// The units that question or solution calls something per.
    let ratedUnits: Set<String>

    init(question: String, reference: String) {
        let questionText = StepText(question)
        let lines = reference.split(whereSeparator: \.isNewline).map(String.init).filter { !$0.trimmed.isEmpty }
        let texts = lines.prefix(WorkedSolution.maximumSteps).map { StepText($0) }
        asked = Set(questionText.numbers)
        let calculations = texts.flatMap(\.calculations)
        answer = AnswerExtraction.extract(reference).flatMap { StepText($0).numbers.last } ?? texts.last?.numbers.last
        var known = asked
        var results: Set<Rational> = []
        for text in texts { known.formUnion(text.numbers) }
        for calculation in calculations {
            results.formUnion(calculation.operations.map(\.result))
            if let claim = calculation.claim { results.insert(claim) }
        }
        if let answer { results.insert(answer) }
        self.known = known.union(results)
        self.results = results
        shapes = Set(calculations.map(\.shape))
        var signs: [Set<Rational>: Set<Character>] = [:]
        for operation in calculations.flatMap(\.operations) {
            signs[[operation.left, operation.right], default: []].insert(operation.sign)
        }
        self.signs = signs
        var wordsOfResult: [Rational: Set<String>] = [:]
        for text in texts {
            for calculation in text.calculations { wordsOfResult[calculation.value, default: []].formUnion(text.words) }
        }
        self.wordsOfResult = wordsOfResult
        ratedUnits = texts.reduce(into: WordStems.ratedUnits(questionText.tokens)) {
            $0.formUnion(WordStems.ratedUnits($1.tokens))
        }
        reordered = QuantityReordering(calculations.flatMap(\.operations)).values
    }

    /// Whether a set has a value, exactly or rounded to two places.
    static func contains(_ set: Set<Rational>, _ value: Rational) -> Bool {
        if set.contains(value) { return true }
        let scaled = (value.doubleValue * 100).rounded()
        guard abs(scaled) < 1e15, let rounded = Rational(Int(scaled), over: 100) else { return false }
        return set.contains(rounded)
    }
}

/// Other values on the way to the same results: the terms and factors of each result, taken apart through the results
/// before it and put together otherwise.
struct QuantityReordering {
    /// The most terms or factors of a result that are put together in all ways.
    private static let most = 7
    private static let depth = 4

    private(set) var values: Set<Rational> = []
    private var definitions: [Rational: StepOperation] = [:]

    /// Takes the operations of a solution, in order.
    init(_ operations: [StepOperation]) {
        for operation in operations where definitions[operation.result] == nil {
            definitions[operation.result] = operation
        }
        for (value, operation) in definitions {
            if operation.sign == "+" || operation.sign == "-" {
                addSums(terms(value, isPlus: true, depth: QuantityReordering.depth))
            } else {
                addProducts(factors(value, isAbove: true, depth: QuantityReordering.depth), of: value)
            }
        }
    }

    private func terms(_ value: Rational, isPlus: Bool, depth: Int) -> [Rational] {
        if depth > 0, let operation = definitions[value], operation.sign == "+" || operation.sign == "-" {
            let isSame = operation.sign == "+" ? isPlus : !isPlus
            return terms(operation.left, isPlus: isPlus, depth: depth - 1)
                + terms(operation.right, isPlus: isSame, depth: depth - 1)
        }
        return [isPlus ? value : Rational(0).subtracting(value) ?? value]
    }

    private struct Factor: Hashable {
        var value: Rational
        var isAbove: Bool
    }

    private func factors(_ value: Rational, isAbove: Bool, depth: Int) -> [Factor] {
        if depth > 0, let operation = definitions[value], operation.sign == "*" || operation.sign == "/" {
            let isSame = operation.sign == "*" ? isAbove : !isAbove
            return factors(operation.left, isAbove: isAbove, depth: depth - 1)
                + factors(operation.right, isAbove: isSame, depth: depth - 1)
        }
        return [Factor(value: value, isAbove: isAbove)]
    }

    private static func magnitude(_ value: Rational) -> Rational {
        value < Rational(0) ? Rational(0).subtracting(value) ?? value : value
    }

    private mutating func addSums(_ all: [Rational]) {
        let terms = Array(all.prefix(QuantityReordering.most))
        for chosen in 1..<(1 << terms.count) where chosen.nonzeroBitCount > 1 {
            var sum: Rational? = Rational(0)
            for index in terms.indices where chosen >> index & 1 == 1 { sum = sum?.adding(terms[index]) }
            if let sum { values.insert(QuantityReordering.magnitude(sum)) }
        }
        let split = terms.map { factors(QuantityReordering.magnitude($0), isAbove: true, depth: 3) }
        for first in terms.indices {
            for second in terms.indices where second > first {
                for common in Set(split[first]).intersection(split[second]) {
                    let rests = [first, second].map { index in
                        common.isAbove
                            ? QuantityReordering.magnitude(terms[index]).divided(by: common.value)
                            : QuantityReordering.magnitude(terms[index]).multiplied(by: common.value)
                    }
                    guard let left = rests[0], let right = rests[1] else { continue }
                    left.adding(right).map { _ = values.insert($0) }
                    left.subtracting(right).map { _ = values.insert(QuantityReordering.magnitude($0)) }
                }
            }
        }
    }

    private mutating func addProducts(_ all: [Factor], of value: Rational) {
        let factors = Array(all.prefix(QuantityReordering.most))
        for chosen in 1..<(1 << factors.count) where chosen.nonzeroBitCount > 1 {
            var product: Rational? = Rational(1)
            for index in factors.indices where chosen >> index & 1 == 1 {
                let factor = factors[index]
                product =
                    factor.isAbove ? product?.multiplied(by: factor.value) : product?.divided(by: factor.value)
            }
            guard let product else { continue }
            values.insert(product)
            Rational(1).divided(by: product).map { _ = values.insert($0) }
        }
        for factor in factors where factor.isAbove {
            guard let operation = definitions[factor.value], operation.sign == "+" || operation.sign == "-" else {
                continue
            }
            for part in [operation.left, operation.right] {
                value.multiplied(by: part)?.divided(by: factor.value).map { _ = values.insert($0) }
            }
        }
    }
}
