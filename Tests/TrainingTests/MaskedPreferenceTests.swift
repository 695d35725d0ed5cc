import Foundation
import LanguageModel
import NumericSupport
import TensorEngine
import Testing
import Tokenization

@testable import Training

/// TRL's figures for completions with masked turns; made by the script beside them.
private struct MaskedGolden: Decodable {
    struct Pair: Decodable {
        let prompt: [TokenID]
        let chosen: [TokenID]
        let rejected: [TokenID]
        let chosenMask: [Int]
        let rejectedMask: [Int]
    }
    struct Variant: Decodable {
        let loss: Double
        let metrics: [String: Double]
        /// Of each tensor the gradient's norm, and its product with cos(i).
        let gradients: [String: [Double]]
    }
    let beta: Double
    let pairs: [Pair]
    let variants: [String: Variant]

    static func load() throws -> MaskedGolden {
        let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        let file = folder.appending(path: "Goldens/masked_preferences/masked_preferences.json")
        return try JSONDecoder().decode(MaskedGolden.self, from: Data(contentsOf: file))
    }

    var examples: [PreferenceExample] {
        pairs.enumerated().map { index, pair in
            PreferenceExample(
                id: "\(index)",
                prompt: pair.prompt,
                chosen: pair.chosen,
                rejected: pair.rejected,
                chosenMask: pair.chosenMask.map { $0 == 1 },
                rejectedMask: pair.rejectedMask.map { $0 == 1 }
            )
        }
    }
}

@Suite("Masks in preference training")
struct MaskedPreferenceTests {
    private func model() throws -> CausalLanguageModel {
        try CausalLanguageModel(
            configuration: ModelConfiguration(
                vocabularySize: 29,
                hiddenSize: 12,
                intermediateSize: 18,
                layers: 2,
                heads: 4,
                keyValueHeads: 2,
                headDimension: 4,
                rmsNormEpsilon: 1e-6,
                tieWordEmbeddings: false,
                maximumPositions: 64
            ),
            seed: 1,
            context: ComputeContext(threads: 2)
        )
    }

    /// The script's formula for the weight with index i of the k-th tensor by name.
    private func fill(
        _ model: CausalLanguageModel,
        _ amplitude: Double,
        _ frequency: Double,
        _ modulus: Int,
        _ shift: Double
    ) {
        for (k, parameter) in model.parameters.sorted(by: { $0.name < $1.name }).enumerated() {
            let base = parameter.tensor.shape.count == 1 ? 1.0 : 0.0
            parameter.tensor.withMutableValues { values in
                for i in values.indices {
                    let angle = frequency * Double(i) + Double(i * i % modulus) + shift * Double(k)
                    values[i] = Float(amplitude * sin(angle) + base)
                }
            }
        }
    }

    private func policy() throws -> CausalLanguageModel {
        let model = try model()
        fill(model, 0.35, 1.7, 11, 3)
        return model
    }

    private func reference() throws -> CausalLanguageModel {
        let model = try model()
        fill(model, 0.3, 1.3, 7, 2)
        return model
    }

    private func trainer(
        _ model: CausalLanguageModel,
        _ pairs: [PreferenceExample],
        _ preference: PreferenceOptions
    ) throws -> PreferenceTrainer {
        try PreferenceTrainer(
            model: model,
            reference: reference(),
            pairs: pairs,
            options: TrainingOptions(learningRate: 0, batchSequences: pairs.count, shuffle: false),
            preference: preference
        )
    }

