import Reasoning

/// What a calculation of an attempt is beside the reference's.
enum StepKind: Hashable {
    /// One that the reference has, in whatever form.
    case reference
    /// One that another order of the reference's operations has, or that changes a unit.
    case reordered
    /// Another calculation that has a value of question or reference, or the reference's with a unit that something
    /// is per and that neither question nor reference has.
    case coincident
    /// A value that neither has, calculated or only stated, or the reference's operands with another sign.
    case new
    /// One with a stated value that is not its own.
    case miscalculated
}

/// What is seen of a step beside the reference.
struct StepObservation: Hashable {
    var kind: StepKind
    /// Whether it takes a value from an earlier step that is new or miscalculated.
    var isCarried: Bool
}

/// Judges the steps of an attempt beside a reference.
///
/// Each number of a step stands for the latest earlier step that states it, for the question's number or for the
/// reference's result; a calculation is the reference's when for some choice the two are equal as functions of the
/// question's numbers. So a step that goes on from a wrong value in the right way is not the reference's, one that does
/// the same in another form is, and one that only happens to have the reference's value is told from both.
struct StepKinds {
    /// For each step what is seen; nil where it has no calculation, or only ones of earlier steps, and no new number.
    private(set) var observations: [StepObservation?] = []
    /// For each step whether it states a value for an expression that is not the expression's.
    private(set) var isMiscalculated: [Bool] = []

    private let reference: ReferenceQuantities
    /// What the values of the steps so far stand for, in each reading of the question's numbers.
    private var readings: [[Rational: [QuantityFingerprint]]]
    private var wrongValues: Set<Rational> = []
    private var shapes: Set<StepExpression.Shape> = []
    /// The numbers of the steps so far.
    private var stated: Set<Rational> = []

    init(attempt: [StepText], reference: ReferenceQuantities) {
        self.reference = reference
        readings = reference.graphs.map { _ in [:] }
        for text in attempt { judge(text) }
        let equations = UnknownValues(attempt: attempt, reference: reference)
        for (step, holds) in equations?.holds ?? [:] {
            guard !attempt[step].calculations.isEmpty else {
                observations[step] = holds.kind.map { StepObservation(kind: $0, isCarried: false) }
                continue
            }
            if holds == .wrongEquation { observations[step]?.kind = .new }
        }
    }

    private mutating func judge(_ text: StepText) {
        var worst: (kind: RawKind, isCarried: Bool)?
        var hasOtherSign = false
        var isMiscalculated = false
        for calculation in text.calculations {
            let (kind, isCarried) = kind(of: calculation, in: text)
            let isNewShape = shapes.insert(calculation.shape).inserted
            guard isNewShape || kind == .miscalculated else { continue }
            if kind == .miscalculated { isMiscalculated = true }
            if [.reordered, .coincident, .new].contains(kind), hasOtherSignThanReference(calculation) {
                hasOtherSign = true
            }
            if let before = worst, before.kind.rawValue >= kind.rawValue { continue }
            worst = (kind, isCarried)
        }
        self.isMiscalculated.append(isMiscalculated)
        defer { stated.formUnion(text.numbers) }
        guard let worst else {
            observations.append(statesNewNumber(text) ? StepObservation(kind: .new, isCarried: false) : nil)
            return
        }
        var observation = StepObservation(kind: worst.kind.kind, isCarried: worst.isCarried)
        if observation.kind == .coincident, hasOtherSign { observation.kind = .new }
        if observation.kind == .reference, !WordStems.ratedUnits(text.tokens).isSubset(of: reference.ratedUnits) {
            observation.kind = .coincident
        }
        observations.append(observation)
    }

    /// Whether a step without calculations states a number that question, reference and the steps so far do not have.
    private func statesNewNumber(_ text: StepText) -> Bool {
        guard text.calculations.isEmpty, text.unknownSides.isEmpty else { return false }
        return text.loneNumbers.contains { !reference.known.contains($0) && !stated.contains($0) }
    }

    /// The kinds in the order in which one calculation of a step outweighs another.
    private enum RawKind: Int {
        case reference, given, unit, reordered, coincident, new, miscalculated

        var kind: StepKind {
            switch self {
            case .reference: .reference
            case .given, .unit, .reordered: .reordered
            case .coincident: .coincident
            case .new: .new
            case .miscalculated: .miscalculated
            }
        }
    }

    /// Factors between units of money, time and length, and between a share and its percentage.
    private static let unitFactors: [QuantityFingerprint] = [100, 60, 12, 7, 24, 1_000, 365, 52, 30].flatMap {
        let factor = QuantityFingerprint(constant: Rational($0))
        return [factor, factor.inverse]
    }

    private mutating func kind(of calculation: StepExpression, in text: StepText) -> (RawKind, isCarried: Bool) {
        let isCarried = calculation.operands.contains { wrongValues.contains($0) && !reference.asked.contains($0) }
        var found: [[QuantityFingerprint]] = []
        for (graph, known) in zip(reference.graphs, readings) {
            found.append(
                calculation.tree.fingerprints { number in
                    var all = known[number] ?? []
                    let ofReference = graph.quantities(of: number)
                    if reference.asked.contains(number) || all.isEmpty && ofReference.isEmpty {
                        let own = graph.numbers[number]
                        if !all.contains(own) { all.append(own) }
                    }
                    for quantity in ofReference where !all.contains(quantity) { all.append(quantity) }
                    return Array(all.prefix(ReferenceGraph.maximumReadings))
                }
            )
        }
        let kind = calculation.isMiscalculated ? .miscalculated : rawKind(found, calculation, text)
        for value in calculation.statedValues {
            for index in readings.indices {
                readings[index][value] = Array(found[index].prefix(ReferenceGraph.maximumReadings))
            }
            if kind == .new || kind == .miscalculated { wrongValues.insert(value) }
        }
        return (kind, isCarried)
    }

    private func rawKind(
        _ found: [[QuantityFingerprint]],
        _ calculation: StepExpression,
        _ text: StepText
    ) -> RawKind {
        func isIn(_ set: KeyPath<ReferenceGraph, Set<QuantityFingerprint>>, times factor: QuantityFingerprint) -> Bool {
            zip(reference.graphs, found).contains { graph, all in
                all.contains { graph[keyPath: set].contains(($0 * factor).magnitude) }
            }
        }
        let negative = calculation.value < Rational(0) && !reference.known.contains(calculation.value)
        if negative, Rational(0).subtracting(calculation.value).map(reference.known.contains) == true { return .new }
        if isIn(\.results, times: .one) { return .reference }
        if isIn(\.reordered, times: .one) { return .reordered }
        if isIn(\.given, times: .one) { return .given }
        if StepKinds.unitFactors.contains(where: { isIn(\.results, times: $0) }) {
            let isShare = StepKinds.unitFactors.prefix(2).contains { isIn(\.results, times: $0) }
            return isShare && (text.hasPercent || reference.hasPercent) ? .reference : .unit
        }
        return reference.known.contains(calculation.value) ? .coincident : .new
    }

    private func hasOtherSignThanReference(_ calculation: StepExpression) -> Bool {
        calculation.operations.contains { operation in
            guard operation.sign == "+" || operation.sign == "-",
                let signs = reference.signs[[operation.left, operation.right]]
            else { return false }
            return !signs.contains(operation.sign)
        }
    }
}
