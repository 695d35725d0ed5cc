import PostgresClient
import Schemas
import ServiceRuntime
import StageSupport
import Testing

@Suite("When stages on roll-outs are ready")
struct ReadinessRolloutTests {
    /// Whether the stage on attempts is ready.
    private func isReady(_ rollout: Rollout, round: Int = 1) async throws -> Bool {
        try await rollout.bench.ready().contains { $0.stage.name != "templates" && $0.round == round }
    }

    @Test("a stage on corrections waits for the roll-out, and for an answer of the teacher to every wrong attempt")
    func allAnswered() async throws {
        try await Rollout.with { rollout in
            #expect(try await !isReady(rollout))
            try await rollout.bench.insert(rollout.bench.checkpoint("templates", of: rollout.run))
            #expect(try await !isReady(rollout), "its parent is there, its roll-out is not")
            try await rollout.insert([
                rollout.attempt(20), rollout.attempt(21), rollout.attempt(22, correct: true),
            ])
            #expect(try await !isReady(rollout))
            try await rollout.correct(20)
            #expect(try await !isReady(rollout))
            // An answer that did not pass the checks is an answer too: there will be no other.
            try await rollout.correct(21, verified: false)
            let ready = try #require(try await rollout.bench.ready().first)
            #expect(ready.stage.name == "corrections" && ready.run.id == "r1")
            #expect(ready.parent.stage == "templates" && ready.parent.id == rollout.parent)
        }
    }

    @Test("with a threshold, so many verified corrections are enough")
    func threshold() async throws {
        try await Rollout.with(.corrections(examples: 2)) { rollout in
            try await rollout.insert((20..<26).map { rollout.attempt($0) })
            try await rollout.correct(20)
            try await rollout.correct(21, verified: false)
            #expect(try await !isReady(rollout))
            try await rollout.correct(22)
            #expect(try await isReady(rollout))
        }
    }

    @Test("when no answer came for the longest wait, the corrections that are there will do")
    func waited() async throws {
        try await Rollout.with { rollout in
            let pool = rollout.bench.pool
            try await rollout.insert((20..<23).map { rollout.attempt($0) })
            // The run itself is old: what counts is how long the teacher had time to answer.
            try await rollout.bench.age(jobs: 7200, checkpoints: 7200)
            try await rollout.correct(20)
            #expect(try await !isReady(rollout))
            try await pool.execute("UPDATE rollouts SET created_at = now() - interval '3601 seconds'")
            #expect(try await !isReady(rollout), "an answer came just now")
            try await pool.execute("UPDATE traces SET created_at = now() - interval '3000 seconds'")
            #expect(try await !isReady(rollout))
            try await pool.execute("UPDATE traces SET created_at = now() - interval '3601 seconds'")
            #expect(try await isReady(rollout))
        }
    }

    @Test("a roll-out that no teacher ever answers is waited for no longer than that")
    func neverAnswered() async throws {
        try await Rollout.with { rollout in
            try await rollout.insert([rollout.attempt(20)])
            #expect(try await !isReady(rollout))
            try await rollout.bench.pool.execute("UPDATE rollouts SET created_at = now() - interval '3601 seconds'")
            #expect(try await isReady(rollout), "its training says that there is nothing, and fails it")
        }
    }

    @Test("a stage on the attempts alone waits for the roll-out and not for the teacher")
    func attempts() async throws {
        try await Rollout.with(.supervised(["attempts"], "self", parent: "templates", examples: nil)) { rollout in
            try await rollout.bench.insert(rollout.bench.checkpoint("templates", of: rollout.run))
            #expect(try await !isReady(rollout))
            try await rollout.insert([rollout.attempt(20), rollout.attempt(21, correct: true)])
            #expect(try await isReady(rollout))
        }
    }

    @Test("a stage on the teacher's steps in place of wrong ones waits for the teacher")
    func teacherSteps() async throws {
        let stage = RunStage.supervised(["attempts", "teacherSteps"], "self", parent: "templates", examples: nil)
        try await Rollout.with(stage) { rollout in
            try await rollout.insert([rollout.attempt(20), rollout.attempt(21, correct: true)])
            #expect(try await !isReady(rollout))
            try await rollout.correct(20)
            #expect(try await isReady(rollout))
        }
    }

    @Test("preferences between the chains of dual pairs need no roll-out")
    func duals() async throws {
        let stage = RunStage(
            name: "duals",
            parent: "templates",
            preferences: PreferenceMethod(layout: "duals"),
            start: StageStart(examples: 1)
        )
        try await Rollout.with(stage) { rollout in
            try await rollout.bench.insert(rollout.bench.checkpoint("templates", of: rollout.run))
            #expect(try await !isReady(rollout))
            try await rollout.bench.insert(problem: 0)
            try await rollout.bench.insert(Sum(0).dualBody, problem: 0)
            #expect(try await isReady(rollout))
        }
    }

    @Test("each round waits for its own roll-out, also of a parent that was rolled out before")
    func secondRound() async throws {
        try await StageBench.with { bench in
            let run = bench.run(
                stages: [.supervised(["attempts"], "self", parent: "champion", examples: nil)],
                suites: [.ofTen()],
                rounds: RunRounds(),
                gate: .on("self")
            )
            try await bench.insert(run)
            let initial = bench.checkpoint("initial", of: run)
            func finishRollout(_ round: Int) async throws {
                try await bench.pool.withTransaction {
                    try await EvaluationStore.finishRollout(checkpoint: initial.id, run: run.id, round: round, in: $0)
                }
            }
            try await finishRollout(1)
            #expect(try await bench.readyNames() == ["r1/1/self"])
            try await bench.insert(bench.checkpoint("self", of: run))
            // The candidate was not better: the champion is the same.
            try await bench.startRound(2, of: run, champion: initial, from: initial)
            #expect(try await bench.readyNames() == [])
            try await finishRollout(2)
            #expect(try await bench.readyNames() == ["r1/2/self"])
        }
    }
}
