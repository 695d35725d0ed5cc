import Foundation

/// Recycles 64-byte aligned blocks of floats, so that a steady training step allocates next to nothing.
package final class BufferPool {
    private var free: [Int: [UnsafeMutablePointer<Float>]] = [:]
    /// Floats handed out by the system and not yet returned to it.
    private(set) package var reservedFloats = 0
    /// Blocks that had to be asked of the system so far.
    private(set) package var systemAllocations = 0
    /// Whether the context's workers compute: they may write to blocks, but not take any.
    var isInRegion = false

    deinit { trim() }

    /// Rounds up to one of eight sizes a power of two, so that batches of similar length share blocks.
    static func capacity(for count: Int) -> Int {
        let count = max(count, 16)
        let step = max(16, 1 << max(0, Int.bitWidth - 1 - count.leadingZeroBitCount - 3))
        return (count + step - 1) / step * step
    }

    package func take(_ count: Int) -> Buffer {
        precondition(!isInRegion, "a parallel region takes no buffers; take them before it")
        let capacity = BufferPool.capacity(for: count)
        if let block = free[capacity]?.popLast() {
            return Buffer(pool: self, pointer: block, capacity: capacity, count: count)
        }
        // One spare vector behind each block, so that kernels may load whole vectors at its end. The block itself is not
        // touched: what rounding up adds to a large one then costs no memory.
        let raw = UnsafeMutableRawPointer.allocate(
            byteCount: (capacity + 16) * MemoryLayout<Float>.stride,
            alignment: 64
        )
        let block = raw.bindMemory(to: Float.self, capacity: capacity + 16)
        (block + capacity).initialize(repeating: 0, count: 16)
        reservedFloats += capacity
        systemAllocations += 1
        return Buffer(pool: self, pointer: block, capacity: capacity, count: count)
    }

    fileprivate func giveBack(_ pointer: UnsafeMutablePointer<Float>, capacity: Int) {
        free[capacity, default: []].append(pointer)
    }

    /// Returns the blocks that are not in use to the system.
    package func trim() {
        for (capacity, blocks) in free {
            for block in blocks { UnsafeMutableRawPointer(block).deallocate() }
            reservedFloats -= capacity * blocks.count
        }
        free.removeAll()
    }
}

/// A block of floats that goes back to its pool when the last reference goes; its content is not cleared.
package final class Buffer {
    package let pointer: UnsafeMutablePointer<Float>
    package let count: Int
    private let pool: BufferPool
    private let capacity: Int

    init(pool: BufferPool, pointer: UnsafeMutablePointer<Float>, capacity: Int, count: Int) {
        self.pool = pool
        self.pointer = pointer
        self.capacity = capacity
        self.count = count
    }

    deinit { pool.giveBack(pointer, capacity: capacity) }

    package func clear() { pointer.update(repeating: 0, count: count) }
}
