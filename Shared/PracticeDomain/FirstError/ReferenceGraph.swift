import Reasoning

/// How a reference solution makes its quantities from the question's numbers, as fingerprints.
struct ReferenceGraph {
    /// The most operations of a solution that are looked at.
    private static let maximumOperations = 200
    /// The most quantities that one value may stand for.
    static let maximumReadings = 3

    let numbers: QuestionNumbers
    /// Results of the solution's operations, without their sign.
    private(set) var results: Set<QuantityFingerprint> = []
    /// What the question's numbers are, without their sign.
    private(set) var given: Set<QuantityFingerprint> = []
    /// Quantities on other ways to the same results, without their sign.
    private(set) var reordered: Set<QuantityFingerprint> = []
    /// What a value of the solution stands for, the latest first.
    private var readings: [Rational: [QuantityFingerprint]] = [:]
    private var definitions: [QuantityFingerprint: Definition] = [:]

    struct Definition {
        var sign: Character
        var left: QuantityFingerprint
        var right: QuantityFingerprint
    }

    /// Reads the solution's lines after the question, whose own calculations count too.
    init(question: StepText, lines: [StepText], _ reading: QuestionNumbers.Reading) {
        numbers = QuestionNumbers(question, reading)
        for number in question.numbers { given.insert(numbers[number].magnitude) }
        for calculation in ([question] + lines).lazy.flatMap(\.calculations) {
            guard definitions.count < ReferenceGraph.maximumOperations else { break }
            let result = add(calculation.tree)
            for value in calculation.statedValues {
                var all = readings[value] ?? []
                guard !all.contains(result) else { continue }
                all.insert(result, at: 0)
                readings[value] = Array(all.prefix(ReferenceGraph.maximumReadings))
            }
        }
        reordered = QuantityReordering(definitions).quantities.subtracting(results)
    }

    /// What a value of the solution stands for; nothing where the solution does not reach it.
    func quantities(of value: Rational) -> [QuantityFingerprint] { readings[value] ?? [] }

    private mutating func add(_ tree: ExpressionTree) -> QuantityFingerprint {
        switch tree {
        case .number(let value): return readings[value]?.first ?? numbers[value]
        case .unknown: return .zero
        case .negated(let inner): return add(inner).negated
        case .power(let inner, let exponent):
            let base = add(inner)
            var result = base
            for _ in 1..<max(1, exponent) { result = define("*", result, base) }
            return result
        case .operation(let sign, let leftTree, let rightTree):
            let left = add(leftTree)
            return define(sign, left, add(rightTree))
        }
    }

    private mutating func define(
        _ sign: Character,
        _ left: QuantityFingerprint,
        _ right: QuantityFingerprint
    ) -> QuantityFingerprint {
        let result: QuantityFingerprint =
            switch sign {
            case "+": left + right
            case "-": left - right
            case "*": left * right
            default: left * right.inverse
            }
        results.insert(result.magnitude)
        if definitions[result] == nil { definitions[result] = Definition(sign: sign, left: left, right: right) }
        return result
    }
}
