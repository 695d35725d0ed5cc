import Foundation

/// One text that is drawn over itself on a terminal, without flicker, and written below itself elsewhere.
///
/// On a terminal it has a screen of its own, so that what was there before comes back at the end.
struct LiveScreen: Sendable {
    private let isTerminal = isatty(STDOUT_FILENO) == 1

    /// Takes the screen.
    func begin() {
        if isTerminal { write("\u{1B}[?1049h\u{1B}[?25l\u{1B}[2J") }
    }

    /// Gives it back.
    func end() {
        if isTerminal { write("\u{1B}[?25h\u{1B}[?1049l") }
    }

    /// Shows a text.
    func show(_ text: String) {
        write(isTerminal ? Self.drawing(text, size: Terminal.size(of: .standardOutput)) : text + "\n\n")
    }

    /// A text as a drawing over the one before: line by line from the top, each cleared behind its end, and then the rest.
    ///
    /// Lines that are too long for the terminal are cut, for they would wrap, and those that do not fit are left out.
    static func drawing(_ text: String, size: (columns: Int, rows: Int)?) -> String {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if let size {
            if lines.count > size.rows { lines = Array(lines.prefix(max(0, size.rows - 1))) + ["…"] }
            lines = lines.map { $0.count > size.columns ? String($0.prefix(max(0, size.columns - 1))) + "…" : $0 }
        }
        return "\u{1B}[H" + lines.map { $0 + "\u{1B}[K" }.joined(separator: "\r\n") + "\u{1B}[J"
    }

    /// In one call, so that a terminal never shows half of it.
    private func write(_ text: String) {
        try? FileHandle.standardOutput.write(contentsOf: Data(text.utf8))
    }
}
