import Foundation

/// A few lines of progress, one a stage, drawn over themselves on a terminal and as plain lines elsewhere.
struct ProgressBoard {
    /// One stage's state.
    struct Line: Equatable {
        /// The stage.
        let name: String
        /// How much is done.
        let done: Int
        /// How much there is to do; 0 when that is not known.
        let total: Int
        /// What else to say, such as the training loss.
        let note: String
    }

    private let isTerminal: Bool
    private let output: FileHandle
    private var drawn = 0
    private var last: [Line] = []
    private var lastPlain = ContinuousClock.now - .seconds(60)

    /// Creates a board on standard output.
    init(output: FileHandle = .standardOutput) {
        self.output = output
        isTerminal = isatty(output.fileDescriptor) == 1
    }

    /// Shows the lines.
    ///
    /// Where output is no terminal, only changes are written, and at most every five seconds.
    mutating func show(_ lines: [Line], final: Bool = false) {
        guard lines != last || final else { return }
        if isTerminal {
            var text = drawn > 0 ? "\u{1B}[\(drawn)A" : ""
            // A line that wraps would make the next drawing begin too low.
            let width = Terminal.size(of: output)?.columns
            for line in lines { text += "\u{1B}[2K" + Self.render(line, width: width) + "\n" }
            write(text)
            drawn = lines.count
        } else {
            guard final || ContinuousClock.now - lastPlain >= .seconds(5) else { return }
            lastPlain = .now
            let changed = lines.filter { !last.contains($0) }
            for line in changed { write(Self.render(line) + "\n") }
        }
        last = lines
    }

    /// Lets the next lines start below what is drawn.
    mutating func finish() {
        drawn = 0
    }

    private func write(_ text: String) {
        try? output.write(contentsOf: Data(text.utf8))
    }

    /// A line in at most so many columns; nil is no limit.
    ///
    /// Where room is short the bar goes first, and then the end of the text.
    static func render(_ line: Line, width: Int? = nil) -> String {
        let name = line.name.padding(toLength: 22, withPad: " ", startingAt: 0)
        var text = name
        if line.total > 0 {
            let count = "\(line.done)/\(line.total)"
            let room = width.map { $0 - name.count - count.count - line.note.count - 4 } ?? 24
            let cells = min(24, room)
            if cells >= 4 {
                let filled = min(cells, max(0, line.done) * cells / line.total)
                text += " " + String(repeating: "█", count: filled) + String(repeating: "░", count: cells - filled)
            }
            text += " " + count
        } else {
            text += " \(line.done)"
        }
        if !line.note.isEmpty { text += "  " + line.note }
        guard let width, text.count > width else { return text }
        return text.prefix(max(0, width - 1)) + "…"
    }
}
