import Distillation
import Foundation
import PostgresClient
import Schemas
import ServiceRuntime
import StageSupport
import Testing

@testable import TemplateDistillerCore

@Suite("Judging candidates")
struct VerdictTests {
    @Test("a candidate is judged once it and the champion are scored on the gate's suites")
    func waits() async throws {
        let gate = RunGate(suite: "held-out", mustNotFall: ["guard"])
        try await GateBench.with(suites: [.ofTen(), .ofTen("guard")], gate: gate) { gates in
            #expect(try await gates.next() == nil, "there is no candidate")
            let candidate = try await gates.train()
            #expect(try await gates.next() == nil)
            try await gates.score(candidate, solves: 0..<10)
            try await gates.score(gates.initial, solves: 0..<2)
            #expect(try await gates.next() == nil, "the guarded suite is not scored")
            try await gates.score(candidate, solves: 0..<2, on: "guard")
            try await gates.ask(gates.initial, on: "guard")
            #expect(try await gates.next() == nil)
            try await gates.score(gates.initial, solves: 0..<2, on: "guard")
            #expect(try await gates.next() == "judge")
        }
    }

    @Test(
        "a candidate that is better is the champion: a verdict, its event, the end of the round and the models' names"
    )
    func promoted() async throws {
        try await GateBench.with { gates in
            let candidate = try await gates.train()
            try await gates.score(gates.initial, solves: [0, 1])
            try await gates.score(candidate, solves: 0..<10)
            let verdict = try await gates.judge()
            #expect(verdict.runId == "r1" && verdict.round == 1)
            #expect(verdict.decision == .promote && verdict.by == .gate)
            #expect(verdict.reasons.first?.hasPrefix("better than the champion: 80.0 points on held-out") == true)
            #expect(verdict.candidateCheckpointId == candidate.id && verdict.candidateModelHash == candidate.modelHash)
            #expect(verdict.championCheckpointId == gates.initial.id, "it was until then")
            #expect(verdict.look == 1 && verdict.level == 0.025)
            let comparison = try #require(verdict.comparison)
            #expect(comparison.problems == 10)
            #expect(comparison.candidateCorrect == 10 && comparison.championCorrect == 2)
            #expect(comparison.onlyCandidate == 8 && comparison.onlyChampion == 0)
            #expect(abs(comparison.pValue - 0.007_812_5) < 1e-12)
            #expect(verdict.guards.isEmpty)
            #expect(try await gates.bench.outbox(VerdictEvent.self) == [verdict])
            let source = try await gates.bench.pool.value("SELECT source FROM outbox", as: String.self)
            #expect(source == "/errata/template-distiller")
            #expect(try await gates.rounds().map(\.isOver) == [true])
            #expect(try await RoundStore.champion(of: "r1", from: gates.bench.pool) == candidate.id)
            #expect(try await gates.next() == nil, "a round is judged once")
            let hash = candidate.modelHash
            #expect(
                try gates.names()
                    == ["first-run.champion": hash, "first-run.latest": hash, "first-run.round-1": hash]
            )
        }
    }

    @Test("a candidate that is not shown to be better leaves the champion, and has its names all the same")
    func held() async throws {
        try await GateBench.with { gates in
            let candidate = try await gates.train()
            try await gates.score(gates.initial, solves: 0..<4)
            try await gates.score(candidate, solves: 0..<7)
            let verdict = try await gates.judge()
            #expect(verdict.decision == .hold && verdict.comparison?.onlyCandidate == 3)
            #expect(try await RoundStore.champion(of: "r1", from: gates.bench.pool) == gates.initial.id)
            #expect(
                try gates.names() == [
                    "first-run.champion": gates.bench.student.hash, "first-run.latest": candidate.modelHash,
                    "first-run.round-1": candidate.modelHash,
                ]
            )
        }
    }

    @Test("a candidate that falls on a guarded suite is rejected with the comparison there")
    func fallen() async throws {
        let gate = RunGate(suite: "held-out", mustNotFall: ["guard"])
        try await GateBench.with(suites: [.ofTen(), .ofTen("guard")], gate: gate) { gates in
            let candidate = try await gates.train()
            try await gates.score(gates.initial, solves: [0, 1])
            try await gates.score(candidate, solves: 0..<10)
            try await gates.score(gates.initial, solves: 0..<9, on: "guard")
            try await gates.score(candidate, solves: [9], on: "guard")
            let verdict = try await gates.judge()
            #expect(verdict.decision == .reject)
            // 9 only the champion, 1 only the candidate: 2 (1 + 10) / 1024.
            #expect(verdict.guards.map(\.suite) == ["guard"])
            #expect(verdict.guards.map(\.onlyChampion) == [9] && verdict.guards.map(\.onlyCandidate) == [1])
            #expect(abs((verdict.guards.first?.pValue ?? 0) - 0.021_484_375) < 1e-12)
            #expect(try await RoundStore.champion(of: "r1", from: gates.bench.pool) == gates.initial.id)
        }
    }

    @Test("the stage that the gate names gives the candidate; where it names none, the last one does")
    func candidateStage() async throws {
        let stages: [RunStage] = [.templates(), .templates("last", parent: "templates")]
        for (stage, expected) in [("templates", "templates"), (nil, "last")] {
            let gate = RunGate(suite: "held-out", stage: stage)
            try await GateBench.with(stages: stages, gate: gate) { gates in
                try await gates.score(gates.initial, solves: [0])
                for stage in ["templates", "last"] { try await gates.score(gates.train(stage), solves: [0]) }
                let candidate = gates.bench.checkpoint(expected, of: gates.run).id
                #expect(try await gates.judge().candidateCheckpointId == candidate)
            }
        }
    }

    @Test("a round whose candidate failed gives none, and the reason is told")
    func failed() async throws {
        let stages: [RunStage] = [.templates("first"), .templates(parent: "first")]
        try await GateBench.with(stages: stages) { gates in
            try await gates.fail("first")
            #expect(try await gates.next() == "give up")
            let verdict = try await gates.judge()
            #expect(verdict.decision == .hold && verdict.by == .gate)
            #expect(verdict.reasons == ["the stage templates failed: not trained, as the stage first failed"])
            #expect(verdict.candidateCheckpointId == nil && verdict.comparison == nil && verdict.look == nil)
            #expect(verdict.championCheckpointId == gates.initial.id)
            #expect(try await gates.bench.outbox(VerdictEvent.self) == [verdict])
            #expect(try await gates.rounds().map(\.isOver) == [true])
            #expect(try gates.names() == ["first-run.champion": gates.bench.student.hash])
        }
    }

    @Test(
        "a round without scores to judge by gives none, and the reason is told",
        arguments: ["candidate", "champion"]
    )
    func leftOut(who: String) async throws {
        try await GateBench.with { gates in
            let candidate = try await gates.train()
            try await gates.leaveOut(who == "candidate" ? candidate : gates.initial)
            try await gates.score(who == "candidate" ? gates.initial : candidate, solves: [0])
            #expect(try await gates.next() == "give up")
            let verdict = try await gates.judge()
            #expect(verdict.decision == .hold && verdict.candidateCheckpointId == nil)
            #expect(verdict.reasons == ["there are no scores on held-out: none of its 10 problems came"])
        }
    }

    @Test("each look of the gate has its own level, and a round that was not compared is no look")
    func looks() async throws {
        try await GateBench.with { gates in
            try await gates.score(gates.initial, solves: 0..<2)
            try await gates.fail()
            #expect(try await gates.judge().look == nil)
            for round in 2...3 {
                _ = try await gates.bench.process(
                    RunControlEvent(id: "round-\(round)", runId: "r1", action: .startRound)
                )
                let candidate = try await gates.train(round: round)
                // 7 against none: p 1/64, which counts at the first look (0.025) and not at the second (0.0083).
                try await gates.score(candidate, solves: round == 2 ? 0..<4 : 0..<9)
                let verdict = try await gates.judge(round: round)
                #expect(verdict.look == round - 1 && verdict.decision == .hold)
                #expect(abs((verdict.level ?? 0) - (round == 2 ? 0.025 : 0.05 / 6)) < 1e-15)
            }
            let last = try #require(try await gates.verdicts().last)
            #expect(last.comparison?.onlyCandidate == 7 && abs((last.comparison?.pValue ?? 0) - 0.015_625) < 1e-12)
        }
    }

    @Test("a candidate is compared with the champion of the time, not with the untrained student")
    func againstChampion() async throws {
        try await GateBench.with { gates in
            try await gates.score(gates.initial, solves: [])
            let first = try await gates.train()
            try await gates.score(first, solves: 0..<10)
            #expect(try await gates.judge().decision == .promote)
            _ = try await gates.bench.process(RunControlEvent(id: "o", runId: "r1", action: .startRound))
            let second = try await gates.train(round: 2)
            try await gates.score(second, solves: 0..<9)
            let verdict = try await gates.judge(round: 2)
            #expect(verdict.championCheckpointId == first.id && verdict.decision == .hold)
            #expect(verdict.comparison?.championCorrect == 10 && verdict.comparison?.candidateCorrect == 9)
            #expect(
                try gates.names() == [
                    "first-run.champion": first.modelHash, "first-run.latest": second.modelHash,
                    "first-run.round-1": first.modelHash, "first-run.round-2": second.modelHash,
                ]
            )
        }
    }
}
