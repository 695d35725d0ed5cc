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
    /// No operation that needs the tensor's values on the way back may have read it before.
    /// - Throws: ``TensorError`` when the shapes do not fit, or such an operation has.
    public func rotate(_ x: Tensor, table: RotaryTable, positions: [Int32]) throws {
        let dimension = table.inverseFrequencies.count * 2
        guard x.rows == positions.count, dimension > 0, x.columns % dimension == 0 else {
            throw TensorError.shapeMismatch("rotary of \(x.shape) by \(positions.count) positions of \(dimension)")
        }
        guard positions.allSatisfy({ $0 >= 0 }) else { throw TensorError.indexOutOfRange("a negative position") }
        table.extend(to: Int(positions.max() ?? 0) + 1)
        let values = try x.pointerToChange(by: "rotation")
        applyRotation(values, columns: x.columns, table: table, positions: positions, sign: 1)
        guard x.requiresGradient else { return }
        record { [unowned self] in
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
                        context.kernels.pointee.rope(
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

    /// Causal grouped-query attention inside packed sequences that may share prefixes.
    ///
    /// Rows come in segments. A row sees its own segment up to itself, and all rows of the segments above it in the tree
    /// that `parents` describes; never another branch. Scores exist only for a few rows at a time, never for all
    /// pairs of tokens; rows of a shared prefix are computed once, and their gradients are summed over everything below.
    ///
    /// - Parameters:
    ///   - queries: [tokens, heads · headDimension].
    ///   - keys: [tokens, keyValueHeads · headDimension].
    ///   - values: As `keys`.
    ///   - offsets: The first row of each segment, and the number of tokens at the end.
    ///   - parents: The segment that each segment continues, which lies before it; −1 for none. Nil for all −1, so that
    ///     each segment is a sequence.
    ///   - headDimension: Components a head.
    /// - Returns: [tokens, heads · headDimension].
    /// - Throws: ``TensorError`` when the shapes do not fit.
    public func causalAttention(
        queries: Tensor,
        keys: Tensor,
        values: Tensor,
        offsets: [Int],
        parents: [Int]? = nil,
        headDimension: Int
    ) throws -> Tensor {
        let shape = try AttentionShape(
            queries: queries,
            keys: keys,
            values: values,
            offsets: offsets,
            parents: parents,
            headDimension: headDimension
        )
        let y = output(queries.shape, from: queries, keys, values)
        let logSumExp = context.buffers.take(queries.rows * shape.heads)
        let block = AttentionShape.block
        let scratchSize = block * shape.longest + 16
        let scratch = context.buffers.take(context.threads * scratchSize)
        let kvHeads = shape.keyValueHeads
        let (allQueries, allKeys, allValues) = (queries.pointer, keys.pointer, values.pointer)
        // No two items write the same rows of the result, so that all segments may run at once.
        context.parallel(shape.segments.count * kvHeads) { item, worker in
            let segment = shape.segments[item / kvHeads]
            let kvHead = item % kvHeads
            let scores = scratch.pointer + worker * scratchSize
            let k = allKeys + kvHead * headDimension
            let v = allValues + kvHead * headDimension
            for head in kvHead * shape.group..<(kvHead + 1) * shape.group {
                for first in stride(from: segment.begin, to: segment.end, by: block) {
                    let rows = min(block, segment.end - first)
                    let visible = segment.visible(to: first + rows)
                    let q = allQueries + first * shape.queryStride + head * headDimension
                    segment.forEachSpan(to: first + rows) { row, count, column in
                        smallProduct(
                            context: context,
                            transposeA: false,
                            transposeB: true,
                            m: rows,
                            n: count,
                            k: headDimension,
                            a: q,
                            lda: shape.queryStride,
                            b: k + row * shape.keyStride,
                            ldb: shape.keyStride,
                            c: scores + column,
                            ldc: visible,
                            accumulate: false
                        )
                    }
                    context.kernels.pointee.causal_softmax_forward(
                        scores,
                        rows,
                        visible,
                        visible - rows + 1,
                        shape.factor,
                        logSumExp.pointer + first * shape.heads + head,
                        shape.heads
                    )
                    segment.forEachSpan(to: first + rows) { row, count, column in
                        smallProduct(
                            context: context,
                            transposeA: false,
                            transposeB: false,
                            m: rows,
                            n: headDimension,
                            k: count,
                            a: scores + column,
                            lda: visible,
                            b: v + row * shape.keyStride,
                            ldb: shape.keyStride,
                            c: y.pointer + first * shape.queryStride + head * headDimension,
                            ldc: shape.queryStride,
                            accumulate: column > 0
                        )
                    }
                }
            }
        }
        guard y.requiresGradient else { return y }
        for tensor in [queries, keys, values, y] { tensor.isKept = true }
        record { [unowned self] in
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
        let kvHeads = shape.keyValueHeads
        let (allQueries, allKeys, allValues) = (queries.pointer, keys.pointer, values.pointer)
        // All branches of a tree add to the keys and values of its root: one item does them one after the other, so that
        // the sums do not depend on which worker comes first.
        context.parallel(shape.trees.count * kvHeads) { item, worker in
            let kvHead = item % kvHeads
            let scores = scratch.pointer + worker * scratchSize
            let dscores = scores + matrix
            let deltas = dscores + matrix
            let qs = shape.queryStride
            let ks = shape.keyStride
            for index in shape.trees[item / kvHeads] {
                let segment = shape.segments[index]
                for head in kvHead * shape.group..<(kvHead + 1) * shape.group {
                    for first in stride(from: segment.begin, to: segment.end, by: block) {
                        let rows = min(block, segment.end - first)
                        let visible = segment.visible(to: first + rows)
                        let offset = first * qs + head * dimension
                        context.kernels.pointee.row_dots(
                            dy.pointer + offset,
                            y.pointer + offset,
                            deltas,
                            rows,
                            dimension,
                            qs
                        )
                        /// c = a · b, rows by rows of this block.
                        func product(
                            _ transposeA: Bool,
                            _ transposeB: Bool,
                            _ sizes: (m: Int, n: Int, k: Int),
                            _ a: (UnsafeMutablePointer<Float>, Int),
                            _ b: (UnsafeMutablePointer<Float>, Int),
                            _ accumulate: Bool,
                            _ c: (UnsafeMutablePointer<Float>, Int)
                        ) {
                            smallProduct(
                                context: context,
                                transposeA: transposeA,
                                transposeB: transposeB,
                                m: sizes.m,
                                n: sizes.n,
                                k: sizes.k,
                                a: a.0,
                                lda: a.1,
                                b: b.0,
                                ldb: b.1,
                                c: c.0,
                                ldc: c.1,
                                accumulate: accumulate
                            )
                        }
                        let q = (allQueries + offset, qs)
                        let d = (dy.pointer + offset, qs)
                        segment.forEachSpan(to: first + rows) { row, count, column in
                            let at = row * ks + kvHead * dimension
                            let square = (m: rows, n: count, k: dimension)
                            product(false, true, square, q, (allKeys + at, ks), false, (scores + column, visible))
                            product(false, true, square, d, (allValues + at, ks), false, (dscores + column, visible))
                        }
                        context.kernels.pointee.causal_softmax_backward(
                            scores,
                            dscores,
                            rows,
                            visible,
                            visible,
                            visible - rows + 1,
                            shape.factor,
                            logSumExp.pointer + first * shape.heads + head,
                            shape.heads,
                            deltas
                        )
                        segment.forEachSpan(to: first + rows) { row, count, column in
                            let at = row * ks + kvHead * dimension
                            let tall = (m: count, n: dimension, k: rows)
                            product(true, false, tall, (scores + column, visible), d, true, (dv + at, ks))
                            product(true, false, tall, (dscores + column, visible), q, true, (dk + at, ks))
                            let flat = (m: rows, n: dimension, k: count)
                            product(
                                false,
                                false,
                                flat,
                                (dscores + column, visible),
                                (allKeys + at, ks),
                                true,
                                (dq + offset, qs)
                            )
                        }
                    }
                }
            }
        }
    }
}

/// The checked sizes of one attention call.
private struct AttentionShape {
    /// Query rows at a time; at most `block` × the longest sequence scores exist a worker.
    static let block = 64

    /// Rows that see each other causally, and what they see before themselves.
    struct Segment {
        let begin: Int
        let end: Int
        /// The first row of the stretch of visible rows that runs on into this segment.
        let tail: Int
        /// Stretches of visible rows before that one, in the order of their positions.
        let ancestors: [Range<Int>]
        /// Rows in `ancestors`.
        let ancestorRows: Int

        /// Visible rows of a block that ends before row `end`.
        func visible(to end: Int) -> Int { ancestorRows + end - tail }

        /// Calls `body` for each stretch of rows that is visible to a block that ends before `end`: its first row, its
        /// length, and the column of its first score.
        @inline(__always)
        func forEachSpan(to end: Int, _ body: (_ row: Int, _ count: Int, _ column: Int) -> Void) {
            var column = 0
            for range in ancestors {
                body(range.lowerBound, range.count, column)
                column += range.count
            }
            body(tail, end - tail, column)
        }
    }

    let heads: Int
    let keyValueHeads: Int
    let headDimension: Int
    /// Segments that have rows.
    private(set) var segments: [Segment] = []
    /// The segments of each tree, as indices into `segments`.
    private(set) var trees: [[Int]] = []
    /// Tokens of the longest sequence.
    private(set) var longest = 0
    var group: Int { heads / keyValueHeads }
    var queryStride: Int { heads * headDimension }
    var keyStride: Int { keyValueHeads * headDimension }
    var factor: Float { 1 / Float(headDimension).squareRoot() }

    init(
        queries: Tensor,
        keys: Tensor,
        values: Tensor,
        offsets: [Int],
        parents: [Int]?,
        headDimension: Int
    ) throws {
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
        let parents = parents ?? [Int](repeating: -1, count: offsets.count - 1)
        guard parents.count == offsets.count - 1, parents.enumerated().allSatisfy({ $1 >= -1 && $1 < $0 }) else {
            throw TensorError.shapeMismatch(
                "attention over \(offsets.count - 1) segments with parents \(parents.prefix(4))…; each must lie before its child"
            )
        }
        layOut(offsets: offsets, parents: parents)
    }

    private mutating func layOut(offsets: [Int], parents: [Int]) {
        // The visible stretches at the end of each segment, its own rows included, and the tree that it is in.
        var stretches: [[Range<Int>]] = []
        var treeOf: [Int] = []
        for (index, parent) in parents.enumerated() {
            let own = offsets[index]..<offsets[index + 1]
            var path = parent < 0 ? [] : stretches[parent]
            var tail = own.lowerBound
            if let last = path.last, last.upperBound == own.lowerBound {
                tail = last.lowerBound
                path.removeLast()
            }
            if parent < 0 {
                treeOf.append(trees.count)
                trees.append([])
            } else {
                treeOf.append(treeOf[parent])
            }
            let ancestorRows = path.reduce(0) { $0 + $1.count }
            if !own.isEmpty {
                trees[treeOf[index]].append(segments.count)
                segments.append(
                    Segment(
                        begin: own.lowerBound,
                        end: own.upperBound,
                        tail: tail,
                        ancestors: path,
                        ancestorRows: ancestorRows
                    )
                )
                longest = max(longest, ancestorRows + own.upperBound - tail)
            }
            stretches.append(tail < own.upperBound ? path + [tail..<own.upperBound] : path)
        }
    }
}
