import CTensorKernels

/// How the values of a tensor are stored.
public enum ElementType: String, Sendable, Codable, CaseIterable {
    /// IEEE single precision.
    case float32
    /// The upper half of a single.
    case bfloat16
}

/// A dense row-major array with an optional gradient.
///
/// Values are float32. The weight of a linear layer or an embedding may be stored in bfloat16 instead, to be read only:
/// ``Tape/linear(_:weight:bias:residual:)``, ``Tape/embedding(_:tokens:)`` and the log-probabilities take such a weight,
/// other operations do not.
public final class Tensor {
    /// The length of each dimension, outermost first.
    public let shape: [Int]
    /// The number of elements.
    public let count: Int
    /// The context that owns the memory and the threads.
    public let context: ComputeContext
    /// Whether operations on this tensor are recorded and its gradient is computed.
    public var requiresGradient: Bool {
        didSet { precondition(!requiresGradient || elementType == .float32, "a bfloat16 tensor has no gradient") }
    }

    private enum Storage {
        case float32(Buffer)
        case bfloat16(HalfBlock)
        /// Given back until someone reads it again.
        case released(() -> Buffer)
    }
    private var storage: Storage
    /// Computes the same values again bit for bit, without holding this tensor; nil where they must be kept.
    var remake: (() -> Buffer)?
    /// Whether a recorded step reads the values on the way back, so that no operation may change them in place.
    var isKept = false
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
        storage = .float32(context.buffers.take(count))
    }

    /// A weight in bfloat16, [rows, columns].
    package init(_ block: HalfBlock, shape: [Int], context: ComputeContext) {
        precondition(block.count == shape.reduce(1, *), "\(block.count) values do not fill shape \(shape)")
        self.shape = shape
        self.count = block.count
        self.context = context
        requiresGradient = false
        storage = .bfloat16(block)
    }

    /// A tensor of zeros.
    public convenience init(zeros shape: [Int], context: ComputeContext, requiresGradient: Bool = false) {
        self.init(uninitialized: shape, context: context, requiresGradient: requiresGradient)
        pointer.update(repeating: 0, count: count)
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
            if let base = source.baseAddress { pointer.update(from: base, count: source.count) }
        }
    }

    /// How the values are stored.
    public var elementType: ElementType {
        if case .bfloat16 = storage { .bfloat16 } else { .float32 }
    }

    /// The float32 values.
    ///
    /// Released ones are computed again by all workers, so that they may not be asked for inside a parallel region.
    package var pointer: UnsafeMutablePointer<Float> {
        switch storage {
        case .float32(let buffer):
            return buffer.pointer
        case .released(let remake):
            precondition(
                !context.buffers.isInRegion,
                "values that were released are computed again outside of a parallel region; ask for them before it"
            )
            let buffer = remake()
            storage = .float32(buffer)
            return buffer.pointer
        case .bfloat16:
            preconditionFailure("this operation takes no bfloat16 tensor")
        }
    }

    /// The values, for an operation that changes them where they lie: they are no longer what ``remake`` computes.
    ///
    /// - Throws: ``TensorError`` where a recorded step has yet to read the values as they are.
    func pointerToChange(by operation: String) throws -> UnsafeMutablePointer<Float> {
        guard !isKept else {
            throw TensorError.changedInPlace("\(operation) of a tensor \(shape) that another operation was recorded on")
        }
        let values = pointer
        remake = nil
        return values
    }

    /// The values as one side of a matrix product.
    package var matrix: MatrixValues {
        if case .bfloat16(let block) = storage { .bfloat16(block.pointer) } else { .float32(pointer) }
    }

    /// The stored values of a bfloat16 tensor.
    package var halfBlock: HalfBlock? {
        if case .bfloat16(let block) = storage { block } else { nil }
    }

    /// Gives the values back to the pool where they can be made again; whoever reads them next has them made.
    func release() {
        if let remake { storage = .released(remake) }
    }

    /// The last dimension: the length of a row.
    public var columns: Int { shape.last ?? 1 }
    /// All dimensions but the last, multiplied.
    public var rows: Int { columns == 0 ? 0 : count / columns }

    /// A copy of the values in row-major order.
    public var values: [Float] { withValues { Array($0) } }

    /// A copy of the gradient in row-major order, or nil when none was computed.
    public var gradient: [Float]? {
        gradientBuffer.map { Array(UnsafeBufferPointer(start: $0.pointer, count: count)) }
    }

    /// Reads the values: in place, or a widened copy of bfloat16 ones.
    public func withValues<Result>(_ body: (UnsafeBufferPointer<Float>) throws -> Result) rethrows -> Result {
        guard let halfBlock else { return try body(UnsafeBufferPointer(start: pointer, count: count)) }
        let widened = self.widened(halfBlock)
        return try body(UnsafeBufferPointer(start: widened.pointer, count: count))
    }

    /// Changes the values: in place, or of a widened copy that is rounded to bfloat16 afterwards.
    public func withMutableValues<Result>(
        _ body: (UnsafeMutableBufferPointer<Float>) throws -> Result
    ) rethrows -> Result {
        guard let halfBlock else { return try body(UnsafeMutableBufferPointer(start: pointer, count: count)) }
        let widened = self.widened(halfBlock)
        let result = try body(UnsafeMutableBufferPointer(start: widened.pointer, count: count))
        storage = .bfloat16(HalfBlock(rounding: widened.pointer, count: count, context: context))
        return result
    }

    /// A tensor of the same values, rounded where `elementType` is bfloat16; a bfloat16 tensor's memory is shared.
    package func converted(to elementType: ElementType) -> Tensor {
        switch elementType {
        case .bfloat16:
            let block = halfBlock ?? HalfBlock(rounding: pointer, count: count, context: context)
            return Tensor(block, shape: shape, context: context)
        case .float32:
            let copy = Tensor(uninitialized: shape, context: context)
            withValues { source in
                if let base = source.baseAddress { copy.pointer.update(from: base, count: count) }
            }
            return copy
        }
    }

    private func widened(_ block: HalfBlock) -> Buffer {
        let buffer = context.buffers.take(count)
        context.parallelRanges(count, grain: 1 << 16) { range in
            let first = range.lowerBound
            context.kernels.pointee.widen(block.pointer + first, buffer.pointer + first, range.count)
        }
        return buffer
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
    /// Values would change that derivatives depend on.
    case changedInPlace(String)

    /// Names the operation and the offending shapes or index.
    public var description: String {
        switch self {
        case .shapeMismatch(let text): "Tensor shapes do not fit: \(text)"
        case .indexOutOfRange(let text): "Tensor index out of range: \(text)"
        case .changedInPlace(let text): "Tensor values are still needed: \(text)"
        }
    }
}
