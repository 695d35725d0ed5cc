public import Foundation
public import LanguageModel
import ModelFiles
import TensorEngine
import Tokenization

/// Trains on preference pairs against a frozen reference: DPO and its relatives.
public final class PreferenceTrainer {
    /// The pairs, with the reference's log-probabilities filled in.
    public let pairs: [PreferenceExample]
    private let loop: TrainingLoop
    private let preference: PreferenceOptions
    private let mix: SupervisedMix?

    /// Prepares a run and computes the reference's log-probabilities where a pair has none.
    ///
    /// - Parameters:
    ///   - model: The policy; its weights change.
    ///   - reference: The frozen reference; nil takes the policy as it is now.
    ///   - pairs: The preference pairs.
    ///   - options: Batches, rates and limits; `normalization` is not used.
    ///   - preference: The loss.
    ///   - supervised: Examples for the mixed-in supervised term, as many an update as it has pairs; unused where
    ///     `supervisedWeight` is 0.
    ///   - store: Where the reference's log-probabilities are kept for another run; nil keeps them nowhere.
    /// - Throws: ``TrainingError`` for options or pairs that cannot be used, among them pairs whose stored values belong
    ///   to another reference.
    public init(
        model: CausalLanguageModel,
        reference: CausalLanguageModel? = nil,
        pairs: [PreferenceExample],
        options: TrainingOptions,
        preference: PreferenceOptions = PreferenceOptions(),
        supervised: [SupervisedExample] = [],
        store: ReferenceStore? = nil
    ) throws {
        try preference.validate()
        guard preference.supervisedWeight == 0 || !supervised.isEmpty else {
            throw TrainingError.invalidOption(
                "supervisedWeight is \(preference.supervisedWeight), but there are no supervised examples to mix in"
            )
        }
        mix =
            preference.supervisedWeight > 0
            ? try SupervisedMix(supervised, seed: options.seed) : nil
        for pair in pairs { try pair.check() }
        self.preference = preference
        loop = try TrainingLoop(
            kind: [RunFingerprint.Field("trainer", "preference")] + preference.fingerprint + (mix?.fingerprint ?? []),
            model: model,
            lengths: pairs.map { $0.computedTokens(sharesPrefixes: preference.sharesPrefixes) },
            countedLengths: pairs.map { $0.computedTokens(sharesPrefixes: false) },
            mix: mix,
            content: ContentDigest.hex(of: pairs),
            options: options
        )
        self.pairs =
            preference.loss.usesReference
            ? try ReferencePass(
                model: reference ?? model,
                store: store,
                sharesPrefixes: preference.sharesPrefixes,
                tokensAtOnce: options.tokensAtOnce,
                precision: options.precision
            ).fill(pairs) : pairs
    }

    /// Updates of the whole run.
    public var totalSteps: Int { loop.plan.updates.count }
    /// Updates made so far.
    public var step: Int { loop.step }

    /// Runs the updates that are left.
    ///
    /// - Parameter onStep: Called after each update; throwing ends the run with that error, the update kept.
    /// - Returns: Steps, tokens, loss and speed of the run.
    /// - Throws: ``TrainingError`` when the loss is no longer finite, or what `onStep` throws.
    public func run(onStep: (TrainingStep) throws -> Void = { _ in }) throws -> TrainingSummary {
        try loop.run(onStep: onStep) { try gradients(of: $0, passes: $1) }
    }

    /// Adds the gradients of an update's loss to the model's.
    ///
    /// - Parameters:
    ///   - update: The pairs of the update, and what is mixed in.
    ///   - passes: The same pairs in groups that are computed at once.
    /// - Returns: Loss and metrics of the update.
    /// - Throws: `TensorError` for tokens outside the vocabulary.
    func gradients(of update: TrainingPlan.Update, passes: [[Int]]) throws -> TrainingLoop.Outcome {
        let chosen = update.examples
        let chosenTokens = chosen.reduce(0) { $0 + pairs[$1].chosenCount }
        var totals = PreferenceTotals()
        for pass in passes {
            try backward(pass, pairCount: chosen.count, chosenTokens: chosenTokens, totals: &totals)
        }
        var outcome = TrainingLoop.Outcome(
            loss: totals.loss(pairs: chosen.count, chosenTokens: chosenTokens, nllWeight: preference.nllWeight),
            metrics: totals.metrics(pairs: chosen.count, chosenTokens: chosenTokens)
        )
        if let mix {
            let loss = try mix.backward(
                update.mixed,
                weight: preference.supervisedWeight,
                model: loop.model,
                options: loop.options
            )
            outcome.loss += preference.supervisedWeight * loss
            outcome.metrics["supervised_loss"] = loss
        }
        return outcome
    }

    /// Writes weights, optimizer state and data position to one file, atomically.
    public func saveCheckpoint(to url: URL) throws { try loop.save(to: url) }

    /// Goes on where a checkpoint of the same run left off, bit for bit.
    ///
    /// - Throws: ``TrainingError`` when the file belongs to another run or is damaged.
    public func resume(from url: URL) throws { try loop.resume(from: url) }

    // MARK: One pass

    private func backward(_ pass: [Int], pairCount: Int, chosenTokens: Int, totals: inout PreferenceTotals) throws {
        let model = loop.model
        let layout = PreferenceLayout(pass.map { pairs[$0] }, sharesPrefixes: preference.sharesPrefixes)
        let tape = Tape(context: model.context)
        let hidden = try model.hiddenStates(
            layout.batch,
            tape: tape,
            rows: layout.rows,
            checkpointing: loop.options.checkpointsActivations
        )
        let (output, statistics) = try tape.tokenStatistics(
            hidden,
            weight: model.outputWeight,
            targets: layout.targets
        )
        let values = output.values
        var upstream = [Float](repeating: 0, count: values.count)
        let nllScale = preference.nllWeight / Double(chosenTokens)
        for (position, index) in pass.enumerated() {
            let pair = pairs[index]
            let slopes = totals.add(
                pair,
                at: position,
                of: layout,
                values: values,
                statistics: statistics,
                options: preference
            )
            let slope = slopes.derivative / Double(pairCount)
            // A token that both sides begin with has one row, and its two parts are summed there.
            let (chosen, rejected) = layout.completions[position]
            for (row, weight) in chosen.tokens {
                upstream[row] += Float(slope * slopes.chosenScale * weight - nllScale)
            }
            for (row, weight) in rejected.tokens { upstream[row] += Float(-slope * slopes.rejectedScale * weight) }
        }
        try tape.seed(output, with: upstream)
        try tape.backward()
    }
}
