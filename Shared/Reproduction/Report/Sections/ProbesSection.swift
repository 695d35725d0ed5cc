import Schemas

extension ReportDocument {
    /// A kind of token that the probes follow.
    private struct Kind {
        var id: String
        var title: String
        var words: String
        var value: @Sendable (ProbeResult.Point) -> Double

        static let all = [
            Kind(id: "right-key", title: "Right chains, key tokens", words: "the right chains\u{2019} key tokens") {
                $0.rightKey
            },
            Kind(id: "right-other", title: "Right chains, other tokens", words: "their other tokens") {
                $0.rightOther
            },
            Kind(id: "wrong-key", title: "Wrong chains, key tokens", words: "the wrong chains\u{2019} key tokens") {
                $0.wrongKey
            },
            Kind(id: "wrong-other", title: "Wrong chains, other tokens", words: "their other tokens") {
                $0.wrongOther
            },
        ]
    }

    /// What key-step learning does to which tokens, over its updates.
    var probesSection: Markup? {
        guard !results.probes.isEmpty else { return nil }
        let probes = Array(results.probes.enumerated())
        let description = results.probes.map(course(of:)).joined(separator: " ")
        let panels = Kind.all.map { kind in
            LineChart(
                id: "probe-\(kind.id)",
                title: kind.title,
                description: description,
                unit: "mean log p, nats",
                series: probes.map { index, probe in
                    LineChart.Series(index: index, points: probe.points.map { (Double($0.step), kind.value($0)) })
                }
            )
        }
        let accuracy = LineChart(
            id: "probe-accuracy",
            title: "Accuracy, development split",
            description: description,
            unit: "%",
            series: probes.map { index, probe in
                LineChart.Series(
                    index: index,
                    points: probe.points.compactMap { point in
                        point.accuracy.map { (Double(point.step), 100 * $0) }
                    }
                )
            },
            isDotted: true
        )
        let hasAccuracy = accuracy.series.contains { !$0.points.isEmpty }
        let figures = (panels + (hasAccuracy ? [accuracy] : [])).map { chart in
            "<figure>\n\(chart.svg)\n</figure>" as Markup
        }
        let legend = probes.map { index, probe in
            """
            <li><svg viewBox="0 0 46 16" aria-hidden="true"><g class="\(LineChart.style(index))">\
            <line class="series" x1="0" x2="28" y1="8" y2="8" stroke-dasharray="\(LineChart.dashes(index))"/>\
            <text class="letter" x="33" y="12">\(LineChart.letter(index))</text></g></svg>\
            <span>\(title(of: probe)), rate \(Figures.rate(probe.rate))</span></li>
            """ as Markup
        }
        let courses = probes.map { index, probe in
            "<li><strong>\(LineChart.letter(index))</strong> \(course(of: probe))</li>" as Markup
        }
        return """
            <p>Each line is a training by key steps, followed on dual pairs that nothing was trained on. The panels show \
            the mean log-probability of a kind of token under the student as updates go on, from before the first. Each \
            panel has a scale of its own.</p>
            <ul class="legend" aria-label="Legend">
            \(legend)
            </ul>
            <div class="panels">
            \(figures)
            </div>
            <h3>From first to last point</h3>
            <ul>
            \(courses)
            </ul>
            \(observation)
            """
    }

    private func title(of probe: ProbeResult) -> String {
        results.table.probes.first { $0.id == probe.probe }?.title ?? probe.probe
    }

    /// What a probe's first and last points say.
    func course(of probe: ProbeResult) -> String {
        guard let first = probe.points.first, let last = probe.points.last, probe.points.count > 1 else {
            return "\(title(of: probe)): there is no course to tell of."
        }
        let changes = Kind.all.map { "\($0.words) \(Self.change(from: $0.value(first), to: $0.value(last)))" }
        var text = """
            \(title(of: probe)), \(Figures.count(last.step - first.step)) updates: \(changes[0]) and \(changes[1]); \
            \(changes[2]) and \(changes[3]).
            """
        let scored = probe.points.compactMap(\.accuracy)
        if let before = scored.first, let after = scored.last, scored.count > 1 {
            text += """
                 Accuracy on the development split went from \(Figures.percent(before))\u{A0}% to \
                \(Figures.percent(after))\u{A0}%.
                """
        }
        return text
    }

    /// What all probes together say of the tokens that are not key in right chains.
    private var observation: Markup {
        let unweighted = results.probes.filter { probe in
            let method = results.table.probes.first { $0.id == probe.probe }?.method
            return method.map { ($0.gamma ?? 0) == 0 && $0.mix == nil } ?? false && probe.points.count > 1
        }
        guard !unweighted.isEmpty else { return "" }
        let fallen = unweighted.count { probe in
            guard let first = probe.points.first, let last = probe.points.last else { return false }
            return last.rightOther < first.rightOther
        }
        let total = Figures.count(unweighted.count, "probe", "probes")
        return """
            <p>In \(total) the loss gives the other tokens of right chains no weight (gamma is 0, and there is no \
            supervised term); at the last point their mean log p lies lower than at the first in \(fallen) of \
            \(unweighted.count).</p>
            """
    }

    private static func change(from before: Double, to after: Double) -> String {
        let difference = after - before
        guard difference.isFinite else { return "left the finite numbers" }
        let size = Figures.fixed(abs(difference), abs(difference) < 0.1 ? 3 : 2)
        if size == "0.000" { return "stayed (changed by less than 0.001 nats)" }
        return "\(difference > 0 ? "rose" : "fell") by \(size) nats"
    }
}
