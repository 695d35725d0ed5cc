extension ReportDocument {
    /// All paired tests.
    var testsSection: Markup? {
        let tests = results.rows.flatMap { row in row.comparisons.map { (row.arm, $0) } }
        guard !tests.isEmpty else { return nil }
        let marks = IntervalMark(for: tests.map(\.1))
        let rows = tests.map { arm, comparison in
            """
            <tr><th scope="row">\(title(arm))</th><td>\(title(comparison.against))</td>\
            <td>\(Self.name(ofSuite: comparison.suite))</td>\
            <td>\(marks.svg(comparison))</td>\
            <td class="figure">\(Figures.points(comparison.difference))</td>\
            <td class="figure">\(Figures.interval(comparison.low, comparison.high))</td>\
            <td class="figure">\(Figures.pValue(comparison.pValue))</td>\
            <td class="figure">\(Self.bySeed(comparison))</td></tr>
            """ as Markup
        }
        let small = tests.count { $0.1.pValue < 0.05 }
        let chance = Figures.fixed(0.05 * Double(tests.count), 1)
        return """
            <p>\(Figures.count(tests.count, "test", "tests")), of which \(small) with p &lt; .05; were all arms of a pair \
            alike, at most about \(chance) would be expected. The p values are not corrected for their number. In the \
            drawings the upright line is 0, and an arrowhead is what lies beyond the scale.</p>
            \(Markup.table("Accuracy of an arm less that of another on the same problems, in points", """
                \(Markup.head(
                    words: ["Arm", "Against", "Suite", "Drawn"],
                    figures: ["Difference", "95\u{A0}%\u{A0}interval", "McNemar", "By seed"]
                ))
                <tbody>
                \(rows)
                </tbody>
                """))
            """
    }
}
