import Distillation
import Foundation
import LanguageModel
import Schemas
import ServiceRuntime
import StageSupport
import Testing
import Training

@testable import RunTraining

@Suite("Which runs are taken up")
struct RunCheckTests {
    private func failure(_ run: RunEvent, _ bench: StageBench) -> PermanentFailure? {
        #expect(throws: PermanentFailure.self) { try RunCheck.check(run, store: bench.store) }
    }

    @Test("a run whose student is there and can be asked is taken up, and its folder named")
    func fits() async throws {
        try await StageBench.with { bench in
            let run = bench.run(stages: [.templates(), .keySteps(), .corrections()])
            #expect(try RunCheck.check(run, store: bench.store).path == bench.student.folder.path)
            var asText = run
            asText.prompt = RunPrompt(style: "text")
            try RunCheck.check(asText, store: bench.store)
        }
    }

    @Test("a student that the store does not hold is named")
    func unknownStudent() async throws {
        try await StageBench.with { bench in
            for hash in [String(repeating: "a", count: 64), "not-a-hash"] {
                var run = bench.run(stages: [.templates()])
                run.student.modelHash = hash
                let failure = failure(run, bench)
                #expect(failure?.code == "unknown-student")
                #expect(failure?.message.hasPrefix("student.modelHash: ") == true)
                #expect(failure?.message.contains(hash) == true)
            }
        }
    }

    @Test("another tokenizer than the student's is refused, and the right one named")
    func tokenizerMismatch() async throws {
        try await StageBench.with { bench in
            var run = bench.run(stages: [.templates()])
            run.student.tokenizerFingerprint = "another"
            let failure = failure(run, bench)
            #expect(failure?.code == "tokenizer-mismatch")
            #expect(failure?.message.hasPrefix("student.tokenizerFingerprint is another, ") == true)
            #expect(failure?.message.contains(bench.student.tokenizerFingerprint) == true)
        }
    }

    @Test("a student without a chat template cannot be asked by one")
    func chat() async throws {
        try await StageBench.with { bench in
            var run = bench.run(stages: [.templates()])
            run.prompt = RunPrompt(style: "chat")
            let failure = failure(run, bench)
            #expect(failure?.code == "invalid-recipe")
            #expect(failure?.message.hasPrefix("prompt.style: ") == true, "\(failure?.message ?? "")")
        }
    }

    @Test("an adapter that cannot be is refused by its stage's place")
    func adapter() async throws {
        try await StageBench.with { bench in
            var odd = TrainingBlock()
            odd.lora = LoRABlock(rank: 8, targets: ["lm_head"])
            let failure = failure(bench.run(stages: [.templates(), .keySteps(training: odd)]), bench)
            #expect(failure?.code == "invalid-recipe")
            #expect(failure?.message.hasPrefix("stages[1]: training.lora.targets") == true, "\(failure?.message ?? "")")
            #expect(failure?.message.contains("lm_head") == true)
        }
    }

    @Test("a training that does not fit into the memory is refused with its place and the options that need less")
    func memory() async throws {
        try await StageBench.with { bench in
            let folder = bench.student.folder
            func check(_ block: TrainingBlock?, _ available: Int?) throws {
                try RunCheck.check(.templates(training: block), seed: 1, folder: folder, available: available)
            }
            func refusal(_ block: TrainingBlock?, _ available: Int) -> String {
                #expect(throws: RunCheck.RefusedOption.self) { try check(block, available) }?.description ?? ""
            }
            try check(nil, nil)
            try check(nil, 1 << 40)
            #expect(refusal(nil, 1000).hasPrefix("training: with full batches of examples of 512 tokens, where "))
            // It is the batches that count, in full and at the length that the stage bounds.
            let large = TrainingBlock(batchSequences: 4096, tokensAtOnce: 1_000_000_000)
            let there = 1 << 30
            try check(nil, there)
            let words = refusal(large, there)
            #expect(words.contains("the training needs about"), "\(words)")
            #expect(words.contains("training.tokensAtOnce 512"), "\(words)")
            var short = large
            short.maximumLength = 16
            try check(short, there)
            short.maximumLength = 400
            #expect(refusal(short, there).contains("examples of 400 tokens, as maximumLength allows"))
        }
    }

