import Foundation
import LanguageModel
import ModelFiles
import NumericSupport
import TensorEngine
import Testing
import Tokenization

@testable import Training

private struct VariantGolden: Decodable {
    struct Variant: Decodable {
        let loss: Double
        let chosenRewards: [Double]
        let rejectedRewards: [Double]
        let totalGradNorm: Double
        let gradNorms: [String: Double]
    }
    let variants: [String: Variant]
}

private struct TokenGolden: Decodable {
    struct Batch: Decodable {
        let completionMask: [[Int]]
    }
    let batch: Batch
    let policyTokenLogps: [[Double]]
}

@Suite("Gradients of the preference losses against TRL")
struct PreferenceGradientTests {
    private func probe(
        _ preference: PreferenceOptions
    ) throws -> (outcome: TrainingLoop.Outcome, gradients: [String: [Float]]) {
        let model = try Golden.model("tiny-qwen2")
        return try PreferenceTrainer(
            model: model,
            reference: Golden.model("tiny-qwen2-ref"),
            pairs: Golden.json("dpo.json", as: DPOGolden.self).pairs,
            options: TrainingOptions(learningRate: 0, batchSequences: 4, shuffle: false),
            preference: preference
        ).probe(model)
    }

    @Test("every gradient of DPO equals TRL's element by element", arguments: [true, false])
    func sigmoid(sharesPrefixes: Bool) throws {
        let found = try probe(PreferenceOptions(sharesPrefixes: sharesPrefixes)).gradients
        let file = try SafetensorsFile(url: Golden.url("dpo.sigmoid_grads.safetensors"))
        #expect(found.count == 26)
        for (name, gradient) in found {
            expectClose(gradient, try file.floats(name), "gradient of \(name)")
        }
    }

    @Test(
        "loss, mean rewards and the gradient norm of every tensor equal TRL's",
        arguments: [
            ("dpo.json", "sigmoid", PreferenceOptions()),
            ("dpo.json", "sigmoid_beta0.5", PreferenceOptions(beta: 0.5)),
            ("dpo.json", "hinge", PreferenceOptions(loss: .hinge)),
            ("dpo.json", "ipo", PreferenceOptions(loss: .ipo)),
            ("dpo.json", "robust_ls0.1", PreferenceOptions(loss: .robust, labelSmoothing: 0.1)),
            ("dpo.json", "sigmoid+sft (rpo, weights 1 and 0.5)", PreferenceOptions(nllWeight: 0.5)),
            ("dpo_legacy.json", "sigmoid", PreferenceOptions()),
            ("dpo_legacy.json", "sigmoid_label_smoothing0.1 (cDPO)", PreferenceOptions(labelSmoothing: 0.1)),
            ("dpo_legacy.json", "robust_ls0.1", PreferenceOptions(loss: .robust, labelSmoothing: 0.1)),
            ("dpo_legacy.json", "hinge", PreferenceOptions(loss: .hinge)),
            ("dpo_legacy.json", "ipo", PreferenceOptions(loss: .ipo)),
            ("dpo_legacy.json", "sigmoid_rpo_alpha1.0", PreferenceOptions(nllWeight: 1)),
            ("dpo_legacy.json", "sigmoid_rpo_alpha0.5", PreferenceOptions(nllWeight: 0.5)),
            ("dpo_legacy.json", "cDPO0.1_rpo_alpha0.5", PreferenceOptions(labelSmoothing: 0.1, nllWeight: 0.5)),
        ]
    )
    func variants(file: String, name: String, preference: PreferenceOptions) throws {
        let golden = try Golden.json(file, as: VariantGolden.self)
        let expected = try #require(golden.variants[name], "no variant \(name) in \(file)")
        let (outcome, gradients) = try probe(preference)
        #expect(abs(outcome.loss - expected.loss) <= 1e-4 * expected.loss)
        // TRL 1 and we report the rewards of IPO over sums, TRL's earlier releases over means.
        if file == "dpo.json" || preference.loss != .ipo {
            for (key, rewards) in [("chosen", expected.chosenRewards), ("rejected", expected.rejectedRewards)] {
                let mean = rewards.reduce(0, +) / Double(rewards.count)
                let mine = try #require(outcome.metrics["rewards/\(key)"])
                #expect(abs(mine - mean) <= 1e-3 * abs(mean) + 2e-5, "rewards/\(key): \(mine), TRL has \(mean)")
            }
        }
        #expect(Set(gradients.keys) == Set(expected.gradNorms.keys))
        for (tensor, norm) in expected.gradNorms {
            let gradient = try #require(gradients[tensor])
            let mine = gradient.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
            // Attention hardly depends on key biases: what is left of their gradient is rounding.
            let limit = 1e-4 * norm + 1e-6 * expected.totalGradNorm
            #expect(abs(mine - norm) <= limit, "\(tensor): \(mine), TRL has \(norm)")
        }
    }

    @Test("SimPO's loss, rewards and gradients follow from PyTorch's token log-probabilities", arguments: [0, 0.5])
    func simpo(margin: Double) throws {
        let beta = 2.0
        let golden = try Golden.json("dpo.json", as: TokenGolden.self)
        let means = zip(golden.policyTokenLogps, golden.batch.completionMask).map { values, mask in
            let wanted = zip(values, mask.dropFirst()).filter { $0.1 == 1 }.map(\.0)
            return wanted.reduce(0, +) / Double(wanted.count)
        }
        let pairs = try Golden.json("dpo.json", as: DPOGolden.self).pairs
        let (outcome, gradients) = try probe(PreferenceOptions(loss: .simpo, beta: beta, simpoMargin: margin))

        // Equation 6 of Meng et al. 2024, and its derivative by each mean.
        let z = pairs.indices.map { beta * (means[$0] - means[$0 + 4]) - margin }
        let loss = z.reduce(0) { $0 + log(1 + exp(-$1)) } / 4
        #expect(abs(outcome.loss - loss) <= 1e-4 * loss)
        let chosenReward = try #require(outcome.metrics["rewards/chosen"])
        #expect(abs(chosenReward - beta * means[..<4].reduce(0, +) / 4) < 1e-4 * abs(chosenReward))
        // The same derivatives as weights of a plain likelihood over whole sequences, which the model's goldens check.
        let model = try Golden.model("tiny-qwen2")
        let batch = PackedBatch(pairs.flatMap { [$0.prompt + $0.chosen, $0.prompt + $0.rejected] })
        var (rows, targets, weights): ([Int32], [TokenID], [Float]) = ([], [], [])
        for (index, pair) in pairs.enumerated() {
            let slope = beta / (1 + exp(z[index])) / 4
            for (side, completion) in [pair.chosen, pair.rejected].enumerated() {
                let first = batch.offsets[2 * index + side] + pair.prompt.count - 1
                rows.append(contentsOf: (first..<first + completion.count).map { Int32($0) })
                targets.append(contentsOf: completion)
                let weight = Float((side == 0 ? slope : -slope) / Double(completion.count))
                weights.append(contentsOf: [Float](repeating: weight, count: completion.count))
            }
        }
        let tape = Tape(context: model.context)
        _ = try tape.weightedNegativeLogLikelihood(
            model.hiddenStates(batch, tape: tape, rows: rows),
            weight: model.outputWeight,
            targets: targets,
            weights: weights
        )
        try tape.backward()
        for (name, tensor) in model.parameters {
            expectClose(
                try #require(gradients[name]),
                try #require(tensor.gradient),
                rtol: 1e-3,
                atol: 1e-4,
                "gradient of \(name)"
            )
        }
    }
}
