import Foundation

extension UnsafeBufferPointer<UInt8> {
    /// Whether all bytes are ASCII's; eight are looked at at a time.
    var isASCII: Bool {
        let raw = UnsafeRawBufferPointer(self)
        var index = 0
        var all: UInt64 = 0
        while index + 8 <= count {
            all |= raw.loadUnaligned(fromByteOffset: index, as: UInt64.self)
            index += 8
        }
        while index < count {
            all |= UInt64(self[index])
            index += 1
        }
        return all & 0x8080_8080_8080_8080 == 0
    }

    /// The first place of a byte from a place on, by the C library's search.
    func place(of byte: UInt8, from start: Int = 0) -> Int? {
        guard start < count, let base = baseAddress, let found = memchr(base + start, Int32(byte), count - start) else {
            return nil
        }
        return UnsafeRawPointer(found) - UnsafeRawPointer(base)
    }

    /// Whether a byte is among them.
    func hasByte(_ byte: UInt8) -> Bool { place(of: byte) != nil }
}

extension [UInt8] {
    /// The first place of a byte from a place on.
    func place(of byte: UInt8, from start: Int = 0) -> Int? {
        withUnsafeBufferPointer { $0.place(of: byte, from: start) }
    }

    /// Whether a byte is among them.
    func hasByte(_ byte: UInt8) -> Bool { place(of: byte) != nil }
}

/// Walks over the places of up to four bytes in order, for readers to which no other byte matters.
///
/// Linear in the length, since each byte is searched for from where it was found last.
struct ByteSearch {
    private let bytes: UnsafeBufferPointer<UInt8>
    private let wanted: SIMD4<UInt8>
    /// Where each stands next; -1 before the first search.
    private var places = SIMD4<Int>(repeating: -1)

    init(_ bytes: UnsafeBufferPointer<UInt8>, for wanted: SIMD4<UInt8>) {
        self.bytes = bytes
        self.wanted = wanted
    }

    /// The first place of any of them from a place on, which must not lie before the last one asked for.
    mutating func next(from start: Int) -> Int? {
        var first = bytes.count
        for lane in 0..<4 {
            if places[lane] < start { places[lane] = bytes.place(of: wanted[lane], from: start) ?? bytes.count }
            first = min(first, places[lane])
        }
        return first < bytes.count ? first : nil
    }
}
