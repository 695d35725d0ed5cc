import Foundation
import PostgresClient
import Schemas
import ServiceRuntime
import StageSupport
import Testing

@testable import TemplateDistillerCore

@Suite("Keeping runs going")
struct RoundKeeperTests {
    /// Trains and judges the first round, which learned from the problems p00 and p01; its candidate is promoted.
    private func firstRound(_ gates: GateBench) async throws -> CheckpointEvent {
        try await gates.bench.insertTemplates(0..<2)
        try await gates.learn(["p00", "p01"])
        let candidate = try await gates.train()
        try await gates.score(gates.initial, solves: [])
        try await gates.score(candidate, solves: 0..<10)
        #expect(try await gates.judge().decision == .promote)
        return candidate
    }

    @Test("the next round starts with enough new problems: a job a stage, from the champion")
    func newProblems() async throws {
        try await GateBench.with(rounds: RunRounds(newProblems: 2)) { gates in
            let champion = try await firstRound(gates)
            #expect(try await gates.next() == nil, "there is no new problem")
            try await gates.bench.insertTemplate(2)
            try await gates.bench.insert(problem: 3, split: .test)
            try await gates.bench.insertTemplate(4, dataset: "other")
            #expect(try await gates.next() == nil, "there is one")
            try await gates.bench.insertTemplate(5)
            #expect(try await gates.next() == "next")
            try await gates.keep("the next round") { try await gates.rounds().count == 2 }
            let round = try #require(try await gates.rounds().last)
            #expect(round.number == 2 && !round.isOver)
            #expect(round.champion == champion.id && round.start == champion.id)
            #expect(try await gates.bench.job("templates", round: 2)?.state == .waiting)
            #expect(try await gates.bench.job("templates", round: 1)?.state == .done)
            let reasons = try await gates.bench.pool.values(
                "SELECT reason FROM rounds ORDER BY number",
                as: String.self
            )
            #expect(reasons == ["the run arrived", "2 new problems"])
            #expect(try await gates.next() == nil, "a round at a time")
        }
    }

    @Test("problems whose traces were all refused start no round")
    func refused() async throws {
        for rounds in [RunRounds(newProblems: 2), RunRounds(afterSeconds: 0)] {
            try await GateBench.with(rounds: rounds) { gates in
                _ = try await firstRound(gates)
                for number in 2..<5 {
                    try await gates.bench.insert(problem: number)
                    try await gates.bench.insert(Sum(number).templateBody, problem: number, verified: false)
                    // Verified, and of a kind that no stage learns from.
                    try await gates.bench.insert(Sum(number).dualBody, problem: number)
                }
                #expect(try await gates.next() == nil)
                try await gates.bench.insertTemplate(5)
                #expect(try await gates.next() == "next")
            }
        }
    }

    @Test("the next round starts some time after the last verdict, if there is anything new")
    func afterSeconds() async throws {
        try await GateBench.with(rounds: RunRounds(afterSeconds: 1000, from: "initial")) { gates in
            let champion = try await firstRound(gates)
            try await gates.bench.pool.execute("UPDATE rounds SET ended_at = now() - interval '1001 seconds'")
            #expect(try await gates.next() == nil, "there is nothing new")
            try await gates.bench.insertTemplate(2)
            try await gates.bench.pool.execute("UPDATE rounds SET ended_at = now() - interval '300 seconds'")
            #expect(try await gates.next() == nil)
            try await gates.bench.pool.execute("UPDATE rounds SET ended_at = now() - interval '1001 seconds'")
            #expect(try await gates.next() == "next")
            try await gates.keep("the next round") { try await gates.rounds().count == 2 }
            let round = try #require(try await gates.rounds().last)
            // The run says that stages start from the untrained student in each round.
            #expect(round.champion == champion.id && round.start == gates.initial.id)
        }
    }

    @Test("without a condition the next round starts by hand alone")
    func byHand() async throws {
        try await GateBench.with { gates in
            _ = try await firstRound(gates)
            try await gates.bench.insertTemplates(2..<9)
            try await gates.bench.pool.execute("UPDATE rounds SET ended_at = now() - interval '1000 days'")
            #expect(try await gates.next() == nil)
        }
    }

