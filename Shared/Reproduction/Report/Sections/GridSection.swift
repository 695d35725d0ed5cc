import Distillation
import Schemas

extension ReportDocument {
    /// Arms that differ from the authors' form of KRSL in alpha and beta alone, as a grid.
    struct WeightGrid {
        /// The arm that all of them start from.
        var parent: String
        /// The rows' weights, rising.
        var alphas: [Double]
        /// The columns' weights, rising.
        var betas: [Double]
        /// The row of results at a pair of weights.
        var rows: [Place: RowResult]

        /// A pair of weights.
        struct Place: Hashable {
            var alpha: Double
            var beta: Double
        }
    }

    /// The grids of the table; an arm stands in the grid of its parent, a grid has two arms or more.
    ///
    /// With both weights 0 nothing is learnt, so that place is the parent's where no arm has it.
    var weightGrids: [WeightGrid] {
        let authors = KeyStepOptions()
        var order: [String] = []
        var members: [String: [WeightGrid.Place: RowResult]] = [:]
        for row in results.rows {
            guard let arm = arm(row.arm), let parent = arm.parent, let stage = arm.stage, let method = stage.keySteps,
                stage.data == nil, stage.training == nil
            else { continue }
            var other = method
            (other.alpha, other.beta) = (nil, nil)
            guard other == KeyStepMethod() else { continue }
            if members[parent] == nil { order.append(parent) }
            let place = WeightGrid.Place(alpha: method.alpha ?? authors.alpha, beta: method.beta ?? authors.beta)
            if members[parent]?[place] == nil { members[parent, default: [:]][place] = row }
        }
        return order.compactMap { parent in
            guard var rows = members[parent], rows.count > 1 else { return nil }
            let nothing = WeightGrid.Place(alpha: 0, beta: 0)
            if rows[nothing] == nil { rows[nothing] = results.rows.first { $0.arm == parent } }
            return WeightGrid(
                parent: parent,
                alphas: Set(rows.keys.map(\.alpha)).sorted(),
                betas: Set(rows.keys.map(\.beta)).sorted(),
                rows: rows
            )
        }
    }

    /// The grids as tables, one a suite.
    var gridSection: Markup? {
        let grids = weightGrids
        guard !grids.isEmpty else { return nil }
        let parts = grids.map { grid in
            let tables = suites.filter { suite in grid.rows.values.contains { $0.accuracy[suite] != nil } }
                .map { table($0, of: grid) }
            return """
                <p>Alpha weighs the key tokens of right chains, beta (a magnitude) those of wrong chains. With both 0 \
                there is nothing to learn: that cell is the student that all start from, \(title(grid.parent)). The \
                stronger a cell\u{2019}s colour, the higher its accuracy within its table; the second figure is the \
                difference to that cell in points.</p>
                <div class="grids">
                \(tables)
                </div>
                """ as Markup
        }
        return "\(parts)"
    }

    private func table(_ suite: String, of grid: WeightGrid) -> Markup {
        let means = grid.rows.values.compactMap { $0.accuracy[suite]?.mean }.filter(\.isFinite)
        let low = means.min() ?? 0
        let span = (means.max() ?? 0) - low
        let origin = grid.rows[WeightGrid.Place(alpha: 0, beta: 0)]?.accuracy[suite]?.mean
        let rows = grid.alphas.map { alpha in
            let cells = grid.betas.map { beta -> Markup in
                guard let spread = grid.rows[WeightGrid.Place(alpha: alpha, beta: beta)]?.accuracy[suite] else {
                    return "<td class=\"cell\">\(Figures.none)</td>"
                }
                let share = span > 0 ? (spread.mean - low) / span : 0
                let change = origin.flatMap { alpha == 0 && beta == 0 ? nil : Figures.points(spread.mean - $0) }
                let below = change.map { "<br/><span class=\"note\">\($0)</span>" as Markup } ?? ""
                return """
                    <td class="cell" style="background-color: rgba(60, 130, 220, \(Figures.fixed(0.45 * share, 2)))">\
                    \(Figures.spread(spread))\(below)</td>
                    """
            }
            return "<tr><th scope=\"row\">\u{3B1} = \(Figures.weight(alpha))</th>\(cells)</tr>" as Markup
        }
        return Markup.table(
            "\(Self.name(ofSuite: suite)), %",
            """
            \(Markup.head(words: ["\u{3B1} and \u{3B2}"] + grid.betas.map { "\u{3B2} = \(Figures.weight($0))" }))
            <tbody>
            \(rows)
            </tbody>
            """
        )
    }
}
