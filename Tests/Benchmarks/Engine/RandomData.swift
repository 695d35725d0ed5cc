import LanguageModel
import TensorEngine
import Tokenization
import Training

/// Random token ids of a model, the same in every run.
struct RandomData {
    private let model: CausalLanguageModel
    private var generator = SeededGenerator(seed: 1)

    init(_ model: CausalLanguageModel) { self.model = model }

    mutating func tokens(_ count: Int) -> [TokenID] {
        (0..<count).map { _ in TokenID(generator.next() % UInt64(model.configuration.vocabularySize)) }
    }

    /// Pairs of two sequences of `sequence` tokens that share `prompt` of them, the reference's values at hand.
    mutating func pairs(
        _ count: Int,
        sequence: Int,
        prompt: Int,
        precision: MatrixPrecision
    ) -> [PreferenceExample] {
        let hash = model.referenceHash(precision: precision)
        return (0..<count).map { index in
            PreferenceExample(
                id: "\(index)",
                prompt: tokens(prompt),
                chosen: tokens(sequence - prompt),
                rejected: tokens(sequence - prompt),
                referenceChosen: -100,
                referenceRejected: -100,
                referenceHash: hash
            )
        }
    }
}
