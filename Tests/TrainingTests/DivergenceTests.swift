import LanguageModel
import TensorEngine
import Testing
import Tokenization

@testable import Training

@Suite("A training that diverges stops")
struct DivergenceTests {
    private let pairs = (0..<4).map { index in
        PreferenceExample(
            id: "\(index)",
            prompt: [1, TokenID(index)],
            chosen: [5, 6, TokenID(index)],
            rejected: [7, 8]
        )
    }

    /// A model with one damaged logit: the embedding, which is the head as well, of a token that no example has.
    private func damaged(_ value: Float) throws -> CausalLanguageModel {
        let model = try SmallStudent.model()
        try #require(model.parameters.first).tensor.withMutableValues { $0[39 * 32 + 5] = value }
        return model
    }

    private func text(_ error: TrainingError?) -> String {
        guard case .diverged(let text) = error else { return "\(String(describing: error))" }
        return text
    }

    @Test("one logit that is NaN stops supervised training before any update", arguments: [Float.nan, .infinity])
    func supervised(value: Float) throws {
        let model = try damaged(value)
        let examples = [SupervisedExample(prompt: [1, 2, 3], response: [4, 5])]
        let before = model.parameters[1].tensor.values
        let trainer = try SupervisedTrainer(
            model: model,
            examples: examples,
            options: TrainingOptions(learningRate: 1e-3)
        )
        let error = #expect(throws: TrainingError.self) { try trainer.run() }
        #expect(text(error).contains("at step 1 of 1; lower the learning rate"), "\(text(error))")
        #expect(trainer.step == 0 && model.parameters[1].tensor.values == before)
        let held = try HeldOut(supervised: examples, options: TrainingOptions(learningRate: 1e-3))
        let measured = #expect(throws: TrainingError.self) { try held.metrics(of: model) }
        #expect(text(measured).contains("the loss on held-out examples is"))
    }

    @Test(
        "it stops preference training of every loss, and is refused of a reference",
        arguments: PreferenceLoss.allCases
    )
    func preference(loss: PreferenceLoss) throws {
        let options = TrainingOptions(learningRate: 1e-3, batchSequences: 4)
        let preference = PreferenceOptions(loss: loss)
        let sound = try SmallStudent.model()
        let trainer = try PreferenceTrainer(
            model: damaged(.nan),
            reference: sound,
            pairs: pairs,
            options: options,
            preference: preference
        )
        let error = #expect(throws: TrainingError.self) { try trainer.run() }
        #expect(text(error).hasPrefix("loss nan"), "\(loss): \(text(error))")
        guard loss.usesReference else { return }
        let reference = #expect(throws: TrainingError.self) {
            try PreferenceTrainer(
                model: sound,
                reference: damaged(.nan),
                pairs: pairs,
                options: options,
                preference: preference
            )
        }
        #expect(text(reference).contains("the reference gives pair 0"))
    }

    @Test("the loss of a difference that is NaN is NaN, of every kind", arguments: PreferenceLoss.allCases)
    func losses(loss: PreferenceLoss) {
        let (value, derivative) = PreferenceOptions(loss: loss).value(.nan)
        #expect(value.isNaN)
        #expect(derivative.isNaN || loss == .hinge)
    }

    @Test("a rate that makes the weights infinite stops after the update that did")
    func weights() throws {
        let model = try SmallStudent.model()
        // The loss and gradient of this step are finite, the weights after it are not.
        let trainer = try SupervisedTrainer(
            model: model,
            examples: SmallStudent.examples(),
            options: TrainingOptions(learningRate: 1e39, schedule: .constant)
        )
        var steps = 0
        let error = #expect(throws: TrainingError.self) { try trainer.run { _ in steps += 1 } }
        #expect(text(error).contains("no longer finite after step 1 of 1"), "\(text(error))")
        #expect(steps == 0, "what is ruined is not told as a step, nor saved")
    }
}