    @Test("the next round waits for the last one's other stages, also when its candidate is judged")
    func otherStages() async throws {
        let stages: [RunStage] = [.templates(), .templates("aside")]
        try await GateBench.with(stages: stages, rounds: RunRounds(newProblems: 1)) { gates in
            _ = try await firstRound(gates)
            try await gates.bench.insertTemplate(2)
            #expect(try await gates.next() == nil)
            try await gates.fail("aside")
            #expect(try await gates.next() == "next")
        }
    }

    @Test("a stage has no job in a round after its last one, which waits for nothing of it; its problems start none")
    func lastRound() async throws {
        var control = RunStage.templates("control", data: StageData(datasets: [StageBench.dataset, "other"]))
        control.lastRound = 1
        try await GateBench.with(stages: [.templates(), control], rounds: RunRounds(newProblems: 1)) { gates in
            try await gates.train("control")
            _ = try await firstRound(gates)
            try await gates.bench.insertTemplate(2, dataset: "other")
            #expect(try await gates.next() == nil, "only the control may learn from it")
            try await gates.bench.insertTemplate(3)
            #expect(try await gates.next() == "next")
            try await gates.keep("the second round") { try await gates.rounds().count == 2 }
            #expect(try await gates.bench.job("templates", round: 2)?.state == .waiting)
            #expect(try await gates.bench.job("control", round: 1)?.state == .done)
            #expect(try await gates.bench.job("control", round: 2) == nil)
            let candidate = try await gates.train(round: 2)
            try await gates.score(candidate, solves: 0..<10)
            #expect(try await gates.judge(round: 2).decision == .hold)
            try await gates.bench.insertTemplate(4)
            #expect(try await gates.next() == "next")
        }
    }

    @Test("problems that no stage of the run may learn from start no round")
    func problemsOfOthers() async throws {
        let stage = RunStage.templates(data: StageData(families: ["pears"]))
        try await GateBench.with(stages: [stage], rounds: RunRounds(newProblems: 1)) { gates in
            _ = try await firstRound(gates)
            try await gates.bench.insertTemplate(2, family: "plums")
            #expect(try await gates.next() == nil)
            try await gates.bench.insertTemplate(3, family: "pears")
            #expect(try await gates.next() == "next")
        }
    }

    @Test("problems beyond the most that a stage takes start no round, unless each round takes the first new ones")
    func problemsBeyondLimit() async throws {
        let stage = RunStage.templates(data: StageData(limit: 2))
        for (data, expected) in [(nil, nil), ("new", "next")] as [(String?, String?)] {
            try await GateBench.with(stages: [stage], rounds: RunRounds(newProblems: 1, data: data)) { gates in
                _ = try await firstRound(gates)
                #expect(try await gates.next() == nil)
                try await gates.bench.insertTemplate(2)
                #expect(try await gates.next() == expected, "\(data ?? "all")")
            }
        }
    }

    @Test("a round asks for the roll-outs of parents that no stage of it makes")
    func rollouts() async throws {
        let stages: [RunStage] = [
            .supervised(["attempts"], "self", parent: "champion", examples: nil),
            .templates(parent: "self"),
        ]
        try await GateBench.with(stages: stages, rounds: RunRounds(newProblems: 1)) { gates in
            try await gates.train("self")
            let champion = try await firstRound(gates)
            try await gates.bench.insertTemplate(2)
            try await gates.keep("the next round") { try await gates.rounds().count == 2 }
            let jobs = try await EvaluationJobStore.jobs(run: "r1", from: gates.bench.pool).filter { $0.suite == nil }
            #expect(jobs.map(\.checkpoint) == [champion.id])
            #expect(jobs.map(\.round) == [2] && jobs.map(\.state) == [.waiting])
        }
    }

    // MARK: The end

