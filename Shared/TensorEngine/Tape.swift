import CTensorKernels

/// Records operations and plays their derivatives backwards.
///
/// A tape that does not record computes the same values and keeps nothing alive.
public final class Tape {
    /// The context that the recorded tensors live in.
    public let context: ComputeContext
    /// Whether derivatives are recorded.
    public let isRecording: Bool
    /// Whether ``release(_:)`` gives memory back; false where it would only be asked for again at once.
    private let releases: Bool
    private var steps: [() throws -> Void] = []

    /// Makes an empty tape.
    public convenience init(context: ComputeContext, recording: Bool = true) {
        self.init(context: context, recording: recording, releases: recording)
    }

    init(context: ComputeContext, recording: Bool, releases: Bool) {
        self.context = context
        self.isRecording = recording
        self.releases = releases
    }

    /// Gives the memory of a value back that is cheaper to compute again on the way back than to keep.
    ///
    /// For results of ``rmsNorm(_:weight:epsilon:groups:)`` and ``swiglu(gate:up:)``, once all operations that read them
    /// are recorded; anything else is kept. The gradients are the same bit for bit.
    public func release(_ tensor: Tensor) {
        if releases { tensor.release() }
    }

    /// Adds a derivative.
    ///
    /// A step that uses the tape must hold it unowned, or a tape that is dropped unplayed would keep
    /// itself and all it recorded alive.
    package func record(_ step: @escaping () throws -> Void) { steps.append(step) }

    /// Plays the recorded derivatives in reverse order and empties the tape.
    ///
    /// The caller first seeds the gradient of the last tensor (see ``seed(_:with:)``).
    ///
    /// - Throws: What a step throws: only a computation made again (see ``checkpoint(_:_:)``) does. The rest is dropped.
    public func backward() throws {
        defer { steps = [] }
        while let step = steps.popLast() { try step() }
    }

    /// Adds `values` to the gradient of `tensor`, as the start of ``backward()``.
    ///
    /// - Throws: ``TensorError`` when the number of values is not that of the tensor.
    public func seed(_ tensor: Tensor, with values: [Float]) throws {
        guard values.count == tensor.count else {
            throw TensorError.shapeMismatch("a gradient of \(values.count) values for a tensor of \(tensor.shape)")
        }
        let target = tensor.gradientToAdd()
        for index in values.indices { target[index] += values[index] }
    }

    package func output(_ shape: [Int], from inputs: Tensor?...) -> Tensor {
        let needed = isRecording && inputs.contains { $0?.requiresGradient ?? false }
        return Tensor(uninitialized: shape, context: context, requiresGradient: needed)
    }
}

extension Tape {
    /// Rows of `table` [vocabulary, hidden] for each token: [tokens, hidden].
    ///
    /// - Throws: ``TensorError`` for a token outside the table.
    public func embedding(_ table: Tensor, tokens: [Int32]) throws -> Tensor {
        let vocabulary = table.rows
        let dimension = table.columns
        for token in tokens where token < 0 || Int(token) >= vocabulary {
            throw TensorError.indexOutOfRange("token \(token) in a vocabulary of \(vocabulary)")
        }
        return gather(table, indices: tokens, dimension: dimension)
    }

    /// The rows of `x` [rows, columns] at `indices`, in that order.
    ///
    /// - Throws: ``TensorError`` for an index outside.
    public func selectRows(_ x: Tensor, indices: [Int32]) throws -> Tensor {
        for index in indices where index < 0 || Int(index) >= x.rows {
            throw TensorError.indexOutOfRange("row \(index) of \(x.rows)")
        }
        return gather(x, indices: indices, dimension: x.columns)
    }

    private func gather(_ table: Tensor, indices: [Int32], dimension: Int) -> Tensor {
        let y = output([indices.count, dimension], from: table)
        InferenceKernels.gatherRows(table, indices: indices, into: y.pointer)
        guard y.requiresGradient else { return y }
        record { [context] in
            guard let dy = y.gradientBuffer else { return }
            let target = table.gradientToAdd()
            let pieces = min(context.threads, max(1, dimension / 16))
            context.parallel(pieces) { piece, _ in
                let first = dimension * piece / pieces
                let last = dimension * (piece + 1) / pieces
                indices.withUnsafeBufferPointer { list in
                    guard let base = list.baseAddress else { return }
                    context.kernels.pointee.scatter_add_rows(
                        dy.pointer,
                        base,
                        target,
                        list.count,
                        dimension,
                        first,
                        last - first
                    )
                }
            }
            y.gradientBuffer = nil
        }
        return y
    }

