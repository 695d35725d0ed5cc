import Distillation
import LanguageModel
import Reasoning
import Schemas
import Testing
import Tokenization
import Training

@Suite("A stage's work")
struct StageWorkTests {
    private typealias Samples = StageSamples

    private static let material = StageMaterial(
        problems: Samples.problems,
        traces: Samples.templates + Samples.duals + Samples.chains
    )
    /// The bytes of the prompt about pens, and of that about figs.
    private static let promptLength = 42

    private func work(_ stage: RunStage, material: StageMaterial = material) throws -> StageWork {
        try StageWork(stage, of: Samples.run(stage), material: material, codec: TokenizerKind.bytes.codec())
    }

    private func texts(_ examples: [SupervisedExample]) throws -> [String] {
        let codec = try TokenizerKind.bytes.codec()
        return examples.map { String(codec.text($0).split(separator: "‖")[1]) }
    }

    // MARK: What is too long

    @Test("of a pair on key steps both sides are left out where one is too long, and both are counted")
    func longSide() throws {
        func stage(_ longest: Int) -> RunStage {
            RunStage(name: "krsl", keySteps: KeyStepMethod(), training: TrainingBlock(maximumLength: longest))
        }
        // " 9+2=11.\n#### 11" and the end of text are 17 tokens; its right chain's are 15.
        let all = try work(stage(Self.promptLength + 17))
        #expect(all.examples.supervised.count == 4 && all.examples.counts["too-long"] == nil)
        let cut = try work(stage(Self.promptLength + 16))
        #expect(try texts(cut.examples.supervised) == [" 2+3=5.\n#### 5⏹", " 2+3=6.\n#### 6⏹"])
        #expect(cut.examples.counts == ["pairs": 2, "not-written": 1, "too-long": 2])
    }

    @Test("a preference pair is left out where its longer side is too long")
    func longPair() throws {
        let stage = RunStage(
            name: "dpo",
            preferences: PreferenceMethod(layout: "duals"),
            training: TrainingBlock(maximumLength: Self.promptLength + 16)
        )
        let cut = try work(stage)
        #expect(cut.examples.pairs.map(\.id) == ["Q1"])
        #expect(cut.examples.counts == ["pairs": 2, "too-long": 1, "not-written": 1])
    }

    @Test("whole responses are left out one by one")
    func longResponse() throws {
        var stage = Samples.supervised(ExampleSource("repeatedChains"), ExampleSource("rightChains"))
        stage.training = TrainingBlock(maximumLength: Self.promptLength + 15)
        let cut = try work(stage)
        #expect(try texts(cut.examples.supervised) == [" 2+3=5.\n#### 5⏹", " 9-2=7.\n#### 7⏹"])
        #expect(cut.examples.counts == ["repeatedChains": 1, "rightChains": 2, "too-long": 1])
    }

    @Test("what is mixed into a stage on key steps is left out one by one, and its pairs in twos")
    func longMix() throws {
        let stage = RunStage(
            name: "krsl",
            keySteps: KeyStepMethod(
                mix: [ExampleSource("solutions"), ExampleSource("rightChains"), ExampleSource("repeatedChains")]
            ),
            training: TrainingBlock(maximumLength: Self.promptLength + 17)
        )
        // Pens' solution and repeated chain are 5 tokens too long; what stands beside them is not.
        let cut = try work(stage)
        let expected = [" 4*2=8.\n#### 8⏹", " 2+3=5.\n#### 5⏹", " 9-2=7.\n#### 7⏹"]
        let mixed = try texts(cut.examples.supervised).dropFirst(4)
        #expect(Array(mixed) == expected && cut.examples.counts["too-long"] == 2)
    }

