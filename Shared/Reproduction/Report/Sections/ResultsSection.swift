extension ReportDocument {
    /// The main table with its charts.
    var resultsSection: Markup? {
        guard !results.rows.isEmpty else { return nil }
        return """
            \(mainTable)
            \(dotCharts)
            \(seedTable)
            """
    }

    /// A column of the main table.
    private struct Column {
        var name: String
        var value: (RowResult) -> Spread?
    }

    private var columns: [Column] {
        let first = suites.map { suite in
            Column(name: "\(Self.name(ofSuite: suite)), %") { $0.accuracy[suite] }
        }
        let second = suites.filter { suite in results.rows.contains { $0.selfCorrected[suite] != nil } }.map { suite in
            Column(name: "\(Self.name(ofSuite: suite)), second pass, %") { $0.selfCorrected[suite] }
        }
        let rates = [
            Column(name: "Wrong steps named, %", value: \.locate),
            Column(name: "Wrong steps corrected, %", value: \.correct),
        ].filter { column in results.rows.contains { column.value($0) != nil } }
        return first + second + rates
    }

    private var mainTable: Markup {
        let columns = columns
        let best = columns.map { column in results.rows.compactMap { column.value($0)?.mean }.max() }
        let width = columns.count + 3
        let bodies = groups.map { group, rows in
            let lines = rows.map { row in
                let cells = zip(columns, best).map { column, best in
                    let spread = column.value(row)
                    let isBest = spread.map { $0.mean == best && results.rows.count > 1 } ?? false
                    let mark = isBest ? "\u{2605}\u{A0}" : ""
                    return """
                        <td class="figure\(isBest ? " best" : "")">\(mark)\(Figures.spread(spread))</td>
                        """ as Markup
                }
                let arm = arm(row.arm)
                let source = arm?.source.map { "<br/><span class=\"note\">\($0)</span>" as Markup } ?? ""
                return """
                    <tr><th scope="row">\(title(row.arm))\(source)</th>\(cells)\
                    <td class="figure">\(Figures.rate(row.rate))</td>\
                    <td class="figure">\(Self.meanCount(row.seeds.map(\.tokens)))</td></tr>
                    """ as Markup
            }
            let heading: Markup =
                group.isEmpty
                ? "" : "<tr><th class=\"group\" scope=\"rowgroup\" colspan=\"\(width)\">\(group)</th></tr>"
            return "<tbody>\(heading)\n\(lines)</tbody>" as Markup
        }
        let heads = columns.map(\.name) + ["Learning rate", "Tokens"]
        let spread =
            results.plan.seeds.count > 1
            ? "mean \u{B1} standard deviation over \(results.plan.seeds.count) seeds" : "one seed"
        return Markup.table(
            "Accuracy in %, \(spread); \u{2605} marks the highest mean of a column",
            """
            \(Markup.head(words: ["Arm"], figures: heads))
            \(bodies)
            """
        )
    }

    private static func meanCount(_ counts: [Int]) -> String {
        guard !counts.isEmpty else { return Figures.none }
        let mean = counts.reduce(0.0) { $0 + Double($1) } / Double(counts.count)
        return mean > 0 ? Figures.count(Int(mean.rounded())) : Figures.none
    }

    /// Accuracy by arm: the first suite alone, then the others side by side.
    private var dotCharts: Markup {
        let charts = [Array(suites.prefix(1)), Array(suites.dropFirst())].filter { !$0.isEmpty }
        let figures = charts.enumerated().map { index, suites in
            let names = suites.map(Self.name(ofSuite:))
            let lines = groups.flatMap { group, rows in
                (group.isEmpty ? [] : [DotChart.Line(label: group, spreads: nil)])
                    + rows.map { row in DotChart.Line(label: title(row.arm), spreads: suites.map { row.accuracy[$0] }) }
            }
            let chart = DotChart(
                id: "accuracy-\(index + 1)",
                title: "Accuracy by arm: \(Figures.list(names))",
                description: suites.map(summary(ofSuite:)).joined(separator: " "),
                panels: names,
                lines: lines
            )
            let scales = suites.count > 1 ? " Each panel has a scale of its own." : ""
            return """
                <figure class="wide-chart">
                <div class="scroll" role="region" tabindex="0" aria-label="\(chart.title)">
                \(chart.svg)
                </div>
                <figcaption>Rings are seeds, the upright bar and the figure their mean, the band one standard deviation \
                to each side; an arrow at the left edge is an arm below the axis.\(scales) \(suites.map(summary(ofSuite:)).joined(separator: " "))</figcaption>
                </figure>
                """ as Markup
        }
        return "\(figures)"
    }

    /// The range of a suite's means in a sentence.
    private func summary(ofSuite suite: String) -> String {
        let means = results.rows.compactMap { row in row.accuracy[suite].map { (row.arm, $0.mean) } }
        guard let high = means.max(by: { $0.1 < $1.1 }), let low = means.min(by: { $0.1 < $1.1 }), means.count > 1
        else {
            return ""
        }
        return """
            \(Self.name(ofSuite: suite)): from \(Figures.percent(low.1))\u{A0}% (\(title(low.0))) to \
            \(Figures.percent(high.1))\u{A0}% (\(title(high.0))).
            """
    }

    private var seedTable: Markup {
        let rows = results.rows.flatMap { row in
            row.seeds.map { seed in
                let scores = suites.map { suite in
                    let score = seed.suites[suite].map { Figures.percent(SuiteResult.share($0.outcomes)) }
                    return "<td class=\"figure\">\(score ?? Figures.none)</td>" as Markup
                }
                let loss = seed.loss.map { Figures.fixed($0, 3) } ?? Figures.none
                return """
                    <tr><th scope="row">\(title(row.arm))</th><td class="figure">\(String(seed.seed))</td>\(scores)\
                    <td class="figure">\(Figures.count(seed.tokens))</td>\
                    <td class="figure">\(Figures.count(seed.examples))</td><td class="figure">\(loss)</td>\
                    <td class="figure">\(Figures.duration(seed.trainSeconds))</td></tr>
                    """ as Markup
            }
        }
        guard !rows.isEmpty else { return "" }
        let heads =
            ["Seed"] + suites.map { "\(Self.name(ofSuite: $0)), %" } + ["Tokens", "Examples", "Loss", "Training"]
        return """
            <details><summary>Every seed</summary>
            \(Markup.table("Accuracy, tokens, distinct examples, mean loss of the last updates and training time by seed", """
                \(Markup.head(words: ["Arm"], figures: heads))
                <tbody>
                \(rows)
                </tbody>
                """))
            </details>
            """
    }
}
