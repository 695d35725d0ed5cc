import TensorEngine
import Tokenization

/// The packed weights and key-value caches of one `generate` call.
///
/// Prompt tokens and new tokens take the same path: a row is a token at a position of a slot, and nothing that is
/// computed for it depends on the other rows.
final class DecodingSession {
    /// The cache of one sequence: keys [layer][head][headDimension][capacity], values [layer][head][capacity][headDimension].
    final class Slot {
        let capacity: Int
        let keys: Buffer
        let values: Buffer

        init(capacity: Int, model: CausalLanguageModel) {
            let padded = (capacity + 15) / 16 * 16
            let configuration = model.configuration
            let size = configuration.layers * configuration.keyValueHeads * configuration.headDimension * padded
            self.capacity = padded
            keys = model.context.buffers.take(size)
            values = model.context.buffers.take(size)
            keys.clear()
        }
    }

    /// One token at one position of a slot.
    struct Row {
        let slot: Slot
        let position: Int
        let token: TokenID
    }

    private struct Layer {
        let query: PackedLinear
        let key: PackedLinear
        let value: PackedLinear
        let output: PackedLinear
        let gate: PackedLinear
        let up: PackedLinear
        let down: PackedLinear
    }

    private let model: CausalLanguageModel
    private let layers: [Layer]
    private let head: PackedLinear

    init(model: CausalLanguageModel) {
        self.model = model
        layers = model.layers.indices.map { index in
            // An adapter is merged into the packed copy, so that it costs nothing a token.
            func packed(_ target: LoRAConfiguration.Target) -> PackedLinear {
                PackedLinear(
                    weight: model.effectiveWeight(layer: index, target: target),
                    bias: model.layers[index].bias(of: target)
                )
            }
            return Layer(
                query: packed(.query),
                key: packed(.key),
                value: packed(.value),
                output: packed(.output),
                gate: packed(.gate),
                up: packed(.up),
                down: packed(.down)
            )
        }
        head = PackedLinear(weight: model.outputWeight)
    }

