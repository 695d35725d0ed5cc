import PostgresClient
import Schemas
import ServiceRuntime
import StageSupport
import Testing

@testable import TemplateDistillerCore

@Suite("When stages are ready")
struct StageReadinessTests {
    private func ready(_ bench: StageBench) async throws -> [ReadyStage] {
        try await StageReadiness(pool: bench.pool).ready()
    }

    private static let supervised = SupervisedStage()

    @Test("HSFT waits for as many verified templates on training problems of its dataset as the run asks for")
    func templates() async throws {
        try await StageBench.with { bench in
            let thresholds = RunThresholds(templates: 2, pairs: 0, maximumWaitSeconds: 3600)
            try await bench.insert(bench.run(stages: RunStages(hsft: Self.supervised), thresholds: thresholds))
            try await bench.insertTemplates(0..<1)
            try await bench.insert(problem: 1)
            try await bench.insert(Sum(1).templateBody, problem: 1, verified: false)
            try await bench.insert(problem: 2, split: .test)
            try await bench.insert(Sum(2).templateBody, problem: 2)
            try await bench.insert(problem: 3, dataset: "other")
            try await bench.insert(Sum(3).templateBody, problem: 3)
            #expect(try await ready(bench).isEmpty)
            try await bench.insertTemplates(4..<5)
            let stage = try #require(try await ready(bench).first)
            #expect(stage.stage == .hsft && stage.run.id == "r1" && stage.tokens == nil)
            #expect(stage.parent.id == "r1-initial")
        }
    }

    @Test("when the run has waited long enough, what there is will do, but nothing is not enough")
    func waiting() async throws {
        try await StageBench.with { bench in
            let thresholds = RunThresholds(templates: 9, pairs: 9, maximumWaitSeconds: 3600)
            let stages = RunStages(hsft: Self.supervised, krsl: KeyStepStage())
            try await bench.insert(bench.run(stages: stages, thresholds: thresholds))
            try await bench.insert(bench.checkpoint(.hsft, of: bench.run(stages: stages)))
            try await bench.insert(bench.run("r2", stages: RunStages(hsft: Self.supervised), thresholds: thresholds))
            try await bench.pool.execute("UPDATE training_jobs SET created_at = now() - interval '3601 seconds'")
            #expect(try await ready(bench).isEmpty)
            try await bench.insertTemplates(0..<1)
            #expect(try await ready(bench).map(\.run.id) == ["r2"])
            _ = try await bench.insertKeySteps(problem: 0)
            #expect(try await Set(ready(bench).map(\.run.id)) == ["r1", "r2"])
            try await bench.pool.execute("UPDATE training_jobs SET created_at = now() - interval '3500 seconds'")
            #expect(try await ready(bench).isEmpty)
        }
    }

    @Test("KRSL follows HSFT where the run has it, and counts key steps over the student's own tokens")
    func keySteps() async throws {
        try await StageBench.with { bench in
            let thresholds = RunThresholds(templates: 9, pairs: 2, maximumWaitSeconds: 3600)
            let run = bench.run(stages: RunStages(hsft: Self.supervised, krsl: KeyStepStage()), thresholds: thresholds)
            try await bench.insert(run)
            try await bench.insert(bench.run("r2", stages: RunStages(krsl: KeyStepStage()), thresholds: thresholds))
            try await bench.insert(problem: 0)
            try await bench.insert(problem: 1)
            _ = try await bench.insertKeySteps(problem: 0)
            _ = try await bench.insertKeySteps(problem: 1, tokenizer: KeyStepsEvent.wordTokenizer)
            #expect(try await ready(bench).isEmpty)
            _ = try await bench.insertKeySteps(problem: 1)
            #expect(try await ready(bench).map(\.parent.id) == ["r2-initial"], "r1 has no HSFT checkpoint yet")
            try await bench.insert(bench.checkpoint(.hsft, of: run))
            #expect(try await Set(ready(bench).map(\.parent.id)) == ["r1-hsft", "r2-initial"])
            #expect(try await ready(bench).allSatisfy { $0.stage == .krsl })
        }
    }

    @Test("the plain arm starts from the untrained student with the tokens of the whole chain, once that is done")
    func plain() async throws {
        try await StageBench.with { bench in
            let stages = RunStages(
                plain: Self.supervised,
                hsft: Self.supervised,
                krsl: KeyStepStage(),
                dpo: PreferenceStage()
            )
            let run = bench.run(stages: stages)
            try await bench.insert(run)
            try await bench.insert(bench.checkpoint(.hsft, of: run, tokens: 1000))
            try await bench.insert(bench.checkpoint(.krsl, of: run, parent: .hsft, tokens: 200))
            #expect(try await ready(bench).isEmpty)
            try await bench.insert(bench.checkpoint(.dpo, of: run, parent: .krsl, tokens: 34))
            let stage = try #require(try await ready(bench).first)
            #expect(stage.stage == .plain && stage.tokens == 1234 && stage.parent.id == "r1-initial")
        }
    }

    @Test("a plain arm without a chain starts at once and says itself how long it trains")
    func plainAlone() async throws {
        try await StageBench.with { bench in
            try await bench.insert(bench.run(stages: RunStages(plain: Self.supervised)))
            let stage = try #require(try await ready(bench).first)
            #expect(stage.stage == .plain && stage.tokens == nil)
        }
    }

    @Test("stages that are done or failed, of other services, or of runs without a first checkpoint are not ready")
    func others() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<1)
            let stages = RunStages(hsft: Self.supervised, dpo: PreferenceStage())
            try await bench.insert(bench.run("done", stages: stages))
            try await bench.insert(bench.run("failed", stages: stages))
            try await bench.insert(bench.run("early", stages: stages), initial: false)
            try await bench.insert(bench.run("open", stages: stages))
            try await RunStore.failed(.hsft, run: "failed", error: "planted", in: bench.pool)
            try await bench.insert(bench.checkpoint(.hsft, of: bench.run("done", stages: stages)))
            #expect(try await ready(bench).map(\.run.id) == ["open"])
            try await RunStore.started(.hsft, run: "open", in: bench.pool)
            #expect(try await ready(bench).map(\.run.id) == ["open"], "its process may have died")
        }
    }
}
