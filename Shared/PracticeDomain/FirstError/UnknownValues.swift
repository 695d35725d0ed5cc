import Reasoning

/// What the equations of an attempt say when its unknowns are quantities of the reference.
///
/// For one or two unknowns, each is given a result of the reference so that the first statement that does not fit comes
/// as late as it can, and as many fit as can.
struct UnknownValues {
    /// How a step's statements about unknowns fit.
    enum Fit {
        case fits
        /// An expression with a value that neither question nor reference has.
        case unknownValue
        /// An equation that does not hold.
        case wrongEquation

        /// What the step is like where it has no other calculation.
        var kind: StepKind? {
            switch self {
            case .fits: nil
            case .unknownValue: .coincident
            case .wrongEquation: .new
            }
        }
    }

    /// The most unknowns, results and statements that are looked at.
    private static let maximumUnknowns = 2
    private static let maximumResults = 30
    private static let maximumStatements = 60

    /// For each step with statements about unknowns how they fit.
    private(set) var holds: [Int: Fit] = [:]

    /// Nil where the attempt has no unknown, or too many.
    init?(attempt: [StepText], reference: ReferenceQuantities) {
        var statements: [(step: Int, side: StepText.UnknownSide)] = []
        var letters: Set<String> = []
        for (step, text) in attempt.enumerated() where !text.unknownSides.isEmpty {
            letters.formUnion(text.unknowns)
            statements += text.unknownSides.map { (step, $0) }
        }
        guard !letters.isEmpty, letters.count <= UnknownValues.maximumUnknowns else { return nil }
        let bounded = Array(statements.prefix(UnknownValues.maximumStatements))
        let results = reference.results.prefix(UnknownValues.maximumResults)
        var choices: [[String: Rational]] = [[:]]
        for letter in letters.sorted() {
            choices = choices.flatMap { choice in results.map { choice.merging([letter: $0]) { first, _ in first } } }
        }
        var best: (first: Int, fitting: Int)?
        for choice in choices {
            let fits = UnknownValues.fits(bounded, choice, reference)
            let first = fits.filter { $0.value != .fits }.keys.min() ?? attempt.count
            let fitting = fits.values.count { $0 == .fits }
            if let best, (best.first, best.fitting) >= (first, fitting) { continue }
            best = (first, fitting)
            holds = fits
        }
    }

    private static func fits(
        _ statements: [(step: Int, side: StepText.UnknownSide)],
        _ choice: [String: Rational],
        _ reference: ReferenceQuantities
    ) -> [Int: Fit] {
        var fits: [Int: Fit] = [:]
        for (step, side) in statements {
            guard let value = side.tree.value(at: choice) else { continue }
            let others = side.others.compactMap { $0.value(at: choice) }
            if others.contains(where: { $0 != value }) {
                fits[step] = .wrongEquation
            } else if fits[step] == nil {
                if !others.isEmpty || reference.known.contains(value) {
                    if others.isEmpty, case .unknown = side.tree { continue }
                    fits[step] = .fits
                } else if case .unknown = side.tree {
                    continue
                } else {
                    fits[step] = .unknownValue
                }
            }
        }
        return fits
    }
}
