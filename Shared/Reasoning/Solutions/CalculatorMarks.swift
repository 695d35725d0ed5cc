import Foundation

/// The `<<48/2=24>>` calculator marks of GSM8K's solutions.
enum CalculatorMarks {
    /// The most scalars behind a mark that are looked at for the unit of its value.
    private static let reach = 80

    /// A line without its marks.
    static func removed(from text: String) -> String {
        guard text.contains("<<") else { return text }
        var result = ""
        var rest = text[...]
        while let open = rest.range(of: "<<") {
            guard let close = rest.range(of: ">>", range: open.upperBound..<rest.endIndex) else { break }
            result += rest[..<open.lowerBound]
            rest = rest[close.upperBound...]
        }
        return result + rest
    }

    /// The calculations in a line's marks, in order; nil where it has no marks.
    ///
    /// One that is wrong counts only where the text behind it gives it no other meaning: `<<40*5%=2>>2%`.
    static func calculations(in line: String) -> [Calculation]? {
        guard line.contains("<<") else { return nil }
        var marks: [Calculation] = []
        var isMarked = false
        var rest = line[...]
        while let open = rest.range(of: "<<") {
            guard let close = rest.range(of: ">>", range: open.upperBound..<rest.endIndex) else { break }
            let mark = rest[open.upperBound..<close.lowerBound]
            rest = rest[close.upperBound...]
            guard let sign = mark.lastIndex(of: "=") else { continue }
            isMarked = true
            let found = Calculation(expression: String(mark[..<sign]), value: String(mark[mark.index(after: sign)...]))
            if found.isCorrect != false || isSurelyWrong(found, before: rest) { marks.append(found) }
        }
        return isMarked ? marks : nil
    }

    /// Whether a calculation is wrong with the text behind its mark in its value's place, too.
    private static func isSurelyWrong(_ mark: Calculation, before rest: Substring) -> Bool {
        let behind = String(String.UnicodeScalarView(rest.unicodeScalars.prefix(reach)))
        let text = behind.trimmed.drop { $0 == "$" }
        let value = mark.value.trimmed.drop { $0 == "$" }
        guard !value.isEmpty, text.hasPrefix(value) else { return true }
        let found = CalculationScanner.scan(mark.expression + "=" + behind).first
        return found?.isSure == true && found?.calculation.isCorrect == false
    }
}
