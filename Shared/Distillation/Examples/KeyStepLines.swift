public import Foundation
public import Reasoning
public import Training

/// The signed weights of KRSL.
public struct KeyStepWeights: Sendable, Hashable {
    /// Weight of the right chain's key tokens.
    public var alpha: Float
    /// Weight of the wrong chain's key tokens, as a magnitude; it is applied with a minus sign.
    public var beta: Float
    /// Weight of the right chain's other tokens.
    public var gamma: Float
    /// How ties between alignments are broken.
    public var tieRule: KeyStepAlignment.TieRule

    /// The weights of the paper (EDIT, section 4.1) unless said otherwise.
    public init(
        alpha: Float = 1,
        beta: Float = 0.025,
        gamma: Float = 0,
        tieRule: KeyStepAlignment.TieRule = .edit
    ) {
        self.alpha = alpha
        self.beta = beta
        self.gamma = gamma
        self.tieRule = tieRule
    }
}

extension TrainingDataReader {
    /// Examples for KRSL from `prompt`, `right` and `wrong` (or `chosen` and `rejected`): two a line, whose key tokens
    /// are what a minimum-edit-distance alignment of the two leaves unmatched (EDIT, equation 5).
    ///
    /// - Throws: `TrainingError` when no line can be used; `TokenizationError` when a line has messages and the model no
    ///   known chat format.
    public func keySteps(
        _ data: Data,
        place: String,
        weights: KeyStepWeights = KeyStepWeights()
    ) throws -> TrainingData<SupervisedExample> {
        try read(data, place: place) { row in
            let (pair, isTruncated) = try pair(row, chosen: ["right", "chosen"], rejected: ["wrong", "rejected"])
            guard pair.chosenWeights == nil, pair.rejectedWeights == nil else {
                throw TrainingLineError("a chain is several turns long; put all but the last into the prompt")
            }
            let alignment = KeyStepAlignment.align(right: pair.chosen, wrong: pair.rejected, tieRule: weights.tieRule)
            let located = alignment.keyTokenWeights(alpha: weights.alpha, beta: -weights.beta, gamma: weights.gamma)
            func example(_ response: [Int32], _ weights: [Float]) -> SupervisedExample {
                SupervisedExample(
                    tokens: pair.prompt + response,
                    weights: [Float](repeating: 0, count: pair.prompt.count) + weights,
                    responseLength: response.count
                )
            }
            return (
                [example(pair.chosen, located.right), example(pair.rejected, located.wrong)], isTruncated ? 1 : 0
            )
        }
    }
}
