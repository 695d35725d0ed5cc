import CTensorKernels

/// A low-rank change of a linear layer, weight + scale · up · down: LoRA as in arXiv 2106.09685.
public struct LowRankUpdate {
    /// A: [rank, in].
    public let down: Tensor
    /// B: [out, rank].
    public let up: Tensor
    /// The factor on B · A.
    public let scale: Float
    /// Dropout of the input of A; nil for none.
    public let dropout: DropoutMask?

    /// A change from its parts.
    public init(down: Tensor, up: Tensor, scale: Float, dropout: DropoutMask? = nil) {
        self.down = down
        self.up = up
        self.scale = scale
        self.dropout = dropout
    }
}

/// Which elements dropout leaves out: a function of the seed, the stream and the row, and of nothing else.
public struct DropoutMask: Sendable, Hashable {
    /// The chance of an element to become 0, in 0..<1; the others are divided by the chance to stay.
    public let probability: Double
    /// The seed of all draws.
    public let seed: UInt64
    /// Tells apart the uses of one seed.
    public let stream: UInt64

    /// A mask from its parts.
    public init(probability: Double, seed: UInt64, stream: UInt64) {
        self.probability = probability
        self.seed = seed
        self.stream = stream
    }

    /// The factors of each element, [rows, columns].
    func factors(rows: Int, columns: Int, context: ComputeContext) -> Buffer {
        let mask = context.buffers.take(rows * columns)
        let kept = Float(1 / (1 - probability))
        // 32 bits a draw are enough to tell probabilities apart, and halve the work.
        let threshold = UInt32(min(probability * 0x1p32, 0x1p32 - 1))
        // A generator a row, so that the mask does not depend on how rows are spread over threads.
        context.parallelRanges(rows, grain: 16) { range in
            for row in range {
                var generator = SeededGenerator(seed: seed &+ stream &* 0x9E37_79B9_7F4A_7C15, stream: UInt64(row))
                let target = mask.pointer + row * columns
                var column = 0
                while column < columns {
                    let bits = generator.next()
                    target[column] = UInt32(truncatingIfNeeded: bits) < threshold ? 0 : kept
                    if column + 1 < columns {
                        target[column + 1] = UInt32(truncatingIfNeeded: bits >> 32) < threshold ? 0 : kept
                    }
                    column += 2
                }
            }
        }
        return mask
    }
}

extension Tape {
    /// Adds scale · dropout(x) · downᵀ · upᵀ to `y` in place.
    ///
    /// Only [rows, rank] values are kept for the way back (and the mask, where there is dropout). A tape that does not
    /// record leaves dropout out.
    /// - Parameters:
    ///   - update: The change of the layer's weight.
    ///   - x: The layer's input, [rows, in].
    ///   - y: The result of ``linear(_:weight:bias:residual:)`` on `x`, [rows, out]. No operation that needs its values on
    ///     the way back may have read it before.
    /// - Throws: ``TensorError`` when the shapes do not fit, or such an operation has.
    public func addLowRank(_ update: LowRankUpdate, of x: Tensor, to y: Tensor) throws {
        let rows = x.rows
        let inner = x.columns
        let outputs = y.columns
        let down = update.down
        let up = update.up
        let rank = down.rows
        guard y.rows == rows, down.shape == [rank, inner], up.shape == [outputs, rank] else {
            throw TensorError.shapeMismatch(
                "low-rank change of \(x.shape) to \(y.shape) by A \(down.shape) and B \(up.shape)"
            )
        }
        let values = try y.pointerToChange(by: "a low-rank change")
        let mask =
            isRecording
            ? update.dropout.flatMap {
                $0.probability > 0 ? $0.factors(rows: rows, columns: inner, context: context) : nil
            }
            : nil
        let middle = context.buffers.take(rows * rank)
        withInput(x, mask: mask) { input in
            float32Product(
                context: context,
                transposeB: true,
                m: rows,
                n: rank,
                k: inner,
                a: input,
                b: down.pointer,
                c: middle.pointer,
                accumulate: false
            )
        }
        context.kernels.pointee.scale(middle.pointer, update.scale, rows * rank)
        float32Product(
            context: context,
            transposeB: true,
            m: rows,
            n: outputs,
            k: rank,
            a: middle.pointer,
            b: up.pointer,
            c: values,
            accumulate: true
        )
        guard isRecording, x.requiresGradient || down.requiresGradient || up.requiresGradient else { return }
        // Where the layer itself is frozen and its input needs no gradient, it recorded no step that empties y's.
        let isOnlyStep = !y.requiresGradient
        y.requiresGradient = true
        x.isKept = true
        record { [unowned self] in
            guard let dy = y.gradientBuffer else { return }
            self.lowRankBackward(update, x: x, dy: dy, middle: middle, mask: mask, rows: rows)
            if isOnlyStep { y.gradientBuffer = nil }
        }
    }

    private func lowRankBackward(
        _ update: LowRankUpdate,
        x: Tensor,
        dy: Buffer,
        middle: Buffer,
        mask: Buffer?,
        rows: Int
    ) {
        let inner = x.columns
        let outputs = update.up.rows
        let rank = update.down.rows
        if update.up.requiresGradient {
            let target = update.up.gradientToWrite()
            float32Product(
                context: context,
                transposeA: true,
                m: outputs,
                n: rank,
                k: rows,
                a: dy.pointer,
                b: middle.pointer,
                c: target.pointer,
                accumulate: target.accumulate == 1
            )
        }
        let dmiddle = context.buffers.take(rows * rank)
        float32Product(
            context: context,
            m: rows,
            n: rank,
            k: outputs,
            a: dy.pointer,
            b: update.up.pointer,
            c: dmiddle.pointer,
            accumulate: false
        )
        context.kernels.pointee.scale(dmiddle.pointer, update.scale, rows * rank)
        if update.down.requiresGradient {
            let target = update.down.gradientToWrite()
            withInput(x, mask: mask) { input in
                float32Product(
                    context: context,
                    transposeA: true,
                    m: rank,
                    n: inner,
                    k: rows,
                    a: dmiddle.pointer,
                    b: input,
                    c: target.pointer,
                    accumulate: target.accumulate == 1
                )
            }
        }
        guard x.requiresGradient else { return }
        func inputGradient(into target: UnsafeMutablePointer<Float>, accumulate: Bool) {
            float32Product(
                context: context,
                m: rows,
                n: inner,
                k: rank,
                a: dmiddle.pointer,
                b: update.down.pointer,
                c: target,
                accumulate: accumulate
            )
        }
        guard let mask else {
            let target = x.gradientToWrite()
            return inputGradient(into: target.pointer, accumulate: target.accumulate == 1)
        }
        let part = context.buffers.take(rows * inner)
        inputGradient(into: part.pointer, accumulate: false)
        let target = x.gradientToAdd()
        context.parallelRanges(rows * inner, grain: 1 << 14) { range in
            for index in range { target[index] += part.pointer[index] * mask.pointer[index] }
        }
    }

    /// Lends `x`, or `x` times `mask`, to `body`.
    private func withInput(_ x: Tensor, mask: Buffer?, _ body: (UnsafePointer<Float>) -> Void) {
        guard let mask else { return body(x.pointer) }
        let dropped = context.buffers.take(x.count)
        // Read here and not by the workers: a value that was given back is made again by its first reader.
        let values = x.pointer
        context.parallelRanges(x.count, grain: 1 << 14) { range in
            for index in range { dropped.pointer[index] = values[index] * mask.pointer[index] }
        }
        body(dropped.pointer)
    }
}
