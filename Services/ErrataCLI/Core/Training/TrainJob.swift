import ArgumentParser
import Foundation
import LanguageModel
import ModelFiles
import TensorEngine
import Tokenization
import Training

/// What both trainers can do.
protocol ResumableTrainer {
    var totalSteps: Int { get }
    var step: Int { get }
    func run(onStep: (TrainingStep) throws -> Void) throws -> TrainingSummary
    func saveCheckpoint(to url: URL) throws
    func resume(from url: URL) throws
}

extension SupervisedTrainer: ResumableTrainer {}
extension PreferenceTrainer: ResumableTrainer {}

/// One `errata train`: reads the data, trains, and writes the model.
struct TrainJob {
    /// The state of a training that has not ended, in the output folder.
    static let stateFile = "training-state.safetensors"

    let reader: TrainingDataReader
    private let options: TrainFileOptions
    /// The model's folder, made of a GGUF file where that is what was given.
    private let modelSource: ModelSource
    private let source: URL
    private let modelConfiguration: ModelConfiguration
    private let reference: URL?
    private let output: URL
    private let adapter: LoRAConfiguration?
    private let training: TrainingOptions

    /// Checks everything that can be checked before the weights are read.
    ///
    /// - Parameters:
    ///   - options: What is read and written.
    ///   - adapter: The adapter to train, where one is wanted.
    ///   - training: How the training goes; its seed is that of the adapter's first weights.
    ///   - reference: A frozen reference that is another model, where there is one.
    /// - Throws: ``CLIError``, or the error of the model's files, that names the folder and what is wrong.
    init(
        _ options: TrainFileOptions,
        adapter: TrainAdapterOptions,
        training: TrainingOptions,
        reference: URL? = nil
    ) throws {
        try EngineSettings.check()
        self.options = options
        self.adapter = try adapter.configuration(baseModel: options.model)
        self.training = training
        self.reference = reference
        modelSource = try ModelSource(options.store.model(options.model))
        source = modelSource.folder
        output = URL(fileURLWithPath: options.output)
        let folder = source
        let configuration = try ModelConfiguration(folder: folder)
        modelConfiguration = configuration
        let tokenizer = try Tokenizer(folder: folder)
        guard tokenizer.vocabularySize <= configuration.vocabularySize else {
            throw CLIError(
                "\(folder.path): the tokenizer has \(tokenizer.vocabularySize) tokens, the model only "
                    + "\(configuration.vocabularySize); they do not belong together"
            )
        }
        guard let end = tokenizer.eosTokenID ?? configuration.eosTokenIDs.first else {
            throw CLIError(
                "\(folder.path) names no end-of-text token; give eos_token in tokenizer_config.json or eos_token_id in "
                    + "config.json"
            )
        }
        reader = try TrainingDataReader(
            tokenizer: tokenizer,
            chat: Result { try options.chat.encoder(folder: folder, tokenizer: tokenizer) },
            chatArguments: try options.chat.arguments(),
            endOfText: end,
            maximumLength: min(options.maxLength ?? .max, configuration.maximumPositions)
        )
        try Self.checkOutput(output, source: source, options)
    }

    /// Reads a file of examples and tells what was left out of it or cut.
    func read<Example>(
        _ file: String? = nil,
        _ parse: (Data, String) throws -> TrainingData<Example>
    ) throws -> [Example] {
        let file = file ?? options.data
        let content: Data
        do {
            content = try Data(contentsOf: URL(fileURLWithPath: file))
        } catch {
            throw CLIError("\(file) cannot be read: \(error.localizedDescription)")
        }
        let data = try parse(content, file)
        for line in data.rejected.prefix(100) { Terminal.error("\(file):\(line.number): \(line.reason)") }
        func lines(_ count: Int) -> String { count == 1 ? "1 line was" : "\(count) lines were" }
        if !data.rejected.isEmpty { Terminal.error("\(file): \(lines(data.rejected.count)) left out") }
        if data.truncated > 0 {
            Terminal.error("\(file): \(lines(data.truncated)) cut to \(reader.maximumLength) tokens")
        }
        return data.examples
    }

    /// Reads the examples that are measured and not learned from, where there are some.
    func readHeldOut<Example>(_ parse: (Data, String) throws -> TrainingData<Example>) throws -> [Example]? {
        try options.evalData.map { try read($0, parse) }
    }

