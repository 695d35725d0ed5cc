import Distillation
import Foundation
import PostgresClient
import Schemas
import ServiceRuntime
import StageSupport
import Testing

@testable import TemplateDistillerCore

@Suite("What people tell runs")
struct RunControlTests {
    private func champion(_ gates: GateBench) async throws -> String? {
        try await RoundStore.champion(of: "r1", from: gates.bench.pool)
    }

    /// A run whose first round was judged: the candidate gained three problems of ten, and is held.
    private func withHeld(_ body: (GateBench, _ candidate: CheckpointEvent) async throws -> Void) async throws {
        try await GateBench.with { gates in
            let candidate = try await gates.train()
            try await gates.score(gates.initial, solves: 0..<4)
            try await gates.score(candidate, solves: 0..<7)
            #expect(try await gates.judge().decision == .hold)
            try await body(gates, candidate)
        }
    }

    @Test("orders to a run that does not exist are refused for good")
    func unknownRun() async throws {
        try await StageBench.with { bench in
            for action in RunControlEvent.Action.allCases {
                let failure = await bench.refusal(action, of: "none")
                #expect(failure?.code == "unknown-run" && failure?.message.contains("none") == true, "\(action)")
            }
        }
    }

    // MARK: cancel

    @Test("a cancelled run is trained and scored no further, and says why")
    func cancel() async throws {
        try await GateBench.with { gates in
            let bench = gates.bench
            try await bench.insertTemplate(0)
            try await gates.ask(gates.initial)
            func ready() async throws -> Int { try await StageReadiness(pool: bench.pool) { _ in true }.ready().count }
            #expect(try await ready() == 1)
            let order = RunControlEvent(id: "o", runId: "r1", action: .cancel, reason: "a typo", by: "Ada")
            #expect(try await bench.process(order).events.isEmpty)
            let state = try #require(try await RunStore.state(of: "r1", from: bench.pool))
            #expect(state.state == .cancelled && state.reason == "a typo, by Ada")
            #expect(try await ready() == 0)
            #expect(try await EvaluationJobStore.jobs(unfinished: true, from: bench.pool).isEmpty)
            // What there is stays.
            #expect(try await RunStore.checkpoints(run: "r1", from: bench.pool).count == 1)
            // The first order counts.
            try await bench.process(RunControlEvent(id: "o2", runId: "r1", action: .cancel, reason: "another"))
            #expect(try await RunStore.state(of: "r1", from: bench.pool)?.reason == "a typo, by Ada")
        }
    }

    @Test("an order without words says what it was")
    func cancelWithoutWords() async throws {
        try await GateBench.with { gates in
            try await gates.bench.process(RunControlEvent(id: "o", runId: "r1", action: .cancel))
            #expect(try await RunStore.state(of: "r1", from: gates.bench.pool)?.reason == "cancelled")
        }
    }

    // MARK: startRound

    @Test("a round is started by hand once the last one is over, and none while that one is open")
    func startRound() async throws {
        try await withHeld { gates, _ in
            let order = RunControlEvent(id: "o", runId: "r1", action: .startRound, by: "Ada")
            #expect(try await gates.bench.process(order).events.isEmpty)
            #expect(try await gates.rounds().map(\.number) == [1, 2])
            let reason = try await gates.bench.pool.value("SELECT reason FROM rounds WHERE number = 2", as: String.self)
            #expect(reason == "by Ada")
            #expect(try await gates.bench.job("templates", round: 2)?.state == .waiting)
            #expect(try await gates.rounds().last?.champion == gates.initial.id)
            let failure = await gates.bench.refusal(.startRound)
            #expect(failure?.message == "action: round 2 of the run is not over")
        }
    }

    @Test("a round is not started while one is open, without rounds, or in a run that has ended")
    func startRoundRefused() async throws {
        try await GateBench.with { gates in
            let open = await gates.bench.refusal(.startRound)
            #expect(open?.code == "refused-order" && open?.message == "action: round 1 of the run is not over")
            try await gates.bench.process(RunControlEvent(id: "o", runId: "r1", action: .cancel))
            let ended = await gates.bench.refusal(.startRound)
            #expect(ended?.code == "refused-order" && ended?.message == "action: the run is cancelled")
            #expect(try await gates.rounds().count == 1)
        }
        try await GateBench.with(rounds: nil) { gates in
            let failure = await gates.bench.refusal(.startRound)
            #expect(failure?.code == "refused-order" && failure?.message == "action: the run has no rounds")
        }
    }