    /// x [rows, in] · weight [out, in]ᵀ (+ bias [out]) (+ residual [rows, out]).
    ///
    /// - Throws: ``TensorError`` when the shapes do not fit.
    public func linear(_ x: Tensor, weight: Tensor, bias: Tensor? = nil, residual: Tensor? = nil) throws -> Tensor {
        let rows = x.rows
        let inner = x.columns
        let outputs = weight.rows
        guard weight.columns == inner, bias.map({ $0.count == outputs }) ?? true,
            residual.map({ $0.count == rows * outputs }) ?? true
        else {
            throw TensorError.shapeMismatch(
                "linear of \(x.shape) with weight \(weight.shape), bias \(bias?.shape ?? []), "
                    + "residual \(residual?.shape ?? [])"
            )
        }
        let y = output([rows, outputs], from: x, weight, bias, residual)
        if let residual {
            let values = residual.pointer
            context.parallelRanges(y.count, grain: 1 << 16) { range in
                (y.pointer + range.lowerBound).update(from: values + range.lowerBound, count: range.count)
            }
        }
        matrixProduct(
            context: context,
            transposeB: true,
            m: rows,
            n: outputs,
            k: inner,
            a: .float32(x.pointer),
            b: weight.matrix,
            c: y.pointer,
            accumulate: residual != nil
        )
        if let bias {
            context.parallelRanges(rows, grain: 256) { range in
                context.kernels.pointee.add_bias(
                    y.pointer + range.lowerBound * outputs,
                    bias.pointer,
                    range.count,
                    outputs
                )
            }
        }
        guard y.requiresGradient else { return y }
        if weight.requiresGradient { x.isKept = true }
        record { [unowned self, context] in
            guard let dy = y.gradientBuffer else { return }
            if weight.requiresGradient {
                let target = weight.gradientToWrite()
                matrixProduct(
                    context: context,
                    transposeA: true,
                    m: outputs,
                    n: inner,
                    k: rows,
                    a: .float32(dy.pointer),
                    b: .float32(x.pointer),
                    c: target.pointer,
                    accumulate: target.accumulate == 1
                )
            }
            if let bias, bias.requiresGradient {
                context.kernels.pointee.sum_rows(dy.pointer, bias.gradientToAdd(), rows, outputs)
            }
            if x.requiresGradient {
                let target = x.gradientToWrite()
                matrixProduct(
                    context: context,
                    m: rows,
                    n: inner,
                    k: outputs,
                    a: .float32(dy.pointer),
                    b: weight.matrix,
                    c: target.pointer,
                    accumulate: target.accumulate == 1
                )
            }
            if let residual, residual.requiresGradient { self.passGradient(dy, to: residual) }
            y.gradientBuffer = nil
        }
        return y
    }

    /// Hands `gradient` over to `tensor`: as its block when it has none, else added.
    private func passGradient(_ gradient: Buffer, to tensor: Tensor) {
        guard let existing = tensor.gradientBuffer else {
            tensor.gradientBuffer = gradient
            return
        }
        context.parallelRanges(tensor.count, grain: 1 << 16) { range in
            context.kernels.pointee.add(
                existing.pointer + range.lowerBound,
                gradient.pointer + range.lowerBound,
                range.count
            )
        }
    }

    /// x + other, element by element.
    ///
    /// - Throws: ``TensorError`` when the shapes differ.
    public func add(_ x: Tensor, _ other: Tensor) throws -> Tensor {
        guard x.shape == other.shape else {
            throw TensorError.shapeMismatch("sum of \(x.shape) and \(other.shape)")
        }
        let y = output(x.shape, from: x, other)
        y.pointer.update(from: x.pointer, count: x.count)
        let values = other.pointer
        context.parallelRanges(x.count, grain: 1 << 16) { range in
            context.kernels.pointee.add(y.pointer + range.lowerBound, values + range.lowerBound, range.count)
        }
        guard y.requiresGradient else { return y }
        record { [context] in
            guard let dy = y.gradientBuffer else { return }
            for tensor in [x, other] where tensor.requiresGradient {
                let target = tensor.gradientToAdd()
                context.parallelRanges(tensor.count, grain: 1 << 16) { range in
                    context.kernels.pointee.add(target + range.lowerBound, dy.pointer + range.lowerBound, range.count)
                }
            }
            y.gradientBuffer = nil
        }
        return y
    }

