import DataSupport
import Foundation
import LanguageModel
import Schemas
import Testing
import Tokenization

@testable import ErrataCLICore

@Suite("A run as people write it")
struct RunFileTests {
    private func read(_ text: String) throws -> RunEvent {
        let folder = try TestData.golden("tok/qwen2-512")
        return try RunFile.run(in: Data(text.utf8), place: "run.yaml") { name in
            guard name == "tiny" else { throw CLIError("no model '\(name)'") }
            return StoredModel(hash: "abc", folder: folder)
        }
    }

    private static let minimal = """
        name: n
        dataset: d
        seed: 9007199254740991
        student: {model: tiny}
        stages: []
        suites: []
        """

    @Test("a student's name becomes its hash and its tokenizer's fingerprint; an id follows from the content")
    func names() throws {
        let fingerprint = try Tokenizer(folder: TestData.golden("tok/qwen2-512")).fingerprint
        let run = try read(Self.minimal)
        #expect(run.student == StudentReference(modelHash: "abc", tokenizerFingerprint: fingerprint))
        #expect(run.seed == 9_007_199_254_740_991)
        // The same content in JSON and in another order is the same run; another content is another.
        let json = #"{"suites": [], "stages": [], "student": {"model": "tiny"}, "seed": 9007199254740991, "#
        #expect(try read(json + #""dataset": "d", "name": "n"}"#).id == run.id)
        #expect(try read(json + #""dataset": "d", "name": "m"}"#).id != run.id)
        #expect(try read(Self.minimal + "\nid: mine").id == "mine")
    }

    @Test("words that YAML 1.1 takes for truth values are texts, numbers with exponents are numbers, merges merge")
    func scalars() throws {
        let text = """
            name: on
            dataset: no
            seed: 1
            student: {model: tiny}
            stages:
              - name: a
                supervised: {sources: [{kind: templates}]}
                start: &enough {examples: 3, waitSeconds: 60}
                training: &base {learningRate: 2e-4, epochs: 3, recomputeActivations: true}
              - name: b
                parent: a
                keySteps: {form: chains}
                start: *enough
                training:
                  <<: *base
                  epochs: 1
            suites: []
            """
        let run = try read(text)
        #expect(run.name == "on" && run.dataset == "no")
        #expect(
            run.stages[1].training
                == TrainingBlock(learningRate: 0.0002, epochs: 1, recomputeActivations: true)
        )
        #expect(run.stages[1].start == StageStart(examples: 3, waitSeconds: 60))
    }

    @Test(
        "what is wrong is told with its place",
        arguments: [
            (#"{"student": {"model": 3}}"#, "no text"), (#"{"student": {"model": "other"}}"#, "no model 'other'"),
            (#"{"student": {"model": "tiny", "modelHash": "m"}}"#, "\"model\" alone"), ("{", "run.yaml"),
            ("[1]", "no map"), ("", "run.yaml is empty"), ("a: [1", "run.yaml"),
            ("name: n\nname: m", "name"),
            ("student: {model: \"{{student}}\"}", "put a name in that `errata models list` shows"),
            ("dataset: \"{{dataset}}\"", "put the data set's name in"),
            (minimal + "\nthresholds: {}", "$.thresholds is not known"),
            (minimal.replacing("stages: []", with: "stages: [{name: a}]"), "$.stages[0] has no method"),
        ]
    )
    func faults(text: String, words: String) {
        do {
            _ = try read(text)
            Issue.record("\(text) is taken")
        } catch {
            #expect("\(error)".contains(words), "\(error)")
        }
    }
}

@Suite("The recipes")
struct RecipeLibraryTests {
    private func recipe(_ name: String) throws -> RunEvent {
        let folder = try TestData.golden("tok/qwen2-512")
        let text = try RecipeLibrary.text(name, student: "tiny", dataset: "gsm8k")
        return try RunFile.run(in: Data(text.utf8), place: name) { _ in StoredModel(hash: "abc", folder: folder) }
    }

    @Test("every recipe is a run that is taken", arguments: RecipeLibrary.all.map(\.name))
    func valid(name: String) throws {
        let run = try recipe(name)
        #expect(run.name == name && run.dataset == "gsm8k")
        #expect(run.suites.allSatisfy { $0.dataset == "gsm8k" })
    }

    @Test("a recipe without names keeps its places open, and names them when it is submitted")
    func open() throws {
        let text = try RecipeLibrary.text("edit", student: nil, dataset: nil)
        #expect(text.contains("model: \"{{student}}\"") && text.contains("dataset: \"{{dataset}}\""))
        #expect(throws: CLIError.self) { try RecipeLibrary.text("none", student: nil, dataset: nil) }
    }

    @Test("EDIT's published settings are those of the paper's Table 16")
    func edit() throws {
        let run = try recipe("edit")
        #expect(run.stages.map(\.name) == ["sft", "edit"])
        let (sft, edit) = (run.stages[0], run.stages[1])
        #expect(sft.supervised?.sources.map(\.kind) == ["rightChains", "rectifiedChains"])
        #expect(sft.training?.learningRate == 2e-4 && sft.training?.epochs == 10)
        #expect((sft.training?.batchSequences ?? 0) * (sft.training?.accumulation ?? 0) == 256)
        #expect(sft.training?.schedule == "stepwise" && sft.training?.weightDecay == 0)
        #expect(
            sft.training?.lora == LoRABlock(rank: 64, alpha: 32, dropout: 0.05, targets: ["q_proj", "v_proj"])
        )
        #expect(edit.parent == "sft" && edit.training?.learningRate == 5e-6 && edit.training?.epochs == 10)
        #expect(edit.keySteps?.alpha == 1 && edit.keySteps?.beta == 0.025 && edit.keySteps?.gamma == 0)
        #expect(edit.keySteps?.form == "chains" && edit.training?.normalization == "perSequence")
        #expect(run.answers(of: "edit") == "chain")
    }

    @Test("SuperCorrect's published settings are those of the paper's section 5.1, with equation 8")
    func superCorrect() throws {
        let run = try recipe("supercorrect")
        let (hsft, dpo) = (run.stages[0], run.stages[1])
        #expect(hsft.training?.learningRate == 2e-5 && hsft.training?.epochs == 4)
        #expect(hsft.training?.warmupRatio == 0.02 && hsft.training?.schedule == "cosine")
        #expect(dpo.training?.learningRate == 1e-6 && dpo.training?.epochs == 8 && dpo.training?.warmupRatio == 0.05)
        #expect((dpo.training?.batchSequences ?? 0) * (dpo.training?.accumulation ?? 0) == 128)
        #expect(dpo.preferences?.layout == "prefix" && dpo.parent == "hsft")
        #expect(run.answers(of: "cross-dpo") == "template")
    }
}
