import Foundation

/// Writes to standard output and error, one call a line.
enum Terminal {
    static func out(_ text: String) {
        try? FileHandle.standardOutput.write(contentsOf: Data((text + "\n").utf8))
    }

    static func error(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data((text + "\n").utf8))
    }

    /// A text of others without what a terminal would take for an order: control characters but newlines and tabs are U+FFFD.
    static func printable(_ text: String) -> String {
        var result = String.UnicodeScalarView()
        for scalar in text.unicodeScalars {
            let isOrder = scalar.properties.generalCategory == .control && scalar != "\n" && scalar != "\t"
            result.append(isOrder ? "\u{FFFD}" : scalar)
        }
        return String(result)
    }
}
