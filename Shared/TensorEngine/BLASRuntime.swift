import COpenBLAS
import CTensorKernels
import Foundation

/// What the numeric libraries chose when they loaded, for start-up logs.
public enum BLASRuntime {
    /// Processors that this process may use.
    public static var processorCount: Int { max(1, ProcessInfo.processInfo.activeProcessorCount) }

    /// OpenBLAS's core type, for example "Cooperlake" or "Haswell".
    public static var coreType: String { String(cString: openblas_get_corename()) }

    /// The instruction set of the project's own kernels: "x86-64-v4", "x86-64-v3" or "baseline".
    public static var kernelInstructionSet: String { String(cString: ctk_instruction_set()) }

    /// True when OpenBLAS runs without AVX-512 on a processor that has it, as a preset `OPENBLAS_CORETYPE` can cause.
    public static var isSlowerThanProcessor: Bool {
        let wide = ["cooperlake", "skylakex", "sapphirerapids", "graniterapids", "zen4", "zen5"]
        return kernelInstructionSet.hasPrefix("x86-64-v4") && !wide.contains(coreType.lowercased())
    }

    /// Whether our own packed product is faster than sgemm on large matrices; see `Tests/Benchmarks/LOG.md`.
    static let prefersPackedProduct = ctk_has_wide_registers() != 0

    /// Whether the project's own matrix kernel replaces sgemm throughout; read once.
    static let prefersOwnProduct = isSlowerThanProcessor

    /// One line with the core type, the kernels' instruction set and the processor count.
    public static var description: String {
        let version = String(cString: openblas_get_config()).split(separator: " ").prefix(2).joined(separator: " ")
        let warning =
            isSlowerThanProcessor
            ? " (slower than this processor allows, so our own matrix kernels are used)" : ""
        return "\(version), core type \(coreType)\(warning), kernels \(kernelInstructionSet), "
            + "\(processorCount) processors"
    }

    /// c [m, n] = a [m, k] · b [k, n] by OpenBLAS on threads of its own, by sgemv where m is 1.
    ///
    /// What our products are measured against. No context may compute meanwhile.
    package static func directProduct(
        threads: Int,
        transposeB: Bool,
        m: Int,
        n: Int,
        k: Int,
        a: UnsafePointer<Float>,
        b: UnsafePointer<Float>,
        c: UnsafeMutablePointer<Float>
    ) {
        openblas_set_num_threads(Int32(threads))
        defer { openblas_set_num_threads(1) }
        let ldb = blasint(transposeB ? k : n)
        if m == 1 {
            let (rows, columns) = transposeB ? (n, k) : (k, n)
            cblas_sgemv(
                CblasRowMajor,
                transposeB ? CblasNoTrans : CblasTrans,
                blasint(rows),
                blasint(columns),
                1,
                b,
                ldb,
                a,
                1,
                0,
                c,
                1
            )
        } else {
            cblas_sgemm(
                CblasRowMajor,
                CblasNoTrans,
                transposeB ? CblasTrans : CblasNoTrans,
                blasint(m),
                blasint(n),
                blasint(k),
                1,
                a,
                blasint(k),
                b,
                ldb,
                0,
                c,
                blasint(n)
            )
        }
    }
}
