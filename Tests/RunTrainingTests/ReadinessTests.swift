import Distillation
import PostgresClient
import Schemas
import ServiceRuntime
import StageSupport
import Testing

@Suite("When stages are ready")
struct ReadinessTests {
    @Test("a stage waits for as many verified templates on training problems of its dataset as it asks for")
    func templates() async throws {
        try await StageBench.with { bench in
            try await bench.insert(bench.run(stages: [.templates(examples: 2)]))
            try await bench.insertTemplate(0)
            try await bench.insert(problem: 1)
            try await bench.insert(Sum(1).templateBody, problem: 1, verified: false)
            try await bench.insert(problem: 2, split: .test)
            try await bench.insert(Sum(2).templateBody, problem: 2)
            try await bench.insertTemplate(3, dataset: "other")
            try await bench.insert(problem: 4)
            try await bench.insert(Sum(4).dualBody, problem: 4)
            #expect(try await bench.ready().isEmpty)
            try await bench.insertTemplate(5)
            let stage = try #require(try await bench.ready().first)
            #expect(stage.run.id == "r1" && stage.round == 1 && stage.stage.name == "templates")
            #expect(stage.tokens == nil)
            #expect(stage.parent.stage == "initial" && stage.parent.modelHash == bench.student.hash)
        }
    }

    @Test("a stage counts the examples of the datasets, the families and the first problems that its data names")
    func selection() async throws {
        try await StageBench.with { bench in
            func stage(_ name: String, _ data: StageData, _ examples: Int) -> RunStage {
                .templates(name, examples: examples, data: data)
            }
            try await bench.insert(
                bench.run(stages: [
                    stage("both", StageData(datasets: ["sums", "other"]), 3),
                    stage("other", StageData(datasets: ["other"]), 2),
                    stage("pears", StageData(families: ["pears"]), 1),
                    stage("plums", StageData(families: ["plums"]), 1),
                    stage("first", StageData(limit: 1), 1),
                    stage("more", StageData(limit: 1), 2),
                ])
            )
            try await bench.insertTemplate(0, family: "pears")
            try await bench.insertTemplate(1)
            try await bench.insertTemplate(2, dataset: "other")
            #expect(try await bench.readyNames() == ["r1/1/both", "r1/1/first", "r1/1/pears"])
        }
    }

