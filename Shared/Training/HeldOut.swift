public import LanguageModel
import TensorEngine
import Tokenization

/// Examples that a training is measured on and does not learn from.
///
/// The figures are those of a training step's metrics, under TRL's names with `eval_` before them, over all examples at
/// once. Nothing is changed by measuring, the order of a training's random numbers included.
public struct HeldOut {
    private enum Kind {
        case supervised([SupervisedExample], LossNormalization)
        case preference([PreferenceExample], PreferenceOptions)
    }

    private let kind: Kind
    private let tokensAtOnce: Int
    private let precision: MatrixPrecision

    /// Examples of fine-tuning or KRSL.
    ///
    /// - Parameters:
    ///   - examples: At least one.
    ///   - options: Whose normalisation, `tokensAtOnce` and `precision` are used.
    /// - Throws: ``TrainingError`` for examples that cannot be used.
    public init(supervised examples: [SupervisedExample], options: TrainingOptions) throws {
        try WeightedLikelihood.check(examples)
        kind = .supervised(examples, options.normalization)
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
    /// - Throws: `TensorError` for tokens outside the vocabulary.
    public func metrics(of model: CausalLanguageModel) throws -> [String: Double] {
        let found = try model.context.withPrecision(precision) {
            switch kind {
            case .supervised(let examples, let normalization): try Self.metrics(examples, normalization, model, passes)
            case .preference(let pairs, let options): try Self.metrics(pairs, options, model, passes)
            }
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
        _ model: CausalLanguageModel,
        _ passes: ([Int]) -> [[Int]]
    ) throws -> [String: Double] {
        var result = WeightedLikelihood.Result()
        for pass in passes(examples.map { $0.tokens.count }) {
            let batch = PackedBatch(pass.map { examples[$0].tokens })
            var rows: [Int32] = []
            var targets: [TokenID] = []
            var weights: [(own: Float, scale: Double)] = []
            for (begin, index) in zip(batch.offsets, pass) {
                let example = examples[index]
                let scale = normalization == .perSequence ? 1 / Double(example.countedLength) : 1
                for position in example.tokens.indices.dropFirst() where example.weights[position] != 0 {
                    rows.append(Int32(begin + position - 1))
                    targets.append(example.tokens[position])
                    weights.append((example.weights[position], scale))
                }
            }
            guard !rows.isEmpty else { continue }
            let (values, statistics) = try logProbabilities(batch, rows: rows, targets: targets, model: model)
            for (row, weight) in weights.enumerated() {
                let value = Double(values[row])
                result.loss -= Double(weight.own) * weight.scale * value
                guard weight.own > 0 else { continue }
                result.logProbability += value
                result.positive += 1
                result.figures.add(statistics[row])
            }
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
        var sums: [String: Double] = [:]
        var loss = 0.0
        var nll = 0.0
        var (chosenFigures, rejectedFigures) = (TokenFigures(), TokenFigures())
        for pass in passes(pairs.map { $0.computedTokens(sharesPrefixes: options.sharesPrefixes) }) {
            let layout = PreferenceLayout(pass.map { pairs[$0] }, sharesPrefixes: options.sharesPrefixes)
            let (values, statistics) = try logProbabilities(
                layout.batch,
                rows: layout.rows,
                targets: layout.targets,
                model: model
            )
            for (position, index) in pass.enumerated() {
                let pair = pairs[index]
                func side(
                    _ offset: Int,
                    _ weights: [Float]?,
                    _ reference: Float?
                ) -> (ratio: Double, told: Double, by: Double) {
                    let count = Double(layout.completions[2 * position + offset].count)
                    let scale = options.loss.isLengthNormalized ? 1 / count : 1
                    let value = layout.sum(values, 2 * position + offset, weights) * scale
                    // As in TRL, IPO's loss is of means over tokens and its metrics are of sums.
                    let reported = options.loss == .ipo ? count : 1
                    return (value - Double(reference ?? 0) * scale, value * reported, reported)
                }
                let chosen = side(0, pair.chosenWeights, pair.referenceChosen)
                let rejected = side(1, pair.rejectedWeights, pair.referenceRejected)
                loss += options.value(chosen.ratio - rejected.ratio).loss
                let chosenReward = options.beta * chosen.ratio * chosen.by
                let rejectedReward = options.beta * rejected.ratio * rejected.by
                sums["rewards/chosen", default: 0] += chosenReward
                sums["rewards/rejected", default: 0] += rejectedReward
                sums["rewards/accuracies", default: 0] += chosenReward > rejectedReward ? 1 : 0
                sums["rewards/margins", default: 0] += chosenReward - rejectedReward
                sums["logps/chosen", default: 0] += chosen.told
                sums["logps/rejected", default: 0] += rejected.told
                for row in layout.completions[2 * position] {
                    nll -= Double(values[row])
                    chosenFigures.add(statistics[row])
                }
                for row in layout.completions[2 * position + 1] { rejectedFigures.add(statistics[row]) }
            }
        }
        var result = sums.mapValues { $0 / Double(pairs.count) }
        result.merge(TokenFigures.metrics(chosen: chosenFigures, rejected: rejectedFigures)) { $1 }
        let meanNLL = nll / Double(pairs.reduce(0) { $0 + $1.chosen.count })
        result["nll_loss"] = meanNLL
        result["loss"] = loss / Double(pairs.count) + options.nllWeight * meanNLL
        return result
    }
}