    /// Root-mean-square norm of each row, times `weight` [columns / groups].
    ///
    /// - Parameters:
    ///   - x: [rows, columns].
    ///   - weight: One factor a component, the same for every group.
    ///   - epsilon: Added to the mean square.
    ///   - groups: Equal parts of a row, such as attention heads, that are normed each for itself.
    /// - Returns: The shape of `x`.
    /// - Throws: ``TensorError`` when the weight does not fit.
    public func rmsNorm(_ x: Tensor, weight: Tensor, epsilon: Float, groups: Int = 1) throws -> Tensor {
        let rows = x.rows * groups
        let dimension = weight.count
        guard groups > 0, weight.count * groups == x.columns else {
            throw TensorError.shapeMismatch("norm of \(x.shape) in \(groups) groups with weight \(weight.shape)")
        }
        let y = output(x.shape, from: x, weight)
        let inverse = context.buffers.take(rows)
        // Here and below values are asked for outside of the workers, since they may have to be made again.
        let values = x.pointer
        context.parallelRanges(rows, grain: 128) { range in
            let offset = range.lowerBound * dimension
            context.kernels.pointee.rms_norm_forward(
                values + offset,
                weight.pointer,
                y.pointer + offset,
                inverse.pointer + range.lowerBound,
                range.count,
                dimension,
                epsilon
            )
        }
        guard y.requiresGradient else { return y }
        x.isKept = true
        y.remake = { [context] in
            let again = context.buffers.take(rows * dimension)
            let values = x.pointer
            context.parallelRanges(rows, grain: 128) { range in
                let offset = range.lowerBound * dimension
                let (source, target) = (values + offset, again.pointer + offset)
                context.kernels.pointee.rms_norm_forward(
                    source,
                    weight.pointer,
                    target,
                    nil,
                    range.count,
                    dimension,
                    epsilon
                )
            }
            return again
        }
        record { [context] in
            guard let dy = y.gradientBuffer else { return }
            let target = x.gradientToWrite()
            // The weight's gradient is summed in a fixed number of parts, whatever the thread count.
            let parts = max(1, min(16, rows / 64))
            let partial = context.buffers.take(parts * dimension)
            partial.clear()
            let values = x.pointer
            context.parallel(parts) { part, _ in
                let first = rows * part / parts
                let last = rows * (part + 1) / parts
                let offset = first * dimension
                context.kernels.pointee.rms_norm_backward(
                    values + offset,
                    weight.pointer,
                    inverse.pointer + first,
                    dy.pointer + offset,
                    target.pointer + offset,
                    target.accumulate,
                    weight.requiresGradient ? partial.pointer + part * dimension : nil,
                    last - first,
                    dimension
                )
            }
            if weight.requiresGradient {
                context.kernels.pointee.sum_rows(partial.pointer, weight.gradientToAdd(), parts, dimension)
            }
            y.gradientBuffer = nil
        }
        return y
    }

    /// silu(gate) · up, element by element.
    ///
    /// - Throws: ``TensorError`` when the shapes differ.
    public func swiglu(gate: Tensor, up: Tensor) throws -> Tensor {
        guard gate.shape == up.shape else {
            throw TensorError.shapeMismatch("swiglu of \(gate.shape) and \(up.shape)")
        }
        let y = output(gate.shape, from: gate, up)
        let (gates, ups) = (gate.pointer, up.pointer)
        context.parallelRanges(y.count, grain: 1 << 14) { range in
            let first = range.lowerBound
            context.kernels.pointee.swiglu_forward(gates + first, ups + first, y.pointer + first, range.count)
        }
        guard y.requiresGradient else { return y }
        for tensor in [gate, up] { tensor.isKept = true }
        y.remake = { [context] in
            let again = context.buffers.take(gate.count)
            let (gates, ups) = (gate.pointer, up.pointer)
            context.parallelRanges(gate.count, grain: 1 << 14) { range in
                let first = range.lowerBound
                context.kernels.pointee.swiglu_forward(gates + first, ups + first, again.pointer + first, range.count)
            }
            return again
        }
        record { [unowned self, context] in
            guard let dy = y.gradientBuffer else { return }
            let dgate = context.buffers.take(y.count)
            let dup = context.buffers.take(y.count)
            let (gates, ups) = (gate.pointer, up.pointer)
            context.parallelRanges(dy.count, grain: 1 << 14) { range in
                let first = range.lowerBound
                context.kernels.pointee.swiglu_backward(
                    gates + first,
                    ups + first,
                    dy.pointer + first,
                    dgate.pointer + first,
                    dup.pointer + first,
                    range.count
                )
            }
            if gate.requiresGradient { self.passGradient(dgate, to: gate) }
            if up.requiresGradient { self.passGradient(dup, to: up) }
            y.gradientBuffer = nil
        }
        return y
    }
}
