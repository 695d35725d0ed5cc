import Foundation
import Schemas
import ServiceRuntime

/// What `errata status` says.
enum StatusText {
    /// The most lines of a list.
    private static let listed = 10
    /// The most characters of a reason.
    private static let shownReason = 120

    /// All of the database's figures.
    ///
    /// Arguments:
    ///   - rates: tokens a second where they were measured; else they are over the whole time of a training.
    static func text(
        of figures: StatusFigures,
        rates: [StageID: Double] = [:],
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) -> String {
        var table = TextTable([("", .left), ("count", .right), ("share", .right)])
        for line in figures.counts.lines { table.add([line.name, String(line.count), line.share]) }
        var blocks = [table.rendered(), money(figures, environment), outbox(figures.system.outbox)]
        if !figures.letters.isEmpty { blocks.append(letters(figures.letters)) }
        if !figures.system.trainings.isEmpty { blocks.append(trainings(figures.system.trainings, rates)) }
        let waits = waiting(figures)
        if !waits.isEmpty { blocks.append(shortened(waits, "waits").joined(separator: "\n")) }
        if figures.storedCount > 0 { blocks.append(stored(figures)) }
        if figures.parkedCount > 0 { blocks.append(parked(figures)) }
        blocks.append(tables(figures))
        return blocks.joined(separator: "\n\n")
    }

    /// How far consumers are behind.
    static func text(of lags: [ConsumerLag]) -> String {
        var table = TextTable([("consumer group", .left), ("topics", .left), ("lag", .right)])
        for lag in lags {
            table.add([lag.group, lag.topics.map(\.rawValue).joined(separator: ", "), String(lag.messages)])
        }
        return table.rendered()
    }

    private static func money(_ figures: StatusFigures, _ environment: [String: String]) -> String {
        let today = figures.system.today
        let tokens = environment["ERRATA_TEACHER_DAY_TOKENS"].map { " of \($0)" } ?? ""
        let cost = environment["ERRATA_TEACHER_DAY_COST"].map { " of \($0)" } ?? ""
        var lines = [
            figures.ledger.rendered(),
            "today (UTC): \(today.calls) answers, \(today.tokens)\(tokens) tokens, cost \(amount(today.cost))\(cost)",
        ]
        lines += shortened(figures.system.budgets.map(budget), "budgets")
        return lines.joined(separator: "\n")
    }

    private static func budget(_ spent: SystemFigures.Spending) -> String {
        let tokens = spent.mostTokens.map { " of \($0)" } ?? ""
        let cost = spent.mostCost.map { " of \(amount($0))" } ?? ""
        return "run \((spent.run ?? "").prefix(8)): \(spent.tokens)\(tokens) tokens, cost \(amount(spent.cost))\(cost)"
    }

    private static func outbox(_ outbox: SystemFigures.Outbox) -> String {
        guard let oldest = outbox.oldestSeconds else { return "outbox: empty" }
        return "outbox: \(outbox.events) events wait to be published, the oldest for \(time(oldest))"
    }

    private static func letters(_ causes: [DeadLetters.Cause]) -> String {
        var table = TextTable([
            ("dead letters that are open", .left), ("consumer", .left), ("topic", .left), ("count", .right),
        ])
        for cause in causes.prefix(listed) {
            table.add([cause.code, cause.consumer, cause.topic, String(cause.count)])
        }
        return table.rendered()
            + (causes.count > listed ? "\n… `errata dead-letters list --count` has all \(causes.count) causes" : "")
    }

    private static func trainings(_ trainings: [SystemFigures.Training], _ rates: [StageID: Double]) -> String {
        var table = TextTable([
            ("in training", .left), ("round", .right), ("stage", .left), ("step", .right), ("loss", .right),
            ("tokens", .right), ("tokens/s", .right),
        ])
        for training in trainings {
            let mean = training.seconds > 0 ? Double(training.tokens) / training.seconds : 0
            table.add([
                "\(training.runName) (\(training.id.run.prefix(8)))", String(training.id.round), training.id.stage,
                "\(training.step)/\(training.totalSteps)", training.loss.map { String(format: "%.4f", $0) } ?? "",
                String(training.tokens), String(format: "%.0f", rates[training.id] ?? mean),
            ])
        }
        return table.rendered()
    }

    /// What waits for what.
    private static func waiting(_ figures: StatusFigures) -> [String] {
        let stages = figures.waiting.map { reason in
            let of = reason.id.round > 1 ? "round \(reason.id.round) of \(reason.runName)" : reason.runName
            return "stage \(reason.id.stage) of \(of) (\(reason.id.run.prefix(8))) waits for \(reason.what)"
        }
        let evaluations = figures.evaluations.map { job in
            let what = job.suite.map { "suite \($0)" } ?? "roll-out"
            let why = job.reason.map { ": \($0)" } ?? (job.state == .waiting ? " for problems" : "")
            return
                "\(what) of checkpoint \(job.checkpoint.prefix(8)) is \(job.state == .waiting ? "waiting" : "under way")\(why)"
        }
        return (stages + evaluations).map { TextTable.oneLine($0, atMost: shownReason) }
    }

    private static func stored(_ figures: StatusFigures) -> String {
        let lines = figures.stored.map { kind in
            let oldest = time(kind.oldestSeconds)
            return TextTable.oneLine(
                "  \(kind.count) of \(kind.consumer), the oldest for \(oldest): \(kind.reason)",
                atMost: shownReason
            )
        }
        let first = "\(figures.storedCount) messages are stored and not worked off; what most wait for:"
        return ([first] + lines).joined(separator: "\n")
    }

    private static func parked(_ figures: StatusFigures) -> String {
        let lines = figures.parked.map { entry in
            TextTable.oneLine("  \(entry.origin) of \(entry.consumer): \(entry.reason)", atMost: shownReason)
        }
        return (["\(figures.parkedCount) messages wait off their topics, the longest:"] + lines).joined(separator: "\n")
    }

    private static func tables(_ figures: StatusFigures) -> String {
        var table = TextTable([
            ("largest tables, and those that grow", .left), ("size", .right), ("rows, about", .right),
        ])
        for line in figures.system.tables {
            table.add([line.name, ByteCount.text(line.bytes), ByteCount.short(line.rows)])
        }
        if let bytes = figures.modelBytes { table.add(["the model store", ByteCount.text(bytes), ""]) }
        return table.rendered()
    }

    private static func shortened(_ lines: [String], _ what: String) -> [String] {
        lines.count > listed ? Array(lines.prefix(listed)) + ["… and \(lines.count - listed) more \(what)"] : lines
    }

    private static func amount(_ cost: Double) -> String { String(format: "%.4f", cost) }

    /// Seconds for people: `7 s`, `12 min`, `3.5 h`, `2.1 d`.
    static func time(_ seconds: Double) -> String {
        switch seconds {
        case ..<120: String(format: "%.0f s", max(0, seconds))
        case ..<7_200: String(format: "%.0f min", seconds / 60)
        case ..<172_800: String(format: "%.1f h", seconds / 3_600)
        default: String(format: "%.1f d", seconds / 86_400)
        }
    }
}