    @Test(
        "loss, metrics and every gradient equal TRL's where turns inside a completion are masked",
        arguments: [
            ("sigmoid", PreferenceOptions()), ("hinge", PreferenceOptions(loss: .hinge)),
            ("ipo", PreferenceOptions(loss: .ipo)), ("sigmoid and likelihood", PreferenceOptions(nllWeight: 0.5)),
            ("ipo and likelihood", PreferenceOptions(loss: .ipo, nllWeight: 0.5)),
            ("simpo", PreferenceOptions(loss: .simpo, simpoMargin: 0.4)),
        ],
        [true, false]
    )
    func golden(variant: (name: String, options: PreferenceOptions), sharesPrefixes: Bool) throws {
        let golden = try MaskedGolden.load()
        let expected = try #require(golden.variants[variant.name])
        var options = variant.options
        options.beta = golden.beta
        options.sharesPrefixes = sharesPrefixes
        let model = try policy()
        let (outcome, gradients) = try trainer(model, golden.examples, options).probe(model)
        #expect(abs(outcome.loss - expected.loss) <= 1e-5 * expected.loss, "\(outcome.loss), TRL has \(expected.loss)")
        for (name, value) in expected.metrics {
            let mine = try #require(outcome.metrics[name], "no metric \(name)")
            #expect(abs(mine - value) <= 1e-4 * abs(value) + 1e-5, "\(name): \(mine), TRL has \(value)")
        }
        #expect(Set(gradients.keys) == Set(expected.gradients.keys))
        let largest = expected.gradients.values.map { $0[0] }.max() ?? 0
        for (name, figures) in expected.gradients {
            let gradient = try #require(gradients[name])
            let norm = gradient.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
            let product = gradient.enumerated().reduce(0.0) { $0 + Double($1.1) * cos(Double($1.0)) }
            let limit = 1e-4 * figures[0] + 1e-6 * largest
            #expect(abs(norm - figures[0]) <= limit, "norm of \(name): \(norm), TRL has \(figures[0])")
            #expect(abs(product - figures[1]) <= 4 * limit, "\(name): \(product), TRL has \(figures[1])")
        }
    }

    @Test("gradients with masks and weights agree with finite differences", arguments: PreferenceLoss.allCases)
    func differences(loss: PreferenceLoss) throws {
        var pairs = try MaskedGolden.load().examples
        pairs[0].chosenWeights = [1, 0, 5, 5, 5, 0.5, 2]
        pairs[2].rejectedWeights = [3, 1, 0.25, 1, -7, 1, 0]
        let options = PreferenceOptions(loss: loss, beta: 0.2, nllWeight: 0.7)
        let model = try policy()
        let gradients = try trainer(model, pairs, options).probe(model).gradients
        for name in ["model.norm.weight", "model.layers.0.self_attn.v_proj.weight", "lm_head.weight"] {
            let tensor = try #require(model.parameters.first { $0.name == name }).tensor
            let gradient = try #require(gradients[name])
            let start = tensor.values
            // Along the gradient itself, where a difference is the farthest above rounding.
            let norm = gradient.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
            func value(_ step: Double) throws -> Double {
                tensor.withMutableValues { values in
                    for index in values.indices { values[index] = start[index] + Float(step / norm) * gradient[index] }
                }
                return try trainer(model, pairs, options).probe(model).outcome.loss
            }
            let numeric = (try value(4e-3) - value(-4e-3)) / 8e-3
            _ = try value(0)
            #expect(abs(numeric - norm) <= 5e-3 * norm, "\(name): \(norm), finite difference \(numeric)")
        }
    }

    @Test(
        "a masked token is in no loss, length or metric, whatever it and its weight are",
        arguments: PreferenceLoss.allCases
    )
    func masked(loss: PreferenceLoss) throws {
        let pairs = try MaskedGolden.load().examples
        let options = PreferenceOptions(loss: loss, nllWeight: 1)
        func figures(_ pairs: [PreferenceExample]) throws -> [String: Double] {
            let model = try policy()
            let trainer = try trainer(model, pairs, options)
            var figures = try trainer.probe(model).outcome.metrics
            figures["held out"] = try HeldOut(
                preferences: pairs,
                reference: reference(),
                options: TrainingOptions(learningRate: 0),
                preference: options
            ).metrics(of: model)["eval_loss"]
            figures["loss"] = try trainer.probe(model).outcome.loss
            return figures
        }
        let expected = try figures(pairs)
        #expect(abs(try #require(expected["held out"]) - #require(expected["loss"])) < 1e-9)
        var weighted = pairs
        weighted[0].chosenWeights = [1, 1, 9, -9, 0, 1, 1]
        weighted[1].rejectedWeights = [1, 100, 1, 1, 100, 1]
        #expect(try figures(weighted) == expected)
        // The last token of a completion predicts nothing, so that its mask decides alone.
        var longer = pairs
        longer[1].rejected.append(13)
        longer[1].rejectedMask?.append(false)
        for (name, value) in try figures(longer) {
            #expect(abs(value - (expected[name] ?? .nan)) <= 1e-5 * abs(value) + 1e-6, "\(name)")
        }
    }

