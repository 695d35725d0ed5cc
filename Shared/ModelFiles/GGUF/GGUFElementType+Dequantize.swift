/// Dequantisation, bit for bit as gguf-py does it: each product and sum is rounded to single precision on its own, in the
/// order written here.
extension GGUFElementType {
    /// Reads elements out of their stored bytes.
    ///
    /// - Parameters:
    ///   - source: Whole blocks, little-endian, not aligned.
    ///   - destination: Room for exactly their elements.
    func dequantize(_ source: UnsafeRawBufferPointer, into destination: UnsafeMutableBufferPointer<Float>) {
        switch self {
        case .float32: FloatConversion.copyFloat32(source, into: destination)
        case .float16: FloatConversion.widenFloat16(source, into: destination)
        case .bfloat16: FloatConversion.widenBFloat16(source, into: destination)
        case .q40: forEachBlock(source, destination, QuantizedBlock.q40)
        case .q41: forEachBlock(source, destination, QuantizedBlock.q41)
        case .q50: forEachBlock(source, destination, QuantizedBlock.q50)
        case .q51: forEachBlock(source, destination, QuantizedBlock.q51)
        case .q80: forEachBlock(source, destination, QuantizedBlock.q80)
        case .q2K: forEachBlock(source, destination, QuantizedBlock.q2K)
        case .q3K: forEachBlock(source, destination, QuantizedBlock.q3K)
        case .q4K: forEachBlock(source, destination, QuantizedBlock.q4K)
        case .q5K: forEachBlock(source, destination, QuantizedBlock.q5K)
        case .q6K: forEachBlock(source, destination, QuantizedBlock.q6K)
        }
    }

    /// Inlined, so that each type gets a loop of its own.
    @inline(__always)
    private func forEachBlock(
        _ source: UnsafeRawBufferPointer,
        _ destination: UnsafeMutableBufferPointer<Float>,
        _ read: (UnsafePointer<UInt8>, UnsafeMutablePointer<Float>) -> Void
    ) {
        guard var block = source.bindMemory(to: UInt8.self).baseAddress, var values = destination.baseAddress else {
            return
        }
        for _ in 0..<min(source.count / blockByteCount, destination.count / blockSize) {
            read(block, values)
            block += blockByteCount
            values += blockSize
        }
    }
}

/// How one block of each type is read: `x` its bytes, `y` its elements.
private enum QuantizedBlock {
    /// A half-precision number at `x`.
    @inline(__always)
    private static func half(_ x: UnsafePointer<UInt8>) -> Float {
        FloatConversion.float(half: UInt16(x[0]) | UInt16(x[1]) << 8)
    }

    // Legacy types: 32 elements, the first 16 in the low halves of the bytes, the others in the high ones.

    @inline(__always)
    static func q40(_ x: UnsafePointer<UInt8>, _ y: UnsafeMutablePointer<Float>) {
        let scale = half(x)
        let quants = x + 2
        for index in 0..<16 {
            y[index] = scale * Float(Int32(quants[index] & 0xF) &- 8)
            y[index &+ 16] = scale * Float(Int32(quants[index] >> 4) &- 8)
        }
    }

    @inline(__always)
    static func q41(_ x: UnsafePointer<UInt8>, _ y: UnsafeMutablePointer<Float>) {
        let (scale, minimum) = (half(x), half(x + 2))
        let quants = x + 4
        for index in 0..<16 {
            y[index] = scale * Float(quants[index] & 0xF) + minimum
            y[index &+ 16] = scale * Float(quants[index] >> 4) + minimum
        }
    }

    /// The fifth bits of a block's elements.
    @inline(__always)
    private static func bits(_ x: UnsafePointer<UInt8>) -> UInt32 {
        UInt32(x[0]) | UInt32(x[1]) << 8 | UInt32(x[2]) << 16 | UInt32(x[3]) << 24
    }

    @inline(__always)
    static func q50(_ x: UnsafePointer<UInt8>, _ y: UnsafeMutablePointer<Float>) {
        let scale = half(x)
        let high = bits(x + 2)
        let quants = x + 6
        for index in 0..<16 {
            let shift = UInt32(truncatingIfNeeded: index)
            let first = UInt32(quants[index] & 0xF) | (high &>> shift & 1) << 4
            let second = UInt32(quants[index] >> 4) | (high &>> (shift &+ 16) & 1) << 4
            y[index] = scale * Float(Int32(bitPattern: first) &- 16)
            y[index &+ 16] = scale * Float(Int32(bitPattern: second) &- 16)
        }
    }

    @inline(__always)
    static func q51(_ x: UnsafePointer<UInt8>, _ y: UnsafeMutablePointer<Float>) {
        let (scale, minimum) = (half(x), half(x + 2))
        let high = bits(x + 4)
        let quants = x + 8
        for index in 0..<16 {
            let shift = UInt32(truncatingIfNeeded: index)
            let first = UInt32(quants[index] & 0xF) | (high &>> shift & 1) << 4
            let second = UInt32(quants[index] >> 4) | (high &>> (shift &+ 16) & 1) << 4
            y[index] = scale * Float(Int32(bitPattern: first)) + minimum
            y[index &+ 16] = scale * Float(Int32(bitPattern: second)) + minimum
        }
    }