    @Test("a stage whose pairs are all too long does not train on what is mixed in alone")
    func onlyMixLeft() {
        let mix = [ExampleSource("rightChains")]
        let training = TrainingBlock(maximumLength: Self.promptLength + 15)
        let duals = [
            Samples.dual("d9", Samples.figs, right: "9-2=7.\n#### 7", wrong: "9+2=11.\n#### 11", .corrupted, nil)
        ]
        let material = StageMaterial(problems: Samples.problems, traces: duals + Samples.chains)
        for stage in [
            RunStage(name: "krsl", keySteps: KeyStepMethod(mix: mix), training: training),
            RunStage(name: "dpo", preferences: PreferenceMethod(layout: "duals", mix: mix), training: training),
        ] {
            #expect(Samples.failure { _ = try work(stage, material: material) }.contains("raise training.maximum"))
        }
    }

    @Test("a stage whose examples are all too long says how many and what to raise")
    func allTooLong() {
        let stage = RunStage(name: "krsl", keySteps: KeyStepMethod(), training: TrainingBlock(maximumLength: 20))
        #expect(
            Samples.failure { _ = try work(stage) }
                == "all 4 examples of the stage krsl have more than 20 tokens; raise training.maximumLength"
        )
    }

    // MARK: What is told of it

    @Test("the numbers of examples, and the loss of preferences alone")
    func counts() throws {
        let mix = [ExampleSource("rightChains")]
        let keySteps = try work(RunStage(name: "krsl", keySteps: KeyStepMethod(mix: mix)))
        #expect(keySteps.count == 6 && keySteps.preference == nil)
        let method = PreferenceMethod(layout: "duals", beta: 0.2, mixWeight: 3, mix: mix)
        let preferences = try work(RunStage(name: "dpo", preferences: method))
        #expect(preferences.count == 2)
        #expect(preferences.preference == PreferenceOptions(beta: 0.2, supervisedWeight: 3))
        let supervised = try work(Samples.supervised(ExampleSource("templates")))
        #expect(supervised.count == 2 && supervised.preference == nil)
    }

    @Test("a checkpoint is told what was used, defaults filled in")
    func record() throws {
        let data = StageData(pairs: "corrupted")
        let keySteps = try work(RunStage(name: "krsl", keySteps: KeyStepMethod(beta: 0.5), data: data)).record
        #expect(
            keySteps["keySteps"]
                == .object([
                    "form": .string("chains"), "alpha": .integer(1), "beta": .number(0.5), "gamma": .integer(0),
                    "tieRule": .string("edit"),
                ])
        )
        #expect(keySteps["data"] == .object(["pairs": .string("corrupted")]))
        #expect(keySteps["answers"] == .string("chain"))
        guard case .object(let training)? = keySteps["training"] else {
            Issue.record("no training options")
            return
        }
        #expect(training["schedule"] == .string("stepwise") && training["learningRate"] == .number(5e-6))

        let dual = try work(RunStage(name: "dpo", preferences: PreferenceMethod(layout: "duals"))).record
        #expect(dual["pairs"] == .object(["layout": .string("duals")]) && dual["mix"] == nil)
        let templates = try work(Samples.supervised(ExampleSource("templates", weight: 0.5))).record
        #expect(templates["answers"] == .string("template"))
        #expect(
            templates["supervised"]
                == .object([
                    "sources": .array([.object(["kind": .string("templates"), "weight": .number(0.5)])])
                ])
        )
    }

    @Test("a stage on preferences keeps its numbers of tokens, adapter and seed")
    func options() throws {
        var stage = RunStage(name: "dpo", preferences: PreferenceMethod(layout: "duals"))
        stage.training = TrainingBlock(lora: LoRABlock(rank: 4))
        let work = try StageWork(
            stage,
            of: Samples.run(stage),
            material: Self.material,
            codec: TokenizerKind.bytes.codec(),
            tokens: 900
        )
        #expect(work.options.maximumTokens == 900 && work.options.seed == 5)
        #expect(work.adapter?.rank == 4 && work.adapter?.alpha == 8)
    }
}