    @Test("a weight of 0 takes a token out of the preference and leaves it in the likelihood and the lengths")
    func zeroWeights() throws {
        var pairs = try MaskedGolden.load().examples
        for index in pairs.indices {
            pairs[index].chosenMask = nil
            pairs[index].rejectedMask = nil
        }
        var weighted = pairs
        weighted[0].chosenWeights = [1, 1, 0, 1, 1, 1, 1]
        let model = try policy()
        let whole = try trainer(model, pairs, PreferenceOptions(loss: .ipo, nllWeight: 1)).probe(model).outcome.metrics
        let found = try trainer(model, weighted, PreferenceOptions(loss: .ipo, nllWeight: 1)).probe(model).outcome
            .metrics
        for name in ["nll_loss", "entropy", "mean_token_accuracy", "logits/chosen"] {
            #expect(found[name] == whole[name])
        }
        #expect(found["logps/chosen"] != whole["logps/chosen"])
    }

    @Test("the rows of masked tokens are not computed past the decoder")
    func rows() throws {
        for shares in [true, false] {
            let pairs = try MaskedGolden.load().examples
            let layout = PreferenceLayout(pairs, sharesPrefixes: shares)
            for (pair, completion) in zip(pairs, layout.completions) {
                let chosen = zip(pair.chosen, try #require(pair.chosenMask)).filter(\.1).map(\.0)
                let rejected = zip(pair.rejected, try #require(pair.rejectedMask)).filter(\.1).map(\.0)
                #expect(completion.chosen.tokens.map { layout.targets[$0.row] } == chosen)
                #expect(completion.rejected.tokens.map { layout.targets[$0.row] } == rejected)
            }
            let counted = pairs.reduce(0) { $0 + $1.chosenCount + ($1.rejectedMask?.count { $0 } ?? 0) }
            // 5 of the first pair, and 15 of the third once each side has its mask, are said by both sides.
            #expect(layout.rows.count == counted - (shares ? 2 : 0))
        }
    }

    @Test("masks that do not fit, or leave nothing, are refused by name")
    func refusals() throws {
        let pair = try MaskedGolden.load().examples[0]
        for change in [
            { $0.chosenMask?.removeLast() }, { $0.rejectedMask = [true] }, { $0.rejectedMask = [false, false, false] },
            { $0.chosenMask = pair.chosen.map { _ in false } },
        ] as [(inout PreferenceExample) -> Void] {
            var bad = pair
            change(&bad)
            for loss in [PreferenceLoss.sigmoid, .simpo] {
                let error = #expect(throws: TrainingError.self) {
                    try trainer(policy(), [pair, bad], PreferenceOptions(loss: loss))
                }
                #expect(error.map { "\($0)".contains("pair 0: ") && "\($0)".contains("mask") } == true)
                #expect(throws: TrainingError.self) {
                    try HeldOut(
                        preferences: [bad],
                        reference: reference(),
                        options: TrainingOptions(learningRate: 0),
                        preference: PreferenceOptions(loss: loss)
                    )
                }
            }
        }
    }

    @Test("pairs of different masks have different hashes, and a pair without one keeps its hash")
    func hashes() throws {
        let pair = PreferenceExample(id: "a", prompt: [1, 2], chosen: [3, 4], rejected: [5])
        var pairs = [pair]
        for (chosen, rejected) in [
            ([true, false], nil), ([false, true], nil), (nil, [true]), ([true, true], [true]),
        ]
            as [([Bool]?, [Bool]?)]
        {
            var masked = pair
            masked.chosenMask = chosen
            masked.rejectedMask = rejected
            pairs.append(masked)
        }
        #expect(Set(pairs.map(\.contentHash)).count == pairs.count)
        // As it was before there were masks: stored values of a reference are found again.
        #expect(pair.contentHash == "4c37154cc616835195cba26c4b2bd755a9fc60c6df76eac97dbbaebab495a6e2")
    }
}
