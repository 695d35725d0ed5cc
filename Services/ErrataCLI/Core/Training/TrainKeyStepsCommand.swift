import ArgumentParser
import Distillation
import Foundation
import Reasoning
import TensorEngine
import Training

/// `errata train krsl`.
struct TrainKeyStepsCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "krsl",
        abstract: "Train on the key steps of right and wrong chains (EDIT).",
        discussion: """
            Each line of the file is a JSON object with "prompt", "right" and "wrong" (or "chosen" and "rejected" in \
            their place), texts or lists of messages. The key tokens are what a minimum edit distance between the two \
            leaves unmatched: alpha is their weight in the right chain, minus beta in the wrong one, and gamma that of \
            the right chain's other tokens.

            The defaults are the authors' form. It says nothing of most tokens and has no lower bound, so that a student \
            can forget more than it learns; against that help a gamma above 0, --supervised-data, --wrong-tokens \
            unlikelihood and --nll-threshold. The metrics have the mean log-probability of wrong key tokens as \
            mean_token_log_probability/negative, and with --eval-data that of the right chains' tokens that have no \
            weight as eval_mean_token_log_probability/unweighted.
            """
    )

    /// How key tokens are chosen.
    enum KeyTokens: String, CaseIterable, ExpressibleByArgument {
        case edit, random
    }

    @OptionGroup var files: TrainFileOptions
    @OptionGroup var rates: TrainRateOptions
    @OptionGroup var adapter: TrainAdapterOptions

    @Option(help: "Weight of the right chain's key tokens.")
    var alpha = 1.0

    @Option(help: "Weight of the wrong chain's key tokens, applied with a minus sign.")
    var beta = 0.025

    @Option(help: "Weight of the right chain's other tokens.")
    var gamma = 0.0

    @Option(help: "How alignments of equal distance are told apart: edit, the authors' rule, or canonical, symmetric.")
    var tieRule: KeyStepAlignment.TieRule = .edit

    @Option(help: "Which tokens are key: edit, or random, the control: as many, at places that --seed decides.")
    var keyTokens: KeyTokens = .edit

    @Option(
        help: """
            What the wrong chain's key tokens cost: likelihood, log p as the authors have it, without a lower bound; or \
            unlikelihood, -log(1 - p), at least 0.
            """
    )
    var wrongTokens: NegativeTokenLoss = .likelihood

    @Option(
        help: """
            Leave the wrong chain's key tokens out of an update when their -log p is above this many nats by then. \
            Default: never.
            """
    )
    var nllThreshold: Double?

    @Option(help: "What the loss is divided by: responseTokens, perSequence or none.")
    var normalization: LossNormalization = .perSequence

    @Option(help: "Weight of the tokens of the fine-tuning examples that are mixed in; needs --supervised-data.")
    var supervisedWeight = 0.0

    @Option(
        help: """
            The examples of --supervised-weight, in the layout of errata train sft. They are shuffled among the chains, \
            and an epoch is all of both.
            """
    )
    var supervisedData: String?

    func validate() throws {
        for (name, value) in [
            ("--alpha", alpha), ("--beta", beta), ("--gamma", gamma), ("--supervised-weight", supervisedWeight),
        ] {
            guard (0...1000).contains(value) else {
                throw ValidationError("\(name) must lie in 0...1000, not \(value)")
            }
        }
        guard alpha + beta + gamma > 0 else {
            throw ValidationError("--alpha, --beta and --gamma are all 0: nothing would be learned")
        }
        guard (supervisedWeight > 0) == (supervisedData != nil) else {
            throw ValidationError("--supervised-weight and --supervised-data belong together; give both or none")
        }
        if let nllThreshold, !(nllThreshold.isFinite && nllThreshold > 0) {
            throw ValidationError("--nll-threshold must be a number of nats above 0, not \(nllThreshold)")
        }
    }

    private var weights: KeyStepOptions {
        KeyStepOptions(
            alpha: alpha,
            beta: beta,
            gamma: gamma,
            tieRule: tieRule,
            keyTokens: keyTokens == .random ? .random(seed: rates.seed) : .edit
        )
    }

    func run() throws {
        var options = try rates.options(learningRate: 5e-6, epochs: 1, schedule: .exponential)
        options.normalization = normalization
        options.negativeTokens = wrongTokens
        options.negativeThreshold = nllThreshold
        let job = try TrainJob(files, adapter: adapter, training: options)
        var examples = try job.read { try job.reader.keySteps($0, place: $1, options: weights) }
        if let supervisedData {
            let mixed = try job.read(supervisedData) { try job.reader.supervised($0, place: $1) }
            examples += mixed.map { $0.weighted(by: Float(supervisedWeight)) }
        }
        let heldOut = try job.readHeldOut { try job.reader.keySteps($0, place: $1, options: weights) }
        try job.train(
            lengths: examples.map(\.tokens.count),
            note: TrainJob.supervisedNote,
            heldOut: { _ in try heldOut.map { try HeldOut(supervised: $0, options: options) } },
            make: { try SupervisedTrainer(model: $0, examples: examples, options: options) }
        )
    }
}
