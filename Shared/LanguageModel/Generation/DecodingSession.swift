import TensorEngine
import Tokenization

/// The weights and key-value caches of one `generate` call.
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

        /// Takes over the first positions of another slot.
        func copy(first count: Int, of other: Slot, configuration: ModelConfiguration) {
            let dimension = configuration.headDimension
            for head in 0..<configuration.layers * configuration.keyValueHeads {
                for component in head * dimension..<(head + 1) * dimension {
                    (keys.pointer + component * capacity)
                        .update(from: other.keys.pointer + component * other.capacity, count: count)
                }
                (values.pointer + head * dimension * capacity)
                    .update(from: other.values.pointer + head * dimension * other.capacity, count: count * dimension)
            }
        }
    }

    /// One token at one position of a slot.
    struct Row {
        let slot: Slot
        let position: Int
        let token: TokenID
    }

    /// The weights of one layer's linear maps; an adapter is merged into copies, so that it costs nothing a token.
    private struct Layer {
        let query: Tensor
        let key: Tensor
        let value: Tensor
        let output: Tensor
        let gate: Tensor
        let up: Tensor
        let down: Tensor
    }

    private let model: CausalLanguageModel
    private let layers: [Layer]

    init(model: CausalLanguageModel) {
        self.model = model
        layers = model.layers.indices.map { index in
            func weight(_ target: LoRAConfiguration.Target) -> Tensor {
                model.effectiveWeight(layer: index, target: target)
            }
            return Layer(
                query: weight(.query),
                key: weight(.key),
                value: weight(.value),
                output: weight(.output),
                gate: weight(.gate),
                up: weight(.up),
                down: weight(.down)
            )
        }
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
            InferenceKernels.products(
                of: normed.pointer,
                rows: count,
                by: [
                    .init(layer.query, bias: weights.queryBias, into: queries.pointer),
                    .init(layer.key, bias: weights.keyBias, into: keys.pointer),
                    .init(layer.value, bias: weights.valueBias, into: values.pointer),
                ]
            )
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
            InferenceKernels.rotate(
                queries.pointer,
                positions: positions,
                columns: queryWidth,
                table: model.rotary,
                context: context
            )
            InferenceKernels.rotate(
                keys.pointer,
                positions: positions,
                columns: keyWidth,
                table: model.rotary,
                context: context
            )
            store(rows, layer: index, keys: keys.pointer, values: values.pointer)
            attend(
                rows,
                layer: index,
                queries: queries.pointer,
                into: attended.pointer,
                scratch: scratch.pointer,
                scratchSize: longest
            )
            InferenceKernels.products(
                of: attended.pointer,
                rows: count,
                by: [.init(layer.output, into: hidden.pointer)],
                accumulate: true
            )
            InferenceKernels.rmsNorm(
                hidden.pointer,
                weight: weights.postAttentionNorm,
                into: normed.pointer,
                rows: count,
                epsilon: epsilon
            )
            InferenceKernels.products(
                of: normed.pointer,
                rows: count,
                by: [.init(layer.gate, into: gate.pointer), .init(layer.up, into: up.pointer)]
            )
            InferenceKernels.swiglu(
                context: context,
                gate: gate.pointer,
                up: up.pointer,
                into: gate.pointer,
                count: count * configuration.intermediateSize
            )
            InferenceKernels.products(
                of: gate.pointer,
                rows: count,
                by: [.init(layer.down, into: hidden.pointer)],
                accumulate: true
            )
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
        InferenceKernels.products(
            of: normed.pointer,
            rows: wanted.count,
            by: [.init(model.outputWeight, into: logits.pointer)]
        )
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
        // One head of one row an item, a few items at a time where the caches are short.
        let items = rows.count * heads
        let work = rows.reduce(0) { $0 + $1.position + 1 } * heads * group * dimension
        let pieces = max(1, min(items, work / (1 << 14), model.context.threads * 4))
        model.context.parallel(pieces) { piece, worker in
            for item in items * piece / pieces..<items * (piece + 1) / pieces {
                let index = item / heads
                let head = item % heads
                let row = rows[index]
                let base = (layer * heads + head) * dimension * row.slot.capacity
                let offset = (index * heads + head) * group * dimension
                InferenceKernels.cachedAttention(
                    context: model.context,
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