    @Test("each kind of whole responses is counted by the traces that it is made of")
    func sources() async throws {
        try await StageBench.with { bench in
            let kinds = [
                "rightChains", "rectifiedChains", "wrongChains", "solutions", "templates", "corrections",
            ]
            try await bench.insert(bench.run(stages: kinds.map { .supervised([$0], $0, examples: 2) }))
            func isReady(_ kind: String) async throws -> Bool {
                try await bench.ready().contains { $0.stage.name == kind }
            }
            try await bench.insert(problem: 0)
            #expect(try await bench.readyNames() == [])
            try await bench.insert(problem: 1)
            #expect(try await bench.readyNames() == ["r1/1/solutions"])
            for number in 0..<2 {
                let text = Sum(number).chain
                try await bench.insert(
                    .chainOfThought(ChainOfThoughtBody(text: text, answer: Sum(number).answer, correct: true)),
                    problem: number
                )
            }
            #expect(try await bench.readyNames() == ["r1/1/rightChains", "r1/1/solutions"])
            try await bench.insert(Sum(0).dualBody(.rectified), id: "d0", problem: 0)
            try await bench.insert(Sum(1).dualBody(.corrupted), id: "d1", problem: 1)
            #expect(try await isReady("wrongChains"))
            #expect(
                try await isReady("corrections"),
                "where no correction was asked for, the pairs themselves give one"
            )
            #expect(try await !isReady("rectifiedChains"))
            try await bench.insert(Sum(1).dualBody(.rectified), id: "d2", problem: 1)
            #expect(try await isReady("rectifiedChains"))
            #expect(try await !isReady("templates"))
        }
    }

    @Test("a stage of several sources counts them together")
    func mixedSources() async throws {
        try await StageBench.with { bench in
            try await bench.insert(bench.run(stages: [.supervised(["templates", "solutions"], "both", examples: 4)]))
            try await bench.insertTemplate(0)
            try await bench.insert(problem: 1)
            #expect(try await bench.ready().isEmpty, "a template and two solutions")
            try await bench.insert(Sum(1).templateBody, problem: 1)
            #expect(try await bench.readyNames() == ["r1/1/both"])
        }
    }

    @Test(
        "a stage on key steps counts those over the student's own tokens, in the form and by the rule that it asks for"
    )
    func keySteps() async throws {
        try await StageBench.with { bench in
            try await bench.insert(
                bench.run(stages: [
                    .keySteps("templates", examples: 2),
                    .keySteps("chains", KeyStepMethod(), examples: 1),
                    .keySteps("canonical", KeyStepMethod(form: "templates", tieRule: "canonical"), examples: 1),
                ])
            )
            for number in 0..<2 { try await bench.insert(problem: number) }
            _ = try await bench.insertKeySteps(problem: 0)
            _ = try await bench.insertKeySteps(problem: 1, tokenizer: KeyStepsEvent.wordTokenizer, format: nil)
            #expect(try await bench.readyNames() == [])
            _ = try await bench.insertKeySteps(problem: 1)
            #expect(try await bench.readyNames() == ["r1/1/templates"])
            _ = try await bench.insertKeySteps(problem: 1, format: "chain")
            #expect(try await bench.readyNames() == ["r1/1/chains", "r1/1/templates"])
            _ = try await bench.insertKeySteps(problem: 1, tieRule: "canonical")
            #expect(try await bench.readyNames() == ["r1/1/canonical", "r1/1/chains", "r1/1/templates"])
        }
    }

    @Test("of dual pairs those are counted that came to be in the way, and by the mistakes, that the data names")
    func pairs() async throws {
        try await StageBench.with { bench in
            func stage(_ name: String, _ data: StageData) -> RunStage { .keySteps(name, examples: 1, data: data) }
            let duals = RunStage(
                name: "duals",
                preferences: PreferenceMethod(layout: "duals"),
                data: StageData(pairs: "rectified"),
                start: StageStart(examples: 1)
            )
            try await bench.insert(
                bench.run(stages: [
                    stage("corrupted", StageData(pairs: "corrupted")),
                    stage("rectified", StageData(pairs: "rectified")),
                    stage("all", StageData(pairs: "all")),
                    stage("logical", StageData(mistakes: ["logical"])),
                    stage("other", StageData(mistakes: ["other", "knowledge"])),
                    duals,
                ])
            )
            for number in 0..<2 { try await bench.insert(problem: number) }
            _ = try await bench.insertKeySteps(problem: 0, method: .corrupted, mistake: "logical")
            #expect(try await bench.readyNames() == ["r1/1/all", "r1/1/corrupted", "r1/1/logical"])
            // A pair whose mistake nobody named is one of the others.
            _ = try await bench.insertKeySteps(problem: 1, method: .rectified)
            #expect(
                try await bench.readyNames()
                    == ["all", "corrupted", "duals", "logical", "other", "rectified"].map { "r1/1/\($0)" }
            )
        }
    }

    @Test("a stage that is done or failed, of a run that has ended, or without a first checkpoint is not ready")
    func others() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplate(0)
            let stages: [RunStage] = [.templates()]
            for id in ["done", "failed", "ended", "open"] { try await bench.insert(bench.run(id, stages: stages)) }
            try await bench.insert(bench.run("early", stages: stages), initial: false)
            try await bench.insert(bench.checkpoint("templates", of: bench.run("done", stages: stages)))
            try await bench.pool.withTransaction { transaction in
                let failed = StageID(run: "failed", round: 1, stage: "templates")
                try await JobStore.failed(failed, followers: [], error: "planted", in: transaction)
                _ = try await RunStore.end("ended", as: .cancelled, reason: "planted", in: transaction)
            }
            #expect(try await bench.readyNames() == ["open/1/templates"])
            let none = try await StageReadiness(pool: bench.pool) { $0.preferences != nil }.ready()
            #expect(none.isEmpty, "it is another service's")
        }
    }

    @Test("a stage that has started is ready whatever is there now: its process may have died")
    func started() async throws {
        try await StageBench.with { bench in
            try await bench.insert(bench.run(stages: [.templates(examples: 2)]))
            try await bench.insertTemplates(0..<2)
            try await bench.start("templates", inputs: JobStore.Inputs(problems: ["p00", "p01"]))
            try await bench.pool.execute("DELETE FROM traces")
            #expect(try await bench.readyNames() == ["r1/1/templates"])
        }
    }

    @Test("a stage that has waited as long as it may is ready with what there is, be it nothing")
    func waited() async throws {
        try await StageBench.with { bench in
            // The margins are wide: a busy machine may take its time.
            try await bench.insert(
                bench.run(stages: [.templates("hour", examples: 9), .templates("quarter", examples: 9, wait: 900)])
            )
            try await bench.age(jobs: 300, checkpoints: 300)
            #expect(try await bench.readyNames() == [])
            try await bench.age(jobs: 901, checkpoints: 901)
            #expect(try await bench.readyNames() == ["r1/1/quarter"])
            try await bench.age(jobs: 3000, checkpoints: 3000)
            #expect(try await bench.readyNames() == ["r1/1/quarter"])
            try await bench.age(jobs: 3601, checkpoints: 3601)
            #expect(try await bench.readyNames() == ["r1/1/hour", "r1/1/quarter"])
        }
    }

    @Test("the wait begins when the round does and the parent is there, whichever comes later")
    func waitBegins() async throws {
        try await StageBench.with { bench in
            try await bench.insert(bench.run(stages: [.templates(examples: 9, wait: 900)]))
            try await bench.age(jobs: 7200, checkpoints: 300)
            #expect(try await bench.readyNames() == [], "the parent came five minutes ago")
            try await bench.age(jobs: 300, checkpoints: 7200)
            #expect(try await bench.readyNames() == [], "the round began five minutes ago")
            try await bench.age(jobs: 901)
            #expect(try await bench.readyNames() == ["r1/1/templates"])
        }
    }
}
