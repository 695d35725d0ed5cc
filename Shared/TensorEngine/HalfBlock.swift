import CTensorKernels

/// A block of bfloat16 values that is written once: memory of its own, or memory that someone else keeps alive.
package final class HalfBlock {
    package let pointer: UnsafePointer<UInt16>
    package let count: Int
    private let owned: UnsafeMutablePointer<UInt16>?
    private let owner: AnyObject?

    /// A block of its own, filled by `fill`.
    package init(count: Int, fill: (UnsafeMutableBufferPointer<UInt16>) throws -> Void) rethrows {
        let raw = UnsafeMutableRawPointer.allocate(byteCount: max(count, 1) * 2, alignment: 64)
        let block = raw.bindMemory(to: UInt16.self, capacity: max(count, 1))
        do {
            try fill(UnsafeMutableBufferPointer(start: block, count: count))
        } catch {
            raw.deallocate()
            throw error
        }
        pointer = UnsafePointer(block)
        owned = block
        owner = nil
        self.count = count
    }

    /// Values that lie in the memory of `owner`, such as a mapped file, and stay as they are while it lives.
    package init(borrowing pointer: UnsafePointer<UInt16>, count: Int, owner: AnyObject) {
        self.pointer = pointer
        self.count = count
        self.owner = owner
        owned = nil
    }

    deinit {
        if let owned { UnsafeMutableRawPointer(owned).deallocate() }
    }
}

extension HalfBlock {
    /// Values rounded to nearest, ties to even.
    convenience init(rounding values: UnsafePointer<Float>, count: Int, context: ComputeContext) {
        self.init(count: count) { target in
            guard let base = target.baseAddress else { return }
            context.parallelRanges(count, grain: 1 << 16) { range in
                let first = range.lowerBound
                context.kernels.pointee.narrow(values + first, base + first, range.count)
            }
        }
    }
}
