/// Python's changes of case: Unicode's full mappings, among them those that make one character into several.
extension Text {
    private func mapped(_ ascii: (UInt8) -> UInt8, _ transform: (Text) -> Text) -> Text {
        isASCII ? Text(bytes.map(ascii), isMarkup: isMarkup) : transform(self)
    }

    private static func asciiUpper(_ byte: UInt8) -> UInt8 { (0x61...0x7A).contains(byte) ? byte - 0x20 : byte }

    private static func asciiLower(_ byte: UInt8) -> UInt8 { (0x41...0x5A).contains(byte) ? byte + 0x20 : byte }

    var uppercased: Text {
        mapped(Self.asciiUpper) { text in
            Text(
                scalars: text.scalars.lazy.flatMap { $0.properties.uppercaseMapping.unicodeScalars },
                isMarkup: isMarkup
            )
        }
    }

    var lowercased: Text {
        mapped(Self.asciiLower) { text in
            let scalars = Array(text.scalars)
            var lowered: [Unicode.Scalar] = []
            for position in scalars.indices { lowered += Self.lowercase(scalars, position) }
            return Text(scalars: lowered, isMarkup: isMarkup)
        }
    }

    /// The lower case of a scalar; a sigma at the end of a word has a form of its own.
    private static func lowercase(_ scalars: [Unicode.Scalar], _ position: Int) -> [Unicode.Scalar] {
        guard scalars[position] == "\u{3A3}" else {
            return Array(scalars[position].properties.lowercaseMapping.unicodeScalars)
        }
        let before = scalars[..<position].last { !$0.properties.isCaseIgnorable }
        let after = scalars[(position + 1)...].first { !$0.properties.isCaseIgnorable }
        let isFinal = before?.properties.isCased == true && after?.properties.isCased != true
        return [isFinal ? "\u{3C2}" : "\u{3C3}"]
    }

    /// `str.capitalize`: the first character in title case, the others in lower case.
    var capitalized: Text {
        titled { position, _ in position == 0 }
    }

    /// `str.title`: each character after one without case in title case, the others in lower case.
    var titlecased: Text {
        titled { _, previous in previous.map { !$0.properties.isCased } ?? true }
    }

    private func titled(where beginsWord: (Int, Unicode.Scalar?) -> Bool) -> Text {
        let scalars = Array(scalars)
        var output: [Unicode.Scalar] = []
        for (position, scalar) in scalars.enumerated() {
            if beginsWord(position, position > 0 ? scalars[position - 1] : nil) {
                output += scalar.properties.titlecaseMapping.unicodeScalars
            } else {
                output += Self.lowercase(scalars, position)
            }
        }
        return Text(scalars: output, isMarkup: isMarkup)
    }

    var swapcased: Text {
        let scalars = Array(scalars)
        var output: [Unicode.Scalar] = []
        for (position, scalar) in scalars.enumerated() {
            if scalar.properties.isUppercase {
                output += Self.lowercase(scalars, position)
            } else if scalar.properties.isLowercase {
                output += scalar.properties.uppercaseMapping.unicodeScalars
            } else {
                output.append(scalar)
            }
        }
        return Text(scalars: output, isMarkup: isMarkup)
    }

    /// `str.casefold`, by way of the upper case: the same for all but a few scripts, such as Cherokee.
    var casefolded: Text {
        mapped(Self.asciiLower) { text in
            let folded = text.scalars.lazy.flatMap { scalar in
                scalar.properties.uppercaseMapping.unicodeScalars.flatMap {
                    $0.properties.lowercaseMapping.unicodeScalars
                }
            }
            return Text(scalars: folded, isMarkup: isMarkup)
        }
    }

    /// `str.islower` and `str.isupper`: some character has case, and none has the other one.
    func hasCase(lower: Bool) -> Bool {
        var found = false
        for scalar in scalars {
            if (lower ? scalar.properties.isUppercase : scalar.properties.isLowercase) || scalar.isPythonTitlecase {
                return false
            }
            found = found || (lower ? scalar.properties.isLowercase : scalar.properties.isUppercase)
        }
        return found
    }

    /// `str.istitle`.
    var hasTitleCase: Bool {
        var found = false
        var previousIsCased = false
        for scalar in scalars {
            if scalar.properties.isUppercase || scalar.isPythonTitlecase {
                if previousIsCased { return false }
                previousIsCased = true
                found = true
            } else if scalar.properties.isLowercase {
                if !previousIsCased { return false }
                found = true
            } else {
                previousIsCased = false
            }
        }
        return found
    }
}