    @Test("batches of more tokens than can be counted are refused like other large ones")
    func boundless() async throws {
        try await StageBench.with { bench in
            func check(_ block: TrainingBlock) throws {
                let run = bench.run(stages: [.templates(training: block)])
                try RunCheck.check(run, store: bench.store, available: 1 << 40)
            }
            for block in [
                TrainingBlock(batchSequences: .max, tokensAtOnce: .max),
                TrainingBlock(batchTokens: .max, tokensAtOnce: .max),
            ] {
                let failure = #expect(throws: PermanentFailure.self) { try check(block) }
                #expect(failure?.message.contains("the training needs about") == true, "\(failure?.message ?? "")")
            }
            try check(TrainingBlock(batchSequences: .max))
        }
    }

    /// A stage with an option that a trainer refuses when it begins, and the beginning of the check's words.
    private static let refusedOptions: [(RunStage, String)] = [
        (.templates(training: TrainingBlock(epochs: 2e6)), "training: epochs is 2000000.0"),
        (.templates(training: TrainingBlock(maximumTokens: 5, maximumSteps: 5)), "training: give maximumTokens or "),
        (.templates(training: TrainingBlock(warmupRatio: 2)), "training: warmupRatio is 2.0"),
        (.templates(training: TrainingBlock(accumulation: 0)), "training: accumulation is 0"),
        (.keySteps("keys", KeyStepMethod(nllThreshold: -1)), "training: negativeThreshold is -1.0"),
        (preferences(PreferenceMethod(layout: "duals", labelSmoothing: 0.5)), "preferences: labelSmoothing is 0.5"),
        (preferences(PreferenceMethod(layout: "duals", loss: "ipo", labelSmoothing: 0.1)), "preferences: label"),
        (preferences(PreferenceMethod(layout: "duals", beta: 0)), "preferences: beta is 0.0"),
    ]

    private static func preferences(_ method: PreferenceMethod) -> RunStage {
        RunStage(name: "duals", preferences: method, start: StageStart(examples: 1))
    }

    @Test(
        "what a trainer refuses when it begins is refused with its place before anything is trained",
        arguments: 0..<8
    )
    func options(number: Int) async throws {
        let (stage, words) = Self.refusedOptions[number]
        try await StageBench.with { bench in
            let failure = failure(bench.run(stages: [.templates(), stage]), bench)
            #expect(failure?.code == "invalid-recipe")
            #expect(failure?.message.hasPrefix("stages[1].\(words)") == true, "\(failure?.message ?? "")")
        }
    }

    @Test("memory that a run's training needs is asked for by who trains it, and by nobody else")
    func memoryOfOthers() async throws {
        try await StageBench.with { bench in
            let run = bench.run(stages: [.templates()])
            let refused = #expect(throws: PermanentFailure.self) {
                try RunCheck.check(run, store: bench.store, available: 1000)
            }
            #expect(refused?.code == "invalid-recipe")
            #expect(refused?.message.hasPrefix("stages[0].training: with full") == true, "\(refused?.message ?? "")")
            let folder = try RunCheck.check(run, store: bench.store, memory: false)
            #expect(folder.path == bench.student.folder.path)
        }
    }

    @Test("a stage of another engine needs neither this machine's memory nor the trainer's words")
    func otherEngine() async throws {
        try await StageBench.with { bench in
            var odd = TrainingBlock()
            odd.lora = LoRABlock(rank: 8, targets: ["lm_head"])
            var stage = RunStage.templates(training: odd)
            stage.engine = "trl"
            try RunCheck.check(bench.run(stages: [stage]), store: bench.store)
        }
    }
}