    /// Trains and writes the model, or the state where a signal ends it.
    ///
    /// - Parameters:
    ///   - lengths: The tokens of each example or pair.
    ///   - note: What stands beside the progress bar.
    ///   - heldOut: Prepares what is measured, before the first step.
    ///   - make: Makes the trainer.
    /// - Throws: what the model, the trainer or a file throws; `ExitCode` 130 after a signal.
    func train(
        lengths: [Int],
        note: (TrainingStep) -> String,
        heldOut: (CausalLanguageModel) throws -> HeldOut?,
        make: (CausalLanguageModel) throws -> any ResumableTrainer
    ) throws {
        try checkMemory(lengths)
        let model = try CausalLanguageModel.load(
            folder: source,
            context: options.threads.map { ComputeContext(threads: $0) } ?? ComputeContext(),
            // Frozen weights need no float32 copy.
            weights: adapter == nil ? .float32 : .asStored
        )
        if let adapter { try model.attach(LoRAAdapter(configuration: adapter, for: model, seed: training.seed)) }
        if training.precision == .bfloat16, !BLASRuntime.kernelInstructionSet.hasSuffix("bf16") {
            Terminal.error(
                "--bf16: this processor does not multiply bfloat16 (kernels \(BLASRuntime.kernelInstructionSet)); the "
                    + "training is right, but slower than without"
            )
        }
        let trainer = try make(model)
        let heldOut = try heldOut(model)
        let state = output.appending(path: Self.stateFile)
        if options.resume { try trainer.resume(from: state) }
        try clearOutput()
        let metrics = try MetricsFile(
            options.metrics.map { URL(fileURLWithPath: $0) } ?? output.appending(path: "metrics.jsonl"),
            keepingSteps: options.resume ? trainer.step : 0
        )
        var board = ProgressBoard(output: .standardError)
        let stop = StopRequest()
        stop.install()
        var evaluation: Double?
        do {
            let summary = try trainer.run { step in
                try metrics.add(step)
                let isLast = step.step == step.totalSteps
                if let heldOut, isLast || step.step % (options.evalSteps ?? .max) == 0 {
                    let values = try heldOut.metrics(of: model)
                    try metrics.add(values, step: step.step)
                    evaluation = values["eval_loss"]
                }
                let told = note(step) + (evaluation.map { "  eval loss \(Self.number($0))" } ?? "")
                board.show(
                    [.init(name: "training", done: step.step, total: step.totalSteps, note: told)],
                    final: isLast
                )
                guard !isLast else { return }
                if stop.isRequested { throw StopRequest.Stopped() }
                if options.checkpointEvery > 0, step.step % options.checkpointEvery == 0 {
                    try trainer.saveCheckpoint(to: state)
                }
            }
            try save(model)
            try? FileManager.default.removeItem(at: state)
            Terminal.out(
                "\(output.path): \(summary.steps) steps, \(summary.tokensSeen) tokens, loss "
                    + Self.number(summary.finalLoss) + (evaluation.map { ", eval loss \(Self.number($0))" } ?? "")
            )
        } catch is StopRequest.Stopped {
            try trainer.saveCheckpoint(to: state)
            Terminal.error(
                "stopped after step \(trainer.step) of \(trainer.totalSteps); the same command with --resume goes on"
            )
            throw ExitCode(130)
        }
    }

    /// Tells what the training will need, and refuses what there is no room for.
    private func checkMemory(_ lengths: [Int]) throws {
        let storedBytes = try CausalLanguageModel.inspect(folder: source).storedBytes
        let other = try reference.map { path in
            let reference = try ModelSource(path)
            defer { reference.close() }
            return try ModelConfiguration(folder: reference.folder)
        }
        let memory = TrainingMemory(
            modelConfiguration,
            storedBytes: storedBytes,
            adapter: adapter,
            options: training,
            lengths: lengths,
            reference: other
        )
        Terminal.error("needs \(memory.need.text) of memory")
        try memory.check(
            available: MemoryBudget.current().available,
            names: TrainingMemory.OptionNames(
                recomputation: "--recompute-activations",
                tokensAtOnce: { "--tokens-at-once \($0)" },
                adapter: { "--lora-rank \($0)" }
            )
        )
    }

    /// What supervised training tells beside the bar.
    static func supervisedNote(_ step: TrainingStep) -> String {
        "loss \(number(step.loss))  \(Int(step.tokensPerSecond)) tokens/s"
    }

    /// What preference training tells beside the bar.
    static func preferenceNote(_ step: TrainingStep) -> String {
        let accuracy = step.metrics["rewards/accuracies"] ?? 0
        return "loss \(number(step.loss))  accuracy \(number(accuracy))  \(Int(step.tokensPerSecond)) tokens/s"
    }

    private static func number(_ value: Double) -> String { String(format: "%.4f", value) }

    // MARK: The output folder

    private static func checkOutput(_ output: URL, source: URL, _ options: TrainFileOptions) throws {
        let files = FileManager.default
        guard output.resolvingSymlinksInPath().path != source.resolvingSymlinksInPath().path else {
            throw CLIError("--output is the model's own folder; give another, so that the model is kept")
        }
        do {
            try files.createDirectory(at: output, withIntermediateDirectories: true)
        } catch {
            throw CLIError("\(output.path) cannot be made: \(error.localizedDescription)")
        }
        let names = try files.contentsOfDirectory(atPath: output.path)
        let hasState = names.contains(stateFile)
        if options.resume {
            guard hasState else {
                throw CLIError(
                    "\(output.path) holds no \(stateFile) to go on from; leave --resume out to begin, or check --output"
                )
            }
            return
        }
        guard !names.isEmpty else { return }
        guard options.overwrite else {
            throw CLIError(
                "\(output.path) is not empty; give --overwrite to replace what is in it"
                    + (hasState ? ", --resume to go on with the training that was stopped," : "")
                    + " or another --output"
            )
        }
    }

    /// Removes what an earlier training left.
    ///
    /// A stale index, chat template or adapter would be taken for the new model's.
    private func clearOutput() throws {
        guard options.overwrite else { return }
        let files = FileManager.default
        for name in try files.contentsOfDirectory(atPath: output.path) {
            let file = output.appending(path: name)
            let isOurs =
                name == Self.stateFile || name.hasPrefix("model") && name.contains(".safetensors")
                || ModelFolder.companionFiles.contains(name)
                || name == "adapter"
                    && files.fileExists(atPath: file.appending(path: ModelFolder.adapterConfigurationFile).path)
            if isOurs { try files.removeItem(at: file) }
        }
    }

    private func save(_ model: CausalLanguageModel) throws {
        // With an adapter these are the merged weights, so that the folder is a model of its own.
        try model.save(to: output, as: options.saveDtype)
        try model.adapter?.save(to: output.appending(path: "adapter"))
        // What the model says about text, sampling and its end tokens stays true.
        try ModelFolder.copyCompanions(from: source, to: output)
    }
}
