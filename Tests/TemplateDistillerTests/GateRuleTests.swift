import Foundation
import Schemas
import Testing

@testable import TemplateDistillerCore

/// The p values are the two-sided exact McNemar test's: of n problems that only one of both solves, m by the one that
/// solves fewer of them, p = 2 (C(n, 0) + … + C(n, m)) / 2^n, at most 1.
@Suite("The gate's rule")
struct GateRuleTests {
    /// The outcomes of a candidate and a champion on a suite.
    private static func outcomes(
        onlyCandidate: Int,
        onlyChampion: Int,
        both: Int = 5,
        neither: Int = 7
    ) -> (candidate: [String: Bool], champion: [String: Bool]) {
        var candidate: [String: Bool] = [:]
        var champion: [String: Bool] = [:]
        for (count, solved) in [
            (onlyCandidate, (true, false)), (onlyChampion, (false, true)), (both, (true, true)),
            (neither, (false, false)),
        ] {
            for _ in 0..<count {
                let id = "p\(candidate.count)"
                (candidate[id], champion[id]) = solved
            }
        }
        return (candidate, champion)
    }

    private func decide(
        _ onlyCandidate: Int,
        _ onlyChampion: Int,
        look: Int = 1,
        leastGain: Double? = nil,
        level: Double? = nil,
        guards: [String: (Int, Int)] = [:]
    ) -> GateRule.Finding {
        let gate = RunGate(
            suite: "main",
            leastGain: leastGain,
            level: level,
            mustNotFall: guards.isEmpty ? nil : guards.keys.sorted()
        )
        var candidate: [String: GateRule.Outcomes] = [:]
        var champion: [String: GateRule.Outcomes] = [:]
        (candidate["main"], champion["main"]) = Self.outcomes(onlyCandidate: onlyCandidate, onlyChampion: onlyChampion)
        for (suite, counts) in guards {
            (candidate[suite], champion[suite]) = Self.outcomes(onlyCandidate: counts.0, onlyChampion: counts.1)
        }
        return GateRule(gate: gate, look: look).decide(candidate: candidate, champion: champion)
    }

    @Test(
        "the comparison has the exact test's p",
        arguments: [
            (8, 0, 0.007_812_5), (0, 8, 0.007_812_5), (6, 0, 0.031_25), (7, 1, 0.070_312_5), (9, 1, 0.021_484_375),
            (10, 1, 0.011_718_75), (3, 3, 1), (2, 1, 1), (0, 0, 1),
        ]
    )
    func figures(onlyCandidate: Int, onlyChampion: Int, p: Double) {
        let comparison = decide(onlyCandidate, onlyChampion).comparison
        #expect(comparison.suite == "main")
        // Five problems are solved by both and seven by neither.
        #expect(comparison.problems == onlyCandidate + onlyChampion + 12)
        #expect(comparison.candidateCorrect == onlyCandidate + 5 && comparison.championCorrect == onlyChampion + 5)
        #expect(comparison.onlyCandidate == onlyCandidate && comparison.onlyChampion == onlyChampion)
        #expect(abs(comparison.pValue - p) < 1e-12)
    }

    @Test("only problems that both were scored on are compared")
    func shared() {
        let comparison = GateRule.compare(
            "main",
            candidate: ["a": true, "b": true, "c": false, "late": true],
            champion: ["a": true, "b": false, "c": false, "early": true]
        )
        #expect(comparison.problems == 3)
        #expect(comparison.candidateCorrect == 2 && comparison.championCorrect == 1)
        #expect(comparison.onlyCandidate == 1 && comparison.onlyChampion == 0 && comparison.pValue == 1)
    }

    @Test(
        "the level of the k-th look is that of all divided by k (k + 1)",
        arguments: [
            (1, nil, 0.025), (2, nil, 0.05 / 6), (3, nil, 0.05 / 12), (1, 0.2, 0.1), (4, 0.2, 0.01),
        ] as [(Int, Double?, Double)]
    )
    func levels(look: Int, all: Double?, expected: Double) {
        let rule = GateRule(gate: RunGate(suite: "main", level: all), look: look)
        #expect(abs(rule.level - expected) < 1e-15)
    }

    @Test(
        "a candidate is promoted when the difference counts at its look: p 1/128 does at two looks, and not at the third"
    )
    func promote() {
        for (look, decision) in [(1, VerdictEvent.Decision.promote), (2, .promote), (3, .hold)] {
            #expect(decide(8, 0, look: look).decision == decision, "look \(look)")
        }
        let finding = decide(8, 0)
        #expect(finding.reasons.count == 1)
        // 8 of 20 problems.
        #expect(finding.reasons.first?.hasPrefix("better than the champion: 40.0 points on main") == true)
        #expect(finding.reasons.first?.contains("20 problems") == true)
        #expect(finding.guards.isEmpty)
    }

    @Test("a candidate that is not shown to be better is held")
    func hold() {
        // p 1/32 is above 0.025.
        for counts in [(6, 0), (7, 1), (3, 3), (0, 0), (0, 6)] {
            let finding = decide(counts.0, counts.1)
            #expect(finding.decision == .hold, "\(counts)")
            #expect(finding.reasons.first?.hasPrefix("not shown to be better: ") == true)
        }
        // At a level of 0.1 it counts.
        #expect(decide(6, 0, level: 0.1).decision == .promote)
    }

    @Test("a gain that counts but is less than the least one is held")
    func leastGain() {
        // 8 of 20 problems are 0.4.
        let held = decide(8, 0, leastGain: 0.41)
        #expect(held.decision == .hold)
        #expect(held.reasons.first?.hasPrefix("the gain is less than 41.0 points: 40.0 points on main") == true)
        #expect(decide(8, 0, leastGain: 0.4).decision == .promote)
        // (9 - 1) of 22 problems.
        #expect(decide(9, 1, leastGain: 0.37).decision == .hold)
        #expect(decide(9, 1, leastGain: 0.36).decision == .promote)
    }

    @Test("a candidate that is shown to be worse is rejected")
    func worse() {
        let finding = decide(0, 8)
        #expect(finding.decision == .reject)
        #expect(finding.reasons.first?.hasPrefix("the candidate is worse: -40.0 points on main") == true)
        #expect(decide(0, 8, look: 3).decision == .hold, "at the third look that does not count")
    }

    @Test(
        "a candidate that falls on a guarded suite is rejected, however much it gains; a fall that does not count is not one"
    )
    func guards() {
        let fallen = decide(8, 0, guards: ["arithmetic": (0, 8), "algebra": (1, 2)])
        #expect(fallen.decision == .reject)
        #expect(fallen.guards.map(\.suite) == ["algebra", "arithmetic"])
        #expect(fallen.guards.map(\.onlyChampion) == [2, 8])
        #expect(fallen.reasons.count == 1)
        #expect(fallen.reasons.first?.hasPrefix("it falls on arithmetic: -40.0 points") == true)
        #expect(fallen.comparison.onlyCandidate == 8)
        #expect(decide(8, 0, guards: ["algebra": (0, 6)]).decision == .promote, "p 1/32 does not count")
        #expect(decide(8, 0, guards: ["algebra": (8, 0)]).decision == .promote)
        // A candidate that would only be held is rejected for a fall too.
        #expect(decide(1, 0, guards: ["algebra": (0, 8)]).decision == .reject)
    }

    @Test("a suite without scores shows nothing")
    func noScores() {
        let finding = GateRule(gate: RunGate(suite: "main"), look: 1).decide(candidate: [:], champion: [:])
        #expect(finding.decision == .hold)
        #expect(finding.comparison.problems == 0 && finding.comparison.pValue == 1)
    }
}
