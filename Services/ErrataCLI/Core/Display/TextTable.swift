/// A table in plain text: columns as wide as their widest cell, numbers to the right.
///
/// Not by the package TextTable, which cuts cells whose UTF-16 form is longer than their characters are many, and of a table
/// without rows writes nothing.
struct TextTable {
    /// Where the text of a column stands.
    enum Alignment {
        case left
        case right
    }

    private let columns: [(title: String, alignment: Alignment)]
    private var rows: [[String]] = []

    init(_ columns: [(title: String, alignment: Alignment)]) {
        self.columns = columns
    }

    /// Adds a row; missing cells are empty.
    mutating func add(_ cells: [String]) {
        rows.append(columns.indices.map { $0 < cells.count ? cells[$0] : "" })
    }

    /// A text of others in one line of a table, at most so many characters of it.
    static func oneLine(_ text: String, atMost limit: Int) -> String {
        let line = Terminal.printable(text.split(whereSeparator: \.isNewline).joined(separator: " "))
        return line.count > limit ? String(line.prefix(limit - 1)) + "…" : line
    }

    /// The lines of the table, without a trailing newline.
    func rendered() -> String {
        let widths = columns.indices.map { column in
            ([columns[column].title] + rows.map { $0[column] }).map(\.count).max() ?? 0
        }
        func line(_ cells: [String]) -> String {
            var parts: [String] = []
            for (column, cell) in cells.enumerated() {
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                parts.append(columns[column].alignment == .left ? cell + padding : padding + cell)
            }
            var text = parts.joined(separator: "  ")
            while text.last == " " { text.removeLast() }
            return text
        }
        let rule = widths.map { String(repeating: "─", count: $0) }.joined(separator: "  ")
        return ([line(columns.map(\.title)), rule] + rows.map(line)).joined(separator: "\n")
    }
}
