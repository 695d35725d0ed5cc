import ArgumentParser
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

    func run() throws {
        var medians: [Double] = []
        for shares in [true, false] {
            // One model at a time, so that both have the same memory to themselves.
            let model = try options.makeModel()
            let hash = model.contentHash()
            var generator = SeededGenerator(seed: 1)
            func tokens(_ count: Int) -> [TokenID] {
                (0..<count).map { _ in TokenID(generator.next() % UInt64(model.configuration.vocabularySize)) }
            }
            let pairs = (0..<batch).map { index in
                PreferenceExample(
                    id: "\(index)",
                    prompt: tokens(prompt),
                    chosen: tokens(sequence - prompt),
                    rejected: tokens(sequence - prompt),
                    referenceChosen: -100,
                    referenceRejected: -100,
                    referenceHash: hash
                )
            }
            let trainer = try PreferenceTrainer(
                model: model,
                pairs: pairs,
                options: TrainingOptions(
                    learningRate: 1e-5,
                    maximumSteps: options.warmup + options.iterations,
                    batchSequences: batch,
                    schedule: .constant,
                    shuffle: false
                ),
                preference: PreferenceOptions(sharesPrefixes: shares)
            )
            let timer = StepTimer(warmup: options.warmup)
            timer.start()
            _ = try trainer.run { _ in timer.lap() }
            medians.append(timer.median)
            timer.report(
                "\(options.model.rawValue) dpo \(batch)x\(sequence) sharing \(shares ? prompt : 0) fp32",
                [
                    "buffers_mib": Double(model.context.buffers.reservedFloats) / Double(1 << 18),
                    "ratio_to_shared": timer.median / medians[0],
                ]
            )
        }
    }
}
