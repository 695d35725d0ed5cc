import Digests

/// Ids that are derived from a cause and the work done on it, so that work done twice gives the same id.
public enum DeterministicID {
    /// Derives an id from a cause and the parts that tell the works on it apart.
    ///
    /// The components are hashed with their lengths, so `("a", "bc")` and `("ab", "c")` differ. The result is the
    /// first 128 bits of SHA-256 in the form of a version 8 UUID (RFC 9562, section 5.8), in lower case.
    ///
    /// - Parameters:
    ///   - cause: The id of the event or thing that caused the work.
    ///   - parts: What tells apart the results of several works on one cause.
    /// - Returns: 36 characters, `xxxxxxxx-xxxx-8xxx-[89ab]xxx-xxxxxxxxxxxx`.
    public static func make(cause: String, parts: String...) -> String {
        make(cause: cause, parts: parts)
    }

    /// Derives an id from a cause and a list of parts; see ``make(cause:parts:)-(_,String...)``.
    public static func make(cause: String, parts: [String]) -> String {
        var hash = SHA256()
        for component in [cause] + parts {
            withUnsafeBytes(of: UInt64(component.utf8.count).bigEndian) { hash.update($0) }
            hash.update(component.utf8)
        }
        var digest = Array(hash.finalize().prefix(16))
        digest[6] = (digest[6] & 0x0F) | 0x80
        digest[8] = (digest[8] & 0x3F) | 0x80
        let digits = Hexadecimal.text(digest)
        var text = ""
        text.reserveCapacity(36)
        for (index, digit) in digits.enumerated() {
            if [8, 12, 16, 20].contains(index) { text.append("-") }
            text.append(digit)
        }
        return text
    }
}
