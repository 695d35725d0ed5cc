import Distillation
import PostgresClient
import Reasoning
import Schemas
import ServiceRuntime
import StageSupport
import Testing
import Tokenization
import Training

@testable import TemplateDistillerCore

@Suite("Examples of the stages")
struct StageExamplesTests {
    private func collect(
        _ stage: TrainingStage,
        _ stages: RunStages,
        _ bench: StageBench
    ) async throws -> StageExamples.Collected {
        let run = bench.run(stages: stages)
        return try await StageExamples(pool: bench.pool, codec: bench.codec)
            .collect(for: ReadyStage(run: run, stage: stage, parent: bench.checkpoint(.initial, of: run)))
    }

    private func text(_ example: SupervisedExample, _ bench: StageBench) -> String {
        bench.codec.tokenizer.decode(example.tokens)
    }

    @Test("HSFT has each verified template after its question, every response token weighing the same")
    func templates() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<3)
            try await bench.insert(problem: 3)
            try await bench.insert(Sum(3).templateBody, problem: 3, verified: false)
            let data = try await collect(.hsft, RunStages(hsft: SupervisedStage()), bench)
            #expect(data.counts == ["templates": 3])
            #expect(data.examples.count == 3)
            for (number, example) in data.examples.enumerated() {
                let sum = Sum(number)
                let written = text(example, bench)
                #expect(written.hasPrefix("Q: \(sum.question)\nT: <Step1>\(sum.step)</Step1>"))
                #expect(written.contains("<Answer>\(sum.answer)</Answer>"))
                #expect(example.tokens.last == bench.codec.endOfText)
                let prompt = bench.codec.tokenizer.encode("Q: \(sum.question)\nT:").count
                #expect(example.weights.prefix(prompt).allSatisfy { $0 == 0 })
                #expect(example.weights.dropFirst(prompt).allSatisfy { $0 == 1 })
                #expect(example.weights.count == example.tokens.count && example.tokens.count > prompt + 5)
            }
        }
    }

    @Test("KRSL has both chains of a pair with the run's own weights; the end weighs gamma on the right one only")
    func keySteps() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<2)
            let events = [
                try await bench.insertKeySteps(problem: 0), try await bench.insertKeySteps(problem: 1),
            ]
            // The events were written for a run with alpha 1, beta 0.5 and gamma 0.
            for (alpha, beta, gamma) in [(2.0, 0.25, 0.125), (1.0, 0.5, 0.0)] {
                let stage = KeyStepStage(alpha: alpha, beta: beta, gamma: gamma)
                let data = try await collect(.krsl, RunStages(krsl: stage), bench)
                #expect(data.counts == ["pairs": 2])
                try #require(data.examples.count == 4)
                for (number, event) in events.enumerated() {
                    for (side, key, other, example) in [
                        (event.right, Float(alpha), Float(gamma), data.examples[2 * number]),
                        (event.wrong, -Float(beta), 0, data.examples[2 * number + 1]),
                    ] {
                        let prompt = bench.codec.tokenizer.encode("Q: \(Sum(number).question)\nT:").count
                        #expect(text(example, bench).contains(side.text))
                        let weights = (0..<side.tokens).map { $0 % 3 == 0 ? key : other }
                        #expect(Array(example.weights.dropFirst(prompt)) == weights + [other])
                        #expect(example.responseLength == side.tokens + 1)
                        #expect(side.tokens > 6)
                    }
                }
            }
        }
    }

    @Test("random key tokens are as many as the spans hold, at other places")
    func randomKeys() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<1)
            _ = try await bench.insertKeySteps(problem: 0)
            let edit = try await collect(.krsl, RunStages(krsl: KeyStepStage()), bench).examples.map(\.weights)
            let stages = RunStages(krsl: KeyStepStage(keyTokens: "random"))
            let drawn = try await collect(.krsl, stages, bench).examples.map(\.weights)
            #expect(drawn.map { $0.sorted() } == edit.map { $0.sorted() })
            #expect(drawn[0] != edit[0] && drawn[1] != edit[1])
            #expect(drawn == (try await collect(.krsl, stages, bench).examples.map(\.weights)))
        }
    }

    @Test("a run learns from the pairs of its tie rule, of the way they came to be, and of the mistakes that it names")
    func selection() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<4)
            _ = try await bench.insertKeySteps(problem: 0, method: .corrupted, mistake: "calculation")
            _ = try await bench.insertKeySteps(problem: 1, method: .rectified, mistake: "logical")
            _ = try await bench.insertKeySteps(problem: 2, method: .rectified, mistake: "logical+calculation")
            _ = try await bench.insertKeySteps(problem: 3, tieRule: "canonical", method: .rectified)
            func problems(_ stage: KeyStepStage) async throws -> [Int] {
                let data = try await collect(.krsl, RunStages(krsl: stage), bench)
                #expect(data.counts["pairs"] == data.examples.count / 2)
                let texts = data.examples.map { text($0, bench) }
                return (0..<4).filter { number in texts.contains { $0.contains("Q: \(Sum(number).question)\n") } }
            }
            #expect(try await problems(KeyStepStage()) == [0, 1, 2])
            #expect(try await problems(KeyStepStage(pairs: "all")) == [0, 1, 2])
            #expect(try await problems(KeyStepStage(pairs: "corrupted")) == [0])
            #expect(try await problems(KeyStepStage(pairs: "rectified")) == [1, 2])
            #expect(try await problems(KeyStepStage(mistakes: ["calculation", "logical+calculation"])) == [0, 2])
            #expect(try await problems(KeyStepStage(pairs: "rectified", mistakes: ["calculation"])) == [])
            #expect(try await problems(KeyStepStage(tieRule: "canonical")) == [3])
        }
    }

    @Test("a supervised weight mixes the templates into KRSL, weighed by it")
    func supervisedWeight() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<2)
            _ = try await bench.insertKeySteps(problem: 0)
            let data = try await collect(.krsl, RunStages(krsl: KeyStepStage(supervisedWeight: 0.125)), bench)
            #expect(data.counts == ["pairs": 1, "templates": 2])
            #expect(data.examples.count == 4)
            for example in data.examples.suffix(2) { #expect(Set(example.weights) == [0, 0.125]) }
            let without = try await collect(.krsl, RunStages(krsl: KeyStepStage(supervisedWeight: 0)), bench)
            #expect(without.counts == ["pairs": 1] && without.examples.count == 2)
        }
    }

    @Test("key steps over more tokens than the student has are refused with the numbers")
    func otherTokenizer() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<1)
            _ = try await bench.insertKeySteps(problem: 0, extra: 2)
            await #expect(throws: DistillationError.self) {
                try await collect(.krsl, RunStages(krsl: KeyStepStage()), bench)
            }
        }
    }

    @Test("the plain arm has one chain a problem: the teacher's own, else the rectified one")
    func chains() async throws {
        try await StageBench.with { bench in
            for number in 0..<4 { try await bench.insert(problem: number) }
            func chain(_ number: Int, _ text: String) -> TraceBody {
                .chainOfThought(ChainOfThoughtBody(text: text, answer: Sum(number).answer, correct: true))
            }
            try await bench.insert(chain(0, "First \(Sum(0).step).\nThe answer is \(Sum(0).answer)."), problem: 0)
            try await bench.insert(chain(2, "Wrong."), problem: 2, verified: false)
            for number in 0..<3 { try await bench.insert(Sum(number).dualBody, problem: number) }
            let data = try await collect(.plain, RunStages(plain: SupervisedStage()), bench)
            #expect(data.counts == ["chains": 1, "rectified": 2])
            try #require(data.examples.count == 3)
            for (number, start) in [(0, "First"), (1, "She has"), (2, "She has")] {
                let sum = Sum(number)
                let written = text(data.examples[number], bench)
                #expect(written.hasPrefix("Q: \(sum.question)\nA: \(start) \(sum.step)"))
                #expect(written.contains("\n#### \(sum.answer)"))
            }
        }
    }
}
