import TensorEngine

/// What pairs came to, summed: the loss and the metrics of training steps and of held-out pairs alike.
struct PreferenceTotals {
    /// How a pair's loss falls on its two sides.
    struct Slopes {
        /// d(loss) / d(log-ratio of chosen over rejected).
        let derivative: Double
        /// What each side's sum of log-probabilities was multiplied by.
        let chosenScale: Double
        let rejectedScale: Double
    }

    private var loss = 0.0
    private var nll = 0.0
    private var chosenReward = 0.0
    private var rejectedReward = 0.0
    private var accurate = 0.0
    private var chosenLogProbability = 0.0
    private var rejectedLogProbability = 0.0
    private var chosenFigures = TokenFigures()
    private var rejectedFigures = TokenFigures()

    /// Adds a pair of a layout.
    ///
    /// - Parameters:
    ///   - pair: The pair, with the reference's values where the loss uses them.
    ///   - position: Its place in `layout`.
    ///   - layout: Says which of `values` are the pair's.
    ///   - values: log p of each row of the layout.
    ///   - statistics: The distribution of each row.
    ///   - options: The loss.
    /// - Returns: What its gradient needs.
    @discardableResult
    mutating func add(
        _ pair: PreferenceExample,
        at position: Int,
        of layout: PreferenceLayout,
        values: [Float],
        statistics: [TokenStatistics],
        options: PreferenceOptions
    ) -> Slopes {
        let (chosen, rejected) = layout.completions[position]
        let chosenScale = options.loss.isLengthNormalized ? 1 / Double(chosen.tokens.count) : 1
        let rejectedScale = options.loss.isLengthNormalized ? 1 / Double(rejected.tokens.count) : 1
        let chosenValue = chosen.sum(values) * chosenScale
        let rejectedValue = rejected.sum(values) * rejectedScale
        let chosenRatio = chosenValue - Double(pair.referenceChosen ?? 0) * chosenScale
        let rejectedRatio = rejectedValue - Double(pair.referenceRejected ?? 0) * rejectedScale
        let (pairLoss, derivative) = options.value(chosenRatio - rejectedRatio)
        loss += pairLoss
        // As in TRL, IPO's loss is of means over tokens and its metrics are of sums; SimPO's are of means as well.
        let chosenReported = options.loss == .ipo ? 1 / chosenScale : 1
        let rejectedReported = options.loss == .ipo ? 1 / rejectedScale : 1
        let chosenOwn = options.beta * chosenRatio * chosenReported
        let rejectedOwn = options.beta * rejectedRatio * rejectedReported
        chosenReward += chosenOwn
        rejectedReward += rejectedOwn
        accurate += chosenOwn > rejectedOwn ? 1 : 0
        chosenLogProbability += chosenValue * chosenReported
        rejectedLogProbability += rejectedValue * rejectedReported
        for (row, _) in chosen.tokens {
            nll -= Double(values[row])
            chosenFigures.add(statistics[row])
        }
        for (row, _) in rejected.tokens { rejectedFigures.add(statistics[row]) }
        return Slopes(derivative: derivative, chosenScale: chosenScale, rejectedScale: rejectedScale)
    }

    /// The mean loss of `pairs` pairs, with the likelihood term over the tokens of their chosen sides.
    func loss(pairs: Int, chosenTokens: Int, nllWeight: Double) -> Double {
        loss / Double(pairs) + nllWeight * nll / Double(chosenTokens)
    }

    /// The metrics under TRL's names.
    func metrics(pairs: Int, chosenTokens: Int) -> [String: Double] {
        let n = Double(pairs)
        return [
            "rewards/chosen": chosenReward / n,
            "rewards/rejected": rejectedReward / n,
            "rewards/accuracies": accurate / n,
            "rewards/margins": (chosenReward - rejectedReward) / n,
            "logps/chosen": chosenLogProbability / n,
            "logps/rejected": rejectedLogProbability / n,
            "nll_loss": nll / Double(chosenTokens),
        ].merging(TokenFigures.metrics(chosen: chosenFigures, rejected: rejectedFigures)) { $1 }
    }
}
