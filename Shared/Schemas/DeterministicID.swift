import Crypto
import Foundation

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
            let bytes = Array(component.utf8)
            hash.update(data: withUnsafeBytes(of: UInt64(bytes.count).bigEndian) { Data($0) })
            hash.update(data: bytes)
        }
        var digest = Array(hash.finalize().prefix(16))
        digest[6] = (digest[6] & 0x0F) | 0x80
        digest[8] = (digest[8] & 0x3F) | 0x80
        var text = ""
        text.reserveCapacity(36)
        for (index, byte) in digest.enumerated() {
            if [4, 6, 8, 10].contains(index) { text.append("-") }
            text.append(hexadecimalDigit(byte >> 4))
            text.append(hexadecimalDigit(byte & 0x0F))
        }
        return text
    }

    private static func hexadecimalDigit(_ value: UInt8) -> Character {
        Character(Unicode.Scalar(value < 10 ? 48 + value : 87 + value))
    }
}
