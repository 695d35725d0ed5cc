public import LanguageModel
import TensorEngine
import Tokenization

/// Examples that a training is measured on and does not learn from.
///
/// The figures are those of a training step's metrics, under TRL's names with `eval_` before them, over all examples at
/// once; for key steps also `mean_token_log_probability/unweighted`, of the right chains' tokens that have no weight.
/// Nothing is changed by measuring, the order of a training's random numbers included.
public struct HeldOut {
    private enum Kind {
        case supervised([SupervisedExample], LossNormalization, NegativeTokens)
        case preference([PreferenceExample], PreferenceOptions)
    }

    private let kind: Kind
    private let tokensAtOnce: Int
    private let precision: MatrixPrecision

    /// Examples of fine-tuning or KRSL.
    ///
    /// - Parameters:
    ///   - examples: At least one.
    ///   - options: Whose normalisation, form of negative tokens, `tokensAtOnce` and `precision` are used.
    /// - Throws: ``TrainingError`` for examples that cannot be used.
    public init(supervised examples: [SupervisedExample], options: TrainingOptions) throws {
        try WeightedLikelihood.check(examples)
        kind = .supervised(examples, options.normalization, options.negative)
        tokensAtOnce = options.tokensAtOnce
        precision = options.precision
    }

    /// Pairs of preference training.
    ///
    /// - Parameters:
    ///   - pairs: At least one; the reference's log-probabilities are computed now where a pair has none.
    ///   - reference: The frozen reference, as it is now.
    ///   - options: Whose `tokensAtOnce` and `precision` are used.
    ///   - preference: The loss; examples that are mixed in are no part of it.
    /// - Throws: ``TrainingError`` for pairs that cannot be used.
    public init(
        preferences pairs: [PreferenceExample],
        reference: CausalLanguageModel,
        options: TrainingOptions,
        preference: PreferenceOptions
    ) throws {
        try preference.validate()
        guard !pairs.isEmpty else { throw TrainingError.invalidExample("there are none to measure on") }
        for pair in pairs { try pair.check() }
        let filled =
            preference.loss.usesReference
            ? try ReferencePass(
                model: reference,
                store: nil,
                sharesPrefixes: preference.sharesPrefixes,
                tokensAtOnce: options.tokensAtOnce,
                precision: options.precision
            ).fill(pairs) : pairs
        kind = .preference(filled, preference)
        tokensAtOnce = options.tokensAtOnce
        precision = options.precision
    }

    /// The figures of `model` as it is now.
    ///
    /// - Returns: `eval_loss` and what else the training's steps tell of their examples.
    /// - Throws: `TensorError` for tokens outside the vocabulary, ``TrainingError`` where the loss is not finite.
    public func metrics(of model: CausalLanguageModel) throws -> [String: Double] {
        let found = try model.context.withPrecision(precision) {
            switch kind {
            case .supervised(let examples, let normalization, let negative):
                try Self.metrics(examples, normalization, negative, model, passes)
            case .preference(let pairs, let options): try Self.metrics(pairs, options, model, passes)
            }
        }
        guard let loss = found["loss"], loss.isFinite else {
            throw TrainingError.diverged(
                "the loss on held-out examples is \(found["loss"] ?? .nan): the model's weights are damaged, or the learning "
                    + "rate was too high"
            )
        }
        return Dictionary(uniqueKeysWithValues: found.map { ("eval_" + $0.key, $0.value) })
    }

    private func passes(_ lengths: [Int]) -> [[Int]] {
        TrainingPlan.passes(Array(lengths.indices), lengths: lengths, limit: tokensAtOnce)
    }

    private static func logProbabilities(
        _ batch: PackedBatch,
        rows: [Int32],
        targets: [TokenID],
        model: CausalLanguageModel
    ) throws -> (values: [Float], statistics: [TokenStatistics]) {
        let tape = Tape(context: model.context, recording: false)
        let hidden = try model.hiddenStates(batch, tape: tape, rows: rows)
        let (values, statistics) = try tape.tokenStatistics(hidden, weight: model.outputWeight, targets: targets)
        return (values.values, statistics)
    }

    private static func metrics(
        _ examples: [SupervisedExample],
        _ normalization: LossNormalization,
        _ negative: NegativeTokens,
        _ model: CausalLanguageModel,
        _ passes: ([Int]) -> [[Int]]
    ) throws -> [String: Double] {
        var result = WeightedLikelihood.Result()
        for pass in passes(examples.map { $0.tokens.count }) {
            // What KRSL says nothing of is what it can make a student forget; measuring is the place to look at it.
            let layout = WeightedLikelihood.Layout(pass.map { examples[$0] }, includingUnweighted: true) {
                normalization == .perSequence ? 1 / Double($0.countedLength) : 1
            }
            let tape = Tape(context: model.context, recording: false)
            result += try WeightedLikelihood.compute(layout, model, tape, negative: negative)
        }
        let normalizer =
            switch normalization {
            case .responseTokens: examples.reduce(0) { $0 + $1.countedLength }
            case .perSequence, .none: examples.count
            }
        return result.metrics.merging(["loss": result.loss / Double(normalizer)]) { $1 }
    }

    private static func metrics(
        _ pairs: [PreferenceExample],
        _ options: PreferenceOptions,
        _ model: CausalLanguageModel,
        _ passes: ([Int]) -> [[Int]]
    ) throws -> [String: Double] {
        var totals = PreferenceTotals()
        for pass in passes(pairs.map { $0.computedTokens(sharesPrefixes: options.sharesPrefixes) }) {
            let layout = PreferenceLayout(pass.map { pairs[$0] }, sharesPrefixes: options.sharesPrefixes)
            let (values, statistics) = try logProbabilities(
                layout.batch,
                rows: layout.rows,
                targets: layout.targets,
                model: model
            )
            for (position, index) in pass.enumerated() {
                totals.add(
                    pairs[index],
                    at: position,
                    of: layout,
                    values: values,
                    statistics: statistics,
                    options: options
                )
            }
        }
        let chosenTokens = pairs.reduce(0) { $0 + $1.chosenCount }
        var result = totals.metrics(pairs: pairs.count, chosenTokens: chosenTokens)
        result["loss"] = totals.loss(pairs: pairs.count, chosenTokens: chosenTokens, nllWeight: options.nllWeight)
        return result
    }
}
