import Foundation
import LanguageModel
import ModelFiles
import TensorEngine
import Testing
import Tokenization

@testable import Training

/// The supervised term that is mixed into preference training.
@Suite("The mixed-in supervised term")
struct SupervisedMixTests {
    private func model() throws -> CausalLanguageModel { try SmallStudent.model() }

    /// Pairs; with weight 0 on every token they have no gradient of their own.
    private func pairs(weight: Float? = nil) -> [PreferenceExample] {
        (0..<4).map { index in
            let prompt: [TokenID] = (0..<5).map { TokenID(($0 + index) % 40) }
            let chosen: [TokenID] = [TokenID(index + 1), TokenID(index + 2), 3]
            let rejected: [TokenID] = [TokenID(index + 9), 4]
            return PreferenceExample(
                id: "\(index)",
                prompt: prompt,
                chosen: chosen,
                rejected: rejected,
                chosenWeights: weight.map { [Float](repeating: $0, count: chosen.count) },
                rejectedWeights: weight.map { [Float](repeating: $0, count: rejected.count) }
            )
        }
    }

    private var options: TrainingOptions {
        TrainingOptions(learningRate: 1e-3, maximumSteps: 1, batchSequences: 4, maxGradientNorm: 0, seed: 5)
    }

    @Test("pairs without a gradient leave the supervised trainer's gradient, times the weight")
    func gradient() throws {
        let examples = Array(SmallStudent.examples().prefix(4))
        let alone = try model()
        var expected: TrainingStep?
        _ = try SupervisedTrainer(model: alone, examples: examples, options: options).run { expected = $0 }
        for weight in [1.0, 2.5] {
            let mixed = try model()
            var found: TrainingStep?
            let trainer = try PreferenceTrainer(
                model: mixed,
                pairs: pairs(weight: 0),
                options: options,
                preference: PreferenceOptions(supervisedWeight: weight),
                supervised: examples
            )
            _ = try trainer.run { found = $0 }
            let step = try #require(found)
            let reference = try #require(expected)
            #expect(abs(step.gradientNorm - weight * reference.gradientNorm) < 1e-4 * step.gradientNorm)
            let term = try #require(step.metrics["supervised_loss"])
            #expect(abs(term - reference.loss) < 1e-5)
            #expect(abs(step.loss - (log(2) + weight * term)) < 1e-5)
            #expect(
                step.tokensSeen == reference.tokensSeen
                    + pairs().reduce(0) {
                        $0 + $1.computedTokens(sharesPrefixes: true)
                    }
            )
        }
    }

    @Test("the term joins the preference's gradient: the sum's directional derivative is that of the whole loss")
    func derivative() throws {
        let examples = Array(SmallStudent.examples().prefix(4))
        let preference = PreferenceOptions(beta: 0.5, nllWeight: 0.3, supervisedWeight: 1.7)
        let reference = try model()
        // A policy that differs from the reference, so that the preference's slope is not that of its start.
        let policy = try model()
        let parameter = try #require(policy.parameters.first { $0.name.hasSuffix("o_proj.weight") }).tensor
        parameter.withMutableValues { for index in $0.indices { $0[index] += 0.05 * Float(index % 7 - 3) } }
        func loss(_ shift: Float) throws -> Double {
            let moved = policy.copy()
            let tensor = try #require(moved.parameters.first { $0.name.hasSuffix("o_proj.weight") }).tensor
            tensor.withMutableValues { for index in $0.indices { $0[index] += shift * Float(index % 3 - 1) } }
            var options = options
            options.learningRate = 0
            var found = 0.0
            _ = try PreferenceTrainer(
                model: moved,
                reference: reference,
                pairs: pairs(),
                options: options,
                preference: preference,
                supervised: examples
            ).run { found = $0.loss }
            return found
        }
        let numeric = (try loss(2e-3) - loss(-2e-3)) / 4e-3
        // One plain step of SGD cannot be asked for; AdamW's first step has the gradient's signs, so the gradient itself
        // is read from the moments that a checkpoint keeps: after one update the first moment is (1 − β1) · gradient.
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("errata-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        let trainer = try PreferenceTrainer(
            model: policy.copy(),
            reference: reference,
            pairs: pairs(),
            options: options,
            preference: preference,
            supervised: examples
        )
        _ = try trainer.run()
        try trainer.saveCheckpoint(to: file)
        let name = try #require(policy.parameters.first { $0.name.hasSuffix("o_proj.weight") }).name
        let moment = try SafetensorsFile(url: file).floats("first/" + name)
        let analytic = moment.enumerated().reduce(0.0) { $0 + Double($1.element) * Double($1.offset % 3 - 1) } / 0.1
        #expect(abs(analytic - numeric) < 0.01 * max(abs(numeric), 0.1), "\(analytic) against \(numeric)")
    }

    @Test("each pass over the examples takes every one once, in another order, and the seed decides which")
    func order() throws {
        func drawn(_ updates: Int, seed: UInt64) throws -> [Int] {
            var draws = try SupervisedMix(SmallStudent.examples(), seed: seed).draws()
            return (0..<updates).flatMap { _ in draws.next(7) }
        }
        let count = SmallStudent.examples().count
        let found = try drawn(count, seed: 9)
        let passes = stride(from: 0, to: 7 * count, by: count).map { Array(found[$0..<$0 + count]) }
        for pass in passes { #expect(pass.sorted() == Array(0..<count)) }
        #expect(Set(passes).count == 7)
        #expect(try drawn(count, seed: 9) == found)
        #expect(try drawn(count, seed: 10) != found)
    }

    @Test("an update has as many mixed-in examples as pairs, with accumulation and with batches by tokens")
    func perUpdate() throws {
        let mix = try SupervisedMix(SmallStudent.examples(), seed: 1)
        let lengths = (0..<40).map { 3 + $0 % 9 }
        for (batch, tokens, accumulation) in [(4, nil, 1), (4, nil, 3), (4, 30, 1), (4, 30, 2)] as [(Int, Int?, Int)] {
            let options = TrainingOptions(
                learningRate: 1,
                epochs: 2,
                batchSequences: batch,
                batchTokens: tokens,
                accumulation: accumulation
            )
            let updates = try TrainingPlan(lengths: lengths, mix: mix, options: options).updates
            #expect(updates.allSatisfy { $0.mixed.count == $0.examples.count })
            #expect(updates.reduce(0) { $0 + $1.mixed.count } == 80)
        }
    }

    @Test("mixed-in examples count towards a limit of tokens, as what the trainer reports")
    func limit() throws {
        let examples = SmallStudent.examples()
        let own = pairs().reduce(0) { $0 + $1.computedTokens(sharesPrefixes: true) }
        var options = options
        options.maximumSteps = nil
        options.maximumTokens = 10 * own
        func run(supervisedWeight: Double) throws -> (steps: Int, tokens: Int) {
            var last = 0
            let trainer = try PreferenceTrainer(
                model: model(),
                pairs: pairs(),
                options: options,
                preference: PreferenceOptions(supervisedWeight: supervisedWeight),
                supervised: examples
            )
            _ = try trainer.run { last = $0.tokensSeen }
            return (trainer.totalSteps, last)
        }
        let without = try run(supervisedWeight: 0)
        #expect(without.steps == 10 && without.tokens == 10 * own)
        let with = try run(supervisedWeight: 1)
        let longest = examples.map(\.tokens.count).max() ?? 0
        #expect(with.steps < 10)
        #expect((10 * own..<11 * own + 4 * longest).contains(with.tokens))
    }

    @Test("a run with mixed-in examples goes on bit for bit, and not with others")
    func resume() throws {
        struct Interruption: Error {}
        var options = options
        options.maximumSteps = 6
        func trainer(_ model: CausalLanguageModel, _ examples: [SupervisedExample]) throws -> PreferenceTrainer {
            try PreferenceTrainer(
                model: model,
                reference: self.model(),
                pairs: pairs(),
                options: options,
                preference: PreferenceOptions(supervisedWeight: 1),
                supervised: examples
            )
        }
        let whole = try model()
        _ = try trainer(whole, SmallStudent.examples()).run()
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("errata-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        let first = try trainer(model(), SmallStudent.examples())
        #expect(throws: Interruption.self) {
            try first.run { step in
                if step.step == 3 {
                    try first.saveCheckpoint(to: file)
                    throw Interruption()
                }
            }
        }
        let resumed = try model()
        let second = try trainer(resumed, SmallStudent.examples())
        try second.resume(from: file)
        _ = try second.run()
        #expect(resumed.parameters.map { $0.tensor.values } == whole.parameters.map { $0.tensor.values })
        #expect(throws: TrainingError.self) {
            try trainer(model(), Array(SmallStudent.examples().dropLast())).resume(from: file)
        }
    }

    @Test("a weight without examples is refused")
    func refusal() throws {
        #expect(throws: TrainingError.self) {
            try PreferenceTrainer(
                model: model(),
                pairs: pairs(),
                options: options,
                preference: PreferenceOptions(supervisedWeight: 1)
            )
        }
        #expect(throws: TrainingError.self) { try PreferenceOptions(supervisedWeight: -1).validate() }
    }
}
