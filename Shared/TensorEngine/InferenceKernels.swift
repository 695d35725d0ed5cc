import CTensorKernels

/// Kernels on raw rows for inference, where no derivative is recorded.
package enum InferenceKernels {
    /// One linear layer of ``products(of:rows:by:accumulate:)``.
    package struct Linear {
        let weight: Tensor
        let bias: Tensor?
        let output: UnsafeMutablePointer<Float>

        /// weight [outputs, inner], float32 or bfloat16; output [rows, outputs].
        package init(_ weight: Tensor, bias: Tensor? = nil, into output: UnsafeMutablePointer<Float>) {
            self.weight = weight
            self.bias = bias
            self.output = output
        }
    }

    /// output [rows, outputs] = x [rows, inner] · weightᵀ + bias (+ output), of several layers on the same rows.
    ///
    /// Weights are read as they lie in memory. A row's result is the same bits whatever other rows are computed with it,
    /// and whether the weight is stored in bfloat16 or widened.
    package static func products(
        of x: UnsafePointer<Float>,
        rows: Int,
        by layers: [Linear],
        accumulate: Bool = false
    ) {
        guard rows > 0, let context = layers.first?.weight.context else { return }
        // Sixteen outputs a unit; the units of all layers are split over the threads together.
        let units = layers.map { ($0.weight.rows + 15) / 16 }
        let total = units.reduce(0, +)
        let inner = layers[0].weight.columns
        let pieces = rows * total * inner < 1 << 12 ? 1 : min(total, context.threads * (rows > 8 ? 4 : 2))
        context.parallel(pieces) { piece, _ in
            var first = 0
            let range = total * piece / pieces..<total * (piece + 1) / pieces
            for (layer, count) in zip(layers, units) {
                let mine = range.clamped(to: first..<first + count)
                if !mine.isEmpty {
                    let matrix = layer.weight.matrix
                    context.kernels.pointee.row_products(
                        x,
                        matrix.raw,
                        matrix.isHalf ? 1 : 0,
                        layer.output,
                        layer.bias?.pointer,
                        accumulate ? 1 : 0,
                        rows,
                        inner,
                        layer.weight.rows,
                        (mine.lowerBound - first) * 16,
                        min(layer.weight.rows, (mine.upperBound - first) * 16)
                    )
                }
                first += count
            }
        }
    }

    package static func rmsNorm(
        _ x: UnsafePointer<Float>,
        weight: Tensor,
        into y: UnsafeMutablePointer<Float>,
        rows: Int,
        epsilon: Float
    ) {
        let dimension = weight.count
        let context = weight.context
        context.parallelRanges(rows, grain: 64) { range in
            let offset = range.lowerBound * dimension
            context.kernels.pointee.rms_norm_forward(
                x + offset,
                weight.pointer,
                y + offset,
                nil,
                range.count,
                dimension,
                epsilon
            )
        }
    }

    package static func rotate(
        _ x: UnsafeMutablePointer<Float>,
        positions: [Int32],
        columns: Int,
        table: RotaryTable,
        context: ComputeContext
    ) {
        let dimension = table.inverseFrequencies.count * 2
        table.cosines.withUnsafeBufferPointer { cosines in
            table.sines.withUnsafeBufferPointer { sines in
                context.kernels.pointee.rope(
                    x,
                    positions,
                    cosines.baseAddress,
                    sines.baseAddress,
                    1,
                    positions.count,
                    columns / dimension,
                    dimension
                )
            }
        }
    }

    package static func swiglu(
        context: ComputeContext,
        gate: UnsafePointer<Float>,
        up: UnsafePointer<Float>,
        into y: UnsafeMutablePointer<Float>,
        count: Int
    ) {
        context.parallelRanges(count, grain: 1 << 13) { range in
            let first = range.lowerBound
            context.kernels.pointee.swiglu_forward(gate + first, up + first, y + first, range.count)
        }
    }

    /// The rows of `table` at `indices`, widened where it is stored in bfloat16.
    package static func gatherRows(_ table: Tensor, indices: [Int32], into y: UnsafeMutablePointer<Float>) {
        let dimension = table.columns
        let matrix = table.matrix
        let context = table.context
        context.parallelRanges(indices.count, grain: 512) { range in
            indices.withUnsafeBufferPointer { list in
                guard let base = list.baseAddress.map({ $0 + range.lowerBound }) else { return }
                let target = y + range.lowerBound * dimension
                switch matrix {
                case .float32(let values):
                    context.kernels.pointee.gather_rows(values, base, target, range.count, dimension)
                case .bfloat16(let values):
                    context.kernels.pointee.gather_half_rows(values, base, target, range.count, dimension)
                }
            }
        }
    }

    /// One query head group of one sequence against its cache; see the kernel `cached_attention`.
    package static func cachedAttention(
        context: ComputeContext,
        queries: UnsafePointer<Float>,
        keys: UnsafePointer<Float>,
        values: UnsafePointer<Float>,
        into y: UnsafeMutablePointer<Float>,
        scratch: UnsafeMutablePointer<Float>,
        length: Int,
        capacity: Int,
        headDimension: Int,
        group: Int
    ) {
        context.kernels.pointee.cached_attention(
            queries,
            keys,
            values,
            y,
            scratch,
            length,
            capacity,
            headDimension,
            group,
            1 / Float(headDimension).squareRoot()
        )
    }

    /// y = exp((x − subtract) · factor).
    package static func exponentials(
        context: ComputeContext,
        _ x: UnsafePointer<Float>,
        into y: UnsafeMutablePointer<Float>,
        subtract: Float,
        factor: Float,
        count: Int
    ) {
        context.kernels.pointee.exponentials(x, y, subtract, factor, count)
    }

    /// How many neighbours ``segmentMaxima(context:_:into:count:)`` takes together.
    package static let segmentWidth = Int(CTK_SEGMENT_WIDTH)

    /// The largest value of each segment of x, ⌈count / segmentWidth⌉ of them; a NaN is passed over, and of NaNs alone it
    /// is −∞.
    package static func segmentMaxima(
        context: ComputeContext,
        _ x: UnsafePointer<Float>,
        into maxima: UnsafeMutablePointer<Float>,
        count: Int
    ) {
        context.kernels.pointee.segment_maxima(x, maxima, count)
    }

    /// log p(target) of one row of logits.
    package static func logProbability(
        context: ComputeContext,
        _ logits: UnsafePointer<Float>,
        target: Int32,
        vocabulary: Int
    ) -> Float {
        var value: Float = 0
        var logSumExp: Float = 0
        var target = target
        context.kernels.pointee.token_log_probabilities(logits, &target, &value, &logSumExp, 1, vocabulary)
        return value
    }
}
