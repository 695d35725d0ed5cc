import Foundation
import LanguageModel
import ModelFiles
import NumericSupport
import TensorEngine
import Testing
import Tokenization

@testable import Training

private struct ForwardGolden: Decodable {
    let inputIds: [[Int32]]
    let attentionMask: [[Int]]
    let labels: [[Int32]]
}

private struct AdamWGolden: Decodable {
    struct Decay: Decodable {
        let lossesBeforeStep: [Double]
        let totalGradNorms: [Double]
    }
    struct Trainer: Decodable {
        let lossesBeforeStep: [Double]
        let totalGradNormsBeforeClip: [Double]
        let maxGradNorm: Double
    }
    let lr: Double
    let weightDecay: Double
    let hfTrainerStyle: Trainer
    let allDecay: Decay
}

@Suite("Supervised training")
struct SupervisedTrainerTests {
    private func goldenExamples(_ name: String) throws -> [SupervisedExample] {
        let golden = try Golden.json("\(name).forward.json", as: ForwardGolden.self)
        return golden.inputIds.indices.map { row in
            let length = golden.attentionMask[row].count { $0 == 1 }
            return SupervisedExample(
                tokens: Array(golden.inputIds[row].prefix(length)),
                weights: golden.labels[row].prefix(length).map { $0 == -100 ? 0 : 1 }
            )
        }
    }

    @Test("three AdamW steps end at PyTorch's weights", arguments: ["tiny-qwen2", "tiny-llama"])
    func adamW(name: String) throws {
        let golden = try Golden.json("\(name).adamw.json", as: AdamWGolden.self)
        let model = try Golden.model(name)
        let trainer = try SupervisedTrainer(
            model: model,
            examples: goldenExamples(name),
            options: TrainingOptions(
                learningRate: golden.lr,
                maximumSteps: 3,
                batchSequences: 4,
                schedule: .constant,
                weightDecay: golden.weightDecay,
                maxGradientNorm: golden.hfTrainerStyle.maxGradNorm,
                shuffle: false
            )
        )
        var step = 0
        _ = try trainer.run { found in
            let loss = golden.hfTrainerStyle.lossesBeforeStep[step]
            let norm = golden.hfTrainerStyle.totalGradNormsBeforeClip[step]
            #expect(abs(found.loss - loss) <= 1e-4 * loss)
            #expect(abs(found.gradientNorm - norm) <= 2e-4 * norm)
            step += 1
        }
        let file = try SafetensorsFile(
            url: Golden.url("\(name).adamw_hf_step3.safetensors")
        )
        let tolerance = try StepTolerance(model: name, learningRate: golden.lr, steps: 3)
        for (name, tensor) in model.parameters {
            try tolerance.expectClose(tensor.values, try file.floats(name), name)
        }
    }

    @Test(
        "weights after 1 and 3 steps with decay on everything equal PyTorch's",
        arguments: ["tiny-qwen2", "tiny-llama"]
    )
    func adamWDecayAll(name: String) throws {
        let golden = try Golden.json("\(name).adamw.json", as: AdamWGolden.self)
        let model = try Golden.model(name)
        let optimizer = AdamW(
            parameters: model.parameters.map { AdamW.Parameter(name: $0.name, tensor: $0.tensor, decays: true) },
            weightDecay: golden.weightDecay
        )
        let examples = try goldenExamples(name)
        let batch = PackedBatch(examples.map { $0.tokens })
        var rows: [Int32] = []
        var targets: [TokenID] = []
        for (begin, example) in zip(batch.offsets, examples) {
            for position in 1..<example.tokens.count where example.weights[position] != 0 {
                rows.append(Int32(begin + position - 1))
                targets.append(example.tokens[position])
            }
        }
        for step in 0..<3 {
            let tape = Tape(context: model.context)
            let result = try tape.weightedNegativeLogLikelihood(
                model.hiddenStates(batch, tape: tape, rows: rows),
                weight: model.outputWeight,
                targets: targets,
                weights: [Float](repeating: 1 / Float(rows.count), count: rows.count)
            )
            try tape.backward()
            #expect(abs(result.loss - golden.allDecay.lossesBeforeStep[step]) <= 1e-4 * result.loss)
            let norm = optimizer.step(learningRate: golden.lr)
            #expect(abs(norm - golden.allDecay.totalGradNorms[step]) <= 2e-4 * norm)
            guard step != 1 else { continue }
            let file = try SafetensorsFile(
                url: Golden.url("\(name).adamw_step\(step + 1).safetensors")
            )
            let tolerance = try StepTolerance(model: name, learningRate: golden.lr, steps: step + 1)
            for (name, tensor) in model.parameters {
                try tolerance.expectClose(tensor.values, try file.floats(name), name)
            }
        }
    }

