import LanguageModel
import TensorEngine

/// Fills in what the frozen reference says of pairs: from the pairs themselves, from a store, and else by computing it.
struct ReferencePass {
    let model: CausalLanguageModel
    let store: ReferenceStore?
    let sharesPrefixes: Bool
    let tokensAtOnce: Int
    let precision: MatrixPrecision

    /// How long computed values may be lost to an interruption.
    private static let saveInterval = Duration.seconds(30)

    /// The pairs with all reference values, and the reference's hash beside them.
    ///
    /// - Throws: ``TrainingError`` where a pair came with values of another reference, or a value is not finite.
    func fill(_ pairs: [PreferenceExample]) throws -> [PreferenceExample] {
        let hash = model.referenceHash(precision: precision)
        for pair in pairs {
            if let theirs = pair.referenceHash, theirs != hash {
                throw TrainingError.invalidExample(
                    "pair \(pair.id): its reference log-probabilities belong to the model \(theirs), but the reference "
                        + "is \(hash); leave them out to have them computed"
                )
            }
        }
        var filled = pairs
        var entries = store?.fill(&filled, reference: hash) ?? [:]
        let missing = filled.indices.filter { filled[$0].referenceChosen == nil }
        var saved = ContinuousClock.now
        for group in TrainingPlan.passes(
            missing,
            lengths: pairs.map { $0.computedTokens(sharesPrefixes: sharesPrefixes) },
            limit: tokensAtOnce
        ) {
            for (index, value) in zip(group, try logProbabilities(group.map { pairs[$0] })) {
                guard value.chosen.isFinite, value.rejected.isFinite else {
                    throw TrainingError.diverged(
                        "the reference gives pair \(pairs[index].id) log-probabilities of \(value.chosen) and "
                            + "\(value.rejected)"
                    )
                }
                filled[index].setReference(chosen: value.chosen, rejected: value.rejected, hash: hash)
                guard store != nil else { continue }
                let pair = pairs[index].contentHash
                entries[ReferenceStore.Key(pair: pair, reference: hash)] = ReferenceStore.Entry(
                    pair: pair,
                    reference: hash,
                    chosen: value.chosen,
                    rejected: value.rejected
                )
            }
            if ContinuousClock.now - saved > Self.saveInterval {
                try store?.save(entries)
                saved = .now
            }
        }
        if !missing.isEmpty { try store?.save(entries) }
        return filled
    }

    private func logProbabilities(_ pairs: [PreferenceExample]) throws -> [(chosen: Float, rejected: Float)] {
        try model.context.withPrecision(precision) { try compute(pairs) }
    }

    private func compute(_ pairs: [PreferenceExample]) throws -> [(chosen: Float, rejected: Float)] {
        let layout = PreferenceLayout(pairs, sharesPrefixes: sharesPrefixes)
        let tape = Tape(context: model.context, recording: false)
        let hidden = try model.hiddenStates(layout.batch, tape: tape, rows: layout.rows)
        let values = try tape.tokenLogProbabilities(
            hidden,
            weight: model.outputWeight,
            targets: layout.targets
        ).values
        return layout.completions.map { completion in
            (
                Float(completion.chosen.sum(values)),
                Float(completion.rejected.sum(values))
            )
        }
    }
}
