import Foundation

/// Recycles 64-byte aligned blocks of floats, so that a steady training step allocates next to nothing.
///
/// Batches of other lengths need blocks of other sizes. What lies free is given back to the system before a new size makes
/// all of it together more than a fifth above the most that was ever in use at a time: else a training on examples of many
/// lengths would keep a step's memory for each of them.
package final class BufferPool {
    private var free: [Int: FreeBlocks] = [:]
    /// Floats handed out by the system and not yet returned to it.
    private(set) package var reservedFloats = 0
    /// Floats of the blocks that are in use.
    private var usedFloats = 0
    /// The most of them at a time.
    private(set) package var mostUsedFloats = 0
    /// Blocks that had to be asked of the system so far.
    private(set) package var systemAllocations = 0
    /// Whether the context's workers compute: they may write to blocks, but not take any.
    var isInRegion = false
    private var clock = 0

    private struct FreeBlocks {
        var blocks: [UnsafeMutablePointer<Float>] = []
        /// When one was last taken or given back, by the pool's clock.
        var lastUse = 0
    }

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
        clock += 1
        if let (block, own) = takeFree(capacity) {
            use(own)
            return Buffer(pool: self, pointer: block, capacity: own, count: count)
        }
        use(capacity)
        makeRoom(for: capacity)
        let block = SystemBlock.allocate(capacity)
        reservedFloats += capacity
        systemAllocations += 1
        return Buffer(pool: self, pointer: block, capacity: capacity, count: count)
    }

    private func use(_ capacity: Int) {
        usedFloats += capacity
        mostUsedFloats = max(mostUsedFloats, usedFloats)
    }

    /// A free block of this size, or of the next larger one, at most an eighth larger.
    private func takeFree(_ capacity: Int) -> (UnsafeMutablePointer<Float>, Int)? {
        var size = capacity
        for _ in 0..<2 {
            if let block = free[size]?.blocks.popLast() {
                free[size]?.lastUse = clock
                return (block, size)
            }
            size = BufferPool.capacity(for: size + 1)
        }
        return nil
    }

    /// Gives free blocks back to the system, those of the size that was not used for longest first.
    private func makeRoom(for capacity: Int) {
        let limit = mostUsedFloats + mostUsedFloats / 5
        while reservedFloats + capacity > limit {
            var oldest: (size: Int, lastUse: Int)?
            for (size, entry) in free where !entry.blocks.isEmpty {
                if entry.lastUse < oldest?.lastUse ?? .max { oldest = (size, entry.lastUse) }
            }
            guard let size = oldest?.size, let block = free[size]?.blocks.popLast() else { return }
            SystemBlock.deallocate(block, capacity: size)
            reservedFloats -= size
        }
    }

    fileprivate func giveBack(_ pointer: UnsafeMutablePointer<Float>, capacity: Int) {
        usedFloats -= capacity
        clock += 1
        free[capacity, default: FreeBlocks()].blocks.append(pointer)
        free[capacity]?.lastUse = clock
    }

    /// Returns the blocks that are not in use to the system.
    package func trim() {
        for (capacity, entry) in free {
            for block in entry.blocks { SystemBlock.deallocate(block, capacity: capacity) }
            reservedFloats -= capacity * entry.blocks.count
        }
        free.removeAll()
    }
}

/// Blocks of floats from the system, and back to it.
///
/// Large ones are mapped each for itself: what is unmapped is the system's again at once, where the C library's heap keeps
/// what lies between blocks of other sizes, which in a training on examples of many lengths became half as much again as
/// all blocks together.
private enum SystemBlock {
    /// From this many floats on (256 KiB) a block is mapped.
    private static let mapped = 1 << 16

    // One spare vector behind each block, so that kernels may load whole vectors at its end. The block itself is not
    // touched: what rounding up adds to a large one then costs no memory.
    private static func bytes(_ capacity: Int) -> Int { (capacity + 16) * MemoryLayout<Float>.stride }

    static func allocate(_ capacity: Int) -> UnsafeMutablePointer<Float> {
        let raw: UnsafeMutableRawPointer
        if capacity >= mapped {
            let flags = MAP_PRIVATE | MAP_ANONYMOUS
            guard let map = mmap(nil, bytes(capacity), PROT_READ | PROT_WRITE, flags, -1, 0), map != MAP_FAILED else {
                // As the heap does: there is no memory to say more with.
                fatalError("no memory for a block of \(bytes(capacity)) bytes")
            }
            raw = map
        } else {
            raw = .allocate(byteCount: bytes(capacity), alignment: 64)
        }
        let block = raw.bindMemory(to: Float.self, capacity: capacity + 16)
        (block + capacity).initialize(repeating: 0, count: 16)
        return block
    }

    static func deallocate(_ block: UnsafeMutablePointer<Float>, capacity: Int) {
        if capacity >= mapped {
            munmap(block, bytes(capacity))
        } else {
            UnsafeMutableRawPointer(block).deallocate()
        }
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
