import Distillation
import LanguageModel
import Reasoning
import Schemas
import TensorEngine
import Testing
import Training

@Suite("Options of a run's stages")
struct StageOptionTests {
    @Test("what a run says is what the trainer gets, and the rest are the defaults")
    func preference() throws {
        let method = PreferenceMethod(layout: "step", loss: "robust", beta: 0.4, labelSmoothing: 0.1, nllWeight: 0.3)
        #expect(
            try method.preferenceOptions()
                == PreferenceOptions(loss: .robust, beta: 0.4, labelSmoothing: 0.1, nllWeight: 0.3)
        )
        let margin = PreferenceMethod(layout: "duals", loss: "simpo", beta: 2, simpoMargin: 0.5)
        #expect(try margin.preferenceOptions() == PreferenceOptions(loss: .simpo, beta: 2, simpoMargin: 0.5))
        #expect(try PreferenceMethod(layout: "step").preferenceOptions() == PreferenceOptions())
        #expect(try PreferenceMethod(layout: "step").pairOptions() == PreferencePairs.Options())
        #expect(try PreferenceMethod(layout: "trace").pairOptions().layout == .trace)
    }

    @Test("what is mixed into preferences has the run's weight, 1 where it says none, and none without a mix")
    func mixWeight() throws {
        func weight(_ mix: [ExampleSource]?, _ weight: Double?) throws -> Double {
            try PreferenceMethod(layout: "step", mixWeight: weight, mix: mix).preferenceOptions().supervisedWeight
        }
        #expect(try weight([ExampleSource("templates")], 0.5) == 0.5)
        #expect(try weight([ExampleSource("templates")], nil) == 1)
        #expect(try weight(nil, nil) == 0)
        #expect(try weight([], nil) == 0)
    }

    @Test("a word that the trainer does not know is refused with those it knows")
    func words() {
        #expect(
            failure { _ = try PreferenceMethod(layout: "step", loss: "kto").preferenceOptions() }.contains("robust")
        )
        #expect(failure { _ = try PreferenceMethod(layout: "tree").pairOptions() }.contains("step, trace"))
        let block = TrainingBlock(schedule: "stairs")
        #expect(
            failure { _ = try block.options(defaults: TrainingOptions(learningRate: 1e-3), seed: 1) }.contains("cosine")
        )
    }

    @Test("the order of the data is kept, and the checkpoint rounded, only where a run says so")
    func orderAndType() throws {
        func options(_ block: TrainingBlock) throws -> TrainingOptions {
            try block.options(defaults: TrainingOptions(learningRate: 1e-3), seed: 1)
        }
        #expect(try options(TrainingBlock()).shuffle)
        #expect(try !options(TrainingBlock(shuffle: false)).shuffle)
        #expect(try TrainingBlock().savedType() == .float32)
        #expect(try TrainingBlock(saveDtype: "auto").savedType() == .auto)
        #expect(
            failure { _ = try TrainingBlock(saveDtype: "int8").savedType() }.contains("training.saveDtype is 'int8'")
        )
        let block = TrainingBlock(saveDtype: "float16")
        #expect(try block.record(of: options(block))["saveDtype"] == .string("float16"))
    }

    @Test("an adapter has what the run says of it, and PEFT's usual layers and twice the rank where it says nothing")
    func adapter() throws {
        #expect(try TrainingBlock().adapter() == nil)
        #expect(try TrainingBlock(lora: LoRABlock(rank: 4)).adapter() == LoRAConfiguration(rank: 4, alpha: 8))
        let all = LoRABlock(rank: 2, alpha: 3, dropout: 0.5, targets: ["down_proj", "q_proj"])
        #expect(
            try TrainingBlock(lora: all).adapter()
                == LoRAConfiguration(rank: 2, alpha: 3, dropout: 0.5, targets: [.query, .down])
        )
        let unknown = TrainingBlock(lora: LoRABlock(rank: 2, targets: ["lm_head"]))
        #expect(failure { _ = try unknown.adapter() }.contains("lm_head"))
        #expect(failure { _ = try TrainingBlock(lora: LoRABlock(rank: 0)).adapter() }.contains("training.lora"))
    }

    @Test("a stage on key steps says weights, tie rule and key tokens, and what wrong tokens cost")
    func keySteps() throws {
        let method = KeyStepMethod(
            alpha: 2,
            beta: 0.5,
            gamma: 0.1,
            tieRule: "canonical",
            wrongTokens: "unlikelihood",
            nllThreshold: 4,
            keyTokens: "random"
        )
        #expect(
            try method.keyStepOptions(seed: 7)
                == KeyStepOptions(alpha: 2, beta: 0.5, gamma: 0.1, tieRule: .canonical, keyTokens: .random(seed: 7))
        )
        #expect(try KeyStepMethod().keyStepOptions(seed: 7) == KeyStepOptions())
        let stage = RunStage(name: "krsl", keySteps: method, training: TrainingBlock(epochs: 3))
        let options = try stage.trainingOptions(seed: 5)
        #expect(options.negativeTokens == .unlikelihood && options.negativeThreshold == 4)
        #expect(options.epochs == 3 && options.seed == 5)
        #expect(failure { _ = try KeyStepMethod(tieRule: "x").keyStepOptions(seed: 1) }.contains("edit, canonical"))
        #expect(failure { _ = try KeyStepMethod(keyTokens: "x").keyStepOptions(seed: 1) }.contains("edit, random"))
        let cost = RunStage(name: "krsl", keySteps: KeyStepMethod(wrongTokens: "x"))
        #expect(failure { _ = try cost.trainingOptions(seed: 1) }.contains("likelihood, unlikelihood"))
    }

    @Test("a stage trains by its paper's schedule and rate unless the run says otherwise")
    func defaults() throws {
        let supervised = RunStage(name: "hsft", supervised: SupervisedMethod([ExampleSource("templates")]))
        #expect(
            try supervised.trainingOptions(seed: 3)
                == TrainingOptions(learningRate: 2e-5, epochs: 4, schedule: .cosine, warmupRatio: 0.02, seed: 3)
        )
        let keySteps = RunStage(name: "krsl", keySteps: KeyStepMethod())
        #expect(
            try keySteps.trainingOptions(seed: 3)
                == TrainingOptions(
                    learningRate: 5e-6,
                    epochs: 10,
                    schedule: .stepwise,
                    normalization: .perSequence,
                    seed: 3
                )
        )
        let preferences = RunStage(name: "dpo", preferences: PreferenceMethod(layout: "step"))
        #expect(
            try preferences.trainingOptions(seed: 3)
                == TrainingOptions(learningRate: 1e-6, epochs: 8, schedule: .cosine, warmupRatio: 0.05, seed: 3)
        )
        var changed = keySteps
        changed.training = TrainingBlock(learningRate: 1e-3, schedule: "constant", normalization: "responseTokens")
        let options = try changed.trainingOptions(seed: 3)
        #expect(options.learningRate == 1e-3 && options.schedule == .constant)
        #expect(options.normalization == .responseTokens && options.epochs == 10)
    }

    @Test("a control of equal cost trains on as many tokens as the stages that it is compared with")
    func tokens() throws {
        let stage = RunStage(name: "plain", supervised: SupervisedMethod([ExampleSource("rightChains")]))
        #expect(try stage.trainingOptions(seed: 1).maximumTokens == nil)
        #expect(try stage.trainingOptions(seed: 1, tokens: 4321).maximumTokens == 4321)
    }

    @Test("the prefix layout has the wrong step in its context or not, and rules are what the run says")
    func rules() throws {
        #expect(try PreferenceMethod(layout: "prefix").pairOptions().wrongStepInContext == false)
        #expect(try PreferenceMethod(layout: "prefix", wrongStepInContext: true).pairOptions().wrongStepInContext)
        let method = PreferenceMethod(
            layout: "prefix",
            tokenWeighted: true,
            whenSelfCorrectionIsRight: "keep",
            whenSelfCorrectionNamesAnotherStep: "drop"
        )
        #expect(
            try method.pairOptions()
                == PreferencePairs.Options(
                    layout: .prefix,
                    tokenWeighted: true,
                    whenSelfCorrectionIsRight: .keep,
                    whenSelfCorrectionNamesAnotherStep: .drop
                )
        )
        let word = PreferenceMethod(layout: "step", whenSelfCorrectionIsRight: "zap")
        #expect(failure { _ = try word.pairOptions() }.contains("keep, drop, step"))
    }

    private func failure(_ body: () throws -> Void) -> String {
        do {
            try body()
            return ""
        } catch { return "\(error)" }
    }
}
