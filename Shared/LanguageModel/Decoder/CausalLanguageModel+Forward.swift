public import TensorEngine
public import Tokenization

extension CausalLanguageModel {
    /// The normed last hidden states of a packed batch.
    ///
    /// - Parameters:
    ///   - batch: Sequences laid end to end, sharing the rows of prefixes where they are grouped.
    ///   - tape: Records the derivatives when it records.
    ///   - rows: The packed rows wanted, in order, a row as often as wanted; nil for all. The last layer computes no
    ///     others past its attention.
    ///   - checkpointing: Whether each layer's activations are computed again on the way back instead of kept.
    /// - Returns: [rows, hidden].
    /// - Throws: `TensorError` for tokens or rows out of range.
    public func hiddenStates(
        _ batch: PackedBatch,
        tape: Tape,
        rows: [Int32]? = nil,
        checkpointing: Bool = false
    ) throws -> Tensor {
        let epsilon = Float(configuration.rmsNormEpsilon)
        let pass = tape.isRecording ? adapter?.nextPass() ?? 0 : 0
        var hidden = try tape.embedding(embedding, tokens: batch.tokens)
        for index in layers.indices {
            let wanted = index == layers.count - 1 ? rows : nil
            let layer = { (tape: Tape, x: Tensor) in
                try self.decode(x, layer: index, batch: batch, rows: wanted, tape: tape, pass: pass)
            }
            hidden = checkpointing ? try tape.checkpoint(hidden, layer) : try layer(tape, hidden)
        }
        return try tape.rmsNorm(hidden, weight: finalNorm, epsilon: epsilon)
    }

    /// One decoder layer: attention and feed-forward, each with its norm before and its residual around it.
    ///
    /// `input` is [tokens, hidden], the result [rows, hidden]; `rows` are those to compute past the attention, nil for
    /// all. `pass` numbers the adapter's passes, for its dropout.
    private func decode(
        _ input: Tensor,
        layer index: Int,
        batch: PackedBatch,
        rows: [Int32]?,
        tape: Tape,
        pass: UInt64
    ) throws -> Tensor {
        let epsilon = Float(configuration.rmsNormEpsilon)
        let layer = layers[index]
        func project(_ x: Tensor, _ target: LoRAConfiguration.Target, residual: Tensor? = nil) throws -> Tensor {
            try self.project(x, layer: index, target: target, tape: tape, pass: pass, residual: residual)
        }
        let normed = try tape.rmsNorm(input, weight: layer.inputNorm, epsilon: epsilon)
        var queries = try project(normed, .query)
        var keys = try project(normed, .key)
        let values = try project(normed, .value)
        tape.release(normed)
        if let queryNorm = layer.queryNorm, let keyNorm = layer.keyNorm {
            queries = try tape.rmsNorm(queries, weight: queryNorm, epsilon: epsilon, groups: configuration.heads)
            keys = try tape.rmsNorm(keys, weight: keyNorm, epsilon: epsilon, groups: configuration.keyValueHeads)
        }
        try tape.rotate(queries, table: rotary, positions: batch.positions)
        try tape.rotate(keys, table: rotary, positions: batch.positions)
        var attended = try tape.causalAttention(
            queries: queries,
            keys: keys,
            values: values,
            offsets: batch.offsets,
            parents: batch.parents,
            headDimension: configuration.headDimension
        )
        var hidden = input
        if let rows {
            attended = try tape.selectRows(attended, indices: rows)
            hidden = try tape.selectRows(hidden, indices: rows)
        }
        hidden = try project(attended, .output, residual: hidden)
        let middle = try tape.rmsNorm(hidden, weight: layer.postAttentionNorm, epsilon: epsilon)
        let gate = try project(middle, .gate)
        let up = try project(middle, .up)
        tape.release(middle)
        let activated = try tape.swiglu(gate: gate, up: up)
        let result = try project(activated, .down, residual: hidden)
        tape.release(activated)
        return result
    }

    /// The logits of every token of each sequence: [sequence][token · vocabulary]; for tests and inspection.
    ///
    /// - Throws: `TensorError` for tokens out of range.
    public func logits(_ sequences: [[TokenID]]) throws -> [[Float]] {
        let batch = PackedBatch(sequences)
        let tape = Tape(context: context, recording: false)
        let logits = try tape.linear(hiddenStates(batch, tape: tape), weight: outputWeight).values
        let vocabulary = configuration.vocabularySize
        return zip(batch.offsets, batch.offsets.dropFirst()).map { Array(logits[$0 * vocabulary..<$1 * vocabulary]) }
    }

    /// log p(token t | tokens before t) for t ≥ 1 of each sequence: [sequence][token − 1].
    ///
    /// - Parameters:
    ///   - sequences: Token ids.
    ///   - tokensAtOnce: Sequences are computed in groups of about this many tokens.
    /// - Returns: One list a sequence, one value fewer than it has tokens.
    /// - Throws: `TensorError` for tokens out of range.
    public func logProbabilities(_ sequences: [[TokenID]], tokensAtOnce: Int = 8192) throws -> [[Float]] {
        var result: [[Float]] = []
        result.reserveCapacity(sequences.count)
        var start = 0
        while start < sequences.count {
            var end = start
            var tokens = 0
            repeat {
                tokens += sequences[end].count
                end += 1
            } while end < sequences.count && tokens + sequences[end].count <= tokensAtOnce
            let group = Array(sequences[start..<end])
            let batch = PackedBatch(group)
            var rows: [Int32] = []
            var targets: [TokenID] = []
            for (begin, sequence) in zip(batch.offsets, group) {
                for position in sequence.indices.dropFirst() {
                    rows.append(Int32(begin + position - 1))
                    targets.append(sequence[position])
                }
            }
            let tape = Tape(context: context, recording: false)
            let hidden = try hiddenStates(batch, tape: tape, rows: rows)
            let values = try tape.tokenLogProbabilities(hidden, weight: outputWeight, targets: targets).values
            var cursor = 0
            for sequence in group {
                let count = max(0, sequence.count - 1)
                result.append(Array(values[cursor..<cursor + count]))
                cursor += count
            }
            start = end
        }
        return result
    }
}
