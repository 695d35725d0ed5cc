import ArgumentParser
import Foundation
import LanguageModel
import TensorEngine
import Tokenization
import Training

/// What is read and written by a training.
struct TrainFileOptions: ParsableArguments {
    @Option(help: "The examples: JSON lines.")
    var data: String

    @Option(
        help: "The model to start from: a folder in Hugging Face layout, a GGUF file, or a stored model's name or hash."
    )
    var model: String

    @OptionGroup var store: ModelStoreOptions

    @Option(help: "Where the trained model goes: a new or empty folder.")
    var output: String

    @Option(
        help: """
            How the trained weights are written: float32, bfloat16, float16, or auto for what the model's own folder has. \
            Rounding can undo what was learned, for updates are often smaller than half the distance of two numbers in \
            bfloat16; so float32 unless you say otherwise. Adapters and states are float32 in any case.
            """
    )
    var saveDtype: SavedType = .float32

    @OptionGroup var chat: ChatOptions

    @Option(help: "Longest sequence in tokens; longer ones are cut at their end. Default: what the model was made for.")
    var maxLength: Int?

    @Option(help: "A file for the figures of each step, JSON lines under TRL's names. Default: OUTPUT/metrics.jsonl.")
    var metrics: String?

    @Option(help: "Examples to measure on and not to learn from, in the layout of --data; as eval_loss in the metrics.")
    var evalData: String?

    @Option(help: "With --eval-data: measure every so many steps as well, not at the end only.")
    var evalSteps: Int?

    @Option(help: "Write the state to the output folder every so many steps; 0 only when interrupted.")
    var checkpointEvery = 0

    @Flag(help: "Go on from the state in the output folder; data and options must be the same.")
    var resume = false

    @Flag(help: "Replace a model, or a state, in the output folder.")
    var overwrite = false

    @Option(help: "Threads to compute with. Default: all cores.")
    var threads: Int?

    func validate() throws {
        if let maxLength, maxLength < 2 { throw ValidationError("--max-length must be at least 2, not \(maxLength)") }
        if let evalSteps {
            guard evalSteps > 0 else { throw ValidationError("--eval-steps must be at least 1, not \(evalSteps)") }
            guard evalData != nil else {
                throw ValidationError("--eval-steps has no effect without --eval-data; give both")
            }
        }
        guard checkpointEvery >= 0 else { throw ValidationError("--checkpoint-every must not be negative") }
        if let threads, !(1...1024).contains(threads) {
            throw ValidationError("--threads must lie in 1...1024, not \(threads)")
        }
        if resume, overwrite {
            throw ValidationError("--resume keeps what --overwrite removes from the output folder; give one of them")
        }
    }
}

/// How a training goes.
struct TrainRateOptions: ParsableArguments {
    @Option(help: "Peak learning rate. Default: 2e-5 for sft, 5e-6 for krsl, 1e-6 for dpo.")
    var learningRate: Double?

    @Option(help: "Passes over the data; may be broken. Default: 1.")
    var epochs: Double?

    @Option(help: "Number of updates; the data is repeated as needed. Instead of --epochs.")
    var maxSteps: Int?

    @Option(help: "Examples (or pairs) a batch. Default: 8.")
    var batchSize: Int?

    @Option(help: "Tokens a batch: as many examples (or pairs) as fit. Instead of --batch-size.")
    var batchTokens: Int?

    @Option(help: "Batches an update.")
    var accumulation = 1

    @Option(help: "Most tokens computed at once; bounds memory.")
    var tokensAtOnce = 8192

    @Option(
        help: "constant, linear, cosine or exponential. Default: cosine for sft, exponential for krsl, linear for dpo."
    )
    var schedule: LearningRateSchedule?

    @Option(help: "Share of the updates over which the learning rate rises.")
    var warmupRatio = 0.0

    @Option(help: "Decoupled weight decay of matrices.")
    var weightDecay = 0.0

    @Option(help: "Largest global gradient norm; 0 does not clip.")
    var maxGradientNorm = 1.0

    @Option(help: "Seed of the order of the examples.")
    var seed: UInt64 = 0

    @Flag(help: "Compute activations again on the way back: less memory, about a third more time, the same bits.")
    var recomputeActivations = false

    @Flag(
        help: """
            Round the operands of matrix products to bfloat16 and sum in float32: faster where the processor has \
            AVX-512-BF16. Weights, gradients and optimizer stay float32.
            """
    )
    var bf16 = false

    @Flag(help: "Take the examples in the file's order.")
    var noShuffle = false

    func validate() throws {
        guard epochs == nil || maxSteps == nil else {
            throw ValidationError("--epochs and --max-steps both say when the training ends; give one of them")
        }
        guard batchSize == nil || batchTokens == nil else {
            throw ValidationError("--batch-size and --batch-tokens both say how large a batch is; give one of them")
        }
        // Each command's defaults are good, so any will do to check the rest.
        do {
            _ = try options(learningRate: 1e-5, epochs: 1, schedule: .constant)
        } catch {
            throw ValidationError("\(error)")
        }
    }

    /// The trainer's options, with a method's own defaults where nothing was said.
    func options(
        learningRate: Double,
        epochs: Double,
        schedule: LearningRateSchedule
    ) throws -> TrainingOptions {
        var options = TrainingOptions(
            learningRate: self.learningRate ?? learningRate,
            epochs: self.epochs ?? epochs,
            maximumSteps: maxSteps,
            batchSequences: batchSize ?? 8,
            batchTokens: batchTokens,
            accumulation: accumulation,
            tokensAtOnce: tokensAtOnce,
            schedule: self.schedule ?? schedule,
            warmupRatio: warmupRatio,
            weightDecay: weightDecay,
            maxGradientNorm: maxGradientNorm,
            shuffle: !noShuffle,
            seed: seed
        )
        options.checkpointsActivations = recomputeActivations
        options.precision = bf16 ? .bfloat16 : .float32
        try options.validate()
        return options
    }
}