    @Test("training lowers the loss, and the same seed and thread count give the same bits")
    func determinism() throws {
        let options = TrainingOptions(learningRate: 1e-2, epochs: 20, batchSequences: 8, seed: 3)
        var runs: [[[Float]]] = []
        for _ in 0..<2 {
            let model = try SmallStudent.model()
            var losses: [Double] = []
            let trainer = try SupervisedTrainer(model: model, examples: SmallStudent.examples(), options: options)
            let summary = try trainer.run { losses.append($0.loss) }
            #expect(summary.steps == trainer.totalSteps)
            #expect(summary.finalLoss < losses[0] * 0.6)
            runs.append(model.parameters.map { $0.tensor.values })
        }
        #expect(runs[0] == runs[1])
    }

    @Test("a run resumed from a checkpoint ends at the same bits as one that was not interrupted")
    func resume() throws {
        struct Interruption: Error {}
        let options = TrainingOptions(
            learningRate: 3e-3,
            epochs: 4,
            batchTokens: 60,
            accumulation: 2,
            warmupRatio: 0.1,
            weightDecay: 0.01,
            seed: 3
        )
        let whole = try SmallStudent.model()
        _ = try SupervisedTrainer(model: whole, examples: SmallStudent.examples(), options: options).run()
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("errata-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: file) }
        let first = try SupervisedTrainer(
            model: SmallStudent.model(),
            examples: SmallStudent.examples(),
            options: options
        )
        #expect(throws: Interruption.self) {
            try first.run { step in
                if step.step == 5 {
                    try first.saveCheckpoint(to: file)
                    throw Interruption()
                }
            }
        }
        let model = try SmallStudent.model()
        let second = try SupervisedTrainer(model: model, examples: SmallStudent.examples(), options: options)
        try second.resume(from: file)
        #expect(second.step == 5)
        _ = try second.run()
        #expect(model.parameters.map { $0.tensor.values } == whole.parameters.map { $0.tensor.values })
        var other = options
        other.learningRate = 1e-3
        let stranger = try SupervisedTrainer(
            model: SmallStudent.model(),
            examples: SmallStudent.examples(),
            options: other
        )
        #expect(throws: TrainingError.self) { try stranger.resume(from: file) }
    }

    @Test("accumulation and smaller passes change nothing but rounding")
    func accumulation() throws {
        var results: [[Float]] = []
        for (batch, accumulation, tokens) in [(12, 1, 8192), (4, 3, 8192), (12, 1, 20)] {
            let model = try SmallStudent.model()
            let options = TrainingOptions(
                learningRate: 1e-2,
                maximumSteps: 2,
                batchSequences: batch,
                accumulation: accumulation,
                tokensAtOnce: tokens,
                epsilon: 1e-3,
                normalization: .perSequence
            )
            _ = try SupervisedTrainer(model: model, examples: SmallStudent.examples(), options: options).run()
            results.append(model.parameters.flatMap { $0.tensor.values })
        }
        expectClose(results[1], results[0], rtol: 1e-3, atol: 1e-4, "accumulated")
        expectClose(results[2], results[0], rtol: 1e-3, atol: 1e-4, "split")
    }

    @Test("a negative weight pushes a token away")
    func negativeWeights() throws {
        let model = try SmallStudent.model()
        let example = SupervisedExample(tokens: [1, 2, 3, 4], weights: [0, 1, -0.2, 1], responseLength: 3)
        let before = try model.logProbabilities([example.tokens])[0]
        _ = try SupervisedTrainer(
            model: model,
            examples: [example],
            options: TrainingOptions(learningRate: 1e-3, maximumSteps: 8, normalization: .perSequence)
        ).run()
        let after = try model.logProbabilities([example.tokens])[0]
        #expect(after[0] > before[0])
        #expect(after[1] < before[1])
        #expect(after[2] > before[2])
    }

