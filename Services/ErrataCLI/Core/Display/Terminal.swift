import Foundation

/// Writes to standard output and error, one call a line.
enum Terminal {
    static func out(_ text: String) {
        try? FileHandle.standardOutput.write(contentsOf: Data((text + "\n").utf8))
    }

    static func error(_ text: String) {
        try? FileHandle.standardError.write(contentsOf: Data((text + "\n").utf8))
    }

    /// The columns and rows of a terminal; nil where it does not tell.
    static func size(of output: FileHandle) -> (columns: Int, rows: Int)? {
        var size = winsize()
        guard ioctl(output.fileDescriptor, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 0 else {
            return nil
        }
        return (Int(size.ws_col), Int(size.ws_row))
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
