import COpenBLAS
import CTensorKernels

/// How exactly matrix products are computed.
public enum MatrixPrecision: String, Sendable, Codable, CaseIterable {
    /// Operands and sums in float32.
    case float32
    /// Operands rounded to bfloat16, sums in float32: what PyTorch's autocast to bfloat16 does to a linear layer, except
    /// that results stay in float32. Fast where the processor multiplies bfloat16 (AVX-512-BF16), slow elsewhere.
    case bfloat16
}

/// Where the values of a row-major matrix lie.
package enum MatrixValues {
    case float32(UnsafePointer<Float>)
    case bfloat16(UnsafePointer<UInt16>)

    var isHalf: Bool { if case .bfloat16 = self { true } else { false } }

    var raw: UnsafeRawPointer {
        switch self {
        case .float32(let values): UnsafeRawPointer(values)
        case .bfloat16(let values): UnsafeRawPointer(values)
        }
    }

    /// The same matrix from its element `count` on.
    package func advanced(by count: Int) -> MatrixValues {
        switch self {
        case .float32(let values): .float32(values + count)
        case .bfloat16(let values): .bfloat16(values + count)
        }
    }
}

/// c [m, n] = a [m, k] · b [k, n] (+ c), each operand optionally stored transposed, in the context's precision.
///
/// Float32 goes to OpenBLAS, or to our own kernels where they are faster. The bits depend only on the shapes and the
/// thread count.
package func matrixProduct(
    context: ComputeContext,
    transposeA: Bool = false,
    transposeB: Bool = false,
    m: Int,
    n: Int,
    k: Int,
    a: MatrixValues,
    b: MatrixValues,
    c: UnsafeMutablePointer<Float>,
    accumulate: Bool
) {
    if case .float32(let left) = a, case .float32(let right) = b, context.matrixPrecision == .float32,
        !context.kernelTable.isWide || m * n * k < 1 << 22
    {
        return float32Product(
            context: context,
            transposeA: transposeA,
            transposeB: transposeB,
            m: m,
            n: n,
            k: k,
            a: left,
            b: right,
            c: c,
            accumulate: accumulate
        )
    }
    guard m > 0, n > 0 else { return }
    packedProduct(
        context: context,
        precision: context.matrixPrecision,
        transposeA: transposeA,
        transposeB: transposeB,
        m: m,
        n: n,
        k: k,
        a: a,
        b: b,
        c: c,
        accumulate: accumulate
    )
}

/// The product in float32, whatever the context's precision, by OpenBLAS or a small kernel of our own.
///
/// OpenBLAS runs single-threaded here: the rows or columns of the result are split over the context's own workers.
func float32Product(
    context: ComputeContext,
    transposeA: Bool = false,
    transposeB: Bool = false,
    m: Int,
    n: Int,
    k: Int,
    a: UnsafePointer<Float>,
    b: UnsafePointer<Float>,
    c: UnsafeMutablePointer<Float>,
    accumulate: Bool
) {
    let lda = transposeA ? m : k
    let ldb = transposeB ? k : n
    func piece(_ rows: Range<Int>, _ columns: Range<Int>) {
        smallProduct(
            context: context,
            transposeA: transposeA,
            transposeB: transposeB,
            m: rows.count,
            n: columns.count,
            k: k,
            a: a + (transposeA ? rows.lowerBound : rows.lowerBound * lda),
            lda: lda,
            b: b + (transposeB ? columns.lowerBound * ldb : columns.lowerBound),
            ldb: ldb,
            c: c + rows.lowerBound * n + columns.lowerBound,
            ldc: n,
            accumulate: accumulate
        )
    }
    let work = m * n * k
    let pieces = work < 1 << 18 ? 1 : (work < 1 << 24 ? context.threads : context.threads * 2)
    let unit = 16
    if context.threads == 1 || pieces == 1 || max(m, n) < 2 * unit {
        piece(0..<m, 0..<n)
    } else if m >= n {
        let units = (m + unit - 1) / unit
        let count = min(pieces, units)
        context.parallel(count) { index, _ in
            piece(units * index / count * unit..<min(m, units * (index + 1) / count * unit), 0..<n)
        }
    } else {
        let units = (n + unit - 1) / unit
        let count = min(pieces, units)
        context.parallel(count) { index, _ in
            piece(0..<m, units * index / count * unit..<min(n, units * (index + 1) / count * unit))
        }
    }
}

/// c [m, n] = a · b (+ c) on the calling thread, operands row-major with explicit strides.
///
/// By our own kernel where OpenBLAS does not know the processor and for blocks too small to pay for its packing, else by
/// sgemm; `byOpenBLAS` decides it otherwise.
@inline(__always)
func smallProduct(
    context: ComputeContext,
    byOpenBLAS: Bool? = nil,
    transposeA: Bool,
    transposeB: Bool,
    m: Int,
    n: Int,
    k: Int,
    a: UnsafePointer<Float>,
    lda: Int,
    b: UnsafePointer<Float>,
    ldb: Int,
    c: UnsafeMutablePointer<Float>,
    ldc: Int,
    accumulate: Bool
) {
    guard m > 0, n > 0 else { return }
    guard byOpenBLAS ?? (!context.prefersOwnProduct && m * n * k >= 1 << 22) else {
        context.kernels.pointee.product(
            a,
            transposeA ? 1 : lda,
            transposeA ? lda : 1,
            b,
            ldb,
            transposeB ? 1 : 0,
            c,
            ldc,
            m,
            n,
            k,
            accumulate ? 1 : 0
        )
        return
    }
    cblas_sgemm(
        CblasRowMajor,
        transposeA ? CblasTrans : CblasNoTrans,
        transposeB ? CblasTrans : CblasNoTrans,
        blasint(m),
        blasint(n),
        blasint(k),
        1,
        a,
        blasint(lda),
        b,
        blasint(ldb),
        accumulate ? 1 : 0,
        c,
        blasint(ldc)
    )
}
