import LanguageModel
import TensorEngine

/// Supervised examples that are mixed into another training: each update takes the next few of them, in an order that is
/// shuffled anew for each pass over them and depends on the seed alone.
struct SupervisedMix {
    let examples: [SupervisedExample]
    private let perUpdate: Int
    private let seed: UInt64
    private let lengths: [Int]

    init(_ examples: [SupervisedExample], perUpdate: Int, seed: UInt64) throws {
        try WeightedLikelihood.check(examples)
        self.examples = examples
        self.perUpdate = perUpdate
        self.seed = seed
        lengths = examples.map(\.tokens.count)
    }

    /// Decides, with the rest of a run's options, how the run goes on.
    var fingerprint: String { "\(examples.count) \(ContentDigest.hex(of: examples))" }

    /// The examples of the update after `step` others: any update can be made without those before it.
    func indices(step: Int) -> [Int] {
        var order: [Int] = []
        var orderEpoch = -1
        return (step * perUpdate..<(step + 1) * perUpdate).map { position in
            let epoch = position / examples.count
            if epoch != orderEpoch {
                order = Array(examples.indices)
                var generator = SeededGenerator(seed: seed, stream: UInt64(epoch) &+ 0x4D49_5845)
                order.shuffle(using: &generator)
                orderEpoch = epoch
            }
            return order[position % examples.count]
        }
    }

    /// Adds the gradients of `weight` times the mean negative log-likelihood a response token.
    func backward(
        step: Int,
        weight: Double,
        model: CausalLanguageModel,
        options: TrainingOptions
    ) throws -> (loss: Double, tokens: Int) {
        let chosen = indices(step: step)
        let responseTokens = chosen.reduce(0) { $0 + examples[$1].countedLength }
        var result = WeightedLikelihood.Result()
        for pass in TrainingPlan.passes(chosen, lengths: lengths, limit: options.tokensAtOnce) {
            result += try WeightedLikelihood.backward(
                pass.map { examples[$0] },
                model: model,
                options: options
            ) { _ in weight / Double(responseTokens) }
        }
        return (result.loss / weight, chosen.reduce(0) { $0 + lengths[$1] })
    }
}
