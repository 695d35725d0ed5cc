import Distillation
import PostgresClient
import Reasoning
import Schemas
import ServiceRuntime
import StageSupport
import Testing
import Tokenization
import Training

@testable import RunTraining

@Suite("Examples from the database")
struct MaterialTests {
    private func text(_ example: SupervisedExample, _ bench: StageBench) -> String {
        bench.codec.tokenizer.decode(example.tokens)
    }

    @Test("each verified template follows its question, every response token weighing the same")
    func templates() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<3)
            try await bench.insert(problem: 3)
            try await bench.insert(Sum(3).templateBody, problem: 3, verified: false)
            let data = try await bench.collect(.templates())
            #expect(data.counts == ["templates": 3])
            #expect(data.supervised.count == 3 && data.pairs.isEmpty)
            for (number, example) in data.supervised.enumerated() {
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

    @Test("both chains of a pair have the stage's own weights; the end weighs gamma on the right one only")
    func keySteps() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<2)
            let events = [
                try await bench.insertKeySteps(problem: 0), try await bench.insertKeySteps(problem: 1),
            ]
            // The events were written with alpha 1, beta 0.5 and gamma 0.
            for (alpha, beta, gamma) in [(2.0, 0.25, 0.125), (1.0, 0.5, 0.0)] {
                let method = KeyStepMethod(form: "templates", alpha: alpha, beta: beta, gamma: gamma)
                let data = try await bench.collect(.keySteps("keys", method))
                #expect(data.counts == ["pairs": 2])
                try #require(data.supervised.count == 4)
                for (number, event) in events.enumerated() {
                    for (side, key, other, example) in [
                        (event.right, Float(alpha), Float(gamma), data.supervised[2 * number]),
                        (event.wrong, -Float(beta), 0, data.supervised[2 * number + 1]),
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

    @Test("key steps of another form or rule are not taken; a pair that has none of its own is located anew")
    func otherForms() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<1)
            // Every third token is key there: nothing that an alignment gives.
            _ = try await bench.insertKeySteps(problem: 0, tieRule: "canonical")
            _ = try await bench.insertKeySteps(problem: 0, tokenizer: "another", extra: 2)
            let pair = try await bench.collect(.keySteps()).supervised
            // Two traces of the same two chains.
            #expect(pair.count == 4)
            for (index, example) in pair.enumerated() {
                let keyTokens = zip(example.tokens, example.weights).filter { $0.1 != 0 }.map(\.0)
                let keys = keyTokens.map { bench.codec.tokenizer.decode([$0]) }.joined()
                // The chains differ in their results alone: 7 and 999.
                #expect(Set(keys.filter(\.isNumber)) == [index % 2 == 0 ? "7" : "9"])
                #expect(keys.filter(\.isLetter).isEmpty, "\(keys)")
            }
        }
    }

    @Test("random key tokens are as many as the spans hold, at other places")
    func randomKeys() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<1)
            _ = try await bench.insertKeySteps(problem: 0)
            let edit = try await bench.collect(.keySteps()).supervised.map(\.weights)
            let stage = RunStage.keySteps("keys", KeyStepMethod(form: "templates", keyTokens: "random"))
            let drawn = try await bench.collect(stage).supervised.map(\.weights)
            #expect(drawn.map { $0.sorted() } == edit.map { $0.sorted() })
            #expect(drawn[0] != edit[0] && drawn[1] != edit[1])
            #expect(drawn == (try await bench.collect(stage).supervised.map(\.weights)))
        }
    }

    @Test(
        "a stage learns from the pairs of its tie rule, of the way they came to be, and of the mistakes that it names"
    )
    func selection() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<3)
            _ = try await bench.insertKeySteps(problem: 0, method: .corrupted, mistake: "calculation")
            _ = try await bench.insertKeySteps(problem: 1, method: .rectified, mistake: "logical")
            _ = try await bench.insertKeySteps(problem: 2, method: .rectified, mistake: "logical+calculation")
            func problems(_ data: StageData?) async throws -> [Int] {
                let collected = try await bench.collect(.keySteps(data: data))
                #expect(collected.counts["pairs"] == collected.supervised.count / 2)
                let texts = collected.supervised.map { text($0, bench) }
                return (0..<3).filter { number in texts.contains { $0.contains("Q: \(Sum(number).question)\n") } }
            }
            #expect(try await problems(nil) == [0, 1, 2])
            #expect(try await problems(StageData(pairs: "all")) == [0, 1, 2])
            #expect(try await problems(StageData(pairs: "corrupted")) == [0])
            #expect(try await problems(StageData(pairs: "rectified")) == [1, 2])
            #expect(try await problems(StageData(mistakes: ["calculation", "logical+calculation"])) == [0, 2])
            await #expect(throws: DistillationError.self, "there is no such pair") {
                try await problems(StageData(pairs: "rectified", mistakes: ["calculation"]))
            }
        }
    }

    @Test("whole responses are mixed into key steps, weighed as their source says")
    func mix() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<2)
            _ = try await bench.insertKeySteps(problem: 0)
            let mixed = KeyStepMethod(form: "templates", mix: [ExampleSource("templates", weight: 0.125)])
            let data = try await bench.collect(.keySteps("keys", mixed))
            #expect(data.counts == ["pairs": 1, "templates": 2])
            #expect(data.supervised.count == 4)
            for example in data.supervised.suffix(2) { #expect(Set(example.weights) == [0, 0.125]) }
            let without = try await bench.collect(.keySteps())
            #expect(without.counts == ["pairs": 1] && without.supervised.count == 2)
        }
    }

    @Test("key steps over more tokens than the student has are refused with the numbers")
    func otherTokenizer() async throws {
        try await StageBench.with { bench in
            try await bench.insertTemplates(0..<1)
            _ = try await bench.insertKeySteps(problem: 0, extra: 2)
            await #expect(throws: DistillationError.self) { try await bench.collect(.keySteps()) }
        }
    }

    @Test("right chains are the teacher's own, one a problem; rectified ones stand beside them")
    func chains() async throws {
        try await StageBench.with { bench in
            for number in 0..<4 { try await bench.insert(problem: number) }
            func chain(_ number: Int, _ text: String) -> TraceBody {
                .chainOfThought(ChainOfThoughtBody(text: text, answer: Sum(number).answer, correct: true))
            }
            let sum = Sum(0)
            try await bench.insert(chain(0, "First \(sum.step).\nThe answer is \(sum.answer)."), id: "c1", problem: 0)
            try await bench.insert(chain(0, "Again \(sum.step).\nThe answer is \(sum.answer)."), id: "c2", problem: 0)
            try await bench.insert(chain(2, "Wrong."), problem: 2, verified: false)
            for number in 1..<3 { try await bench.insert(Sum(number).dualBody(.rectified), problem: number) }
            try await bench.insert(Sum(3).dualBody(.corrupted), problem: 3)
            let both = try await bench.collect(.supervised(["rightChains", "rectifiedChains"], "plain"))
            #expect(both.counts == ["rightChains": 1, "rectifiedChains": 2])
            try #require(both.supervised.count == 3)
            for (number, start) in [(0, "First"), (1, "She has"), (2, "She has")] {
                let written = text(both.supervised[number], bench)
                #expect(written.hasPrefix("Q: \(Sum(number).question)\nA: \(start) \(Sum(number).step)"))
                #expect(written.contains("\n#### \(Sum(number).answer)"))
            }
            let repeated = try await bench.collect(.supervised(["repeatedChains"], "plain"))
            #expect(repeated.supervised.map { text($0, bench).contains("Again") } == [true])
        }
    }

    @Test("no stage learns from the corrections of a run's attempts as from those of its problems")
    func correctionsOfRuns() async throws {
        try await StageBench.with { bench in
            let body = TraceBody.correction(
                CorrectionBody(
                    steps: ["2 + 5 = 8"],
                    firstWrongStep: 0,
                    cause: "The sum is wrong.",
                    correction: "2 + 5 = 7",
                    answer: "7"
                )
            )
            try await bench.insert(problem: 0)
            try await bench.insert(body, id: "of-a-run", problem: 0, attempt: "a-0", run: "r1")
            await #expect(throws: DistillationError.self) { try await bench.collect(.supervised(["corrections"], "c")) }
            try await bench.insert(body, id: "of-the-problem", problem: 0)
            let data = try await bench.collect(.supervised(["corrections"], "c"))
            #expect(data.counts == ["corrections": 1])
            #expect(data.supervised.map { text($0, bench).contains("2 + 5 = 7") } == [true])
        }
    }
}