    /// Lets the keeper finish a younger run, before which it did what there was to do for the bench's.
    private func keepAnother(_ gates: GateBench) async throws {
        let pool = gates.bench.pool
        try await gates.bench.insert(gates.bench.run("r2", stages: []))
        try await gates.keep("the other's end") { try await RunStore.state(of: "r2", from: pool)?.state == .finished }
    }

    @Test("after its last round the run is finished")
    func maximum() async throws {
        try await GateBench.with(rounds: RunRounds(newProblems: 1, maximum: 1)) { gates in
            _ = try await firstRound(gates)
            try await gates.bench.insertTemplate(2)
            #expect(try await gates.next() == "finish")
            try await gates.keep("the end") { try await gates.state() == .finished }
            #expect(try await RunStore.state(of: "r1", from: gates.bench.pool)?.reason == "all rounds are over")
            #expect(try await gates.rounds().count == 1)
            #expect(try await gates.next() == nil)
        }
    }

    @Test("a run with a gate and without rounds is finished after its verdict")
    func oneRound() async throws {
        try await GateBench.with(rounds: nil) { gates in
            _ = try await firstRound(gates)
            try await gates.keep("the end") { try await gates.state() == .finished }
        }
    }

    @Test("a run without a gate is finished when its stages are done or failed and all checkpoints are scored")
    func withoutGate() async throws {
        let stages: [RunStage] = [.templates("a"), .templates("b", parent: "a"), .templates("c")]
        try await GateBench.with(stages: stages, rounds: nil, gate: nil) { gates in
            try await gates.score(gates.initial, solves: [])
            try await gates.fail("a")
            #expect(try await gates.next() == nil, "a stage waits")
            let last = try await gates.train("c")
            try await gates.ask(last)
            #expect(try await gates.next() == nil, "its last checkpoint is not scored")
            try await gates.score(last, solves: [])
            #expect(try await gates.next() == "finish")
            try await gates.keep("the end") { try await gates.state() == .finished }
            #expect(try await gates.rounds().map(\.isOver) == [true])
            #expect(try await gates.verdicts().isEmpty)
            #expect(try gates.names() == ["first-run.latest": last.modelHash, "first-run.round-1": last.modelHash])
        }
    }

    @Test("a run is not finished before its checkpoints' scoring is even asked for")
    func notAskedYet() async throws {
        try await GateBench.with(rounds: nil, gate: nil) { gates in
            let last = try await gates.train()
            try await gates.score(gates.initial, solves: [])
            try await keepAnother(gates)
            #expect(try await gates.state() == .active)
            try await gates.leaveOut(last)
            try await gates.keep("the end") { try await gates.state() == .finished }
        }
    }

    @Test("a run whose first checkpoint is not there yet is not finished, be it one that trains nothing")
    func notTakenUpYet() async throws {
        try await StageBench.with { bench in
            // Another service has written it; this one has not taken it up.
            let run = bench.run(stages: [], suites: [.ofTen()])
            try await bench.insert(run, initial: false)
            let gates = GateBench(bench: bench, run: run)
            try await keepAnother(gates)
            #expect(try await gates.state() == .active)
            try await bench.insert(gates.initial)
            try await gates.score(gates.initial, solves: [])
            try await gates.keep("the end") { try await gates.state() == .finished }
        }
    }

    @Test("a cancelled run is left alone")
    func cancelled() async throws {
        try await GateBench.with { gates in
            let candidate = try await gates.train()
            try await gates.score(gates.initial, solves: [])
            try await gates.score(candidate, solves: 0..<10)
            #expect(try await gates.next() == "judge")
            _ = try await gates.bench.process(RunControlEvent(id: "o", runId: "r1", action: .cancel))
            #expect(try await gates.next() == nil)
        }
    }

    @Test(
        "the models' names begin with the run's name, as far as it can be one",
        arguments: [
            ("first run", "first-run"), ("GSM8K_v1.2", "GSM8K_v1.2"), ("…/zwölf Äpfel", "zw-lf--pfel"), ("äöü", "run"),
            (String(repeating: "x", count: 90), String(repeating: "x", count: 80)),
        ]
    )
    func prefix(name: String, expected: String) {
        #expect(RoundKeeper.namePrefix(name) == expected)
    }
}
