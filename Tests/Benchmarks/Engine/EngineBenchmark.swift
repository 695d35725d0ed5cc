public import ArgumentParser
import LanguageModel
public import TensorEngine
import Tokenization
import Training

/// Times one case of the engine and prints a JSON line, in the manner of the scripts of the other side.
@main
struct EngineBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "engine-benchmark",
        abstract: "Times a training step, decoding, sampling or a matrix product on random weights of a named shape.",
        subcommands: [Train.self, SharedPrefix.self, Decode.self, Sampling.self, Product.self, Bandwidth.self]
    )
}

/// What all cases share.
struct CaseOptions: ParsableArguments {
    @Option(help: "smollm2-135m or qwen2.5-0.5b.")
    var model = ModelShape.smollm2

    @Option(help: "Worker threads.")
    var threads = 2

    @Option(help: "Timed repetitions.")
    var iterations = 7

    @Option(help: "Repetitions before them.")
    var warmup = 2

    @Option(help: "Precision of matrix products: float32 or bfloat16.")
    var precision = MatrixPrecision.float32

    @Option(help: "Storage of the weights: float32 or bfloat16.")
    var weights = ElementType.float32

    func makeModel() throws -> CausalLanguageModel {
        try EngineSettings.check()
        let context = ComputeContext(threads: threads)
        return try CausalLanguageModel(configuration: model.configuration, seed: 1, context: context, weights: weights)
    }

    /// How the case is computed, for the reports.
    var label: String { "\(precision == .float32 ? "fp32" : "bf16")\(weights == .float32 ? "" : " bf16-weights")" }

    func validate() throws {
        guard threads > 0, iterations > 0, warmup >= 0 else {
            throw ValidationError("--threads and --iterations must be positive, --warmup not negative")
        }
    }
}

extension MatrixPrecision: ExpressibleByArgument {}
extension ElementType: ExpressibleByArgument {}

/// Shapes of published models.
enum ModelShape: String, ExpressibleByArgument, CaseIterable {
    case smollm2 = "smollm2-135m"
    case qwen2 = "qwen2.5-0.5b"

    var configuration: ModelConfiguration {
        switch self {
        case .smollm2:
            ModelConfiguration(
                vocabularySize: 49_152,
                hiddenSize: 576,
                intermediateSize: 1_536,
                layers: 30,
                heads: 9,
                keyValueHeads: 3,
                ropeTheta: 1e5,
                maximumPositions: 8_192
            )
        case .qwen2:
            ModelConfiguration(
                modelType: .qwen2,
                vocabularySize: 151_936,
                hiddenSize: 896,
                intermediateSize: 4_864,
                layers: 24,
                heads: 14,
                keyValueHeads: 2,
                ropeTheta: 1e6,
                rmsNormEpsilon: 1e-6,
                maximumPositions: 32_768
            )
        }
    }
}

/// One training step: supervised, or DPO with the reference's log-probabilities stored.
struct Train: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "One AdamW step.")

    enum Task: String, ExpressibleByArgument, CaseIterable {
        case lm
        case dpo
    }

    @OptionGroup var options: CaseOptions
    @Option(help: "lm or dpo.") var task = Task.lm
    @Option(help: "Sequences, or pairs for dpo.") var batch = 4
    @Option(help: "Tokens a sequence.") var sequence = 256
    @Option(help: "dpo: tokens of the prompt that chosen and rejected share.") var prompt = 128
    @Option(help: "Rank of a LoRA adapter on all linear layers; 0 for full fine-tuning.") var lora = 0
    @Flag(help: "dpo: compute the shared prompt for each side.") var unshared = false

    func run() throws {
        let model = try options.makeModel()
        if lora > 0 {
            let adapter = LoRAConfiguration(
                rank: lora,
                alpha: Double(2 * lora),
                targets: LoRAConfiguration.Target.allCases
            )
            try model.attach(LoRAAdapter(configuration: adapter, for: model, seed: 1))
        }
        let training = TrainingOptions(
            learningRate: 1e-5,
            maximumSteps: options.warmup + options.iterations,
            batchSequences: batch,
            precision: options.precision,
            schedule: .constant,
            weightDecay: 0.01,
            shuffle: false
        )
        var data = RandomData(model)
        let timer = StepTimer(warmup: options.warmup)
        switch task {
        case .lm:
            let examples = (0..<batch).map { _ in
                SupervisedExample(tokens: data.tokens(sequence), weights: [Float](repeating: 1, count: sequence))
            }
            let trainer = try SupervisedTrainer(model: model, examples: examples, options: training)
            timer.start()
            _ = try trainer.run { _ in timer.lap() }
        case .dpo:
            let pairs = data.pairs(batch, sequence: sequence, prompt: prompt, precision: options.precision)
            let trainer = try PreferenceTrainer(
                model: model,
                pairs: pairs,
                options: training,
                preference: PreferenceOptions(sharesPrefixes: !unshared)
            )
            timer.start()
            _ = try trainer.run { _ in timer.lap() }
        }
        timer.report(
            "\(options.model.rawValue) \(task.rawValue) \(batch)x\(sequence)\(lora > 0 ? " lora\(lora)" : "") \(options.label)",
            [:]
        )
    }
}

/// Greedy decoding with a cache.
struct Decode: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Greedy decoding.")

    @OptionGroup var options: CaseOptions
    @Option(help: "Sequences at a time.") var batch = 1
    @Option(help: "Tokens of the prompt.") var prompt = 64
    @Option(help: "Tokens to decode.") var new = 128

    func run() throws {
        let model = try options.makeModel()
        var data = RandomData(model)
        let prompts = (0..<batch).map { _ in data.tokens(prompt) }
        let parameters = GenerationParameters(maximumNewTokens: new)
        let timer = StepTimer(warmup: options.warmup)
        timer.start()
        for _ in 0..<options.warmup + options.iterations {
            _ = try model.generate(prompts: prompts, parameters: parameters)
            timer.lap()
        }
        timer.report(
            "\(options.model.rawValue) decode b\(batch) \(prompt)+\(new) \(options.label)",
            ["tokens_per_second": Double(batch * new) / timer.median]
        )
    }
}
