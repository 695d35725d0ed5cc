import COpenBLAS
import CTensorKernels

/// Owns the worker threads and the buffers of one line of computation.
///
/// A context, its tensors and its tapes belong to one thread at a time; independent contexts may run at the same time.
public final class ComputeContext {
    /// Worker threads, the calling one included.
    public let threads: Int

    /// How exactly the products of linear layers and logits are computed; float32 unless changed.
    public var matrixPrecision = MatrixPrecision.float32

    package let buffers = BufferPool()
    private let pool: OpaquePointer?

    /// Makes a context with a thread pool of its own.
    ///
    /// - Parameter threads: Worker threads, at least 1; by default the processor count, at most 16. The same count
    ///   gives the same bits.
    public init(threads: Int? = nil) {
        let wanted = max(1, threads ?? min(16, BLASRuntime.processorCount))
        openblas_set_num_threads(1)
        pool = wanted > 1 ? ctk_pool_create(Int32(wanted)) : nil
        self.threads = pool == nil ? 1 : wanted
    }

    deinit {
        if let pool { ctk_pool_destroy(pool) }
    }

    /// Runs `body` once for every index below `count`, spread over the workers; `worker` is below ``threads``.
    package func parallel(_ count: Int, _ body: (_ index: Int, _ worker: Int) -> Void) {
        guard let pool, count > 1 else {
            for index in 0..<max(0, count) { body(index, 0) }
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
        let pieces = max(1, min(threads * 4, count / max(1, grain)))
        if pieces == 1 || threads == 1 {
            if count > 0 { body(0..<count) }
            return
        }
        parallel(pieces) { index, _ in
            body(count * index / pieces..<count * (index + 1) / pieces)
        }
    }

    private struct Task {
        let body: (Int, Int) -> Void
    }
}
