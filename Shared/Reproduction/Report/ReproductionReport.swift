import Distillation

/// The report of a reproduction, for browsers, terminals and the README.
///
/// Each form is a function of the results alone: the same results give the same bytes.
public enum ReproductionReport {
    /// One HTML file that needs nothing else: style and drawings are in it, there is no script, and nothing is loaded.
    ///
    /// It is well-formed XML too. All text of problems, teachers and students is escaped.
    public static func html(_ results: TableResults) -> String { ReportDocument(results).html.text }
}

/// The report's parts: what several sections need.
struct ReportDocument {
    let results: TableResults
    /// Suites that are shown: the tables' own in their order, then others by name; the development split is none.
    let suites: [String]
    /// The rows by group, in the order in which a group first appears.
    let groups: [(name: String, rows: [RowResult])]
    private let arms: [String: Arm]

    init(_ results: TableResults) {
        self.results = results
        arms = Dictionary(results.table.arms.map { ($0.id, $0) }) { first, _ in first }
        let present = Set(results.rows.flatMap { $0.accuracy.keys }).subtracting([SuiteName.development])
        suites =
            SuiteName.reported.filter(present.contains) + present.subtracting(SuiteName.reported).sorted()
        var order: [String] = []
        var members: [String: [RowResult]] = [:]
        for row in results.rows {
            let group = arms[row.arm]?.group ?? ""
            if members[group] == nil { order.append(group) }
            members[group, default: []].append(row)
        }
        groups = order.map { ($0, members[$0] ?? []) }
    }

    /// The arm of an id.
    func arm(_ id: String) -> Arm? { arms[id] }

    /// An arm's name for people.
    func title(_ arm: String) -> String { arms[arm]?.title ?? arm }

    /// A suite's name for people.
    static func name(ofSuite suite: String) -> String {
        switch suite {
        case SuiteName.test: "In-domain test"
        case SuiteName.longer: "Longer chains"
        case SuiteName.families: "Unseen families"
        case SuiteName.development: "Development split"
        default: suite
        }
    }

    /// The whole page.
    var html: Markup {
        let sections: [(id: String, title: String, body: Markup?)] = [
            ("claims", "The paper's claims", claimsSection),
            ("results", "Results", resultsSection),
            ("grid", "Weights of key-step learning", gridSection),
            ("probes", "Key-step learning step by step", probesSection),
            ("tests", "Paired tests", testsSection),
            ("search", "Search for learning rates", searchSection),
            ("yields", "The teacher's yields", yieldsSection),
            ("examples", "Examples", examplesSection),
            ("configuration", "Configuration", configurationSection),
        ]
        let shown = sections.compactMap { section in section.body.map { (section.id, section.title, $0) } }
        let links = shown.map { "<li><a href=\"#\($0.0)\">\($0.1)</a></li>" as Markup }
        let bodies = shown.map { id, title, body in
            """
            <section id="\(id)" aria-labelledby="\(id)-heading">
            <h2 id="\(id)-heading">\(title)</h2>
            \(body)
            </section>
            """ as Markup
        }
        return """
            <!DOCTYPE html>
            <html lang="en">
            <head>
            <meta charset="utf-8"/>
            <meta name="viewport" content="width=device-width, initial-scale=1"/>
            <meta name="color-scheme" content="light dark"/>
            <title>\(results.table.title)</title>
            <style>
            \(ReportStyle.sheet)
            </style>
            </head>
            <body>
            <header>
            <h1>\(results.table.title)</h1>
            \(introduction)
            <nav aria-label="Sections"><ol>\(links)</ol></nav>
            </header>
            <main>
            \(bodies)
            </main>
            </body>
            </html>

            """
    }

    /// What was run, in a paragraph.
    private var introduction: Markup {
        let plan = results.plan
        let seeds = Figures.count(plan.seeds.count, "seed", "seeds")
        let names = Figures.list(plan.seeds.map(String.init))
        let arms = Figures.count(results.rows.count, "arm was", "arms were")
        let trials = plan.supervisedRates.map(Figures.rate)
        let second = plan.secondStageRates.map(Figures.rate)
        let size = plan.student
        let isByPasses = results.table.arms.contains { $0.length == .passes }
        let stageOne =
            isByPasses
            ? "\(Figures.weight(plan.supervisedPasses)) passes over the examples"
            : "\(Figures.count(plan.supervisedTokens)) tokens"
        return """
            <p>\(arms) run with \(seeds) (\(names)), each with training problems, a simulated teacher, a tokenizer and \
            initial weights of its own. A seed has \(Figures.count(plan.trainingProblems)) training problems, \
            \(Figures.count(plan.rolloutProblems)) held back for the student's own attempts, \
            \(Figures.count(plan.developmentProblems)) for choices, \(Figures.count(plan.testProblems)) held-out \
            problems of the training domain, and \(Figures.count(plan.outOfDomainProblems)) in each suite outside it. \
            The student is a decoder of \(Figures.count(size.layers, "layer", "layers")), width \(size.hidden), \
            \(Figures.count(size.heads, "head", "heads")), feed-forward width \(size.intermediate) and at most \
            \(Figures.count(size.vocabulary)) tokens of vocabulary, trained from random weights: stage one on \
            \(stageOne), a second stage on \(Figures.count(plan.secondStageTokens)) tokens. Learning rates were chosen on the development split of seed \
            \(String(plan.searchSeed)), which is in no figure, from as many candidates for every arm of a stage: \
            \(Figures.list(trials)) in stage one, \(Figures.list(second)) in the second. All work took \
            \(Figures.duration(results.seconds)) of computing on one thread.</p>
            """
    }
}
