extension RawRepresentable where Self: CaseIterable, RawValue == String {
    /// The case that a word of a run event names.
    ///
    /// Arguments:
    ///   - key: where the word stands, for the error.
    /// - Throws: ``DistillationError`` that names the key, the word and the words that are known.
    init(word: String, of key: String) throws {
        guard let known = Self(rawValue: word) else {
            let names = Self.allCases.map(\.rawValue).joined(separator: ", ")
            throw DistillationError("\(key) is '\(word)'; known are \(names)")
        }
        self = known
    }
}