    @inline(__always)
    static func q80(_ x: UnsafePointer<UInt8>, _ y: UnsafeMutablePointer<Float>) {
        let scale = half(x)
        let quants = x + 2
        for index in 0..<32 { y[index] = Float(Int8(bitPattern: quants[index])) * scale }
    }

    // K types: 256 elements in groups of 16 or 32, each group with a quantised scale and, in some types, a minimum.

    @inline(__always)
    static func q2K(_ x: UnsafePointer<UInt8>, _ y: UnsafeMutablePointer<Float>) {
        let (scale, minimum) = (half(x + 80), half(x + 82))
        for group in 0..<16 {
            let groupScale = scale * Float(x[group] & 0xF)
            let groupMinimum = minimum * Float(x[group] >> 4)
            // Four groups of two share 32 bytes, two bits each.
            let quants = x + (16 + group / 8 * 32 + group % 2 * 16)
            let shift = UInt8(truncatingIfNeeded: group % 8 / 2 * 2)
            let target = y + group * 16
            for index in 0..<16 { target[index] = groupScale * Float(quants[index] &>> shift & 3) - groupMinimum }
        }
    }

    @inline(__always)
    static func q3K(_ x: UnsafePointer<UInt8>, _ y: UnsafeMutablePointer<Float>) {
        let scale = half(x + 108)
        let packed = x + 96
        for group in 0..<16 {
            // Six bits: four in the first eight bytes, two in the last four.
            let low = group < 8 ? packed[group] & 0xF : packed[group - 8] >> 4
            let high = packed[8 + group % 4] &>> UInt8(truncatingIfNeeded: group / 4 * 2) & 3
            let groupScale = scale * Float(Int32(low | high << 4) &- 32)
            let mask = x + group % 2 * 16
            let quants = x + (32 + group / 8 * 32 + group % 2 * 16)
            let shift = UInt8(truncatingIfNeeded: group % 8 / 2 * 2)
            let bit = UInt8(truncatingIfNeeded: group / 2)
            let target = y + group * 16
            for index in 0..<16 {
                // A bit that is not set takes 4 away.
                let offset = (~mask[index] &>> bit & 1) << 2
                target[index] = groupScale * Float(Int32(quants[index] &>> shift & 3) &- Int32(offset))
            }
        }
    }

    /// The six-bit scale and minimum of a group of 32, of twelve bytes for eight groups.
    @inline(__always)
    private static func scaleAndMinimum(_ packed: UnsafePointer<UInt8>, _ group: Int) -> (Float, Float) {
        if group < 4 { return (Float(packed[group] & 0x3F), Float(packed[group + 4] & 0x3F)) }
        let scale = packed[group + 4] & 0xF | (packed[group - 4] >> 2) & 0x30
        let minimum = packed[group + 4] >> 4 | (packed[group] >> 2) & 0x30
        return (Float(scale), Float(minimum))
    }

    @inline(__always)
    static func q4K(_ x: UnsafePointer<UInt8>, _ y: UnsafeMutablePointer<Float>) {
        let (scale, minimum) = (half(x), half(x + 2))
        for group in 0..<8 {
            let (factor, offset) = scaleAndMinimum(x + 4, group)
            let (groupScale, groupMinimum) = (scale * factor, minimum * offset)
            let quants = x + (16 + group / 2 * 32)
            let shift = UInt8(truncatingIfNeeded: group % 2 * 4)
            let target = y + group * 32
            for index in 0..<32 { target[index] = groupScale * Float(quants[index] &>> shift & 0xF) - groupMinimum }
        }
    }

    @inline(__always)
    static func q5K(_ x: UnsafePointer<UInt8>, _ y: UnsafeMutablePointer<Float>) {
        let (scale, minimum) = (half(x), half(x + 2))
        for group in 0..<8 {
            let (factor, offset) = scaleAndMinimum(x + 4, group)
            let (groupScale, groupMinimum) = (scale * factor, minimum * offset)
            let high = x + 16
            let quants = x + (48 + group / 2 * 32)
            let shift = UInt8(truncatingIfNeeded: group % 2 * 4)
            let bit = UInt8(truncatingIfNeeded: group)
            let target = y + group * 32
            for index in 0..<32 {
                let value = quants[index] &>> shift & 0xF | (high[index] &>> bit & 1) << 4
                target[index] = groupScale * Float(value) - groupMinimum
            }
        }
    }

    @inline(__always)
    static func q6K(_ x: UnsafePointer<UInt8>, _ y: UnsafeMutablePointer<Float>) {
        let scale = half(x + 208)
        for group in 0..<16 {
            let groupScale = scale * Float(Int8(bitPattern: x[192 + group]))
            let part = group % 8
            // 64 bytes hold four bits of 128 elements, 32 more their upper two.
            let quants = x + (group / 8 * 64 + part % 4 * 16)
            let high = x + (128 + group / 8 * 32 + part % 2 * 16)
            let shift = UInt8(truncatingIfNeeded: part / 4 * 4)
            let highShift = UInt8(truncatingIfNeeded: part / 2 * 2)
            let target = y + group * 16
            for index in 0..<16 {
                let value = quants[index] &>> shift & 0xF | (high[index] &>> highShift & 3) << 4
                target[index] = groupScale * Float(Int32(value) &- 32)
            }
        }
    }
}
