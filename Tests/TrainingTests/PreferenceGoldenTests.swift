import Foundation
import LanguageModel
import ModelFiles
import NumericSupport
import TensorEngine
import Testing
import Tokenization
import Training

struct DPOGolden: Decodable {
    struct Pair: Decodable {
        let promptIds: [Int32]
        let chosenIds: [Int32]
        let rejectedIds: [Int32]
    }
    struct LogProbabilities: Decodable {
        let refChosen: [Float]
        let refRejected: [Float]
    }
    let tokenized: [Pair]
    let logps: LogProbabilities

    var pairs: [PreferenceExample] {
        tokenized.enumerated().map { index, pair in
            PreferenceExample(
                id: "pair \(index)",
                prompt: pair.promptIds,
                chosen: pair.chosenIds,
                rejected: pair.rejectedIds
            )
        }
    }
}

private struct VariantsGolden: Decodable {
    struct Variant: Decodable {
        let loss: Double
        let metrics: [String: Double]
        let totalGradNorm: Double
    }
    let variants: [String: Variant]
}

private struct TrainGolden: Decodable {
    struct Entry: Decodable {
        let loss: Double?
        let gradNorm: Double?
        let learningRate: Double?
    }
    let log: [Entry]
}

@Suite("Preference training against TRL")
struct PreferenceGoldenTests {
    @Test(
        "loss, rewards, log-probabilities and gradient norm equal TRL's",
        arguments: [
            ("sigmoid", PreferenceOptions()),
            ("sigmoid_label_smoothing0.1 (cDPO)", PreferenceOptions(labelSmoothing: 0.1)),
            ("robust_ls0.1", PreferenceOptions(loss: .robust, labelSmoothing: 0.1)),
            ("hinge", PreferenceOptions(loss: .hinge)),
            ("ipo", PreferenceOptions(loss: .ipo)),
            ("sigmoid_rpo_alpha1.0", PreferenceOptions(nllWeight: 1)),
            ("sigmoid_rpo_alpha0.5", PreferenceOptions(nllWeight: 0.5)),
            ("cDPO0.1_rpo_alpha0.5", PreferenceOptions(labelSmoothing: 0.1, nllWeight: 0.5)),
        ]
    )
    func variants(name: String, preference: PreferenceOptions) throws {
        let golden = try Golden.json("dpo.json", as: DPOGolden.self)
        // IPO's metrics are of sums since TRL 1, and were of means before.
        let file = preference.loss == .ipo ? "dpo.json" : "dpo_legacy.json"
        let variants = try Golden.json(file, as: VariantsGolden.self).variants
        let expected = try #require(variants[name], "no variant \(name) in \(file)")
        let trainer = try PreferenceTrainer(
            model: Golden.model("tiny-qwen2"),
            reference: Golden.model("tiny-qwen2-ref"),
            pairs: golden.pairs,
            options: TrainingOptions(learningRate: 0, batchSequences: 4, shuffle: false),
            preference: preference
        )
        for (index, pair) in trainer.pairs.enumerated() {
            let chosen = try #require(pair.referenceChosen)
            #expect(abs(chosen - golden.logps.refChosen[index]) <= 1e-4 * abs(chosen))
        }
        var steps: [TrainingStep] = []
        _ = try trainer.run { steps.append($0) }
        let step = try #require(steps.first)
        #expect(steps.count == 1)
        #expect(abs(step.loss - expected.loss) <= 1e-4 * expected.loss)
        #expect(abs(step.gradientNorm - expected.totalGradNorm) <= 3e-4 * expected.totalGradNorm)
        for (key, value) in expected.metrics where key.hasPrefix("rewards/") || key.hasPrefix("logps/") {
            let mine = try #require(step.metrics[key], "no metric \(key)")
            #expect(abs(mine - value) <= 1e-3 * abs(value) + 2e-5, "\(key): \(mine), TRL has \(value)")
        }
    }

    @Test("four steps of two pairs end at TRL's weights")
    func training() throws {
        let golden = try Golden.json("dpo.json", as: DPOGolden.self)
        let log = try Golden.json("dpo_train.json", as: TrainGolden.self).log.filter { $0.gradNorm != nil }
        let rate = try #require(log.first?.learningRate)
        let linear = log.last?.learningRate != rate
        let model = try Golden.model("tiny-qwen2")
        let trainer = try PreferenceTrainer(
            model: model,
            reference: Golden.model("tiny-qwen2-ref"),
            pairs: golden.pairs,
            options: TrainingOptions(
                learningRate: rate,
                maximumSteps: log.count,
                batchSequences: 2,
                schedule: linear ? .linear : .constant,
                weightDecay: 0.01,
                shuffle: false
            )
        )
        var step = 0
        _ = try trainer.run { found in
            let expected = log[step]
            let loss = try #require(expected.loss)
            let norm = try #require(expected.gradNorm)
            #expect(abs(found.loss - loss) <= 1e-3 * loss)
            #expect(abs(found.gradientNorm - norm) <= 1e-3 * norm)
            #expect(abs(found.learningRate - (expected.learningRate ?? 0)) < 1e-9)
            step += 1
        }
        #expect(step == log.count)
        let final = try SafetensorsFile(url: Golden.url("dpo_train.final.safetensors"))
        for (name, tensor) in model.parameters {
            expectClose(tensor.values, try final.floats(name), rtol: 1e-3, atol: 1e-3, name)
        }
    }

    @Test("an option that the loss does not use is refused by name")
    func refusals() throws {
        for preference in [
            PreferenceOptions(loss: .hinge, labelSmoothing: 0.1), PreferenceOptions(simpoMargin: 1),
            PreferenceOptions(beta: 0), PreferenceOptions(labelSmoothing: 0.5), PreferenceOptions(nllWeight: -1),
        ] {
            #expect(throws: TrainingError.self) { try preference.validate() }
        }
    }

    @Test("the derivative of every loss agrees with finite differences", arguments: PreferenceLoss.allCases)
    func derivatives(loss: PreferenceLoss) {
        for noise in loss == .hinge || loss == .ipo ? [0] : [0, 0.2] {
            let options = PreferenceOptions(
                loss: loss,
                beta: 0.4,
                labelSmoothing: noise,
                simpoMargin: loss == .simpo ? 0.7 : 0
            )
            for x in [-30, -1.3, 0, 0.4, 2.2, 40] {
                let numeric = (options.value(x + 1e-5).loss - options.value(x - 1e-5).loss) / 2e-5
                #expect(abs(options.value(x).derivative - numeric) < 1e-5)
            }
        }
    }
}
