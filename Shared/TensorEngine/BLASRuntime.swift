import COpenBLAS

/// What the numeric libraries chose when they loaded, for start-up logs.
public enum BLASRuntime {
    /// OpenBLAS's core type, for example "Cooperlake" or "Haswell".
    public static var coreType: String { String(cString: openblas_get_corename()) }

    /// The name of the ``KernelTable`` that contexts compute with unless they are given another.
    public static var kernelInstructionSet: String { EngineSettings.ofProcess.settings.kernels.name }

    /// Whether OpenBLAS computes with AVX-512.
    static let knowsWideRegisters = [
        "cooperlake", "skylakex", "sapphirerapids", "graniterapids", "zen4", "zen5",
    ].contains(coreType.lowercased())

    /// True when OpenBLAS runs without AVX-512 on a processor that has it, as a preset `OPENBLAS_CORETYPE` can cause.
    public static var isSlowerThanProcessor: Bool { KernelTable.best.isWide && !knowsWideRegisters }

    /// One line with the core type, the kernels in use and those there are, the threads and the processors.
    public static var description: String {
        let version = String(cString: openblas_get_config()).split(separator: " ").prefix(2).joined(separator: " ")
        let warning =
            isSlowerThanProcessor
            ? " (slower than this processor allows, so our own matrix kernels are used)" : ""
        let (settings, complaint) = EngineSettings.ofProcess
        let tables = KernelTable.available.map(\.name).joined(separator: ", ")
        return "\(version), core type \(coreType)\(warning), kernels \(settings.kernels) (of \(tables)), "
            + "\(settings.threads) threads on \(ProcessorCount.available) processors"
            + (complaint.map { "; not heeded: \($0)" } ?? "")
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
