/// Bulk conversions between stored element types and `Float`; plain loops that the compiler vectorises.
package enum FloatConversion {
    package static func copyFloat32(
        _ source: UnsafeRawBufferPointer,
        into destination: UnsafeMutableBufferPointer<Float>
    ) {
        UnsafeMutableRawBufferPointer(destination).copyMemory(from: source)
    }

    package static func widenBFloat16(
        _ source: UnsafeRawBufferPointer,
        into destination: UnsafeMutableBufferPointer<Float>
    ) {
        for index in destination.indices {
            let bits = UInt16(littleEndian: source.loadUnaligned(fromByteOffset: index &* 2, as: UInt16.self))
            destination[index] = Float(bitPattern: UInt32(bits) << 16)
        }
    }

    package static func widenFloat16(
        _ source: UnsafeRawBufferPointer,
        into destination: UnsafeMutableBufferPointer<Float>
    ) {
        for index in destination.indices {
            destination[index] = float(
                half: UInt16(littleEndian: source.loadUnaligned(fromByteOffset: index &* 2, as: UInt16.self))
            )
        }
    }

    /// Moves the fraction into place and rescales by 2^112, which is exact for normal and subnormal halves alike.
    @inline(__always)
    static func float(half: UInt16) -> Float {
        let bits = UInt32(half)
        let scaled = (Float(bitPattern: (bits & 0x7FFF) << 13) * 0x1p112).bitPattern
        let special: UInt32 = bits & 0x7C00 == 0x7C00 ? 0x7F80_0000 : 0
        return Float(bitPattern: scaled | special | (bits & 0x8000) << 16)
    }

    /// Rounds to nearest, ties to even; a NaN stays one.
    package static func bfloat16Bits(_ value: Float) -> UInt16 {
        let bits = value.bitPattern
        if value.isNaN { return UInt16(truncatingIfNeeded: bits >> 16) | 0x40 }
        return UInt16(truncatingIfNeeded: (bits &+ 0x7FFF &+ (bits >> 16 & 1)) >> 16)
    }

    /// Rounds to nearest, ties to even; what is too large becomes infinite.
    package static func float16Bits(_ value: Float) -> UInt16 {
        let sign = UInt16(truncatingIfNeeded: value.bitPattern >> 16) & 0x8000
        let magnitude = value.magnitude
        if magnitude.isNaN { return sign | 0x7E00 }
        if magnitude >= 65_520 { return sign | 0x7C00 }
        if magnitude < 0x1p-14 {
            // Subnormal halves are multiples of 2^-24; the rounded count is the bit pattern.
            return sign | UInt16((magnitude * 0x1p24).rounded(.toNearestOrEven))
        }
        let bits = magnitude.bitPattern
        let rounded = bits &+ 0xFFF &+ (bits >> 13 & 1)
        return sign | UInt16(truncatingIfNeeded: (rounded >> 13) &- (112 << 10))
    }
}
