import LanguageModel
import Tokenization

/// Chosen and rejected sequences of some pairs packed together, and where their completion tokens are predicted.
struct PreferenceLayout {
    let batch: PackedBatch
    /// The packed row that predicts each wanted token.
    ///
    /// A token that both sides begin with is here once for both.
    let rows: [Int32]
    let targets: [TokenID]
    /// The completion tokens of each sequence, as indices into `rows`; chosen and rejected alternate.
    let completions: [[Int]]

    /// Packs pairs in the order given.
    ///
    /// Where `sharesPrefixes`, what the sides of a pair begin with is packed once: the prompt, and the tokens that both
    /// completions begin with.
    init(_ pairs: [PreferenceExample], sharesPrefixes: Bool) {
        let groups = pairs.map { [$0.prompt + $0.chosen, $0.prompt + $0.rejected] }
        batch = sharesPrefixes ? PackedBatch(groups: groups) : PackedBatch(groups.flatMap { $0 })
        var rows: [Int32] = []
        var targets: [TokenID] = []
        var completions: [[Int]] = []
        for (index, pair) in pairs.enumerated() {
            let shared = sharesPrefixes ? pair.sharedCompletionCount : 0
            for (side, completion) in [pair.chosen, pair.rejected].enumerated() {
                let before = batch.rows(ofSequence: 2 * index + side).dropFirst(pair.prompt.count - 1)
                let reused = side == 1 ? Array(completions[completions.count - 1].prefix(shared)) : []
                let first = rows.count
                rows.append(contentsOf: before.dropLast().dropFirst(reused.count))
                targets.append(contentsOf: completion.dropFirst(reused.count))
                completions.append(reused + (first..<rows.count))
            }
        }
        self.rows = rows
        self.targets = targets
        self.completions = completions
    }

    /// Σ weight · value over the tokens of a completion, rounded to float32: a reference's sums are stored so, and a policy
    /// that is its own reference must not seem to differ from it.
    func sum(_ values: [Float], _ completion: Int, _ weights: [Float]?) -> Double {
        var total = 0.0
        for (offset, row) in completions[completion].enumerated() {
            total += Double(values[row]) * Double(weights?[offset] ?? 1)
        }
        return Double(Float(total))
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
