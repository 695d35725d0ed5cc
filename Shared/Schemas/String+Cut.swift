extension String {
    /// The text, or as much of its beginning as fits with `…` behind it: at most `limit` bytes of UTF-8.
    ///
    /// Cut between scalars. A number of characters would bound nothing: one character can have any number of marks.
    package func cut(toBytes limit: Int) -> String {
        guard utf8.count > limit else { return self }
        let ellipsis = "\u{2026}"
        var room = limit - ellipsis.utf8.count
        let kept = unicodeScalars.prefix { scalar in
            room -= scalar.utf8.count
            return room >= 0
        }
        return String(kept) + ellipsis
    }
}
