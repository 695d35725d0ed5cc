import ArgumentParser
import Distillation
import Foundation
import LanguageModel
import Tokenization
import Training

/// `errata train`: trains a model from a file, without broker or database.
struct TrainCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "train",
        abstract: "Train a model from a file of examples, without broker or database.",
        subcommands: [TrainSupervisedCommand.self, TrainKeyStepsCommand.self, TrainPreferenceCommand.self]
    )
}

/// `errata train sft`.
struct TrainSupervisedCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "sft",
        abstract: "Fine-tune on responses.",
        discussion: """
            Each line of the file is a JSON object with "messages" (a list of "role" and "content"), or "prompt" and \
            "completion" (both texts, or both lists of messages). Only what the assistant says is learned.
            """
    )

    @OptionGroup var files: TrainFileOptions
    @OptionGroup var rates: TrainRateOptions
    @OptionGroup var adapter: TrainAdapterOptions

    @Option(help: "What the loss is divided by: responseTokens, perSequence or none.")
    var normalization: LossNormalization = .responseTokens

    func run() throws {
        var options = try rates.options(learningRate: 2e-5, epochs: 1, schedule: .cosine)
        options.normalization = normalization
        let job = try TrainJob(files, adapter: adapter, training: options)
        let examples = try job.read { try job.reader.supervised($0, place: $1) }
        let heldOut = try job.readHeldOut { try job.reader.supervised($0, place: $1) }
        try job.train(
            lengths: examples.map(\.tokens.count),
            note: TrainJob.supervisedNote,
            heldOut: { _ in try heldOut.map { try HeldOut(supervised: $0, options: options) } },
            make: { try SupervisedTrainer(model: $0, examples: examples, options: options) }
        )
    }
}

/// `errata train dpo`.
struct TrainPreferenceCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dpo",
        abstract: "Train on preferences: DPO and its relatives.",
        discussion: """
            Each line of the file is a JSON object with "prompt", "chosen" and "rejected", texts or lists of messages; \
            without "prompt", what two lists of messages begin with alike is the prompt. The reference is the model \
            itself unless --reference names another.
            """
    )

    @OptionGroup var files: TrainFileOptions
    @OptionGroup var rates: TrainRateOptions
    @OptionGroup var adapter: TrainAdapterOptions

    @Option(help: "sigmoid, hinge, ipo, robust or simpo.")
    var loss: PreferenceLoss = .sigmoid

    @Option(help: "Strength of the tie to the reference.")
    var beta = 0.1

    @Option(help: "Probability that a pair is labelled the wrong way round (sigmoid, robust, simpo).")
    var labelSmoothing = 0.0

    @Option(help: "Weight of the chosen completions' mean negative log-likelihood.")
    var nllWeight = 0.0

    @Option(help: "Target margin of simpo.")
    var simpoMargin = 0.0

    @Option(help: "A frozen reference: another model of the same tokenizer. Default: the model itself.")
    var reference: String?

    @Option(help: "A file that keeps the reference's log-probabilities for other runs on the same pairs.")
    var referenceStore: String?

    @Option(help: "Weight of fine-tuning examples that are mixed in; needs --supervised-data.")
    var supervisedWeight = 0.0

    @Option(help: "The examples of --supervised-weight, in the layout of errata train sft.")
    var supervisedData: String?

    /// The folder or file of the reference, unless that is the model's own: its weights are there already.
    private func otherReference() throws -> URL? {
        guard let reference else { return nil }
        let (theirs, own) = (try files.store.model(reference), try files.store.model(files.model))
        return theirs.resolvingSymlinksInPath().path == own.resolvingSymlinksInPath().path ? nil : theirs
    }

    private var preference: PreferenceOptions {
        PreferenceOptions(
            loss: loss,
            beta: beta,
            labelSmoothing: labelSmoothing,
            nllWeight: nllWeight,
            supervisedWeight: supervisedWeight,
            simpoMargin: simpoMargin
        )
    }

    func validate() throws {
        do {
            try preference.validate()
        } catch {
            throw ValidationError("\(error)")
        }
        guard (supervisedWeight > 0) == (supervisedData != nil) else {
            throw ValidationError("--supervised-weight and --supervised-data belong together; give both or none")
        }
        guard supervisedWeight == 0 || rates.batchTokens == nil else {
            throw ValidationError(
                "--supervised-weight mixes in as many examples as --batch-size names; give that instead of --batch-tokens"
            )
        }
        for (name, isGiven) in [("--reference", reference != nil), ("--reference-store", referenceStore != nil)]
        where isGiven && loss == .simpo {
            throw ValidationError("\(name) has no effect on the loss simpo; leave it out")
        }
    }

    func run() throws {
        let options = try rates.options(learningRate: 1e-6, epochs: 1, schedule: .linear)
        let otherReference = try otherReference()
        let job = try TrainJob(files, adapter: adapter, training: options, reference: otherReference)
        let pairs = try job.read { try job.reader.preferences($0, place: $1) }
        let supervised = try supervisedData.map { file in
            try job.read(file) { try job.reader.supervised($0, place: $1) }
        }
        let heldOut = try job.readHeldOut { try job.reader.preferences($0, place: $1) }
        // The trainer and the pairs that are measured have the same reference.
        var frozen: CausalLanguageModel?
        try job.train(
            lengths: pairs.map { $0.prompt.count + $0.chosen.count + $0.rejected.count },
            note: TrainJob.preferenceNote,
            heldOut: { model in
                // All of it has been asked for when this is done, and its memory is given back.
                defer { frozen = nil }
                return try heldOut.map {
                    try HeldOut(preferences: $0, reference: frozen ?? model, options: options, preference: preference)
                }
            },
            make: { model in
                frozen =
                    try otherReference.map {
                        let source = try ModelSource($0)
                        defer { source.close() }
                        return try CausalLanguageModel.load(
                            folder: source.folder,
                            context: model.context,
                            weights: .asStored
                        )
                    } ?? (model.adapter == nil ? nil : model.withoutAdapter)
                return try PreferenceTrainer(
                    model: model,
                    reference: frozen,
                    pairs: pairs,
                    options: options,
                    preference: preference,
                    supervised: supervised ?? [],
                    store: referenceStore.map { file in
                        ReferenceStore(url: URL(fileURLWithPath: file), onNotice: { Terminal.error($0) })
                    }
                )
            }
        )
    }
}
