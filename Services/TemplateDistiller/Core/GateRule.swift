import Reasoning
import Schemas

/// The gate's rule: a paired test of a candidate against the champion.
struct GateRule {
    let gate: RunGate
    /// How many candidates have been judged on the suite, this one included.
    let look: Int

    /// Which problems a student solved on a suite, by id.
    typealias Outcomes = [String: Bool]

    /// What is decided, and why.
    struct Finding: Equatable {
        var decision: VerdictEvent.Decision
        var reasons: [String]
        var comparison: GateComparison
        var guards: [GateComparison]
    }

    /// The p value that a difference may have at most.
    var level: Double { gate.level(atLook: look) }

    /// Decides.
    ///
    /// Arguments:
    ///   - candidate, champion: the outcomes by suite.
    func decide(candidate: [String: Outcomes], champion: [String: Outcomes]) -> Finding {
        func compare(_ suite: String) -> GateComparison {
            Self.compare(suite, candidate: candidate[suite] ?? [:], champion: champion[suite] ?? [:])
        }
        let main = compare(gate.suite)
        let guards = (gate.mustNotFall ?? []).map(compare)
        let fallen = guards.filter { $0.gain < 0 && $0.pValue <= level }
        let least = gate.leastGain ?? 0
        func points(_ share: Double) -> String { "\((share * 1000).rounded() / 10) points" }
        let figures = "\(points(main.gain)) on \(main.suite) (p \(main.pValue), \(main.problems) problems)"
        var finding = Finding(decision: .hold, reasons: [], comparison: main, guards: guards)
        if main.gain < 0, main.pValue <= level {
            finding.decision = .reject
            finding.reasons = ["the candidate is worse: \(figures)"]
        } else if !fallen.isEmpty {
            finding.decision = .reject
            finding.reasons = fallen.map { "it falls on \($0.suite): \(points($0.gain)) (p \($0.pValue))" }
        } else if main.pValue > level || main.gain <= 0 {
            finding.reasons = ["not shown to be better: \(figures) at a level of \(level)"]
        } else if main.gain < least {
            finding.reasons = ["the gain is less than \(points(least)): \(figures)"]
        } else {
            finding.decision = .promote
            finding.reasons = ["better than the champion: \(figures) at a level of \(level)"]
        }
        return finding
    }

    /// The comparison on the problems that both were scored on.
    static func compare(_ suite: String, candidate: Outcomes, champion: Outcomes) -> GateComparison {
        let pairs = PairedOutcomes(candidate, champion)
        return GateComparison(
            suite: suite,
            problems: pairs.problems,
            candidateCorrect: pairs.firstCorrect,
            championCorrect: pairs.secondCorrect,
            onlyCandidate: pairs.onlyFirst,
            onlyChampion: pairs.onlySecond,
            pValue: pairs.pValue
        )
    }
}
