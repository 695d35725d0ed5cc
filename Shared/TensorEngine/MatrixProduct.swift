import COpenBLAS
import CTensorKernels

/// c [m, n] = a [m, k] · b [k, n] (+ c), each operand optionally stored transposed.
///
/// OpenBLAS runs single-threaded here: the rows or columns of the result are split over the context's own workers, so
/// that the bits depend only on the shapes and the thread count.
package func matrixProduct(
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
    let beta: Float = accumulate ? 1 : 0
    func piece(_ rows: Range<Int>, _ columns: Range<Int>) {
        smallProduct(
            transposeA: transposeA,
            transposeB: transposeB,
            m: rows.count,
            n: columns.count,
            k: k,
            alpha: 1,
            a: a + (transposeA ? rows.lowerBound : rows.lowerBound * lda),
            lda: lda,
            b: b + (transposeB ? columns.lowerBound * ldb : columns.lowerBound),
            ldb: ldb,
            beta: beta,
            c: c + rows.lowerBound * n + columns.lowerBound,
            ldc: n
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

/// One single-threaded sgemm on row-major operands with explicit strides.
@inline(__always)
func smallProduct(
    transposeA: Bool,
    transposeB: Bool,
    m: Int,
    n: Int,
    k: Int,
    alpha: Float,
    a: UnsafePointer<Float>,
    lda: Int,
    b: UnsafePointer<Float>,
    ldb: Int,
    beta: Float,
    c: UnsafeMutablePointer<Float>,
    ldc: Int
) {
    guard m > 0, n > 0 else { return }
    // Our own kernel where OpenBLAS does not know the processor, and for blocks too small to pay for its packing.
    if alpha == 1, BLASRuntime.prefersOwnProduct || m * n * k < 1 << 22 {
        ctk_product(
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
            beta == 0 ? 0 : 1
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
        alpha,
        a,
        blasint(lda),
        b,
        blasint(ldb),
        beta,
        c,
        blasint(ldc)
    )
}
