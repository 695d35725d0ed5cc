import PostgresClient
import Schemas
import ServiceRuntime
import StageSupport
import Testing

@Suite("What stages start from")
struct ReadinessParentTests {
    private func ready(_ stage: String, round: Int, _ bench: StageBench) async throws -> ReadyStage? {
        try await bench.ready().first { $0.stage.name == stage && $0.round == round }
    }

    @Test("a stage follows its parent of the same round, whatever order the recipe has")
    func stageParent() async throws {
        try await StageBench.with { bench in
            let run = bench.run(stages: [
                .templates("second", parent: "first"), .templates("first"),
            ])
            try await bench.insert(run)
            try await bench.insertTemplate(0)
            #expect(try await bench.readyNames() == ["r1/1/first"])
            let first = bench.checkpoint("first", of: run, modelHash: "first-1")
            try await bench.insert(first)
            #expect(try await bench.readyNames() == ["r1/1/second"])
            #expect(try await ready("second", round: 1, bench)?.parent.modelHash == "first-1")
            try await bench.startRound(2, of: run, champion: first, from: first)
            // The first round's checkpoint is not this round's parent.
            #expect(try await ready("second", round: 2, bench) == nil)
            try await bench.insert(bench.checkpoint("first", of: run, round: 2, modelHash: "first-2"))
            #expect(try await ready("second", round: 2, bench)?.parent.modelHash == "first-2")
            #expect(try await ready("second", round: 1, bench)?.parent.modelHash == "first-1")
        }
    }

    @Test("`initial` is what the round starts from, and `champion` the best student at its start")
    func rounds() async throws {
        try await StageBench.with { bench in
            let run = bench.run(
                stages: [.templates("fresh"), .templates("onward", parent: "champion")],
                suites: [.ofTen()],
                rounds: RunRounds(),
                gate: .on("onward")
            )
            try await bench.insert(run)
            try await bench.insertTemplate(0)
            let initial = bench.checkpoint("initial", of: run)
            for stage in ["fresh", "onward"] {
                let parent = try await ready(stage, round: 1, bench)?.parent
                #expect(parent == initial, "\(stage): the untrained student is the first champion")
            }
            let best = bench.checkpoint("onward", of: run, modelHash: "best")
            try await bench.insert(best)
            try await bench.startRound(2, of: run, champion: best, from: initial)
            #expect(try await ready("fresh", round: 2, bench)?.parent == initial)
            #expect(try await ready("onward", round: 2, bench)?.parent == best)
            try await bench.startRound(3, of: run, champion: best, from: best)
            #expect(try await ready("fresh", round: 3, bench)?.parent == best)
            #expect(try await ready("onward", round: 3, bench)?.parent == best)
            // What a later verdict says does not move a round that has begun.
            try await bench.pool.withTransaction {
                try await RoundStore.insert(
                    VerdictEvent(
                        id: "v",
                        runId: "r1",
                        round: 2,
                        decision: .promote,
                        by: .operator,
                        reasons: ["planted"],
                        candidateCheckpointId: initial.id,
                        championCheckpointId: best.id
                    ),
                    in: $0
                )
            }
            #expect(try await ready("onward", round: 3, bench)?.parent == best)
        }
    }

    @Test("a control of equal cost starts once all stages that it names are done, with their tokens together")
    func tokensOf() async throws {
        try await StageBench.with { bench in
            let run = bench.run(stages: [
                .templates("a"), .templates("b", parent: "a"), .templates("c", parent: "b"),
                .supervised(["rightChains"], "plain", examples: 1, tokensOf: ["a", "b", "c"]),
            ])
            try await bench.insert(run)
            let text = Sum(0).chain
            try await bench.insert(problem: 0)
            try await bench.insert(
                .chainOfThought(ChainOfThoughtBody(text: text, answer: Sum(0).answer, correct: true)),
                problem: 0
            )
            let a = bench.checkpoint("a", of: run, tokens: 1000)
            try await bench.insert(a)
            try await bench.insert(bench.checkpoint("b", of: run, parent: "a", tokens: 200))
            #expect(try await ready("plain", round: 1, bench) == nil)
            try await bench.insert(bench.checkpoint("c", of: run, parent: "b", tokens: 34))
            let plain = try #require(try await ready("plain", round: 1, bench))
            #expect(plain.tokens == 1234 && plain.parent.stage == "initial")
            // The second round's control is of the second round's cost.
            try await bench.startRound(2, of: run, champion: a, from: a)
            #expect(try await ready("plain", round: 2, bench) == nil)
            for (stage, tokens) in [("a", 7), ("b", 8), ("c", 9)] {
                try await bench.insert(bench.checkpoint(stage, of: run, round: 2, tokens: tokens))
            }
            #expect(try await ready("plain", round: 2, bench)?.tokens == 24)
        }
    }

    @Test("a control of equal cost waits for its own examples too")
    func tokensOfAndExamples() async throws {
        try await StageBench.with { bench in
            let run = bench.run(stages: [
                .templates("a"), .supervised(["solutions"], "plain", examples: 2, tokensOf: ["a"]),
            ])
            try await bench.insert(run)
            try await bench.insertTemplate(0)
            try await bench.insert(bench.checkpoint("a", of: run, tokens: 5))
            #expect(try await bench.ready().isEmpty)
            try await bench.insert(problem: 1)
            #expect(try await bench.readyNames() == ["r1/1/plain"])
        }
    }
}
