extension ReproductionReport {
    /// The claims as a Markdown table: the claim, the paper's figures, what was measured, and the verdict.
    ///
    /// Differences are in points with their 95 % interval.
    public static func markdown(_ results: TableResults) -> String {
        var text = "| Claim | Paper | Measured | Verdict |\n|---|---|---|---|\n"
        for result in results.claims {
            let measured = result.measured
            let figures = """
                \(Figures.points(measured.difference)) \(Figures.interval(measured.low, measured.high)), \
                \(Figures.pValue(measured.pValue))
                """
            let cells = [
                cell(result.claim.text), cell(result.claim.source), figures,
                ReportDocument.words(for: result.verdict).lowercased(),
            ]
            text += "| \(cells.joined(separator: " | ")) |\n"
        }
        return text
    }

    /// Text within a cell: nothing in it ends the cell or the row, or starts markup.
    private static func cell(_ text: String) -> String {
        text.map { character in
            if character.isNewline { return " " }
            switch character {
            case "|", "\\", "`", "*", "_": return "\\\(character)"
            case "<": return "&lt;"
            case "&": return "&amp;"
            default: return String(character)
            }
        }.joined()
    }
}
