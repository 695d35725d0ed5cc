/// What speaks for and against a step being the first wrong one, as plain observations.
///
/// Each is a property of the step's calculations beside those of the question and the reference; none depends on what
/// the texts are about.
struct StepEvidence {
    /// The observations.
    enum Feature: Int, CaseIterable {
        /// Always there.
        case always
        /// The last step, with nothing but the answer.
        case isAnswer
        /// The step's place, from 0 to 1, and how many steps follow, up to five.
        case place, following
        /// A result that neither question nor reference has; one that another order of the reference's operations
        /// gives; one of two numbers that the reference combines; one that combines them by another operation.
        case newResult, reorderedResult, knownPair, otherOperation
        /// A calculation of the reference, about the same quantity.
        case sameCalculation
        /// A calculation with the reference's answer, and steps before and after the first one.
        case reachesAnswer, beforeAnswer, afterAnswer
        /// A value of the reference that a later step makes another of its results from.
        case leadsToResult
        /// A value that is no result of the reference, though a number in it, and that a later new result is made of.
        case feedsNewResult
        /// The first calculation of the attempt.
        case firstCalculation
        /// An equation that no result of the reference solves.
        case unsolvedEquation
        /// A unit that question and reference call nothing per.
        case otherRate
        /// A value that is claimed is not that of its expression.
        case miscalculated
    }

    /// For each step the strength of each observation.
    private(set) var strengths: [[Double]]

    private let texts: [StepText]
    private let reference: ReferenceQuantities

    init(attempt: [StepText], reference: ReferenceQuantities) {
        texts = attempt
        self.reference = reference
        strengths = Array(repeating: Array(repeating: 0, count: Feature.allCases.count), count: attempt.count)
        observePlaces()
        let new = observeCalculations()
        observeSources(of: new)
        observeAncestors()
    }

    private mutating func set(_ feature: Feature, _ step: Int, _ strength: Double = 1) {
        strengths[step][feature.rawValue] = strength
    }

    private func has(_ feature: Feature, _ step: Int) -> Bool { strengths[step][feature.rawValue] != 0 }

    private mutating func observePlaces() {
        let last = texts.count - 1
        for step in texts.indices {
            set(.always, step)
            set(.place, step, Double(step) / Double(max(1, last)))
            set(.following, step, Double(min(5, last - step)) / 5)
            let text = texts[step]
            if !WordStems.ratedUnits(text.tokens).isSubset(of: reference.ratedUnits) { set(.otherRate, step) }
            if text.isSolved(byOneOf: reference.results) == false { set(.unsolvedEquation, step) }
        }
        if let text = texts.last, text.words.isEmpty, text.calculations.isEmpty { set(.isAnswer, last) }
        if let first = texts.firstIndex(where: { !$0.calculations.isEmpty }) { set(.firstCalculation, first) }
        guard let answer = reference.answer else { return }
        let reaching = texts.indices.filter { texts[$0].calculations.contains { $0.value == answer } }
        for step in reaching { set(.reachesAnswer, step) }
        if let last = reaching.last, !reference.asked.contains(answer) {
            for step in 0..<last where !texts[step].calculations.isEmpty { set(.beforeAnswer, step) }
        }
        if let first = reaching.first {
            for step in (first + 1)..<max(first + 1, texts.count) where !has(.isAnswer, step) {
                set(.afterAnswer, step)
            }
        }
    }

    /// Observes each calculation that no earlier step has; returns the new results' calculations by step.
    private mutating func observeCalculations() -> [Int: [StepExpression]] {
        var seen: Set<StepExpression.Shape> = []
        var new: [Int: [StepExpression]] = [:]
        for (step, text) in texts.enumerated() {
            for calculation in text.calculations {
                if calculation.isMiscalculated { set(.miscalculated, step) }
                guard seen.insert(calculation.shape).inserted else { continue }
                if reference.shapes.contains(calculation.shape) {
                    if isAboutTheSame(calculation, text), !calculation.isMiscalculated, !has(.otherRate, step) {
                        set(.sameCalculation, step)
                    }
                } else if !calculation.values.contains(where: { ReferenceQuantities.contains(reference.known, $0) }) {
                    new[step, default: []].append(calculation)
                    observeNew(calculation, step)
                }
            }
        }
        return new
    }

    private mutating func observeNew(_ calculation: StepExpression, _ step: Int) {
        set(.newResult, step)
        if calculation.values.contains(where: { ReferenceQuantities.contains(reference.reordered, $0) }) {
            set(.reorderedResult, step)
        }
        for operation in calculation.operations {
            guard let signs = reference.signs[[operation.left, operation.right]] else { continue }
            let isOther = !signs.contains(operation.sign) && (operation.sign == "+" || operation.sign == "-")
            set(isOther ? .otherOperation : .knownPair, step)
        }
    }

    /// Whether the step says of the result nothing that the reference's line for it does not say.
    private func isAboutTheSame(_ calculation: StepExpression, _ text: StepText) -> Bool {
        guard let words = reference.wordsOfResult[calculation.value] else { return true }
        return text.words.intersection(WordStems.quantities).isSubset(of: words)
    }

    /// A step whose value is in the reference by chance only shows where a new result is made of it.
    private mutating func observeSources(of new: [Int: [StepExpression]]) {
        for (step, calculations) in new {
            for operand in Set(calculations.flatMap(\.operands)) {
                let source = (0..<step).last { earlier in
                    texts[earlier].calculations.contains { $0.value == operand || $0.claim == operand }
                }
                guard let source, new[source] == nil, !has(.sameCalculation, source),
                    !ReferenceQuantities.contains(reference.results, operand)
                else { continue }
                set(.feedsNewResult, source)
            }
        }
    }

    private mutating func observeAncestors() {
        var wanted: Set<Rational> = []
        for step in texts.indices.reversed() {
            let calculations = texts[step].calculations
            if calculations.contains(where: { wanted.contains($0.value) || $0.claim.map(wanted.contains) == true }) {
                if !has(.newResult, step) { set(.leadsToResult, step) }
            }
            for calculation in calculations {
                let isResult =
                    reference.results.contains(calculation.value) && !reference.asked.contains(calculation.value)
                guard isResult || wanted.contains(calculation.value) else { continue }
                wanted.formUnion(calculation.operands.filter { !reference.asked.contains($0) })
            }
        }
    }
}
