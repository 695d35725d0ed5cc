import CTensorKernels

/// A dense row-major float32 array with an optional gradient.
public final class Tensor {
    /// The length of each dimension, outermost first.
    public let shape: [Int]
    /// The number of elements.
    public let count: Int
    /// The context that owns the memory and the threads.
    public let context: ComputeContext
    /// Whether operations on this tensor are recorded and its gradient is computed.
    public var requiresGradient: Bool

    package let buffer: Buffer
    package var gradientBuffer: Buffer?

    package init(
        uninitialized shape: [Int],
        context: ComputeContext,
        requiresGradient: Bool = false
    ) {
        self.shape = shape
        self.count = shape.reduce(1, *)
        self.context = context
        self.requiresGradient = requiresGradient
        self.buffer = context.buffers.take(count)
    }

    /// A tensor of zeros.
    public convenience init(zeros shape: [Int], context: ComputeContext, requiresGradient: Bool = false) {
        self.init(uninitialized: shape, context: context, requiresGradient: requiresGradient)
        buffer.clear()
    }

    /// A tensor with the given values in row-major order.
    ///
    /// - Throws: ``TensorError`` when the number of values is not that of the shape.
    public convenience init(
        _ values: [Float],
        shape: [Int],
        context: ComputeContext,
        requiresGradient: Bool = false
    ) throws {
        guard values.count == shape.reduce(1, *) else {
            throw TensorError.shapeMismatch("\(values.count) values do not fill shape \(shape)")
        }
        self.init(uninitialized: shape, context: context, requiresGradient: requiresGradient)
        values.withUnsafeBufferPointer { source in
            if let base = source.baseAddress { buffer.pointer.update(from: base, count: source.count) }
        }
    }

    package var pointer: UnsafeMutablePointer<Float> { buffer.pointer }

    /// The last dimension: the length of a row.
    public var columns: Int { shape.last ?? 1 }
    /// All dimensions but the last, multiplied.
    public var rows: Int { columns == 0 ? 0 : count / columns }

    /// A copy of the values in row-major order.
    public var values: [Float] { Array(UnsafeBufferPointer(start: buffer.pointer, count: count)) }

    /// A copy of the gradient in row-major order, or nil when none was computed.
    public var gradient: [Float]? {
        gradientBuffer.map { Array(UnsafeBufferPointer(start: $0.pointer, count: count)) }
    }

    /// Reads the values in place.
    public func withValues<Result>(_ body: (UnsafeBufferPointer<Float>) throws -> Result) rethrows -> Result {
        try body(UnsafeBufferPointer(start: buffer.pointer, count: count))
    }

    /// Changes the values in place.
    public func withMutableValues<Result>(
        _ body: (UnsafeMutableBufferPointer<Float>) throws -> Result
    ) rethrows -> Result {
        try body(UnsafeMutableBufferPointer(start: buffer.pointer, count: count))
    }

    /// Forgets the gradient; its memory is used again.
    public func clearGradient() { gradientBuffer = nil }

    /// The gradient block to add to; cleared when it is new.
    package func gradientToAdd() -> UnsafeMutablePointer<Float> {
        if let gradientBuffer { return gradientBuffer.pointer }
        let fresh = context.buffers.take(count)
        fresh.clear()
        gradientBuffer = fresh
        return fresh.pointer
    }

    /// The gradient block and whether it already holds a part of the sum (1) or is to be overwritten (0).
    package func gradientToWrite() -> (pointer: UnsafeMutablePointer<Float>, accumulate: Int32) {
        if let gradientBuffer { return (gradientBuffer.pointer, 1) }
        let fresh = context.buffers.take(count)
        gradientBuffer = fresh
        return (fresh.pointer, 0)
    }
}

/// What can be wrong with the arguments of a tensor operation.
public enum TensorError: Error, Sendable, CustomStringConvertible {
    /// Shapes do not fit together.
    case shapeMismatch(String)
    /// An index lies outside its table.
    case indexOutOfRange(String)

    /// Names the operation and the offending shapes or index.
    public var description: String {
        switch self {
        case .shapeMismatch(let text): "Tensor shapes do not fit: \(text)"
        case .indexOutOfRange(let text): "Tensor index out of range: \(text)"
        }
    }
}
