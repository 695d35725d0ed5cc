/// A Python `str`: a sequence of Unicode scalars, kept as UTF-8.
///
/// `String` is of no use here: it equates texts by canonical equivalence and counts grapheme clusters, where Python
/// compares and counts scalars.
struct Text: Sendable {
    /// Valid UTF-8.
    var bytes: [UInt8]
    /// Whether this is `markupsafe.Markup`, a text that escapes what is joined to it.
    var isMarkup: Bool

    init(_ bytes: [UInt8], isMarkup: Bool = false) {
        self.bytes = bytes
        self.isMarkup = isMarkup
    }

    init(_ bytes: some Sequence<UInt8>, isMarkup: Bool = false) {
        self.init(Array(bytes), isMarkup: isMarkup)
    }

    init(_ string: String) {
        self.init(Array(string.utf8))
    }

    init(scalars: some Sequence<Unicode.Scalar>, isMarkup: Bool = false) {
        var bytes: [UInt8] = []
        for scalar in scalars { bytes.append(scalar) }
        self.init(bytes, isMarkup: isMarkup)
    }

    var string: String { String(decoding: bytes, as: UTF8.self) }

    var isEmpty: Bool { bytes.isEmpty }
}

extension Text: ExpressibleByStringLiteral {
    init(stringLiteral value: StaticString) {
        self.init(value.withUTF8Buffer { Array($0) })
    }
}

extension Text: Hashable {
    static func == (left: Text, right: Text) -> Bool { left.bytes == right.bytes }

    func hash(into hasher: inout Hasher) { hasher.combine(bytes) }
}

extension Text {
    var isASCII: Bool {
        bytes.withUnsafeBufferPointer { buffer in
            var union: UInt8 = 0
            for byte in buffer { union |= byte }
            return union < 0x80
        }
    }

    /// The number of scalars, which is Python's `len`.
    var count: Int { Self.count(bytes[...]) }

    static func count(_ bytes: ArraySlice<UInt8>) -> Int {
        bytes.withUnsafeBufferPointer { buffer in
            var count = 0
            for byte in buffer where byte & 0xC0 != 0x80 { count += 1 }
            return count
        }
    }

    var scalars: UTF8Scalars { UTF8Scalars(bytes[...]) }

    /// Where the scalar with this index begins; the end for an index that is not below ``count``.
    func offset(ofScalar index: Int) -> Int {
        if isASCII { return min(max(index, 0), bytes.count) }
        var left = index
        for (offset, byte) in bytes.enumerated() where byte & 0xC0 != 0x80 {
            if left <= 0 { return offset }
            left -= 1
        }
        return bytes.count
    }

    /// The scalars of a range of indices within `0...count`.
    func slice(_ range: Range<Int>) -> Text {
        let start = offset(ofScalar: range.lowerBound)
        let rest = Text(bytes[start...])
        return Text(rest.bytes[..<rest.offset(ofScalar: range.count)], isMarkup: isMarkup)
    }
}

/// The scalars of valid UTF-8, forwards.
struct UTF8Scalars: Sequence, IteratorProtocol {
    private let bytes: ArraySlice<UInt8>
    /// Where the next scalar begins.
    private(set) var position: Int

    init(_ bytes: ArraySlice<UInt8>) {
        self.bytes = bytes
        position = bytes.startIndex
    }

    mutating func next() -> Unicode.Scalar? {
        guard position < bytes.endIndex else { return nil }
        let (scalar, length) = bytes.scalar(at: position)
        position += length
        return scalar
    }
}

extension ArraySlice<UInt8> {
    /// The scalar that begins at `position`, and its length in bytes.
    func scalar(at position: Int) -> (scalar: Unicode.Scalar, length: Int) {
        let first = self[position]
        if first < 0x80 { return (Unicode.Scalar(first), 1) }
        let length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2
        guard position + length <= endIndex else { return ("\u{FFFD}", endIndex - position) }
        var value = UInt32(first) & (0x7F >> UInt32(length))
        for offset in 1..<length { value = value << 6 | UInt32(self[position + offset] & 0x3F) }
        return (Unicode.Scalar(value) ?? "\u{FFFD}", length)
    }

    /// The scalar that ends before `position`, and its length in bytes.
    func scalar(before position: Int) -> (scalar: Unicode.Scalar, length: Int) {
        var start = position - 1
        while start > startIndex, self[start] & 0xC0 == 0x80 { start -= 1 }
        return (scalar(at: start).scalar, position - start)
    }
}

extension [UInt8] {
    mutating func append(_ scalar: Unicode.Scalar) {
        if scalar.isASCII {
            append(UInt8(truncatingIfNeeded: scalar.value))
        } else {
            append(contentsOf: UTF8.encode(scalar) ?? UTF8.encodedReplacementCharacter)
        }
    }
}
