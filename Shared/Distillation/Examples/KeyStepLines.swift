public import Foundation
import Reasoning
public import Training

extension TrainingDataReader {
    /// Examples for KRSL from `prompt`, `right` and `wrong` (or `chosen` and `rejected`): two a line, the right chain
    /// first, with the token weights of `options`.
    ///
    /// - Throws: `TrainingError` when no line can be used; `TokenizationError` when a line has messages and the model no
    ///   known chat format.
    public func keySteps(
        _ data: Data,
        place: String,
        options: KeyStepOptions = KeyStepOptions()
    ) throws -> TrainingData<SupervisedExample> {
        try read(data, place: place) { row in
            let (pair, isTruncated) = try pair(row, chosen: ["right", "chosen"], rejected: ["wrong", "rejected"])
            guard pair.chosenMask == nil, pair.rejectedMask == nil else {
                throw TrainingLineError("a chain is several turns long; put all but the last into the prompt")
            }
            let located = KeyStepPair(
                prompt: pair.prompt,
                right: pair.chosen,
                wrong: pair.rejected,
                weights: options.tokenWeights(
                    right: pair.chosen,
                    wrong: pair.rejected,
                    end: pair.chosen.last == pair.rejected.last ? 1 : 0
                )
            )
            return (located.examples, isTruncated ? 1 : 0)
        }
    }
}
