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

    @Test("a training that can never fit into the memory is refused with the options that need less")
    func memory() async throws {
        try await StageBench.with { bench in
            let folder = bench.student.folder
            try RunCheck.check(.templates(), seed: 1, folder: folder, available: nil)
            try RunCheck.check(.templates(), seed: 1, folder: folder, available: 1 << 40)
            let error = #expect(throws: TrainingError.self) {
                try RunCheck.check(.templates(), seed: 1, folder: folder, available: 1000)
            }
            guard case .insufficientMemory = error else {
                Issue.record("the error is \(String(describing: error))")
                return
            }
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
            #expect(refused?.message.hasPrefix("stages[0]: ") == true, "\(refused?.message ?? "")")
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
