import CTensorKernels
import Foundation

/// What a token of negative weight costs: one that training makes less likely.
public enum NegativeTokenLoss: String, Sendable, Codable, CaseIterable {
    /// weight · −log p, the likelihood with its sign turned, as EDIT's code has it: unbounded below, for a token can
    /// always become less likely still, and its gradient does not fade as p goes to 0.
    case likelihood
    /// |weight| · −log(1 − p), the unlikelihood loss (Welleck et al. 2020, arXiv 1908.04319, equation 2): at least 0, and
    /// its gradient fades as p goes to 0.
    case unlikelihood
}

/// How tokens of negative weight enter a weighted likelihood loss.
public struct NegativeTokens: Sendable, Hashable {
    /// What such a token costs.
    public var loss: NegativeTokenLoss
    /// Such tokens whose −log p under the present model, in nats, is above this have weight 0 in this pass; nil for none.
    public var threshold: Double?

    /// EDIT's form without a threshold unless said otherwise.
    public init(loss: NegativeTokenLoss = .likelihood, threshold: Double? = nil) {
        self.loss = loss
        self.threshold = threshold
    }

    /// Whether a token has weight 0 in this pass because it is unlikely enough already.
    ///
    /// - Parameters:
    ///   - weight: The token's weight.
    ///   - logProbability: log p under the present model, in nats.
    /// - Returns: False for a weight that is not negative.
    public func isIgnored(weight: Float, logProbability: Float) -> Bool {
        guard weight < 0, let threshold else { return false }
        return -Double(logProbability) > threshold
    }

    /// Changes what the way back reads of a row of negative weight, so that it gives the gradient of the row's loss.
    ///
    /// The way back gives factor · (one-hot − softmax). Unlikelihood has |w| · p · (one-hot − q), with q the softmax over
    /// the other tokens alone: the same as −|w| · p / (1 − p) times the gradient of −log p, without the division, so that
    /// it is exact up to p = 1. It comes of a target's logit that is out of reach, the others' log Σ exp, and |w| · p.
    ///
    /// - Parameters:
    ///   - logits: The row's, [vocabulary]; the target's is changed.
    ///   - target: The row's token.
    ///   - logProbability: The target's log p. Where it is NaN nothing changes: so is the row's loss then.
    ///   - logSumExp: Over all tokens; over the others afterwards.
    ///   - factor: −weight, above 0; d(loss)/d(log p) of the row afterwards.
    ///   - vocabulary: The row's length.
    ///   - context: Whose kernels compute.
    /// - Returns: The logarithm that the weight multiplies in place of −log p, or nil where that stays.
    func apply(
        to logits: UnsafeMutablePointer<Float>,
        target: Int32,
        logProbability: Float,
        logSumExp: UnsafeMutablePointer<Float>,
        factor: UnsafeMutablePointer<Float>,
        vocabulary: Int,
        context: ComputeContext
    ) -> Float? {
        guard !logProbability.isNaN else { return nil }
        // Among one token there is no other to give its probability to.
        if isIgnored(weight: -factor.pointee, logProbability: logProbability)
            || loss == .unlikelihood && vocabulary == 1
        {
            factor.pointee = 0
            return 0
        }
        guard loss == .unlikelihood else { return nil }
        let all = logSumExp.pointee
        logits[Int(target)] = -1e30
        var unused: Float = 0
        var first: Int32 = 0
        context.kernels.pointee.token_log_probabilities(logits, &first, &unused, logSumExp, 1, vocabulary)
        let probability = exp(Double(logProbability))
        factor.pointee *= Float(probability)
        // Each keeps its digits where the other loses them: near p = 1 and near p = 0.
        return Float(probability > 0.5 ? Double(logSumExp.pointee - all) : log1p(-probability))
    }
}
