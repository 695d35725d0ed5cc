import Foundation
import Testing

@testable import Reproduction

#if canImport(FoundationXML)
import FoundationXML
#endif

@Suite("The report of a reproduction")
struct ReportTests {
    /// What a parser finds in a page.
    final class Page: NSObject, XMLParserDelegate {
        private(set) var elements: [String] = []
        private(set) var attributes: [(element: String, name: String, value: String)] = []
        private(set) var text = ""
        private(set) var cells: [[String]] = []
        private var open: [String] = []

        init(_ html: String) throws {
            super.init()
            let parser = XMLParser(data: Data(html.utf8))
            parser.delegate = self
            guard parser.parse() else {
                throw Malformed(line: parser.lineNumber, reason: "\(String(describing: parser.parserError))")
            }
            cells = cells.map { $0.map { $0.trimmingCharacters(in: .newlines) } }
        }

        func parser(
            _ parser: XMLParser,
            didStartElement name: String,
            namespaceURI: String?,
            qualifiedName: String?,
            attributes found: [String: String] = [:]
        ) {
            elements.append(name)
            open.append(name)
            attributes += found.sorted { $0.key < $1.key }.map { (name, $0.key, $0.value) }
            if name == "tr" { cells.append([]) }
            if name == "td" || name == "th", !cells.isEmpty { cells[cells.count - 1].append("") }
        }

        func parser(
            _ parser: XMLParser,
            didEndElement name: String,
            namespaceURI: String?,
            qualifiedName: String?
        ) { open.removeLast() }

        func parser(_ parser: XMLParser, foundCharacters string: String) {
            guard !open.contains("style") else { return }
            text += string
            guard open.contains("tr"), let row = cells.indices.last, let cell = cells[row].indices.last else { return }
            cells[row][cell] += string
        }

        /// The rows of tables whose first cell begins with a text.
        func rows(_ start: String) -> [[String]] { cells.filter { $0.first?.hasPrefix(start) ?? false } }

        struct Malformed: Error {
            var line: Int
            var reason: String
        }
    }

    static var all: [TableResults] {
        [ReportFixtures.edit, ReportFixtures.superCorrect, ReportFixtures.empty, ReportFixtures.odd]
    }

    @Test("is well-formed, also with text of ill will, gaps and numbers that are none", arguments: 0..<4)
    func wellFormed(index: Int) throws {
        let page = try Page(ReproductionReport.html(Self.all[index]))
        #expect(page.elements.first == "html")
        #expect(page.elements.count { $0 == "h1" } == 1)
        let drawings = page.elements.count { $0 == "svg" }
        let named = page.attributes.count {
            $0.element == "svg" && ["aria-label", "aria-labelledby"].contains($0.name)
        }
        let decoration = page.attributes.count { $0.element == "svg" && $0.name == "aria-hidden" }
        #expect(drawings == named + decoration)
        // A coordinate that is no number would be the sign that stands for none.
        let geometry = ["x", "y", "x1", "x2", "y1", "y2", "cx", "cy", "d", "points", "width", "height"]
        #expect(!page.attributes.contains { geometry.contains($0.name) && $0.value.contains(Figures.none) })
    }

    @Test("has its headings in order and each id once", arguments: 0..<4)
    func headings(index: Int) throws {
        let page = try Page(ReproductionReport.html(Self.all[index]))
        var level = 0
        for heading in page.elements where heading.count == 2 && heading.first == "h" {
            guard let next = heading.last?.wholeNumberValue else { continue }
            #expect(next <= level + 1, "\(heading) after h\(level)")
            level = next
        }
        let ids = page.attributes.filter { $0.name == "id" }.map(\.value)
        #expect(Set(ids).count == ids.count)
        for link in page.attributes where link.name == "href" {
            #expect(ids.contains(String(link.value.dropFirst())), "\(link.value) leads nowhere")
        }
        for reference in page.attributes where reference.name == "aria-labelledby" {
            #expect(reference.value.split(separator: " ").allSatisfy { ids.contains(String($0)) })
        }
    }

    @Test("loads nothing and runs nothing", arguments: 0..<4)
    func selfContained(index: Int) throws {
        let html = ReproductionReport.html(Self.all[index])
        let page = try Page(html)
        for forbidden in ["script", "link", "img", "iframe", "object", "embed", "base", "form"] {
            #expect(!page.elements.contains(forbidden))
        }
        for attribute in page.attributes where ["src", "href", "action", "xlink:href"].contains(attribute.name) {
            #expect(attribute.value.hasPrefix("#"))
        }
        #expect(!page.attributes.contains { $0.name.hasPrefix("on") })
        #expect(!html.contains("url(") && !html.contains("@import"))
    }

    @Test("shows text of ill will as text")
    func hostile() throws {
        let page = try Page(ReproductionReport.html(ReportFixtures.superCorrect))
        let shown = ReportFixtures.hostile.replacing("\u{0}", with: "\u{FFFD}").replacing("\u{1B}", with: "\u{FFFD}")
        // The title, an arm, a group, a claim and its source, a stage, and each field of the examples.
        #expect(page.text.ranges(of: shown).count >= 20)
        #expect(!ReproductionReport.html(ReportFixtures.superCorrect).contains("<script"))
    }

