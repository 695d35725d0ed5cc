import Foundation
import LanguageModel
import TensorEngine
import Testing
import Tokenization

@testable import Training

@Suite("Training with products in bfloat16")
struct PrecisionTests {
    private struct Interruption: Error {}

    private let options = TrainingOptions(
        learningRate: 1e-2,
        epochs: 12,
        batchSequences: 8,
        tokensAtOnce: 60,
        precision: .bfloat16,
        seed: 3
    )

    private let pairs = (0..<10).map { index in
        PreferenceExample(
            id: "\(index)",
            prompt: [1, 2, TokenID(index)],
            chosen: [5, 6, TokenID(index)] + [TokenID](repeating: 9, count: index),
            rejected: [5, 7]
        )
    }

    private func supervised(_ options: TrainingOptions) throws -> (CausalLanguageModel, SupervisedTrainer) {
        let model = try SmallStudent.model()
        return (model, try SupervisedTrainer(model: model, examples: SmallStudent.examples(), options: options))
    }

    private func weights(_ model: CausalLanguageModel) -> [[Float]] { model.parameters.map { $0.tensor.values } }

    @Test("the loss ends within 2 % of float32's, and the same run gives the same bits")
    func loss() throws {
        var plain = options
        plain.precision = .float32
        let (exact, exactTrainer) = try supervised(plain)
        let expected = try exactTrainer.run().finalLoss
        var runs: [[[Float]]] = []
        for _ in 0..<2 {
            let (model, trainer) = try supervised(options)
            var first: Double?
            let summary = try trainer.run { first = first ?? $0.loss }
            #expect(summary.finalLoss < 0.7 * (first ?? 0))
            #expect(abs(summary.finalLoss - expected) <= 0.02 * expected, "\(summary.finalLoss), float32 \(expected)")
            runs.append(weights(model))
        }
        #expect(runs[0] == runs[1])
        #expect(runs[0] != weights(exact))
    }

