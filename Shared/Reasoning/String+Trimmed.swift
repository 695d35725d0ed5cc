extension StringProtocol {
    /// Without blanks and newlines at both ends: Unicode's White_Space, and the zero width space.
    ///
    /// By scalars, so that nothing is copied but what stays; Foundation's `trimmingCharacters` goes through UTF-16 and took a
    /// third of the time of reading answers.
    package var trimmed: String {
        let scalars = unicodeScalars
        guard let first = scalars.firstIndex(where: { !$0.isBlank }),
            let last = scalars.lastIndex(where: { !$0.isBlank })
        else { return "" }
        return String(self[first..<scalars.index(after: last)])
    }
}

extension Unicode.Scalar {
    fileprivate var isBlank: Bool { isWhitespace || self == "\u{200B}" }
}
