extension String {
    /// The text with U+FFFD for each NUL, which PostgreSQL's texts cannot hold; also where a mark follows that joins it.
    package var withoutNUL: String {
        guard utf8.contains(0) else { return self }
        return String(String.UnicodeScalarView(unicodeScalars.map { $0 == "\0" ? "\u{FFFD}" : $0 }))
    }
}
