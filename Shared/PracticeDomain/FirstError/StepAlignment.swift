import Reasoning

/// Which steps of an attempt say what which lines of the reference say: in order, each at most once, and as alike as
/// can be in all.
///
/// A step and a line are alike by the tokens that a minimum edit script matches, and by whether they state a common
/// result. The alignment is the one of greatest summed likeness over pairs (Needleman and Wunsch, 1970).
struct StepAlignment {
    /// The most tokens of a step that are compared.
    private static let maximumTokens = 60
    /// What a pair must be alike at least to be aligned.
    private static let least = 0.3

    /// For each line of the reference the step that says it; nil where none does.
    let steps: [Int?]

    init(attempt: [StepText], reference: [StepText]) {
        var ids: [StepToken: Int32] = [:]
        func sequence(_ text: StepText) -> [Int32] {
            text.tokens.prefix(StepAlignment.maximumTokens).map { token in
                let next = Int32(ids.count)
                let id = ids[token] ?? next
                ids[token] = id
                return id
            }
        }
        let left = attempt.map { (text: $0, tokens: sequence($0)) }
        let right = reference.map { (text: $0, tokens: sequence($0)) }
        var best = [[Double]](repeating: [Double](repeating: 0, count: right.count + 1), count: left.count + 1)
        for (step, one) in left.enumerated() {
            for (line, other) in right.enumerated() {
                let likeness = StepAlignment.likeness(one, other)
                let paired = likeness < StepAlignment.least ? 0 : best[step][line] + likeness
                best[step + 1][line + 1] = max(paired, best[step][line + 1], best[step + 1][line])
            }
        }
        var steps = [Int?](repeating: nil, count: right.count)
        var (step, line) = (left.count, right.count)
        while step > 0, line > 0 {
            if best[step][line] == best[step - 1][line] {
                step -= 1
            } else if best[step][line] == best[step][line - 1] {
                line -= 1
            } else {
                step -= 1
                line -= 1
                steps[line] = step
            }
        }
        self.steps = steps
    }

    /// The step from which on the attempt leaves out a line of the reference: the one after the step that says the
    /// last line before it; nil where no line is left out.
    var firstGap: Int? {
        guard let line = steps.firstIndex(of: nil) else { return nil }
        return (steps[..<line].last?.map { $0 + 1 }) ?? 0
    }

    private static func likeness(
        _ one: (text: StepText, tokens: [Int32]),
        _ other: (text: StepText, tokens: [Int32])
    ) -> Double {
        guard !one.tokens.isEmpty, !other.tokens.isEmpty else { return 0 }
        let matches = EditScript.diagonalFirst(one.tokens, other.tokens).count { $0.kind == .match }
        let tokens = 2 * Double(matches) / Double(one.tokens.count + other.tokens.count)
        let results = Set(other.text.calculations.flatMap(\.statedValues))
        guard !results.isEmpty else { return tokens }
        let stated = one.text.calculations.flatMap(\.statedValues) + one.text.numbers
        return (tokens + (stated.contains(where: results.contains) ? 1 : 0)) / 2
    }
}