    @Test("a resumed run ends at the same bits; one in another precision is refused")
    func resume() throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("errata-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        let (whole, wholeTrainer) = try supervised(options)
        _ = try wholeTrainer.run()
        let (_, first) = try supervised(options)
        #expect(throws: Interruption.self) {
            try first.run { step in
                guard step.step == 5 else { return }
                try first.saveCheckpoint(to: file)
                throw Interruption()
            }
        }
        let (model, second) = try supervised(options)
        try second.resume(from: file)
        _ = try second.run()
        #expect(weights(model) == weights(whole))
        var plain = options
        plain.precision = .float32
        let (_, stranger) = try supervised(plain)
        #expect(throws: TrainingError.self) { try stranger.resume(from: file) }
    }

    @Test("the context computes as before after a run and after a reference pass, also when a run throws")
    func restored() throws {
        let (model, trainer) = try supervised(options)
        #expect(model.context.matrixPrecision == .float32)
        #expect(throws: Interruption.self) {
            try trainer.run { _ in
                #expect(model.context.matrixPrecision == .bfloat16)
                throw Interruption()
            }
        }
        #expect(model.context.matrixPrecision == .float32)
        _ = try trainer.run()
        #expect(model.context.matrixPrecision == .float32)
        // And a run in float32 computes in float32 whatever the context did before.
        var plain = options
        plain.precision = .float32
        let (other, otherTrainer) = try supervised(plain)
        other.context.matrixPrecision = .bfloat16
        _ = try otherTrainer.run { _ in #expect(other.context.matrixPrecision == .float32) }
        #expect(other.context.matrixPrecision == .bfloat16)
        let policy = try SmallStudent.model()
        _ = try PreferenceTrainer(model: policy, pairs: pairs, options: options)
        #expect(policy.context.matrixPrecision == .float32)
    }

    @Test("gradients are within 2 % of float32's in norm", arguments: [false, true])
    func gradients(preference: Bool) throws {
        func gradients(_ precision: MatrixPrecision) throws -> [Float] {
            let model = try SmallStudent.model()
            try model.context.withPrecision(precision) {
                if preference {
                    var options = options
                    options.precision = precision
                    _ = try PreferenceTrainer(model: model, pairs: pairs, options: options).probe(model)
                } else {
                    _ = try WeightedLikelihood.backward(
                        SmallStudent.examples(),
                        model: model,
                        options: options
                    ) { _ in 0.1 }
                }
            }
            return model.parameters.flatMap { $0.tensor.gradient ?? [] }
        }
        let (exact, rounded) = (try gradients(.float32), try gradients(.bfloat16))
        try #require(exact.count == rounded.count && !exact.isEmpty)
        var (difference, norm) = (0.0, 0.0)
        for (mine, theirs) in zip(rounded, exact) {
            difference += Double(mine - theirs) * Double(mine - theirs)
            norm += Double(theirs) * Double(theirs)
        }
        let relative = (difference / norm).squareRoot()
        #expect(relative < 0.02, "\(relative)")
        #expect(relative > 1e-5, "bfloat16 would not be at work: \(relative)")
    }

    @Test("at the first step the policy is its own reference exactly", arguments: [false, true])
    func reference(adapter: Bool) throws {
        let model = try SmallStudent.model()
        if adapter {
            try model.attach(LoRAAdapter(configuration: LoRAConfiguration(rank: 4), for: model, seed: 5))
        }
        var options = options
        options.maximumSteps = 1
        let trainer = try PreferenceTrainer(
            model: model,
            reference: adapter ? model.withoutAdapter : nil,
            pairs: pairs,
            options: options
        )
        _ = try trainer.run { step in
            #expect(step.metrics["rewards/margins"] == 0)
            #expect(step.metrics["rewards/accuracies"] == 0)
            #expect(step.loss == log(2))
        }
    }

    @Test("a reference in bfloat16 is another reference: its stored values are not float32's")
    func store() throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("errata-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        let model = try SmallStudent.model()
        func values(_ precision: MatrixPrecision, stored: Bool) throws -> [PreferenceExample] {
            var options = options
            options.precision = precision
            return try PreferenceTrainer(
                model: model,
                pairs: pairs,
                options: options,
                store: stored ? ReferenceStore(url: file) : nil
            ).pairs
        }
        let exact = try values(.float32, stored: true)
        let rounded = try values(.bfloat16, stored: true)
        #expect(exact.allSatisfy { $0.referenceHash == model.contentHash() })
        #expect(rounded.allSatisfy { $0.referenceHash == model.contentHash() + "+bf16" })
        #expect(zip(exact, rounded).contains { $0.referenceChosen != $1.referenceChosen })
        #expect(try values(.bfloat16, stored: false) == rounded)
        // Both lie in the file, each for its own.
        #expect(try values(.float32, stored: true) == exact)
        #expect(try values(.bfloat16, stored: true) == rounded)
        #expect(throws: TrainingError.self) {
            try PreferenceTrainer(model: model, pairs: exact, options: self.options)
        }
    }

    @Test("what is held out is measured as the training computes it")
    func heldOut() throws {
        let (model, _) = try supervised(options)
        let examples = SmallStudent.examples()
        var losses: [Double?] = []
        for precision in MatrixPrecision.allCases {
            var options = options
            options.precision = precision
            losses.append(try HeldOut(supervised: examples, options: options).metrics(of: model)["eval_loss"])
            model.context.matrixPrecision = .bfloat16
            losses.append(try HeldOut(supervised: examples, options: options).metrics(of: model)["eval_loss"])
            model.context.matrixPrecision = .float32
        }
        #expect(losses[0] == losses[1] && losses[2] == losses[3] && losses[0] != losses[2])
    }

    @Test("weights kept in bfloat16 are refused by both trainers, and train below an adapter")
    func frozen() throws {
        let stored = try SmallStudent.model().storing(.bfloat16)
        let examples = SmallStudent.examples()
        for make in [
            { _ = try SupervisedTrainer(model: stored, examples: examples, options: options) },
            { _ = try PreferenceTrainer(model: stored, pairs: pairs, options: options) },
        ] as [() throws -> Void] {
            let error = #expect(throws: TrainingError.self) { try make() }
            #expect(error?.description.contains("adapter") == true)
        }
        var losses: [Double] = []
        for base in [stored, stored.storing(.float32)] {
            try base.attach(LoRAAdapter(configuration: LoRAConfiguration(rank: 4), for: base, seed: 5))
            let before = weights(base)
            losses.append(try SupervisedTrainer(model: base, examples: examples, options: options).run().finalLoss)
            #expect(weights(base) == before)
        }
        // In bfloat16 the rounded weights say the same, stored as they are or widened.
        #expect(losses[0] == losses[1])
    }
}
