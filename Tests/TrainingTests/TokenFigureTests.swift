import Foundation
import LanguageModel
import TensorEngine
import Testing
import Tokenization
import Training

@Suite("What steps tell of tokens' distributions")
struct TokenFigureTests {
    /// Means over the tokens of `sequences` where `counts`, from whole rows of logits.
    private func naive(
        _ model: CausalLanguageModel,
        _ sequences: [(tokens: [TokenID], counts: [Bool])]
    ) throws -> (entropy: Double, accuracy: Double, logits: Double, count: Double) {
        let vocabulary = model.configuration.vocabularySize
        var (entropy, correct, logits, count) = (0.0, 0.0, 0.0, 0.0)
        for (values, sequence) in zip(try model.logits(sequences.map(\.tokens)), sequences) {
            for position in sequence.tokens.indices.dropFirst() where sequence.counts[position] {
                let row = values[(position - 1) * vocabulary..<position * vocabulary].map { Double($0) }
                let logSumExp = log(row.reduce(0) { $0 + exp($1) })
                entropy -= row.reduce(0) { $0 + exp($1 - logSumExp) * ($1 - logSumExp) }
                correct += row.firstIndex(of: row.max() ?? 0) == Int(sequence.tokens[position]) ? 1 : 0
                logits += row.reduce(0, +) / Double(vocabulary)
                count += 1
            }
        }
        return (entropy / count, correct / count, logits / count, count)
    }

    private func expect(_ found: [String: Double], _ expected: [String: Double], prefix: String = "") throws {
        for (name, value) in expected {
            let mine = try #require(found[prefix + name])
            #expect(abs(mine - value) <= 1e-5 * abs(value) + 1e-6, "\(prefix + name): \(mine), naively \(value)")
        }
    }

    @Test("entropy and accuracy of a supervised step are means over the tokens of positive weight")
    func supervised() throws {
        let model = try SmallStudent.model()
        // A model that has learned something is right sometimes.
        _ = try SupervisedTrainer(
            model: model,
            examples: SmallStudent.examples(),
            options: TrainingOptions(learningRate: 1e-2, epochs: 6, batchSequences: 8)
        ).run()
        var examples = SmallStudent.examples()
        examples[3].weights[examples[3].tokens.count - 1] = -0.5
        examples[4].weights[examples[4].tokens.count - 1] = 0.25
        let expected = try naive(model, examples.map { ($0.tokens, $0.weights.map { $0 > 0 }) })
        #expect(expected.accuracy > 0 && expected.accuracy < 1)
        let options = TrainingOptions(learningRate: 0, maximumSteps: 1, batchSequences: 30, tokensAtOnce: 70)
        let wanted = ["entropy": expected.entropy, "mean_token_accuracy": expected.accuracy]
        try expect(HeldOut(supervised: examples, options: options).metrics(of: model), wanted, prefix: "eval_")
        _ = try SupervisedTrainer(model: model, examples: examples, options: options).run {
            try expect($0.metrics, wanted)
        }
    }

    @Test("figures of a preference step: entropy of both sides, accuracy of the chosen, logits of each")
    func preference() throws {
        let model = try SmallStudent.model()
        let pairs = (0..<8).map { index in
            PreferenceExample(
                id: "\(index)",
                prompt: [1, TokenID(index)],
                chosen: [5, 6, TokenID(index)] + [TokenID](repeating: 9, count: index),
                rejected: [5, 7]
            )
        }
        var options = TrainingOptions(learningRate: 1e-2, maximumSteps: 6, batchSequences: 8, tokensAtOnce: 30)
        let nll = PreferenceOptions(nllWeight: 1)
        _ = try PreferenceTrainer(model: model, pairs: pairs, options: options, preference: nll).run()
        func side(_ completion: KeyPath<PreferenceExample, [TokenID]>) -> [(tokens: [TokenID], counts: [Bool])] {
            pairs.map { pair in
                let tokens = pair.prompt + pair[keyPath: completion]
                return (tokens, tokens.indices.map { $0 >= pair.prompt.count })
            }
        }
        let chosen = try naive(model, side(\.chosen))
        let rejected = try naive(model, side(\.rejected))
        let entropy = (chosen.entropy * chosen.count + rejected.entropy * rejected.count)
        let wanted = [
            "entropy": entropy / (chosen.count + rejected.count), "mean_token_accuracy": chosen.accuracy,
            "logits/chosen": chosen.logits, "logits/rejected": rejected.logits,
        ]
        #expect(chosen.accuracy > 0 && chosen.accuracy < 1)
        options.learningRate = 0
        options.maximumSteps = 1
        let held = try HeldOut(preferences: pairs, reference: model, options: options, preference: PreferenceOptions())
        try expect(held.metrics(of: model), wanted, prefix: "eval_")
        for shares in [true, false] {
            _ = try PreferenceTrainer(
                model: model,
                pairs: pairs,
                options: options,
                preference: PreferenceOptions(sharesPrefixes: shares)
            ).run { try expect($0.metrics, wanted) }
        }
    }
}
