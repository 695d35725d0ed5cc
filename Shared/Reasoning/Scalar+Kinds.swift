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
            bytes.allSatisfy { $0 < 0x80 } ? bytes.map { Unicode.Scalar($0) } : nil
        } ?? Array(unicodeScalars)
    }
}
