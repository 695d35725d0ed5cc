import COpenBLAS
import CTensorKernels

/// Owns the worker threads and the buffers of one line of computation, and says by which kernels it computes.
///
/// A context, its tensors and its tapes belong to one thread at a time; independent contexts may run at the same time.
public final class ComputeContext {
    /// Worker threads, the calling one included.
    public let threads: Int

    /// The kernels that compute.
    public let kernelTable: KernelTable

    /// How exactly the products of linear layers and logits are computed; float32 unless changed.
    public var matrixPrecision = MatrixPrecision.float32

    package let buffers = BufferPool()
    /// The functions of ``kernelTable``.
    let kernels: UnsafePointer<ctk_table>
    /// Whether the project's own matrix kernel replaces sgemm throughout: where OpenBLAS does not know the processor.
    let prefersOwnProduct: Bool
    private let pool: OpaquePointer?

    /// Makes a context with a thread pool of its own.
    ///
    /// - Parameters:
    ///   - threads: Worker threads, at least 1; nil for what ``EngineSettings`` say. The same count gives the same bits.
    ///   - kernels: The kernels; nil for what ``EngineSettings`` say.
    public init(threads: Int? = nil, kernels: KernelTable? = nil) {
        let settings = EngineSettings.ofProcess.settings
        let wanted = max(1, threads ?? settings.threads)
        kernelTable = kernels ?? settings.kernels
        self.kernels = kernelTable.pointer
        prefersOwnProduct = kernelTable.isWide && !BLASRuntime.knowsWideRegisters
        openblas_set_num_threads(1)
        pool = wanted > 1 ? ctk_pool_create(Int32(clamping: wanted)) : nil
        self.threads = pool == nil ? 1 : wanted
    }

    deinit {
        if let pool { ctk_pool_destroy(pool) }
    }

    /// Runs `body` once for every index below `count`, spread over the workers; `worker` is below ``threads``.
    ///
    /// Inside a region nothing may be taken from ``buffers`` and no released value be read: both are the context's own
    /// thread's alone. A region inside a region runs its indices one after the other on the worker that opens it.
    package func parallel(_ count: Int, _ body: (_ index: Int, _ worker: Int) -> Void) {
        guard count > 0 else { return }
        let isOutermost = !buffers.isInRegion
        if isOutermost { buffers.isInRegion = true }
        defer { if isOutermost { buffers.isInRegion = false } }
        guard let pool else {
            for index in 0..<count { body(index, 0) }
            return
        }
        withoutActuallyEscaping(body) { escapable in
            var task = Task(body: escapable)
            withUnsafeMutablePointer(to: &task) { pointer in
                ctk_pool_run(
                    pool,
                    count,
                    { context, index, worker in
                        guard let context else { return }
                        context.assumingMemoryBound(to: Task.self).pointee.body(index, worker)
                    },
                    pointer
                )
            }
        }
    }

    /// Splits `0..<count` into ranges of at least `grain` and runs them on the workers.
    ///
    /// The split depends only on `count`, `grain` and the number of threads.
    package func parallelRanges(_ count: Int, grain: Int, _ body: (_ range: Range<Int>) -> Void) {
        guard count > 0 else { return }
        let pieces = threads == 1 ? 1 : max(1, min(threads * 4, count / max(1, grain)))
        parallel(pieces) { index, _ in
            body(count * index / pieces..<count * (index + 1) / pieces)
        }
    }

    private struct Task {
        let body: (Int, Int) -> Void
    }
}
