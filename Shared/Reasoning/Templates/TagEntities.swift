/// Escapes of markup signs and of the signs that models write as HTML entities.
///
/// Made and read byte by byte: a string search takes "<" with a combining mark for another character.
enum TagEntities {
    private static let escapes: [(byte: UInt8, text: [UInt8])] = [
        (UInt8(ascii: "<"), Array("&lt;".utf8)), (UInt8(ascii: ">"), Array("&gt;".utf8)),
        (UInt8(ascii: "&"), Array("&amp;".utf8)),
    ]

    private static let named: [String: String] = [
        "lt": "<", "gt": ">", "amp": "&", "quot": "\"", "apos": "'", "nbsp": " ", "times": "\u{D7}",
        "divide": "\u{F7}", "minus": "\u{2212}", "plus": "+", "equals": "=", "ndash": "\u{2013}", "mdash": "\u{2014}",
        "hellip": "\u{2026}", "lsquo": "\u{2018}", "rsquo": "\u{2019}", "ldquo": "\u{201C}", "rdquo": "\u{201D}",
        "deg": "\u{B0}", "frac12": "\u{BD}", "frac14": "\u{BC}", "frac34": "\u{BE}", "le": "\u{2264}",
        "ge": "\u{2265}", "ne": "\u{2260}", "asymp": "\u{2248}", "middot": "\u{B7}", "sdot": "\u{22C5}",
        "radic": "\u{221A}", "pi": "\u{3C0}", "cent": "\u{A2}", "pound": "\u{A3}", "euro": "\u{20AC}",
        "percnt": "%", "dollar": "$", "rarr": "\u{2192}",
    ]
    private static let longest = 10

    /// The text of bytes with its entities, named or numeric, as the signs that they stand for; read once, so that
    /// `&amp;lt;` is `&lt;`.
    static func unescape(_ bytes: ArraySlice<UInt8>) -> String {
        guard bytes.contains(UInt8(ascii: "&")) else { return String(decoding: bytes, as: UTF8.self) }
        var result: [UInt8] = []
        result.reserveCapacity(bytes.count)
        var index = bytes.startIndex
        while index < bytes.endIndex {
            if bytes[index] == UInt8(ascii: "&"), let (sign, end) = entity(bytes, at: index) {
                result += sign.utf8
                index = end
            } else {
                result.append(bytes[index])
                index += 1
            }
        }
        return String(decoding: result, as: UTF8.self)
    }

    private static func entity(_ bytes: ArraySlice<UInt8>, at start: Int) -> (String, Int)? {
        var index = start + 1
        var name = ""
        while index < bytes.endIndex, index - start <= longest {
            let byte = bytes[index]
            if byte == UInt8(ascii: ";") {
                guard let sign = named[name] ?? numeric(name) else { return nil }
                return (sign, index + 1)
            }
            let isLetter = (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
            guard isLetter || (0x30...0x39).contains(byte) || byte == UInt8(ascii: "#") else { return nil }
            name.unicodeScalars.append(Unicode.Scalar(byte))
            index += 1
        }
        return nil
    }

    private static func numeric(_ name: String) -> String? {
        guard name.hasPrefix("#") else { return nil }
        let digits = name.dropFirst()
        let value =
            digits.first == "x" || digits.first == "X" ? UInt32(digits.dropFirst(), radix: 16) : UInt32(digits)
        guard let value, value >= 0x20, let scalar = Unicode.Scalar(value) else { return nil }
        return String(scalar)
    }

    /// The text with `<`, `>` and `&` as `&lt;`, `&gt;` and `&amp;`; reading gives it back.
    static func escape(_ text: String) -> String {
        var result: [UInt8] = []
        result.reserveCapacity(text.utf8.count)
        for byte in text.utf8 {
            if let escape = escapes.first(where: { $0.byte == byte }) {
                result += escape.text
            } else {
                result.append(byte)
            }
        }
        return String(decoding: result, as: UTF8.self)
    }
}

extension TagScanner {
    /// The text with `<`, `>` and `&` as `&lt;`, `&gt;` and `&amp;`; reading gives it back.
    static func escape(_ text: String) -> String { TagEntities.escape(text) }
}