    // MARK: promote and reject

    @Test("a person's word on a round takes the gate's place: a verdict of its own, with its event")
    func overruled() async throws {
        try await withHeld { gates, candidate in
            let order = RunControlEvent(
                id: "o1",
                runId: "r1",
                action: .promote,
                reason: "better on our data",
                by: "Ada"
            )
            let effects = try await gates.bench.process(order)
            let event = try #require(effects.events.first)
            #expect(effects.events.count == 1 && event.topic == .verdicts && event.key == "r1")
            let verdict = try EventCoding.decode(VerdictEvent.self, from: Data(event.payload.utf8))
            #expect(verdict.decision == .promote && verdict.by == .operator && verdict.round == 1)
            #expect(verdict.reasons == ["better on our data, by Ada"])
            #expect(verdict.candidateCheckpointId == candidate.id)
            // What the gate saw stays with it.
            #expect(verdict.look == 1 && verdict.comparison?.onlyCandidate == 3)
            #expect(try await gates.verdicts().map(\.by) == [.gate, .operator])
            #expect(try await champion(gates) == candidate.id)
            // The same order again says the same.
            #expect(try await gates.bench.process(order).events.map(\.attributes.id) == [event.attributes.id])
            #expect(try await gates.verdicts().count == 2)
            try await gates.bench.process(RunControlEvent(id: "o2", runId: "r1", action: .reject, round: 1))
            #expect(try await champion(gates) == gates.initial.id)
            #expect(try await gates.verdicts().last?.reasons == ["decided by hand"])
        }
    }

    @Test("a person's word on an earlier round leaves what later rounds decided")
    func earlierRound() async throws {
        try await withHeld { gates, first in
            try await gates.bench.process(RunControlEvent(id: "next", runId: "r1", action: .startRound))
            let second = try await gates.train(round: 2)
            try await gates.score(second, solves: 0..<10)
            // 6 against none at the second look: p 1/32.
            #expect(try await gates.judge(round: 2).decision == .hold)
            try await gates.bench.process(RunControlEvent(id: "o1", runId: "r1", action: .promote))
            #expect(try await champion(gates) == second.id, "without a number the last round is meant")
            try await gates.bench.process(RunControlEvent(id: "o2", runId: "r1", action: .promote, round: 1))
            #expect(try await champion(gates) == second.id)
            try await gates.bench.process(RunControlEvent(id: "o3", runId: "r1", action: .reject, round: 2))
            #expect(try await champion(gates) == first.id)
        }
    }

    @Test("the models' names follow a person's word")
    func names() async throws {
        try await withHeld { gates, candidate in
            try await gates.bench.process(RunControlEvent(id: "o1", runId: "r1", action: .promote))
            try await gates.keep("the champion's name") {
                try gates.names()["first-run.champion"] == candidate.modelHash
            }
            try await gates.bench.process(RunControlEvent(id: "o2", runId: "r1", action: .reject))
            try await gates.keep("the champion's name") {
                try gates.names()["first-run.champion"] == gates.bench.student.hash
            }
        }
    }

    @Test("the next round starts from the champion that a person named")
    func nextRound() async throws {
        try await withHeld { gates, candidate in
            try await gates.bench.process(RunControlEvent(id: "o1", runId: "r1", action: .promote))
            try await gates.bench.process(RunControlEvent(id: "o2", runId: "r1", action: .startRound))
            let round = try #require(try await gates.rounds().last)
            #expect(round.champion == candidate.id && round.start == candidate.id)
        }
    }

    @Test("there is nothing to decide where no candidate was judged")
    func nothingJudged() async throws {
        try await GateBench.with { gates in
            let early = await gates.bench.refusal(.promote)
            #expect(early?.code == "refused-order" && early?.message == "round: the run has no verdict yet")
            let other = await gates.bench.refusal(.reject, round: 7)
            #expect(other?.message == "round: the run has no verdict on round 7")
            try await gates.fail()
            #expect(try await gates.judge().candidateCheckpointId == nil)
            let none = await gates.bench.refusal(.promote)
            #expect(none?.message == "round: round 1 gave no candidate")
            #expect(try await gates.verdicts().count == 1)
        }
    }
}
