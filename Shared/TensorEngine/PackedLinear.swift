import CTensorKernels

/// A weight [outputs, inner] repacked for inference.
///
/// Every output is one chain of fused multiply-adds over the inner dimension, so that a row's result is the same
/// bits whatever other rows are computed with it.
package final class PackedLinear {
    package let outputs: Int
    package let inner: Int
    private let panels: Buffer
    private let bias: Tensor?
    private let context: ComputeContext

    package init(weight: Tensor, bias: Tensor? = nil) {
        outputs = weight.rows
        inner = weight.columns
        context = weight.context
        self.bias = bias
        panels = context.buffers.take(ctk_packed_size(outputs, inner))
        ctk_pack(weight.pointer, panels.pointer, outputs, inner)
    }

    /// y [rows, outputs] = x [rows, inner] · weightᵀ + bias (+ y).
    package func apply(
        _ x: UnsafePointer<Float>,
        rows: Int,
        into y: UnsafeMutablePointer<Float>,
        accumulate: Bool = false
    ) {
        let panelCount = (outputs + Int(CTK_PANEL_WIDTH) - 1) / Int(CTK_PANEL_WIDTH)
        func run(_ rows: Range<Int>, _ panelRange: Range<Int>) {
            ctk_packed_product(
                x + rows.lowerBound * inner,
                panels.pointer,
                y + rows.lowerBound * outputs,
                bias?.pointer,
                accumulate ? 1 : 0,
                rows.count,
                inner,
                outputs,
                panelRange.lowerBound,
                panelRange.upperBound
            )
        }
        if rows * outputs * inner < 1 << 15 || context.threads == 1 {
            run(0..<rows, 0..<panelCount)
        } else if rows >= 16 * context.threads {
            let tiles = (rows + 7) / 8
            let pieces = min(tiles, context.threads * 2)
            context.parallel(pieces) { piece, _ in
                run(tiles * piece / pieces * 8..<min(rows, tiles * (piece + 1) / pieces * 8), 0..<panelCount)
            }
        } else {
            let pieces = min(panelCount, context.threads * 2)
            context.parallel(pieces) { piece, _ in
                run(0..<rows, panelCount * piece / pieces..<panelCount * (piece + 1) / pieces)
            }
        }
    }
}

/// Kernels on raw rows for inference, where no derivative is recorded.
package enum InferenceKernels {
    package static func rmsNorm(
        _ x: UnsafePointer<Float>,
        weight: Tensor,
        into y: UnsafeMutablePointer<Float>,
        rows: Int,
        epsilon: Float
    ) {
        let dimension = weight.count
        weight.context.parallelRanges(rows, grain: 64) { range in
            let offset = range.lowerBound * dimension
            ctk_rms_norm_forward(x + offset, weight.pointer, y + offset, nil, range.count, dimension, epsilon)
        }
    }

    package static func rotate(
        _ x: UnsafeMutablePointer<Float>,
        positions: [Int32],
        columns: Int,
        table: RotaryTable
    ) {
        let dimension = table.inverseFrequencies.count * 2
        table.cosines.withUnsafeBufferPointer { cosines in
            table.sines.withUnsafeBufferPointer { sines in
                ctk_rope(
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
            ctk_swiglu_forward(gate + first, up + first, y + first, range.count)
        }
    }

    package static func gatherRows(
        _ table: Tensor,
        indices: [Int32],
        into y: UnsafeMutablePointer<Float>
    ) {
        ctk_gather_rows(table.pointer, indices, y, indices.count, table.columns)
    }

    /// One query head group of one sequence against its cache; see `ctk_cached_attention`.
    package static func cachedAttention(
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
        ctk_cached_attention(
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
        _ x: UnsafePointer<Float>,
        into y: UnsafeMutablePointer<Float>,
        subtract: Float,
        factor: Float,
        count: Int
    ) {
        ctk_exponentials(x, y, subtract, factor, count)
    }

    /// log p(target) of one row of logits.
    package static func logProbability(_ logits: UnsafePointer<Float>, target: Int32, vocabulary: Int) -> Float {
        var value: Float = 0
        var logSumExp: Float = 0
        var target = target
        ctk_token_log_probabilities(logits, &target, &value, &logSumExp, 1, vocabulary)
        return value
    }
}
