/// A chart of courses over updates; each line has a colour, a pattern of dashes and a letter at its end.
struct LineChart {
    /// A line.
    struct Series {
        /// Its place in the order of colours and patterns.
        var index: Int
        /// Updates and values, in order.
        var points: [(x: Double, y: Double)]
    }

    /// The id in the document.
    var id: String
    /// The heading.
    var title: String
    /// What the chart says, in words.
    var description: String
    /// The unit of the values.
    var unit: String
    /// The lines.
    var series: [Series]
    /// Whether points are marked, where they are few.
    var isDotted = false

    /// The letter of a line, from A.
    static func letter(_ index: Int) -> String {
        let letters = Array("ABCDEFGHIJKLMNOPQRSTUVWXYZ")
        return index < letters.count ? String(letters[index]) : "\(index + 1)"
    }

    /// A line's class, for its colour.
    static func style(_ index: Int) -> String { "s\(index % 8)" }

    /// A line's pattern of dashes.
    static func dashes(_ index: Int) -> String {
        let patterns = ["none", "7 3", "2 3", "9 3 2 3", "5 2", "1 2", "12 4", "6 2 1 2 1 2"]
        return patterns[index % patterns.count]
    }

    /// The drawing.
    var svg: Markup {
        let (width, height) = (350.0, 230.0)
        let (left, right, top, bottom) = (48.0, width - 26, 26.0, height - 40)
        let drawn = series.map { line in
            Series(index: line.index, points: line.points.filter { $0.x.isFinite && $0.y.isFinite })
        }.filter { !$0.points.isEmpty }
        let horizontal = Scale(over: drawn.flatMap { $0.points.map(\.x) }, from: left, to: right, margin: 0, least: 1)
        let vertical = Scale(over: drawn.flatMap { $0.points.map(\.y) }, from: bottom, to: top, least: 0.01)
        let across = horizontal.ticks(about: 6)
        let upwards = vertical.ticks(about: 5)
        let columns = across.values.map { tick in
            """
            <text class="small" text-anchor="middle" x="\(at: horizontal.position(tick))" y="\(at: bottom + 15)">\
            \(Figures.fixed(tick, across.digits))</text>
            """ as Markup
        }
        let rows = upwards.values.map { tick in
            """
            <line class="grid" x1="\(at: left)" x2="\(at: right)" y1="\(at: vertical.position(tick))" \
            y2="\(at: vertical.position(tick))"/>\
            <text class="small" text-anchor="end" x="\(at: left - 6)" y="\(at: vertical.position(tick) + 4)">\
            \(Figures.fixed(tick, upwards.digits))</text>
            """ as Markup
        }
        let lines = drawn.map { draw($0, horizontal, vertical) }
        let ends = Self.spaced(
            drawn.map { vertical.position($0.points.last?.y ?? 0) },
            apart: 13,
            within: (top + 4)...bottom
        )
        let letters = zip(drawn, ends).map { line, y in
            let x = horizontal.position(line.points.last?.x ?? 0) + 7
            return """
                <g class="\(Self.style(line.index))"><text class="letter" x="\(at: x)" y="\(at: y + 4)">\
                \(Self.letter(line.index))</text></g>
                """ as Markup
        }
        return """
            <svg viewBox="0 0 \(at: width) \(at: height)" role="img" aria-labelledby="\(id)-title \(id)-text">
            <title id="\(id)-title">\(title)</title>
            <desc id="\(id)-text">\(description)</desc>
            <text class="strong" x="0" y="13">\(title)</text>
            <text class="small" text-anchor="end" x="\(at: width)" y="13">\(unit)</text>
            \(rows)
            \(columns)
            <line class="axis" x1="\(at: left)" x2="\(at: right)" y1="\(at: bottom)" y2="\(at: bottom)"/>
            <text class="small" text-anchor="middle" x="\(at: (left + right) / 2)" y="\(at: height - 6)">updates</text>
            \(lines)
            \(letters)
            </svg>
            """
    }

    private func draw(_ line: Series, _ horizontal: Scale, _ vertical: Scale) -> Markup {
        let points = line.points.map {
            "\(Figures.fixed(horizontal.position($0.x), 1)),\(Figures.fixed(vertical.position($0.y), 1))"
        }
        let dots: [Markup] =
            isDotted || line.points.count == 1
            ? line.points.map {
                """
                <circle class="dot" cx="\(at: horizontal.position($0.x))" cy="\(at: vertical.position($0.y))" r="3"/>
                """
            } : []
        return """
            <g class="\(Self.style(line.index))"><polyline class="series" stroke-dasharray="\(Self.dashes(line.index))" \
            points="\(points.joined(separator: " "))"/>\(dots)</g>
            """
    }

    /// Heights moved apart so that labels do not cover each other, in the order given.
    static func spaced(_ heights: [Double], apart: Double, within range: ClosedRange<Double>) -> [Double] {
        let order = heights.indices.sorted { (heights[$0], $0) < (heights[$1], $1) }
        var placed = heights
        var least = range.lowerBound
        for index in order {
            placed[index] = max(heights[index], least)
            least = placed[index] + apart
        }
        var most = range.upperBound
        for index in order.reversed() {
            placed[index] = min(placed[index], most)
            most = placed[index] - apart
        }
        return placed
    }
}