    /// Runs `rows` through the decoder, filling their slots, and returns the logits of the rows at `wanted`.
    func step(_ rows: [Row], wanted: [Int]) -> Buffer {
        let configuration = model.configuration
        let context = model.context
        let count = rows.count
        let hiddenSize = configuration.hiddenSize
        let queryWidth = configuration.heads * configuration.headDimension
        let keyWidth = configuration.keyValueHeads * configuration.headDimension
        let epsilon = Float(configuration.rmsNormEpsilon)
        let positions = rows.map { Int32($0.position) }
        model.rotary.extend(to: Int(positions.max() ?? 0) + 1)

        func take(_ width: Int) -> Buffer { context.buffers.take(count * width) }
        let hidden = take(hiddenSize)
        let normed = take(hiddenSize)
        let queries = take(queryWidth)
        let keys = take(keyWidth)
        let values = take(keyWidth)
        let attended = take(queryWidth)
        let gate = take(configuration.intermediateSize)
        let up = take(configuration.intermediateSize)
        let longest = ((positions.max().map { Int($0) } ?? 0) + 32) / 16 * 16
        let scratch = context.buffers.take(context.threads * longest)

        InferenceKernels.gatherRows(model.embedding, indices: rows.map { $0.token }, into: hidden.pointer)
        for (index, (layer, weights)) in zip(layers, model.layers).enumerated() {
            InferenceKernels.rmsNorm(
                hidden.pointer,
                weight: weights.inputNorm,
                into: normed.pointer,
                rows: count,
                epsilon: epsilon
            )
            layer.query.apply(normed.pointer, rows: count, into: queries.pointer)
            layer.key.apply(normed.pointer, rows: count, into: keys.pointer)
            layer.value.apply(normed.pointer, rows: count, into: values.pointer)
            if let queryNorm = weights.queryNorm, let keyNorm = weights.keyNorm {
                for (buffer, norm, heads) in [
                    (queries, queryNorm, configuration.heads), (keys, keyNorm, configuration.keyValueHeads),
                ] {
                    InferenceKernels.rmsNorm(
                        buffer.pointer,
                        weight: norm,
                        into: buffer.pointer,
                        rows: count * heads,
                        epsilon: epsilon
                    )
                }
            }
            InferenceKernels.rotate(queries.pointer, positions: positions, columns: queryWidth, table: model.rotary)
            InferenceKernels.rotate(keys.pointer, positions: positions, columns: keyWidth, table: model.rotary)
            store(rows, layer: index, keys: keys.pointer, values: values.pointer)
            attend(
                rows,
                layer: index,
                queries: queries.pointer,
                into: attended.pointer,
                scratch: scratch.pointer,
                scratchSize: longest
            )
            layer.output.apply(attended.pointer, rows: count, into: hidden.pointer, accumulate: true)
            InferenceKernels.rmsNorm(
                hidden.pointer,
                weight: weights.postAttentionNorm,
                into: normed.pointer,
                rows: count,
                epsilon: epsilon
            )
            layer.gate.apply(normed.pointer, rows: count, into: gate.pointer)
            layer.up.apply(normed.pointer, rows: count, into: up.pointer)
            InferenceKernels.swiglu(
                context: context,
                gate: gate.pointer,
                up: up.pointer,
                into: gate.pointer,
                count: count * configuration.intermediateSize
            )
            layer.down.apply(gate.pointer, rows: count, into: hidden.pointer, accumulate: true)
        }
        for (target, row) in wanted.enumerated() where target != row {
            (hidden.pointer + target * hiddenSize).update(from: hidden.pointer + row * hiddenSize, count: hiddenSize)
        }
        InferenceKernels.rmsNorm(
            hidden.pointer,
            weight: model.finalNorm,
            into: normed.pointer,
            rows: wanted.count,
            epsilon: epsilon
        )
        let logits = context.buffers.take(max(1, wanted.count) * configuration.vocabularySize)
        head.apply(normed.pointer, rows: wanted.count, into: logits.pointer)
        return logits
    }

    private func store(
        _ rows: [Row],
        layer: Int,
        keys: UnsafePointer<Float>,
        values: UnsafePointer<Float>
    ) {
        let heads = model.configuration.keyValueHeads
        let dimension = model.configuration.headDimension
        model.context.parallelRanges(rows.count, grain: 16) { range in
            for index in range {
                let row = rows[index]
                let capacity = row.slot.capacity
                for head in 0..<heads {
                    let source = index * heads * dimension + head * dimension
                    let base = (layer * heads + head) * dimension * capacity
                    for component in 0..<dimension {
                        row.slot.keys.pointer[base + component * capacity + row.position] = keys[source + component]
                    }
                    (row.slot.values.pointer + base + row.position * dimension)
                        .update(from: values + source, count: dimension)
                }
            }
        }
    }

    private func attend(
        _ rows: [Row],
        layer: Int,
        queries: UnsafePointer<Float>,
        into y: UnsafeMutablePointer<Float>,
        scratch: UnsafeMutablePointer<Float>,
        scratchSize: Int
    ) {
        let configuration = model.configuration
        let heads = configuration.keyValueHeads
        let dimension = configuration.headDimension
        let group = configuration.heads / heads
        let grain = 8
        model.context.parallel((rows.count + grain - 1) / grain) { piece, worker in
            for index in piece * grain..<min(rows.count, (piece + 1) * grain) {
                let row = rows[index]
                for head in 0..<heads {
                    let base = (layer * heads + head) * dimension * row.slot.capacity
                    let offset = (index * heads + head) * group * dimension
                    InferenceKernels.cachedAttention(
                        queries: queries + offset,
                        keys: row.slot.keys.pointer + base,
                        values: row.slot.values.pointer + base,
                        into: y + offset,
                        scratch: scratch + worker * scratchSize,
                        length: row.position + 1,
                        capacity: row.slot.capacity,
                        headDimension: dimension,
                        group: group
                    )
                }
            }
        }
    }
}