    @Test("shows every arm, group, claim, suite, probe, stage and seed", arguments: 0..<2)
    func complete(index: Int) throws {
        let results = Self.all[index]
        let page = try Page(ReproductionReport.html(results))
        let clean = { (text: String) in
            text.replacing("\u{0}", with: "\u{FFFD}").replacing("\u{1B}", with: "\u{FFFD}")
        }
        for arm in results.table.arms {
            #expect(page.rows(clean(arm.title)).count >= 1, "\(arm.id)")
            #expect(page.rows(clean(arm.group)).contains { $0.count == 1 }, "\(arm.group)")
        }
        for claim in results.claims {
            let row = try #require(page.rows(clean(claim.claim.text)).first)
            #expect(row.count == 5)
            #expect(row[1] == clean(claim.claim.source))
            #expect(row[4].hasSuffix(ReportDocument.words(for: claim.verdict)))
        }
        for suite in SuiteName.reported {
            #expect(page.cells.contains { $0.contains("\(ReportDocument.name(ofSuite: suite)), %") })
        }
        for probe in results.table.probes { #expect(page.text.contains("\(probe.title), 120 updates:")) }
        for yields in results.yields {
            #expect(page.cells.contains { $0.contains("Seed \(yields.seed)") })
            for stage in yields.stages { #expect(page.cells.count { $0.first == clean(stage.name) } == 1) }
        }
    }

    @Test("writes the figures of an arm, of a test and of the search as they are")
    func figures() throws {
        let page = try Page(ReproductionReport.html(ReportFixtures.edit))
        let standard = page.rows("Std-CoT").filter { $0.first == "Std-CoTEDIT, Table 1" }
        #expect(
            standard == [
                ["Std-CoTEDIT, Table 1", "74.4 ± 1.5", "36.7 ± 1.5", "24.8 ± 0.9", "1e-3", "2,000,102"]
            ]
        )
        let best = page.rows("Bounded unlikelihood").first
        #expect(best?[1] == "★\u{A0}77.6 ± 1.5")
        let dual = page.rows("Std-CoT on dual chains").first { $0.count == 8 }
        #expect(
            dual == [
                "Std-CoT on dual chains", "Std-CoT", "In-domain test", "", "-2.9", "[-4.9, -0.9]", "p = .012",
                "-3.3, -2.9, -2.5",
            ]
        )
        #expect(page.rows("Std-CoT").contains(["Std-CoT", "–", "–", "74.7", "✓\u{A0}74.2", "73.2"]))
        #expect(page.rows("EDIT beats").first?[2] == "+0.7 [-1.3, +2.7]p = .310")
        #expect(
            page.rows("Right chains").contains {
                $0.contains("581 of 800 (72.6 %)") && $0.last == "1,746 of 2,400 (72.8 %)"
            }
        )
    }

    @Test("lays arms that differ in alpha and beta alone out as a grid, with the parent at 0 and 0")
    func grid() throws {
        let results = ReportFixtures.edit
        let grids = ReportDocument(results).weightGrids
        #expect(grids.count == 1)
        let grid = try #require(grids.first)
        #expect(grid.parent == "rwc")
        #expect(grid.alphas == [0, 1])
        #expect(grid.betas == [0, 0.025, 0.05])
        let arms = grid.rows.mapValues(\.arm)
        #expect(
            arms == [
                .init(alpha: 0, beta: 0): "rwc", .init(alpha: 1, beta: 0.025): "edit", .init(alpha: 1, beta: 0): "a1b0",
                .init(alpha: 0, beta: 0.025): "a0b25", .init(alpha: 1, beta: 0.05): "a1b50",
            ]
        )
        let page = try Page(ReproductionReport.html(results))
        #expect(page.rows("α = 1").first == ["α = 1", "77.4 ± 1.5+0.4", "75.1 ± 1.5-1.9", "69.2 ± 1.5-7.8"])
        #expect(page.rows("α = 0").first == ["α = 0", "77.0 ± 1.5", "73.3 ± 1.5-3.7", "–"])
    }

    @Test("says of the probes what their first and last points say")
    func probes() {
        let results = ReportFixtures.edit
        let document = ReportDocument(results)
        #expect(
            document.course(of: results.probes[0]) == """
                As the authors coded it, 120 updates: the right chains’ key tokens rose by 0.36 nats and their other \
                tokens fell by 0.060 nats; the wrong chains’ key tokens fell by 2.16 nats and their other tokens fell by \
                0.012 nats. Accuracy on the development split went from 77.0\u{A0}% to 71.0\u{A0}%.
                """
        )
        let html = ReproductionReport.html(results)
        #expect(html.contains("lies lower than at the first in 2 of 2."))
        #expect(html.contains("In 2 probes the loss gives"))
    }

    @Test("marks key tokens and the first wrong step, and tells the student's step from the teacher's")
    func examples() throws {
        let edit = ReproductionReport.html(ReportFixtures.edit)
        #expect(edit.contains("3 <mark class=\"right\">*</mark> 12 = <mark class=\"right\">36</mark>."))
        #expect(edit.contains("3 <mark class=\"wrong\">+</mark> 12 = <mark class=\"wrong\">15</mark>."))
        let page = try Page(ReproductionReport.html(ReportFixtures.superCorrect))
        #expect(page.text.contains("first wrong step: In all it goes 180 - 40 = 140 miles."))
        #expect(page.text.contains("names step 1 (not the teacher’s step)"))
        #expect(page.text.contains("names no step"))
        #expect(page.text.contains("wrote no correction"))
        #expect(page.text.contains("Step 1In 3 hours it goes 60 * 3 = 180 miles."))
    }

    @Test("gives the same bytes for the same results")
    func deterministic() {
        for (first, second) in zip(Self.all, Self.all) {
            #expect(ReproductionReport.html(first) == ReproductionReport.html(second))
            #expect(ReproductionReport.text(first) == ReproductionReport.text(second))
        }
    }
}
