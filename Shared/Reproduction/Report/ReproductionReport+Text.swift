extension ReproductionReport {
    /// The main table and the claims for a terminal: aligned columns, a line an arm and a line a claim.
    ///
    /// Groups have headings as long as all fits into 40 lines.
    public static func text(_ results: TableResults) -> String {
        let document = ReportDocument(results)
        let suites = document.suites
        let second = suites.filter { suite in results.rows.contains { $0.selfCorrected[suite] != nil } }
        let hasRates = results.rows.contains { $0.locate != nil || $0.correct != nil }
        let heads =
            ["Accuracy, %"] + suites.map(ReportDocument.name(ofSuite:))
            + second.map { "\(ReportDocument.name(ofSuite: $0)), 2nd pass" }
            + (hasRates ? ["Step named", "corrected"] : []) + ["Rate"]
        let hasHeadings = results.rows.count + document.groups.count + results.claims.count + 8 <= 40
        var lines: [[String]] = [heads]
        for (group, rows) in document.groups {
            if hasHeadings, !group.isEmpty { lines.append([line(group)]) }
            for row in rows {
                lines.append(
                    [(hasHeadings ? "  " : "") + shortened(line(document.title(row.arm)), to: 44)]
                        + suites.map { Figures.spread(row.accuracy[$0]) }
                        + second.map { Figures.spread(row.selfCorrected[$0]) }
                        + (hasRates ? [Figures.spread(row.locate), Figures.spread(row.correct)] : [])
                        + [Figures.rate(row.rate)]
                )
            }
        }
        let seeds = Figures.count(results.plan.seeds.count, "seed", "seeds")
        var text = "\(line(results.table.title)) (\(seeds), \(Figures.duration(results.seconds)) of computing)\n\n"
        text += aligned(lines)
        guard !results.claims.isEmpty else { return text }
        let claims = results.claims.map { result in
            [
                "\(ReportDocument.sign(of: result.verdict)) \(shortened(line(result.claim.text), to: 60))",
                Figures.points(result.measured.difference),
                Figures.interval(result.measured.low, result.measured.high),
                Figures.pValue(result.measured.pValue),
            ]
        }
        text += "\n" + aligned([["The paper's claims, in points", "measured", "95 % interval", "McNemar"]] + claims)
        let signs = ClaimResult.Verdict.inOrder.map {
            "\(ReportDocument.sign(of: $0)) \(ReportDocument.words(for: $0).lowercased())"
        }
        return text + signs.joined(separator: "   ") + "\n"
    }

    /// Rows in columns as wide as their widest cell, the first to the left and the others to the right.
    private static func aligned(_ rows: [[String]]) -> String {
        let count = rows.map(\.count).max() ?? 0
        let widths = (0..<count).map { column in
            rows.map { $0.count > 1 && column < $0.count ? $0[column].count : 0 }.max() ?? 0
        }
        return rows.map { row in
            let cells = row.enumerated().map { column, cell in
                let space = String(repeating: " ", count: max(0, widths[column] - cell.count))
                return column == 0 ? (row.count > 1 ? cell + space : cell) : space + cell
            }
            return cells.joined(separator: "  ") + "\n"
        }.joined()
    }

    /// Text on one line: whatever breaks or controls lines becomes a blank.
    private static func line(_ text: String) -> String {
        String(text.map { $0.isNewline || $0.unicodeScalars.contains { $0.value < 32 || $0.value == 127 } ? " " : $0 })
    }

    private static func shortened(_ text: String, to count: Int) -> String {
        text.count > count ? text.prefix(count - 1) + "\u{2026}" : text
    }
}
