extension Unicode.Scalar {
    /// Whether it is a letter; ASCII's are told without Unicode's tables, which take most of the time where texts are read
    /// scalar by scalar.
    var isAlphabetic: Bool {
        isASCII
            ? ("a"..."z").contains(self) || ("A"..."Z").contains(self) : properties.isAlphabetic
    }

    /// Whether it is a blank or ends a line.
    var isWhitespace: Bool {
        isASCII ? self == " " || ("\u{9}"..."\u{D}").contains(self) : properties.isWhitespace
    }

    /// Whether a line ends with it, as `Character.isNewline` says.
    var isNewline: Bool {
        switch self {
        case "\u{A}"..."\u{D}", "\u{85}", "\u{2028}", "\u{2029}": true
        default: false
        }
    }
}

extension String {
    /// The scalars of a text; those of ASCII are its bytes.
    var scalarArray: [Unicode.Scalar] {
        var text = self
        return text.withUTF8 { bytes in
            guard bytes.isASCII else { return nil }
            return Array(unsafeUninitializedCapacity: bytes.count) { scalars, count in
                for (place, byte) in bytes.enumerated() { scalars[place] = Unicode.Scalar(byte) }
                count = bytes.count
            }
        } ?? Array(unicodeScalars)
    }

    /// The text of scalars; made at once, where a view to which they are appended grows with each.
    init(scalars: ArraySlice<Unicode.Scalar>) {
        let length = scalars.reduce(0) { $0 + UTF8.width($1) }
        self.init(unsafeUninitializedCapacity: length) { bytes in
            var place = 0
            for scalar in scalars {
                if scalar.isASCII {
                    bytes[place] = UInt8(truncatingIfNeeded: scalar.value)
                    place += 1
                } else {
                    for byte in scalar.utf8 {
                        bytes[place] = byte
                        place += 1
                    }
                }
            }
            return place
        }
    }

    /// Whether a byte of ASCII stands in a text.
    func hasByte(_ byte: UInt8) -> Bool {
        var text = self
        return text.withUTF8 { $0.hasByte(byte) }
    }

    /// Whether a run of bytes stands in a text.
    func hasBytes(_ run: [UInt8]) -> Bool {
        guard let first = run.first else { return true }
        var text = self
        return text.withUTF8 { bytes in
            bytes.indices.contains { bytes[$0] == first && bytes[$0...].starts(with: run) }
        }
    }
}
