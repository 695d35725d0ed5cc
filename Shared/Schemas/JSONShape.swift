import Foundation

/// Bounds on the shape of a JSON text, held before anything is made of it.
///
/// A text of a megabyte can nest half a million lists, or hold as many empty ones: the one costs a reader its stack, the
/// other a hundred times the text's memory.
enum JSONShape {
    /// The deepest nesting of lists and maps.
    static let deepest = 64
    /// The most values, about; names of members do not count.
    static let mostValues = 250_000

    /// Looks at the marks of a text outside its strings, without reading it: whether it is JSON is the reader's question.
    ///
    /// - Returns: What is wrong with the shape; nil where nothing is.
    static func fault(in data: Data) -> String? {
        data.withUnsafeBytes { fault(in: $0) }
    }

    private static func fault(in bytes: UnsafeRawBufferPointer) -> String? {
        var depth = 0
        var values = 1
        var isQuoted = false
        var isEscaped = false
        for byte in bytes {
            // Readers take UTF-16 and UTF-32 too, whose marks have NULs beside them; in UTF-8 it stands in no JSON.
            if byte == 0 { return "holds a NUL byte; send JSON in UTF-8" }
            if isQuoted {
                if isEscaped {
                    isEscaped = false
                } else if byte == UInt8(ascii: "\\") {
                    isEscaped = true
                } else if byte == UInt8(ascii: "\"") {
                    isQuoted = false
                }
                continue
            }
            switch byte {
            case UInt8(ascii: "\""): isQuoted = true
            case UInt8(ascii: "["), UInt8(ascii: "{"):
                depth += 1
                values += 1
            case UInt8(ascii: "]"), UInt8(ascii: "}"): depth -= 1
            case UInt8(ascii: ","): values += 1
            default: break
            }
            if depth > deepest { return "nests lists and maps deeper than \(deepest) levels" }
            if values > mostValues { return "holds more than \(mostValues) values" }
        }
        return nil
    }
}
