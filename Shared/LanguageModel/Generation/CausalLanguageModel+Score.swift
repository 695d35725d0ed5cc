import TensorEngine
public import Tokenization

extension CausalLanguageModel {
    /// log p of each token after the first of each sequence, [sequence][tokens − 1].
    ///
    /// The same bits whatever else is scored with a sequence, and those that ``generate(prompts:parameters:batchSize:streams:decode:onToken:onFinish:)``
    /// tells for tokens that it drew. ``logProbabilities(_:tokensAtOnce:)`` is faster on much text, and its last bits
    /// depend on the batch.
    ///
    /// - Parameters:
    ///   - sequences: Token ids, at least one each.
    ///   - rowsAtOnce: Tokens computed at a time; bounds memory and changes nothing else.
    /// - Returns: The log-probabilities under the model itself.
    /// - Throws: ``GenerationError`` for a sequence that is empty, has a token outside the vocabulary or is longer than the
    ///   model's positions, and for a model whose logits are no numbers.
    public func score(_ sequences: [[TokenID]], rowsAtOnce: Int = 256) throws -> [[Float]] {
        for (index, sequence) in sequences.enumerated() {
            guard !sequence.isEmpty else {
                throw GenerationError.invalidPrompt("sequence \(index) is empty; give at least one token")
            }
            guard sequence.count <= configuration.maximumPositions else {
                throw GenerationError.invalidPrompt(
                    "sequence \(index) has \(sequence.count) tokens, the model was made for "
                        + "\(configuration.maximumPositions); shorten it"
                )
            }
            for token in sequence where token < 0 || Int(token) >= configuration.vocabularySize {
                throw GenerationError.invalidPrompt(
                    "sequence \(index) has token \(token), outside the vocabulary of \(configuration.vocabularySize)"
                )
            }
        }
        let session = DecodingSession(model: self)
        let vocabulary = configuration.vocabularySize
        var results = sequences.map { _ in [Float]() }
        var rows: [DecodingSession.Row] = []
        var targets: [(sequence: Int, token: TokenID)] = []
        func compute() throws {
            guard !rows.isEmpty else { return }
            let logits = session.step(rows, wanted: Array(rows.indices))
            for (row, target) in targets.enumerated() {
                let value = InferenceKernels.logProbability(
                    context: context,
                    logits.pointer + row * vocabulary,
                    target: target.token,
                    vocabulary: vocabulary
                )
                guard value.isFinite else {
                    throw GenerationError.notFinite(
                        notFinite("sequence \(target.sequence)", position: rows[row].position)
                    )
                }
                results[target.sequence].append(value)
            }
            rows.removeAll(keepingCapacity: true)
            targets.removeAll(keepingCapacity: true)
        }
        for (index, sequence) in sequences.enumerated() where sequence.count > 1 {
            let slot = DecodingSession.Slot(capacity: sequence.count, model: self)
            for position in sequence.indices.dropLast() {
                rows.append(DecodingSession.Row(slot: slot, position: position, token: sequence[position]))
                targets.append((index, sequence[position + 1]))
                if rows.count >= max(1, rowsAtOnce) { try compute() }
            }
        }
        try compute()
        return results
    }
}
