import CTensorKernels
import Foundation

/// The cosines and sines of rotary position embedding for every position up to a maximum.
///
/// Layout [positions, headDimension / 2]; the halves of a head are rotated against each other, as in Hugging Face's
/// `rotate_half`.
public final class RotaryTable {
    /// The inverse frequencies, one a pair of components.
    public let inverseFrequencies: [Float]
    /// Positions held.
    public private(set) var positions = 0
    private(set) package var cosines: [Float] = []
    private(set) package var sines: [Float] = []

    /// Makes a table from inverse frequencies.
    public init(inverseFrequencies: [Float]) { self.inverseFrequencies = inverseFrequencies }

    /// Extends the table to at least `count` positions.
    public func extend(to count: Int) {
        guard count > positions else { return }
        let wanted = max(count, min(positions * 2, 1 << 16))
        cosines.reserveCapacity(wanted * inverseFrequencies.count)
        sines.reserveCapacity(wanted * inverseFrequencies.count)
        for position in positions..<wanted {
            for frequency in inverseFrequencies {
                let angle = Float(position) * frequency
                cosines.append(Float(cos(Double(angle))))
                sines.append(Float(sin(Double(angle))))
            }
        }
        positions = wanted
    }
}

extension Tape {
    /// Rotates the heads of `x` [tokens, heads · headDimension] in place by their positions.
    ///
    /// The tensor must be a fresh result of ``linear(_:weight:bias:residual:)`` that nothing else has read.
    /// - Throws: ``TensorError`` when the shapes do not fit.
    public func rotate(_ x: Tensor, table: RotaryTable, positions: [Int32]) throws {
        let dimension = table.inverseFrequencies.count * 2
        guard x.rows == positions.count, dimension > 0, x.columns % dimension == 0 else {
            throw TensorError.shapeMismatch("rotary of \(x.shape) by \(positions.count) positions of \(dimension)")
        }
        guard positions.allSatisfy({ $0 >= 0 }) else { throw TensorError.indexOutOfRange("a negative position") }
        table.extend(to: Int(positions.max() ?? 0) + 1)
        applyRotation(x.pointer, columns: x.columns, table: table, positions: positions, sign: 1)
        guard x.requiresGradient else { return }
        record {
            guard let dx = x.gradientBuffer else { return }
            self.applyRotation(dx.pointer, columns: x.columns, table: table, positions: positions, sign: -1)
        }
    }

    private func applyRotation(
        _ x: UnsafeMutablePointer<Float>,
        columns: Int,
        table: RotaryTable,
        positions: [Int32],
        sign: Float
    ) {
        let dimension = table.inverseFrequencies.count * 2
        table.cosines.withUnsafeBufferPointer { cosines in
            table.sines.withUnsafeBufferPointer { sines in
                positions.withUnsafeBufferPointer { list in
                    guard let base = list.baseAddress else { return }
                    context.parallelRanges(list.count, grain: 256) { range in
                        ctk_rope(
                            x + range.lowerBound * columns,
                            base + range.lowerBound,
                            cosines.baseAddress,
                            sines.baseAddress,
                            sign,
                            range.count,
                            columns / dimension,
                            dimension
                        )
                    }
                }
            }
        }
    }

    /// Causal grouped-query attention inside each packed sequence.
    ///
    /// - Parameters:
    ///   - queries: [tokens, heads · headDimension].
    ///   - keys: [tokens, keyValueHeads · headDimension].
    ///   - values: As `keys`.
    ///   - offsets: The first row of each sequence, and the number of tokens at the end.
    ///   - headDimension: Components a head.
    /// - Returns: [tokens, heads · headDimension]. Tokens never see another sequence.
    /// - Throws: ``TensorError`` when the shapes do not fit.
    public func causalAttention(
        queries: Tensor,
        keys: Tensor,
        values: Tensor,
        offsets: [Int],
        headDimension: Int
    ) throws -> Tensor {
        let shape = try AttentionShape(
            queries: queries,
            keys: keys,
            values: values,
            offsets: offsets,
            headDimension: headDimension
        )
        let y = output(queries.shape, from: queries, keys, values)
        let logSumExp = context.buffers.take(queries.rows * shape.heads)
        let block = AttentionShape.block
        let scratchSize = block * shape.longest + 16
        let scratch = context.buffers.take(context.threads * scratchSize)
        let items = shape.items
        context.parallel(items.count) { item, worker in
            let (begin, end, kvHead) = items[item]
            let scores = scratch.pointer + worker * scratchSize
            let k = keys.pointer + begin * shape.keyStride + kvHead * headDimension
            let v = values.pointer + begin * shape.keyStride + kvHead * headDimension
            for head in kvHead * shape.group..<(kvHead + 1) * shape.group {
                for first in stride(from: begin, to: end, by: block) {
                    let rows = min(block, end - first)
                    let visible = first - begin + rows
                    smallProduct(
                        transposeA: false,
                        transposeB: true,
                        m: rows,
                        n: visible,
                        k: headDimension,
                        alpha: 1,
                        a: queries.pointer + first * shape.queryStride + head * headDimension,
                        lda: shape.queryStride,
                        b: k,
                        ldb: shape.keyStride,
                        beta: 0,
                        c: scores,
                        ldc: visible
                    )
                    ctk_causal_softmax_forward(
                        scores,
                        rows,
                        visible,
                        first - begin + 1,
                        shape.factor,
                        logSumExp.pointer + first * shape.heads + head,
                        shape.heads
                    )
                    smallProduct(
                        transposeA: false,
                        transposeB: false,
                        m: rows,
                        n: headDimension,
                        k: visible,
                        alpha: 1,
                        a: scores,
                        lda: visible,
                        b: v,
                        ldb: shape.keyStride,
                        beta: 0,
                        c: y.pointer + first * shape.queryStride + head * headDimension,
                        ldc: shape.queryStride
                    )
                }
            }
        }
        guard y.requiresGradient else { return y }
        record {
            self.attentionBackward(shape: shape, y: y, queries, keys, values, logSumExp: logSumExp)
            y.gradientBuffer = nil
        }
        return y
    }

