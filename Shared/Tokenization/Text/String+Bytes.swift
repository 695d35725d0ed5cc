/// Searches by bytes: to Swift a letter and the same letter before a combining accent are different texts, to tokenizers
/// and templates the one begins the other.
extension String {
    /// Whether the bytes of `part` occur.
    func containsBytes(_ part: String) -> Bool { part.isEmpty || lastIndex(ofBytes: part) != nil }

    /// The byte where the last occurrence of `part` begins.
    func lastIndex(ofBytes part: String) -> Int? {
        let (text, part) = (Array(utf8), Array(part.utf8))
        guard !part.isEmpty, part.count <= text.count else { return nil }
        return (0...text.count - part.count).reversed().first { text[$0...].starts(with: part) }
    }
}

extension StringProtocol {
    /// The text without white space at both ends.
    func strippingWhitespace() -> String {
        var scalars = Substring(self).unicodeScalars
        while let first = scalars.first, first.properties.isWhitespace { scalars.removeFirst() }
        return Substring(scalars).strippingWhitespaceAtEnd()
    }

    /// The text without white space at its end.
    func strippingWhitespaceAtEnd() -> String {
        var scalars = Substring(self).unicodeScalars
        while let last = scalars.last, last.properties.isWhitespace { scalars.removeLast() }
        return String(Substring(scalars))
    }
}
