import Testing

@testable import Reproduction

@Suite("The report's numbers, and its forms for terminals and the README")
struct ReportFormsTests {
    @Test("numbers have the form of the field")
    func figures() {
        #expect(Figures.percent(0.6126) == "61.3")
        #expect(Figures.points(0.0126) == "+1.3")
        #expect(Figures.points(-0.0126) == "-1.3")
        #expect(Figures.points(-0.0001) == "0.0")
        #expect(Figures.points(.nan) == "–")
        #expect(Figures.interval(-0.012, 0.034) == "[-1.2, +3.4]")
        #expect(Figures.spread(ReportFixtures.spread(600, 620)) == "61.0 ± 1.4")
        #expect(Figures.spread(ReportFixtures.spread(600)) == "60.0")
        #expect(Figures.spread(nil) == "–")
        #expect([5e-4, 2.5e-4, 1e-5, 1, 0].map(Figures.rate) == ["5e-4", "2.5e-4", "1e-5", "1", "0"])
        #expect(
            [0, 7, 1_000, 999_999, 2_000_000, -1_234].map { Figures.count($0) }
                == ["0", "7", "1,000", "999,999", "2,000,000", "-1,234"]
        )
        #expect([0.4, 75, 4_985, 9_000].map(Figures.duration) == ["0 s", "75 s", "83 min", "2 h 30 min"])
        #expect([0.025, 1, 0].map(Figures.weight) == ["0.025", "1", "0"])
    }

    @Test(
        "p values have three decimals and no leading zero",
        arguments: zip(
            [0.012, 0.00099, 0.001, 0.3104, 0.9996, 1, 0, 0.0499],
            ["p = .012", "p < .001", "p = .001", "p = .310", "p = 1", "p = 1", "p < .001", "p = .050"]
        )
    )
    func pValues(value: Double, text: String) {
        #expect(Figures.pValue(value) == text)
    }

    @Test("an axis has round ticks within its ends", arguments: [(0.0, 1.0), (67.3, 78.9), (-4.2, -0.1), (3.0, 3.0)])
    func ticks(low: Double, high: Double) {
        let scale = Scale(over: [low, high], from: 0, to: 100, least: 1)
        let (values, digits) = scale.ticks(about: 5)
        #expect((2...9).contains(values.count))
        #expect(values.allSatisfy { scale.domain.contains($0) })
        #expect(Set(values.map { Figures.fixed($0, digits) }).count == values.count)
        #expect(scale.position(scale.domain.lowerBound) == 0)
        #expect(scale.position(scale.domain.upperBound) == 100)
    }

    @Test("labels that would cover each other are moved apart, and stay within the chart")
    func labels() {
        let placed = LineChart.spaced([100, 100, 20, 101], apart: 13, within: 10...110)
        #expect(placed[2] == 20)
        for (index, height) in placed.enumerated() {
            #expect((10...110).contains(height))
            for other in placed[(index + 1)...] { #expect(abs(height - other) >= 13) }
        }
    }

    @Test("an arm that collapsed is off the axis, a mere straggler is not")
    func collapse() {
        #expect(DotChart.floor(of: [0.7, 0.71, 0.72, 0.73, 0.74, 0.1]) > 0.1)
        #expect(DotChart.floor(of: [0.7, 0.71, 0.72, 0.73, 0.74, 0.69]) < 0.69)
        #expect(DotChart.floor(of: [0.7, 0.1]) < 0)
    }

    @Test("the text's columns are aligned and all fits a terminal's height")
    func text() {
        let lines = ReproductionReport.text(ReportFixtures.edit).split(
            separator: "\n",
            omittingEmptySubsequences: false
        )
        #expect(lines.count <= 40)
        #expect(lines.first == "EDIT on the built-in domain (3 seeds, 83 min of computing)")
        let rows = lines.filter { $0.contains(" ± ") }
        #expect(rows.count == 12)
        #expect(Set(rows.map(\.count)).count == 1)
        #expect(rows.first == "  Std-CoT                       74.4 ± 1.5     36.7 ± 1.5       24.8 ± 0.9    1e-3")
        #expect(lines.contains("✓ Rectified chains help                          +2.6   [+0.6, +4.6]  p < .001"))
    }

    @Test("text from outside breaks no line of a terminal and no cell of a table")
    func outside() {
        let text = ReproductionReport.text(ReportFixtures.superCorrect)
        #expect(!text.unicodeScalars.contains { $0.value < 32 && $0 != "\n" })
        let rows = ReproductionReport.markdown(ReportFixtures.superCorrect).split(separator: "\n")
        #expect(rows.count == 6)
        for row in rows { #expect(row.replacing("\\|", with: "").count { $0 == "|" } == 5) }
        #expect(!rows.contains { $0.contains("<script") })
    }

    @Test("the Markdown has the claim, the paper, what was measured and the verdict")
    func markdown() {
        let rows = ReproductionReport.markdown(ReportFixtures.edit).split(separator: "\n")
        #expect(rows.count == 6)
        #expect(
            rows[3] == "| Rectified chains help | Table 1: 59.7 against 54.2 | +2.6 [+0.6, +4.6], p < .001 | shown |"
        )
        #expect(rows[5].hasSuffix("| -3.4 [-5.4, -1.4], p = .021 | reversed |"))
    }

    @Test("results with nothing in them have a text and a table without rows")
    func empty() {
        #expect(ReproductionReport.text(ReportFixtures.empty).hasPrefix("Nothing (3 seeds, 0 s of computing)\n"))
        #expect(ReproductionReport.markdown(ReportFixtures.empty).split(separator: "\n").count == 2)
        #expect(!ReproductionReport.text(ReportFixtures.odd).isEmpty)
    }
}
