import TensorEngine

/// Sums of what tokens' distributions look like, for the metrics that TRL has names for.
struct TokenFigures {
    private var entropy = 0.0
    private var likeliest = 0
    private var logits = 0.0
    private var count = 0

    mutating func add(_ token: TokenStatistics) {
        entropy += Double(token.entropy)
        likeliest += token.isLikeliest ? 1 : 0
        logits += Double(token.meanLogit)
        count += 1
    }

    static func += (left: inout TokenFigures, right: TokenFigures) {
        left.entropy += right.entropy
        left.likeliest += right.likeliest
        left.logits += right.logits
        left.count += right.count
    }

    static func + (left: TokenFigures, right: TokenFigures) -> TokenFigures {
        var sum = left
        sum += right
        return sum
    }

    /// Mean entropy a token, in nats.
    var meanEntropy: Double { entropy / Double(max(1, count)) }
    /// Share of tokens that were the likeliest.
    var accuracy: Double { Double(likeliest) / Double(max(1, count)) }
    /// Mean logit over tokens and vocabulary.
    var meanLogit: Double { logits / Double(max(1, count)) }

    /// What a preference step tells: TRL's accuracy is that of the chosen side, its entropy that of both.
    static func metrics(chosen: TokenFigures, rejected: TokenFigures) -> [String: Double] {
        [
            "entropy": (chosen + rejected).meanEntropy,
            "mean_token_accuracy": chosen.accuracy,
            "logits/chosen": chosen.meanLogit,
            "logits/rejected": rejected.meanLogit,
        ]
    }
}
