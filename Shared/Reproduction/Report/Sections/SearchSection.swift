extension ReportDocument {
    /// The accuracy on the development split by candidate rate.
    var searchSection: Markup? {
        let searched = results.rows.filter { !$0.search.isEmpty }
        let rates = Set(searched.flatMap { $0.search.map(\.rate) }).filter(\.isFinite).sorted()
        guard !searched.isEmpty else { return nil }
        let rows = searched.map { row in
            let cells = rates.map { rate in
                let point = row.search.first { $0.rate == rate }
                let isChosen = point != nil && row.rate == rate
                let text = point.map { Figures.percent($0.accuracy) } ?? Figures.none
                return """
                    <td class="figure\(isChosen ? " best" : "")">\(isChosen ? "\u{2713}\u{A0}" : "")\(text)</td>
                    """ as Markup
            }
            return "<tr><th scope=\"row\">\(title(row.arm))</th>\(cells)</tr>" as Markup
        }
        let budgets = Set(searched.map(\.search.count)).sorted().map(String.init)
        return """
            <p>Every arm was trained once with each candidate rate of its stage on the problems of seed \
            \(String(results.plan.searchSeed)), baselines included: \(Figures.list(budgets)) \
            \(budgets == ["1"] ? "training" : "trainings") an arm.</p>
            \(Markup.table("Accuracy on the development split in % by learning rate; \u{2713} marks the one chosen", """
                \(Markup.head(words: ["Arm"], figures: rates.map(Figures.rate)))
                <tbody>
                \(rows)
                </tbody>
                """))
            """
    }
}
