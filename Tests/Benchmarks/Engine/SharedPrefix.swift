import ArgumentParser
import Foundation
import LanguageModel
import TensorEngine
import Tokenization
import Training

/// A DPO step with the shared prefix computed once against one that computes it for each side, in turn in one process.
struct SharedPrefix: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "shared-prefix",
        abstract: "One DPO step, sharing the pairs' prefixes against not sharing them."
    )

    @OptionGroup var options: CaseOptions
    @Option(help: "Pairs.") var batch = 2
    @Option(help: "Tokens a sequence.") var sequence = 256
    @Option(help: "Tokens of the prompt that chosen and rejected share.") var prompt = 128

    private struct OneStep: Error {}

    func run() throws {
        let model = try options.makeModel()
        var data = RandomData(model)
        let pairs = data.pairs(batch, sequence: sequence, prompt: prompt, precision: options.precision)
        let sides = try [true, false].map { shares in
            (
                StepTimer(warmup: options.warmup),
                try PreferenceTrainer(
                    model: model,
                    pairs: pairs,
                    options: TrainingOptions(
                        learningRate: 1e-5,
                        maximumSteps: options.warmup + options.iterations + 1,
                        batchSequences: batch,
                        precision: options.precision,
                        schedule: .constant,
                        shuffle: false
                    ),
                    preference: PreferenceOptions(sharesPrefixes: shares)
                )
            )
        }
        // Step by step in turn, so that other work on the machine slows both sides alike; the processor's seconds suffer
        // less from it than those on the wall.
        var processor: [[Double]] = [[], []]
        for _ in 0..<options.warmup + options.iterations {
            for (index, (timer, trainer)) in sides.enumerated() {
                timer.start()
                let begun = clock()
                do {
                    _ = try trainer.run { _ in throw OneStep() }
                } catch is OneStep {
                    timer.lap()
                    processor[index].append(Double(clock() - begun) / Double(CLOCKS_PER_SEC))
                }
            }
        }
        let least = processor.map { $0.dropFirst(options.warmup).min() ?? .nan }
        for (index, (timer, _)) in sides.enumerated() {
            timer.report(
                "\(options.model.rawValue) dpo \(batch)x\(sequence) sharing \(index == 0 ? prompt : 0) fp32",
                [
                    "ratio_to_shared": timer.median / sides[0].0.median,
                    "processor_min": least[index],
                    "processor_ratio_to_shared": least[index] / least[0],
                ]
            )
        }
    }
}
