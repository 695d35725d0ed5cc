import CTensorKernels

/// c [m, n] = a · b (+ c) by the project's own kernels, which pack both operands first.
///
/// In float32, or with both operands rounded to bfloat16 and sums in float32. An operand that is stored in bfloat16 is
/// read as it is. Every element of the result is one sum in the order of `k`, cut where it is longer than 2,048 units, so
/// the bits depend on the shapes alone.
func packedProduct(
    context: ComputeContext,
    precision: MatrixPrecision,
    transposeA: Bool,
    transposeB: Bool,
    m: Int,
    n: Int,
    k: Int,
    a: MatrixValues,
    b: MatrixValues,
    c: UnsafeMutablePointer<Float>,
    accumulate: Bool
) {
    let inPairs = precision == .bfloat16
    let unit = inPairs ? 2 : 1
    // A panel of the right operand, 256 KB at most, stays in the second-level cache; the packed left one takes 8 MB at most.
    let innerAtOnce = 2048 * unit
    let words = 1 << 21
    let tileRows = context.kernels.pointee.tile_rows
    for firstInner in stride(from: 0, to: max(1, k), by: innerAtOnce) {
        let inner = min(innerAtOnce, k - firstInner)
        let units = (inner + unit - 1) / unit
        let rowsAtOnce = max(1, words / max(1, units) / tileRows) * tileRows
        for firstRow in stride(from: 0, to: m, by: rowsAtOnce) {
            let left = LeftOperand(
                a.advanced(by: transposeA ? firstInner * m + firstRow : firstRow * k + firstInner),
                transposed: transposeA,
                rows: min(rowsAtOnce, m - firstRow),
                leading: transposeA ? m : k,
                inner: inner,
                units: units,
                inPairs: inPairs,
                context: context
            )
            left.multiply(
                b.advanced(by: transposeB ? firstInner : firstInner * n),
                transposed: transposeB,
                leading: transposeB ? k : n,
                columns: n,
                into: c + firstRow * n,
                accumulate: accumulate || firstInner > 0
            )
        }
    }
}

/// A few rows of the left operand of a packed product: in place where they can be read as they are, else packed.
private struct LeftOperand {
    /// Rows that are multiplied at a time.
    private var tileRows: Int { context.kernels.pointee.tile_rows }

    private let source: MatrixValues
    private let transposed: Bool
    private let rows: Int
    private let leading: Int
    private let inner: Int
    private let units: Int
    private let inPairs: Bool
    private let context: ComputeContext

    private let rowStride: Int
    private let unitStride: Int
    private let tileStride: Int
    /// Independent parts of the packing; 0 for an operand that is used in place.
    private let pieces: Int
    private let rowsAPiece: Int
    private let packed: Buffer?
    private let base: UnsafePointer<UInt32>

    init(
        _ source: MatrixValues,
        transposed: Bool,
        rows: Int,
        leading: Int,
        inner: Int,
        units: Int,
        inPairs: Bool,
        context: ComputeContext
    ) {
        self.source = source
        self.transposed = transposed
        self.rows = rows
        self.leading = leading
        self.inner = inner
        self.units = units
        self.inPairs = inPairs
        self.context = context
        let tileRows = context.kernels.pointee.tile_rows
        // Rows a multiple of half a page apart would share a few sets of the first-level cache.
        if !transposed, !inPairs, leading % 512 != 0, case .float32(let values) = source {
            rowStride = leading
            unitStride = 1
            tileStride = tileRows * leading
            packed = nil
            base = UnsafeRawPointer(values).assumingMemoryBound(to: UInt32.self)
            pieces = 0
            rowsAPiece = rows
            return
        }
        let tiles = (rows + tileRows - 1) / tileRows
        let buffer: Buffer
        if transposed {
            rowStride = 1
            unitStride = tileRows
            tileStride = tileRows * units
            buffer = context.buffers.take(tiles * tileRows * units)
        } else {
            rowStride = units % 512 == 0 ? units + 16 : units
            unitStride = 1
            tileStride = tileRows * rowStride
            buffer = context.buffers.take(rows * rowStride)
        }
        packed = buffer
        base = UnsafePointer(buffer.words)
        rowsAPiece = max(8, (tiles + context.threads * 4 - 1) / (context.threads * 4)) * tileRows
        pieces = (rows + rowsAPiece - 1) / rowsAPiece
    }

    /// c [rows, columns] = this · b (+ c).
    func multiply(
        _ b: MatrixValues,
        transposed: Bool,
        leading: Int,
        columns: Int,
        into c: UnsafeMutablePointer<Float>,
        accumulate: Bool
    ) {
        let panelWidth = Int(CTK_PANEL_WIDTH)
        let panels = (columns + panelWidth - 1) / panelWidth
        let tileRows = self.tileRows
        let tiles = (rows + tileRows - 1) / tileRows
        // Who packs a panel multiplies by it at once, while it is in the worker's own cache. Only where there are few
        // panels for many workers do several pack the same one.
        let groups = max(1, min(tiles, (context.threads * 2 + panels - 1) / panels))
        let scratch = context.buffers.take(context.threads * panelWidth * units)
        context.parallel(pieces) { piece, _ in pack(piece) }
        context.parallel(panels * groups) { piece, worker in
            let column = piece / groups * panelWidth
            let group = piece % groups
            let row = tiles * group / groups * tileRows
            let panel = scratch.words + worker * panelWidth * units
            let part = b.advanced(by: transposed ? column * leading : column)
            context.kernels.pointee.pack(
                part.raw,
                part.isHalf ? 1 : 0,
                inPairs ? 1 : 0,
                Int32(transposed ? CTK_PACK_TRANSPOSED : CTK_PACK_PANELS),
                leading,
                panel,
                0,
                inner,
                min(panelWidth, columns - column)
            )
            context.kernels.pointee.packed_product(
                base + row / tileRows * tileStride,
                rowStride,
                unitStride,
                tileStride,
                panel,
                inPairs ? 1 : 0,
                units,
                c + row * columns + column,
                columns,
                min(rows, tiles * (group + 1) / groups * tileRows) - row,
                min(panelWidth, columns - column),
                accumulate ? 1 : 0
            )
        }
    }

    private func pack(_ piece: Int) {
        guard let packed else { return }
        let row = piece * rowsAPiece
        let part = source.advanced(by: transposed ? row : row * leading)
        context.kernels.pointee.pack(
            part.raw,
            part.isHalf ? 1 : 0,
            inPairs ? 1 : 0,
            Int32(transposed ? CTK_PACK_TILES : CTK_PACK_ROWS),
            leading,
            packed.words + row / tileRows * tileStride,
            rowStride,
            inner,
            min(rowsAPiece, rows - row)
        )
    }
}

extension Buffer {
    /// The same memory as 32-bit words.
    fileprivate var words: UnsafeMutablePointer<UInt32> {
        UnsafeMutableRawPointer(pointer).assumingMemoryBound(to: UInt32.self)
    }
}
