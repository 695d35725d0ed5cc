/// A chart with one line an arm: the seeds as rings, their mean as a bar, and a band of one standard deviation.
///
/// An arm far below all others is an arrow at the left edge. Several panels stand side by side and share the names of the lines; each has a scale of its own.
struct DotChart {
    /// A line of the chart.
    struct Line {
        /// The arm's name, or a group's.
        var label: String
        /// The figures, one a panel; `nil` for the heading of a group.
        var spreads: [Spread?]?
    }

    /// The id in the document.
    var id: String
    /// The name that is read out.
    var title: String
    /// What the chart says, in words.
    var description: String
    /// The panels' names.
    var panels: [String]
    /// The lines from the top.
    var lines: [Line]

    private let lineHeight = 22.0
    private let top = 24.0
    private let figures = 44.0
    private let gap = 18.0

    init(id: String, title: String, description: String, panels: [String], lines: [Line]) {
        self.id = id
        self.title = title
        self.description = description
        self.panels = panels
        self.lines = lines
    }

    /// The drawing.
    var svg: Markup {
        let width = 860.0
        let longest = lines.map { $0.label.count }.max() ?? 0
        let names = min(max(120, Double(longest) * 6.6 + 20), 330)
        let count = Double(max(1, panels.count))
        let panel = (width - names - count * (figures + gap)) / count
        let bottom = top + Double(lines.count) * lineHeight + 6
        let height = bottom + 34
        let labels = lines.enumerated().map { index, line in
            let y = top + (Double(index) + 0.5) * lineHeight + 4
            let text = Self.shortened(line.label, to: Int((names - 14) / 6.4))
            return line.spreads == nil
                ? "<text class=\"strong\" x=\"0\" y=\"\(at: y)\">\(text)</text>" as Markup
                : "<text x=\"10\" y=\"\(at: y)\">\(text)</text>"
        }
        let drawn = panels.indices.map { index in
            let left = names + Double(index) * (panel + figures + gap)
            return self.panel(index, from: left, to: left + panel, bottom: bottom)
        }
        return """
            <svg viewBox="0 0 \(at: width) \(at: height)" role="img" aria-labelledby="\(id)-title \(id)-text">
            <title id="\(id)-title">\(title)</title>
            <desc id="\(id)-text">\(description)</desc>
            \(labels)
            \(drawn)
            </svg>
            """
    }

    private func panel(_ index: Int, from left: Double, to right: Double, bottom: Double) -> Markup {
        let spreads = lines.compactMap { $0.spreads.flatMap { $0.indices.contains(index) ? $0[index] : nil } }
        let floor = Self.floor(of: spreads.map(\.mean))
        let values = spreads.filter { $0.mean >= floor }.flatMap {
            $0.values + [$0.mean, max(0, $0.mean - $0.deviation), min(1, $0.mean + $0.deviation)]
        }
        let scale = Scale(over: values.map { 100 * $0 }, from: left, to: right, least: 4)
        let (ticks, digits) = scale.ticks(about: max(2, Int((right - left) / 55)))
        let grid = ticks.map { tick in
            """
            <line class="grid" x1="\(at: scale.position(tick))" x2="\(at: scale.position(tick))" y1="\(at: top)" \
            y2="\(at: bottom)"/>\
            <text class="small" text-anchor="middle" x="\(at: scale.position(tick))" y="\(at: bottom + 14)">\
            \(Figures.fixed(tick, digits))</text>
            """ as Markup
        }
        let marks = lines.enumerated().compactMap { row, line -> Markup? in
            guard let spreads = line.spreads, spreads.indices.contains(index), let spread = spreads[index] else {
                return nil
            }
            let y = top + (Double(row) + 0.5) * lineHeight
            return mark(spread, isOutside: spread.mean < floor, scale: scale, y: y, figure: right + figures)
        }
        return """
            <text class="strong" x="\(at: left)" y="12">\(panels[index])</text>
            \(grid)
            <line class="axis" x1="\(at: left)" x2="\(at: right)" y1="\(at: bottom)" y2="\(at: bottom)"/>
            <text class="small" text-anchor="middle" x="\(at: (left + right) / 2)" y="\(at: bottom + 29)">accuracy, %</text>
            \(marks)
            """
    }

    /// The mean below which an arm is off the axis: one that collapsed must not press all others into a corner.
    ///
    /// The bound is three ranges between the quartiles below the lower quartile; few arms have none.
    static func floor(of means: [Double]) -> Double {
        let sorted = means.filter(\.isFinite).sorted()
        guard sorted.count >= 5 else { return -.infinity }
        let low = sorted[sorted.count / 4]
        let high = sorted[sorted.count * 3 / 4]
        return low - 3 * max(high - low, 0.01)
    }

    private func mark(_ spread: Spread, isOutside: Bool, scale: Scale, y: Double, figure: Double) -> Markup {
        let number =
            "<text text-anchor=\"end\" x=\"\(at: figure)\" y=\"\(at: y + 4)\">\(Figures.percent(spread.mean))</text>"
            as Markup
        let guide =
            "<line class=\"grid\" x1=\"\(at: scale.from)\" x2=\"\(at: scale.to)\" y1=\"\(at: y)\" y2=\"\(at: y)\"/>"
            as Markup
        guard spread.mean.isFinite, spread.deviation.isFinite else { return "\(guide)\(number)" }
        if isOutside {
            return """
                \(guide)
                <path class="point" d="M \(at: scale.from + 1) \(at: y) l 9 -5 v 10 z"/>
                \(number)
                """
        }
        let mean = scale.position(100 * spread.mean)
        let low = scale.position(100 * max(0, spread.mean - spread.deviation))
        let high = scale.position(100 * min(1, spread.mean + spread.deviation))
        let seeds = spread.values.filter(\.isFinite).map { value in
            "<circle class=\"seed\" cx=\"\(at: scale.position(100 * value))\" cy=\"\(at: y)\" r=\"3.6\"/>" as Markup
        }
        return """
            \(guide)
            <line class="range" x1="\(at: low)" x2="\(at: high)" y1="\(at: y)" y2="\(at: y)"/>
            \(seeds)
            <line class="mean" x1="\(at: mean)" x2="\(at: mean)" y1="\(at: y - 7)" y2="\(at: y + 7)"/>
            \(number)
            """
    }

    private static func shortened(_ text: String, to count: Int) -> String {
        text.count > count ? text.prefix(max(1, count - 1)) + "\u{2026}" : text
    }
}