    private func attentionBackward(
        shape: AttentionShape,
        y: Tensor,
        _ queries: Tensor,
        _ keys: Tensor,
        _ values: Tensor,
        logSumExp: Buffer
    ) {
        guard let dy = y.gradientBuffer else { return }
        let dimension = shape.headDimension
        let dq = queries.gradientToAdd()
        let dk = keys.gradientToAdd()
        let dv = values.gradientToAdd()
        let block = AttentionShape.block
        let matrix = block * shape.longest
        let scratchSize = 2 * matrix + block + 16
        let scratch = context.buffers.take(context.threads * scratchSize)
        let items = shape.items
        context.parallel(items.count) { item, worker in
            let (begin, end, kvHead) = items[item]
            let scores = scratch.pointer + worker * scratchSize
            let dscores = scores + matrix
            let deltas = dscores + matrix
            let keyOffset = begin * shape.keyStride + kvHead * dimension
            let qs = shape.queryStride
            let ks = shape.keyStride
            for head in kvHead * shape.group..<(kvHead + 1) * shape.group {
                for first in stride(from: begin, to: end, by: block) {
                    let rows = min(block, end - first)
                    let visible = first - begin + rows
                    let offset = first * qs + head * dimension
                    ctk_row_dots(dy.pointer + offset, y.pointer + offset, deltas, rows, dimension, qs)
                    /// c = a · b, rows by rows of this block.
                    func product(
                        _ transposeA: Bool,
                        _ transposeB: Bool,
                        _ sizes: (m: Int, n: Int, k: Int),
                        _ a: (UnsafeMutablePointer<Float>, Int),
                        _ b: (UnsafeMutablePointer<Float>, Int),
                        _ beta: Float,
                        _ c: (UnsafeMutablePointer<Float>, Int)
                    ) {
                        smallProduct(
                            transposeA: transposeA,
                            transposeB: transposeB,
                            m: sizes.m,
                            n: sizes.n,
                            k: sizes.k,
                            alpha: 1,
                            a: a.0,
                            lda: a.1,
                            b: b.0,
                            ldb: b.1,
                            beta: beta,
                            c: c.0,
                            ldc: c.1
                        )
                    }
                    let q = (queries.pointer + offset, qs)
                    let d = (dy.pointer + offset, qs)
                    let k = (keys.pointer + keyOffset, ks)
                    let v = (values.pointer + keyOffset, ks)
                    let square = (m: rows, n: visible, k: dimension)
                    product(false, true, square, q, k, 0, (scores, visible))
                    product(false, true, square, d, v, 0, (dscores, visible))
                    ctk_causal_softmax_backward(
                        scores,
                        dscores,
                        rows,
                        visible,
                        visible,
                        first - begin + 1,
                        shape.factor,
                        logSumExp.pointer + first * shape.heads + head,
                        shape.heads,
                        deltas
                    )
                    let tall = (m: visible, n: dimension, k: rows)
                    product(true, false, tall, (scores, visible), d, 1, (dv + keyOffset, ks))
                    product(true, false, tall, (dscores, visible), q, 1, (dk + keyOffset, ks))
                    let flat = (m: rows, n: dimension, k: visible)
                    product(false, false, flat, (dscores, visible), k, 1, (dq + offset, qs))
                }
            }
        }
    }
}

/// The checked sizes of one attention call.
private struct AttentionShape {
    /// Query rows at a time; at most `block` × the longest sequence scores exist a worker.
    static let block = 64

    let heads: Int
    let keyValueHeads: Int
    let headDimension: Int
    let offsets: [Int]
    let longest: Int
    var group: Int { heads / keyValueHeads }
    var queryStride: Int { heads * headDimension }
    var keyStride: Int { keyValueHeads * headDimension }
    var factor: Float { 1 / Float(headDimension).squareRoot() }

    init(queries: Tensor, keys: Tensor, values: Tensor, offsets: [Int], headDimension: Int) throws {
        guard headDimension > 0, queries.columns % headDimension == 0, keys.columns % headDimension == 0,
            keys.shape == values.shape, queries.rows == keys.rows, offsets.first == 0,
            offsets.last == queries.rows, zip(offsets, offsets.dropFirst()).allSatisfy({ $0 <= $1 })
        else {
            throw TensorError.shapeMismatch(
                "attention of queries \(queries.shape), keys \(keys.shape), values \(values.shape) over offsets "
                    + "\(offsets.prefix(4))… with heads of \(headDimension)"
            )
        }
        heads = queries.columns / headDimension
        keyValueHeads = keys.columns / headDimension
        guard keyValueHeads > 0, heads % keyValueHeads == 0 else {
            throw TensorError.shapeMismatch("\(heads) heads are no multiple of \(keyValueHeads) key-value heads")
        }
        self.headDimension = headDimension
        self.offsets = offsets
        longest = zip(offsets, offsets.dropFirst()).map { $1 - $0 }.max() ?? 0
    }

    /// One item a sequence and key-value head, longest first would be fairer but order is kept for locality.
    var items: [(begin: Int, end: Int, kvHead: Int)] {
        var list: [(begin: Int, end: Int, kvHead: Int)] = []
        list.reserveCapacity(max(0, offsets.count - 1) * keyValueHeads)
        for (begin, end) in zip(offsets, offsets.dropFirst()) where end > begin {
            for head in 0..<keyValueHeads { list.append((begin, end, head)) }
        }
        return list
    }
}
