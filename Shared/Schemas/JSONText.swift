import Foundation

/// Writes JSON as ``EventCoding/encodeJSON(_:)`` does, byte for byte, without its detours: for the events that come by the
/// thousand a second.
///
/// The caller brings members in the order of their names.
struct JSONText: ~Copyable {
    /// A type that writes itself.
    protocol Writing {
        /// Writes the value; its numbers are finite.
        func write(to json: inout JSONText)
    }

    private var start: UnsafeMutablePointer<UInt8>
    private var capacity: Int
    private var count = 0
    private var isFirst = true

    init(capacity: Int) {
        self.capacity = max(capacity, 64)
        start = .allocate(capacity: self.capacity)
    }

    deinit { start.deallocate() }

    /// What was written.
    var data: Data { Data(bytes: start, count: count) }

    // MARK: Values

    /// Writes a map whose members the closure writes.
    mutating func map(_ members: (inout JSONText) -> Void) {
        put(UInt8(ascii: "{"))
        isFirst = true
        members(&self)
        put(UInt8(ascii: "}"))
        isFirst = false
    }

    /// Writes a list of values.
    mutating func list<Element>(_ elements: [Element], _ write: (inout JSONText, Element) -> Void) {
        put(UInt8(ascii: "["))
        for (index, element) in elements.enumerated() {
            if index > 0 { put(UInt8(ascii: ",")) }
            write(&self, element)
        }
        put(UInt8(ascii: "]"))
        isFirst = false
    }

    /// Begins a member of a map.
    mutating func name(_ name: StaticString) {
        makeRoom(name.utf8CodeUnitCount + 4)
        if !isFirst { putUnchecked(UInt8(ascii: ",")) }
        isFirst = false
        putUnchecked(UInt8(ascii: "\""))
        name.withUTF8Buffer { putUnchecked($0) }
        putUnchecked(UInt8(ascii: "\""))
        putUnchecked(UInt8(ascii: ":"))
    }

    mutating func member(_ name: StaticString, _ value: Int) {
        self.name(name)
        makeRoom(20)
        if value < 0 { putUnchecked(UInt8(ascii: "-")) }
        var rest = value.magnitude
        let first = count
        repeat {
            putUnchecked(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        var digits = UnsafeMutableBufferPointer(start: start + first, count: count - first)
        digits.reverse()
    }

    mutating func member<Number: BinaryFloatingPoint & CustomStringConvertible>(_ name: StaticString, _ value: Number) {
        self.name(name)
        var text = value.description
        text.withUTF8 { digits in
            makeRoom(digits.count)
            putUnchecked(digits)
            if digits.suffix(2).elementsEqual(".0".utf8) { count -= 2 }
        }
    }

    mutating func member(_ name: StaticString, _ value: String) {
        self.name(name)
        text(value)
    }

    /// Writes a text with its marks.
    private mutating func text(_ text: String) {
        var text = text
        text.withUTF8 { plain in
            makeRoom(plain.count * Self.longestMark + 2)
            putUnchecked(UInt8(ascii: "\""))
            var first = 0
            for (index, byte) in plain.enumerated() where Self.isMarked(byte) {
                putUnchecked(UnsafeBufferPointer(rebasing: plain[first..<index]))
                mark(byte)
                first = index + 1
            }
            putUnchecked(UnsafeBufferPointer(rebasing: plain[first...]))
            putUnchecked(UInt8(ascii: "\""))
        }
    }

    /// The bytes of `\u001f`.
    private static let longestMark = 6

    private static func isMarked(_ byte: UInt8) -> Bool {
        byte < 32 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    /// Writes a byte that may not stand in a text as it is.
    private mutating func mark(_ byte: UInt8) {
        putUnchecked(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): putUnchecked(byte)
        case 8: putUnchecked(UInt8(ascii: "b"))
        case 9: putUnchecked(UInt8(ascii: "t"))
        case 10: putUnchecked(UInt8(ascii: "n"))
        case 12: putUnchecked(UInt8(ascii: "f"))
        case 13: putUnchecked(UInt8(ascii: "r"))
        default:
            for byte in "u00".utf8 { putUnchecked(byte) }
            for digit in [byte >> 4, byte & 15] {
                putUnchecked(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") - 10 + digit)
            }
        }
    }

    // MARK: Bytes

    private mutating func makeRoom(_ bytes: Int) {
        guard count + bytes > capacity else { return }
        capacity = max(2 * capacity, count + bytes)
        let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
        larger.moveInitialize(from: start, count: count)
        start.deallocate()
        start = larger
    }

    private mutating func put(_ byte: UInt8) {
        makeRoom(1)
        putUnchecked(byte)
    }

    /// Puts a byte that there is room for.
    private mutating func putUnchecked(_ byte: UInt8) {
        (start + count).initialize(to: byte)
        count += 1
    }

    /// Puts bytes that there is room for.
    private mutating func putUnchecked(_ bytes: UnsafeBufferPointer<UInt8>) {
        guard let first = bytes.baseAddress else { return }
        (start + count).initialize(from: first, count: bytes.count)
        count += bytes.count
    }
}
