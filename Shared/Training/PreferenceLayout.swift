import LanguageModel
import Tokenization

/// Chosen and rejected sequences of some pairs packed together, and where their completion tokens are predicted.
struct PreferenceLayout {
    /// The tokens of one completion that count: those that its mask leaves.
    struct Completion {
        /// Which of the layout's rows predicts each token, and the token's weight in the preference.
        fileprivate(set) var tokens: [(row: Int, weight: Double)] = []

        /// Σ weight · value over the tokens, rounded to float32: a reference's sums are stored so, and a policy that is its
        /// own reference must not seem to differ from it.
        func sum(_ values: [Float]) -> Double {
            Double(Float(tokens.reduce(0.0) { $0 + Double(values[$1.row]) * $1.weight }))
        }
    }

    let batch: PackedBatch
    /// The packed row that predicts each wanted token.
    ///
    /// A token that both sides begin with is here once for both.
    private(set) var rows: [Int32] = []
    private(set) var targets: [TokenID] = []
    /// Of each pair the chosen and the rejected completion.
    private(set) var completions: [(chosen: Completion, rejected: Completion)] = []

    /// Packs pairs in the order given.
    ///
    /// Where `sharesPrefixes`, what the sides of a pair begin with is packed once: the prompt, and the tokens that both
    /// completions begin with.
    init(_ pairs: [PreferenceExample], sharesPrefixes: Bool) {
        let groups = pairs.map { [$0.prompt + $0.chosen, $0.prompt + $0.rejected] }
        batch = sharesPrefixes ? PackedBatch(groups: groups) : PackedBatch(groups.flatMap { $0 })
        for (index, pair) in pairs.enumerated() {
            // Rows of tokens that both sides begin with, which the rejected side need not compute again.
            var known: [Int32: Int] = [:]
            let before = pair.prompt.count - 1
            func predictors(_ sequence: Int) -> ArraySlice<Int32> {
                batch.rows(ofSequence: sequence).dropFirst(before).dropLast()
            }
            let chosen = completion(
                pair.chosen,
                at: predictors(2 * index),
                mask: pair.chosenMask,
                weights: pair.chosenWeights,
                shared: sharesPrefixes ? pair.sharedCompletionCount : 0,
                known: &known
            )
            let rejected = completion(
                pair.rejected,
                at: predictors(2 * index + 1),
                mask: pair.rejectedMask,
                weights: pair.rejectedWeights,
                shared: sharesPrefixes ? pair.sharedCompletionCount : 0,
                known: &known
            )
            completions.append((chosen, rejected))
        }
    }

    private mutating func completion(
        _ tokens: [TokenID],
        at predictors: ArraySlice<Int32>,
        mask: [Bool]?,
        weights: [Float]?,
        shared: Int,
        known: inout [Int32: Int]
    ) -> Completion {
        var result = Completion()
        for (offset, (token, predictor)) in zip(tokens, predictors).enumerated() where mask?[offset] ?? true {
            let row = offset < shared ? known[predictor] : nil
            if row == nil {
                if offset < shared { known[predictor] = rows.count }
                rows.append(predictor)
                targets.append(token)
            }
            result.tokens.append((row ?? rows.count - 1, Double(weights?[offset] ?? 1)))
        }
        return result
    }
}

extension PreferenceExample {
    /// How many tokens both completions begin with.
    var sharedCompletionCount: Int { zip(chosen, rejected).prefix { $0 == $1 }.count }

    /// Tokens that are computed for the pair.
    func computedTokens(sharesPrefixes: Bool) -> Int {
        let both = 2 * prompt.count + chosen.count + rejected.count
        return sharesPrefixes ? both - prompt.count - sharedCompletionCount : both
    }
}
