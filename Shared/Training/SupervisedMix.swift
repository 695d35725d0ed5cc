import LanguageModel
import ModelFiles
import TensorEngine

/// Supervised examples that are mixed into another training: each update takes the next few of them, as many as it has
/// examples of its own, in an order that is shuffled anew for each pass over them and depends on the seed alone.
struct SupervisedMix {
    let examples: [SupervisedExample]
    private let seed: UInt64
    private let lengths: [Int]

    init(_ examples: [SupervisedExample], seed: UInt64) throws {
        try WeightedLikelihood.check(examples)
        self.examples = examples
        self.seed = seed
        lengths = examples.map(\.tokens.count)
    }

    /// Decides, with the rest of a run's options, how the run goes on.
    var fingerprint: [RunFingerprint.Field] {
        [.init("mixed.count", examples.count), .init("mixed.content", ContentDigest.hex(of: examples))]
    }

    /// The examples of one update after another, without end.
    struct Draws {
        private let count: Int
        private let seed: UInt64
        private var epoch: UInt64 = 0
        private var left: ArraySlice<Int> = []

        fileprivate init(count: Int, seed: UInt64) {
            self.count = count
            self.seed = seed
        }

        mutating func next(_ count: Int) -> [Int] { (0..<count).map { _ in one() } }

        private mutating func one() -> Int {
            if let next = left.popFirst() { return next }
            var order = Array(0..<count)
            var generator = SeededGenerator(seed: seed, stream: epoch &+ 0x4D49_5845)
            order.shuffle(using: &generator)
            epoch += 1
            left = order.dropFirst()
            return order[0]
        }
    }

    func draws() -> Draws { Draws(count: examples.count, seed: seed) }

    /// Tokens that these examples have, prompts included.
    func tokens(_ chosen: [Int]) -> Int { chosen.reduce(0) { $0 + lengths[$1] } }

    /// Adds the gradients of `weight` times the chosen examples' mean negative log-likelihood a response token, and returns
    /// that mean.
    func backward(
        _ chosen: [Int],
        weight: Double,
        model: CausalLanguageModel,
        options: TrainingOptions
    ) throws -> Double {
        let responseTokens = chosen.reduce(0) { $0 + examples[$1].countedLength }
        var result = WeightedLikelihood.Result()
        for pass in TrainingPlan.passes(chosen, lengths: lengths, limit: options.tokensAtOnce) {
            result += try WeightedLikelihood.backward(
                pass.map { examples[$0] },
                model: model,
                options: options
            ) { _ in weight / Double(responseTokens) }
        }
        return result.loss / weight
    }
}
