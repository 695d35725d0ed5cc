/// Writes JSON as ``EventCoding/encodeJSON(_:)`` does, byte for byte, without its detours: for the events that come by the
/// thousand a second.
///
/// The caller brings members in the order of their names.
struct JSONText {
    private(set) var bytes: [UInt8] = []
    private var isFirst = true

    /// A type that writes itself.
    protocol Writing {
        /// Writes the value; its numbers are finite.
        func write(to json: inout JSONText)
    }

    init(capacity: Int) { bytes.reserveCapacity(capacity) }

    /// Writes a map whose members the closure writes.
    mutating func map(_ members: (inout JSONText) -> Void) {
        bytes.append(UInt8(ascii: "{"))
        isFirst = true
        members(&self)
        bytes.append(UInt8(ascii: "}"))
        isFirst = false
    }

    /// Writes a list of values.
    mutating func list<Element>(_ elements: [Element], _ write: (inout JSONText, Element) -> Void) {
        bytes.append(UInt8(ascii: "["))
        for (index, element) in elements.enumerated() {
            if index > 0 { bytes.append(UInt8(ascii: ",")) }
            write(&self, element)
        }
        bytes.append(UInt8(ascii: "]"))
        isFirst = false
    }

    /// Begins a member of a map.
    mutating func name(_ name: StaticString) {
        if !isFirst { bytes.append(UInt8(ascii: ",")) }
        isFirst = false
        bytes.append(UInt8(ascii: "\""))
        name.withUTF8Buffer { bytes.append(contentsOf: $0) }
        bytes.append(UInt8(ascii: "\""))
        bytes.append(UInt8(ascii: ":"))
    }

    mutating func member(_ name: StaticString, _ value: Int) {
        self.name(name)
        guard value >= 0 else { return bytes.append(contentsOf: value.description.utf8) }
        let first = bytes.count
        var rest = value
        repeat {
            bytes.append(UInt8(ascii: "0") + UInt8(rest % 10))
            rest /= 10
        } while rest > 0
        bytes[first...].reverse()
    }

    mutating func member(_ name: StaticString, _ value: String) {
        self.name(name)
        text(value)
    }

    mutating func member<Number: BinaryFloatingPoint & CustomStringConvertible>(_ name: StaticString, _ value: Number) {
        self.name(name)
        let text = value.description
        bytes.append(contentsOf: text.hasSuffix(".0") ? text.utf8.dropLast(2) : text.utf8[...])
    }

    /// Writes a text with its marks.
    private mutating func text(_ text: String) {
        bytes.append(UInt8(ascii: "\""))
        var text = text
        text.withUTF8 { plain in
            var start = 0
            for (index, byte) in plain.enumerated() where Self.isMarked(byte) {
                bytes.append(contentsOf: UnsafeBufferPointer(rebasing: plain[start..<index]))
                mark(byte)
                start = index + 1
            }
            bytes.append(contentsOf: UnsafeBufferPointer(rebasing: plain[start...]))
        }
        bytes.append(UInt8(ascii: "\""))
    }

    private static func isMarked(_ byte: UInt8) -> Bool {
        byte < 32 || byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\")
    }

    /// Writes a byte that may not stand in a text as it is.
    private mutating func mark(_ byte: UInt8) {
        bytes.append(UInt8(ascii: "\\"))
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): bytes.append(byte)
        case 8: bytes.append(UInt8(ascii: "b"))
        case 9: bytes.append(UInt8(ascii: "t"))
        case 10: bytes.append(UInt8(ascii: "n"))
        case 12: bytes.append(UInt8(ascii: "f"))
        case 13: bytes.append(UInt8(ascii: "r"))
        default:
            bytes.append(contentsOf: "u00".utf8)
            for digit in [byte >> 4, byte & 15] {
                bytes.append(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") - 10 + digit)
            }
        }
    }
}
