extension ReportDocument {
    /// How many of the teacher's answers could be used, by stage and seed.
    var yieldsSection: Markup? {
        var stages: [String] = []
        for yields in results.yields {
            for stage in yields.stages where !stages.contains(stage.name) { stages.append(stage.name) }
        }
        guard !stages.isEmpty else { return nil }
        let rows = stages.map { name in
            let found = results.yields.map { yields in yields.stages.first { $0.name == name } }
            let total = SeedYields.Yield(
                name: name,
                verified: found.reduce(0) { $0 + ($1?.verified ?? 0) },
                asked: found.reduce(0) { $0 + ($1?.asked ?? 0) },
                retries: found.reduce(0) { $0 + ($1?.retries ?? 0) }
            )
            let cells = (found + (found.count > 1 ? [total] : [])).map(Self.cell(of:))
            return "<tr><th scope=\"row\">\(name)</th>\(cells)</tr>" as Markup
        }
        let seeds = results.yields.map { "Seed \(String($0.seed))" }
        return Markup.table(
            "Verified of asked for, by stage of the teacher's work",
            """
            \(Markup.head(words: ["Stage"], figures: seeds + (seeds.count > 1 ? ["All"] : [])))
            <tbody>
            \(rows)
            </tbody>
            """
        )
    }

    private static func cell(of yield: SeedYields.Yield?) -> Markup {
        guard let yield else { return "<td class=\"figure\">\(Figures.none)</td>" }
        let share = yield.asked > 0 ? " (\(Figures.percent(Double(yield.verified) / Double(yield.asked))) %)" : ""
        let retries = yield.retries > 0 ? ", \(Figures.count(yield.retries)) retries" : ""
        return """
            <td class="figure">\(Figures.count(yield.verified)) of \(Figures.count(yield.asked))\(share)\(retries)</td>
            """
    }
}