    @Test("limits end a run where they say")
    func limits() throws {
        let examples = SmallStudent.examples()
        let tokens = examples.reduce(0) { $0 + $1.tokens.count }
        func steps(_ options: TrainingOptions) throws -> Int {
            try SupervisedTrainer(model: SmallStudent.model(), examples: examples, options: options).totalSteps
        }
        #expect(try steps(TrainingOptions(learningRate: 1, epochs: 2, batchSequences: 10)) == 6)
        #expect(try steps(TrainingOptions(learningRate: 1, epochs: 0.5, batchSequences: 5)) == 3)
        #expect(try steps(TrainingOptions(learningRate: 1, maximumSteps: 17, batchSequences: 10)) == 17)
        #expect(try steps(TrainingOptions(learningRate: 1, maximumTokens: 2 * tokens, batchSequences: 30)) == 2)
    }

    @Test("schedules warm up and go down as named")
    func schedules() {
        let cosine = LearningRateSchedule.cosine
        #expect(cosine.factor(step: 0, totalSteps: 100, warmupSteps: 10) == 0)
        #expect(cosine.factor(step: 5, totalSteps: 100, warmupSteps: 10) == 0.5)
        #expect(cosine.factor(step: 10, totalSteps: 100, warmupSteps: 10) == 1)
        #expect(abs(cosine.factor(step: 55, totalSteps: 100, warmupSteps: 10) - 0.5) < 1e-12)
        #expect(LearningRateSchedule.linear.factor(step: 25, totalSteps: 100, warmupSteps: 0) == 0.75)
        #expect(LearningRateSchedule.constant.factor(step: 99, totalSteps: 100, warmupSteps: 0) == 1)
        #expect(abs(LearningRateSchedule.exponential.factor(step: 50, totalSteps: 100, warmupSteps: 0) - 0.1) < 1e-12)
    }

    @Test("the stepwise schedule takes 0.95 of the rate after each whole pass, whatever the number of updates")
    func stepwise() throws {
        func factor(_ step: Int, epoch: Double) -> Double {
            LearningRateSchedule.stepwise.factor(step: step, totalSteps: 90, warmupSteps: 2, epoch: epoch)
        }
        #expect([0, 1, 2, 29].map { factor($0, epoch: Double($0) / 30) } == [0, 0.5, 1, 1], "the rate rises first")
        for (epoch, expected) in [(0, 1), (0.99, 1), (1, 0.95), (1.5, 0.95), (2, 0.9025), (3, 0.857_375)] {
            #expect(abs(factor(40, epoch: epoch) - expected) < 1e-12, "\(epoch)")
        }

        // 30 examples, 12 an update: three updates a pass, the last of 6.
        var rates: [Double] = []
        let trainer = try SupervisedTrainer(
            model: SmallStudent.model(),
            examples: SmallStudent.examples(),
            options: TrainingOptions(learningRate: 1e-3, epochs: 3, batchSequences: 12, schedule: .stepwise)
        )
        _ = try trainer.run { rates.append($0.learningRate) }
        let expected = [1, 1, 1, 0.95, 0.95, 0.95, 0.9025, 0.9025, 0.9025].map { $0 * 1e-3 }
        #expect(rates.count == 9 && zip(rates, expected).allSatisfy { abs($0 - $1) < 1e-12 })
    }

    @Test("bad options and examples are refused by name")
    func refusals() throws {
        for options in [
            TrainingOptions(learningRate: -1), TrainingOptions(learningRate: 1, batchSequences: 0),
            TrainingOptions(learningRate: 1, maximumTokens: 1, maximumSteps: 1),
            TrainingOptions(learningRate: 1, warmupRatio: 2), TrainingOptions(learningRate: .nan),
        ] {
            #expect(throws: TrainingError.self) { try options.validate() }
        }
        let options = TrainingOptions(learningRate: 1)
        for examples in [
            [], [SupervisedExample(tokens: [1], weights: [1])], [SupervisedExample(tokens: [1, 2], weights: [1])],
            [SupervisedExample(tokens: [1, 2], weights: [0, .nan])],
        ] {
            #expect(throws: TrainingError.self) {
                try SupervisedTrainer(model: SmallStudent.model(), examples: examples, options: options)
            }
        }
    }

    @Test("a factor multiplies the weights and leaves the length that normalisation divides by, 0 included")
    func factors() {
        let example = SupervisedExample(prompt: [1, 2], response: [3, 4, 5])
        for factor in [0, 0.5, 1, -2] as [Float] {
            let weighted = example.weighted(by: factor)
            #expect(weighted.weights == [0, 0, factor, factor, factor])
            #expect(weighted.countedLength == 3)
        }
        var measured = example
        measured.responseLength = 7
        #expect(measured.weighted(by: 0).countedLength == 7)
    }
}
