import Foundation
import Reasoning
import Schemas
import Teaching

/// What the teacher's work on a file's problems will cost.
struct Estimate: Sendable, Equatable, Encodable {
    /// The calls with one prompt.
    struct Line: Sendable, Equatable, Encodable {
        let prompt: String
        let role: String
        let calls: Int
        /// Tokens sent.
        let promptTokens: Int
        /// Tokens received.
        let completionTokens: Int
        /// Nil where the role has no price.
        let cost: Double?
        let basis: Basis
    }

    /// Where the figures of a line are from.
    struct Basis: Sendable, Equatable, Encodable {
        let calls: String
        let sent: String
        let received: String
    }

    /// Problems that the teacher is asked about.
    let problems: Int
    /// Problems that no teacher is asked about.
    let others: Int
    /// Lines that were refused.
    let rejected: Int
    let lines: [Line]
    /// Sums over the prompts; money is that of the roles with a price, nil where none has one.
    let calls: Int
    let promptTokens: Int
    let completionTokens: Int
    let cost: Double?
    /// Roles that are asked and have no price.
    let withoutPrice: [String]
    /// What the estimate is of, and who wants it, in words.
    let scope: String
    /// Problems without an answer, which runs may have answered by agreement.
    let unanswered: Int
    /// The fewest and the most calls for their answers, by the agreement that an active run asks for; nil without one.
    let agreementCalls: [Int]?

    /// Makes an estimate.
    ///
    /// Arguments:
    ///   - needs: what is estimated, and who wants it.
    ///   - ledger: what was measured; nil where there is no database.
    ///   - prices: what the roles' tokens cost.
    init(
        _ tally: EstimateTally,
        ledger: LedgerMeans?,
        prices: [TeacherRole: TeacherSettings.Price],
        needs: EstimateNeeds = EstimateNeeds(parts: EstimatePart.allCases, reason: "as --parts says"),
        rejected: Int = 0
    ) {
        scope = needs.words
        unanswered = tally.unanswered
        agreementCalls = needs.agreement.map { [tally.unanswered * $0.agreeing, tally.unanswered * $0.of] }
        problems = tally.taught
        others = tally.others
        self.rejected = rejected
        lines = tally.ids.map { Self.line($0, tally, ledger, prices[$0.role]) }
        calls = lines.reduce(0) { $0 + $1.calls }
        promptTokens = lines.reduce(0) { $0 + $1.promptTokens }
        completionTokens = lines.reduce(0) { $0 + $1.completionTokens }
        let costs = lines.compactMap(\.cost)
        cost = costs.isEmpty ? nil : costs.reduce(0, +)
        withoutPrice = TeacherRole.allCases.filter { role in
            prices[role] == nil && tally.ids.contains { $0.role == role }
        }.map(\.rawValue)
    }

    private static func line(
        _ id: PromptID,
        _ tally: EstimateTally,
        _ ledger: LedgerMeans?,
        _ price: TeacherSettings.Price?
    ) -> Line {
        let known = ledger?.calls[id]
        var perProblem = EstimateDefaults.callsPerProblem
        var callsBasis = "default: \(number(perProblem)) a problem"
        if let known, known.problems > 0 {
            perProblem = Double(known.count) / Double(known.problems)
            callsBasis = "ledger: \(known.count) for \(known.problems) problems"
        }
        let ratio = known?.charactersPerToken ?? EstimateDefaults.charactersPerToken
        let source = known?.charactersPerToken == nil ? "default" : "ledger"
        let characters = "\(number(ratio)) characters a token"
        let sent = Double(tally.sent[id] ?? 0) * perProblem / ratio
        let calls = Double(tally.taught) * perProblem
        var received = Double(tally.received[id] ?? 0) * perProblem / EstimateDefaults.charactersPerToken
        var receivedBasis = receivedDefault(id)
        if let known, known.count > 0 {
            let mean = Double(known.completionTokens) / Double(known.count)
            received = calls * mean
            receivedBasis = "ledger: \(number(mean)) tokens a call"
        }
        let (promptTokens, completionTokens) = (Int(sent.rounded()), Int(received.rounded()))
        return Line(
            prompt: id.rawValue,
            role: id.role.rawValue,
            calls: Int(calls.rounded()),
            promptTokens: promptTokens,
            completionTokens: completionTokens,
            cost: price?.cost(promptTokens: promptTokens, completionTokens: completionTokens),
            basis: Basis(
                calls: callsBasis,
                sent: "the prompts as they are made; \(source): \(characters)",
                received: receivedBasis
            )
        )
    }

    private static func receivedDefault(_ id: PromptID) -> String {
        let ratio = "\(number(EstimateDefaults.charactersPerToken)) characters a token"
        switch id {
        case .chainOfThought, .rectify, .corrupt: return "default: the length of the reference solution, \(ratio)"
        case .templateExtraction:
            return "default: the reference solution's steps and \(EstimateDefaults.templateNotes) characters, \(ratio)"
        case .classifyMistake: return "default: \(EstimateDefaults.mistake) characters, \(ratio)"
        default: return "default: \(EstimateDefaults.verdict) characters, \(ratio)"
        }
    }

    /// A number with at most two places.
    private static func number(_ value: Double) -> String {
        value == value.rounded() && abs(value) < 1e15 ? String(Int(value)) : String(format: "%.2f", value)
    }

    // MARK: For people

    /// The table, the basis of each figure, and what is not in it.
    func rendered() -> String {
        var table = TextTable([
            ("prompt", .left), ("calls", .right), ("tokens sent", .right), ("received", .right), ("cost", .right),
        ])
        func money(_ cost: Double?) -> String { cost.map { String(format: "%.4f", $0) } ?? "" }
        for line in lines {
            table.add([
                line.prompt, "\(line.calls)", "\(line.promptTokens)", "\(line.completionTokens)", money(line.cost),
            ])
        }
        table.add(["all", "\(calls)", "\(promptTokens)", "\(completionTokens)", money(cost)])
        var basis = TextTable([("prompt", .left), ("", .left), ("from", .left)])
        for line in lines {
            basis.add([line.prompt, "calls", line.basis.calls])
            basis.add(["", "sent", line.basis.sent])
            basis.add(["", "received", line.basis.received])
        }
        var notes = ["\(problems) problems to ask a teacher about"]
        if others > 0 { notes[0] += "; \(others) to roll out or evaluate on, about which none is asked" }
        if rejected > 0 { notes[0] += "; \(rejected) lines rejected" }
        if !withoutPrice.isEmpty {
            notes.append(
                "no price of \(withoutPrice.joined(separator: ", ")): give one in the file of --teachers or ERRATA_TEACHERS"
            )
        }
        notes.append(scope)
        var left = ["corrections, which a run asks for", "thoughts of a model that thinks, where none was asked yet"]
        if unanswered > 0 {
            let calls = agreementCalls.map { "\($0[0]) to \($0[1]) calls of the solver" } ?? "a run's agreement"
            left.append(
                "\(unanswered) problems without an answer: \(calls) for the answers, and then the work on each that has one"
            )
        }
        notes.append("not in it: \(left.joined(separator: "; "))")
        return [table.rendered(), basis.rendered(), notes.joined(separator: "\n")].joined(separator: "\n\n")
    }

    /// The estimate as a line of JSON.
    func json() throws -> String { String(decoding: try EventCoding.encodeJSON(self), as: UTF8.self) }
}
