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
        let stage = PreferenceStage(
            loss: "robust",
            beta: 0.4,
            labelSmoothing: 0.1,
            nllWeight: 0.3,
            supervisedWeight: 5
        )
        #expect(
            try stage.preferenceOptions()
                == PreferenceOptions(
                    loss: .robust,
                    beta: 0.4,
                    labelSmoothing: 0.1,
                    nllWeight: 0.3,
                    supervisedWeight: 5
                )
        )
        #expect(try PreferenceStage().preferenceOptions() == PreferenceOptions())
        #expect(try PreferenceStage().pairOptions() == PreferencePairs.Options())
        #expect(try PreferenceStage(layout: "trace").pairOptions().layout == .trace)
    }

    @Test("a word that the trainer does not know is refused with those it knows")
    func words() {
        #expect(failure { _ = try PreferenceStage(loss: "kto").preferenceOptions() }.contains("robust"))
        #expect(failure { _ = try PreferenceStage(layout: "tree").pairOptions() }.contains("step, trace"))
        let block = TrainingBlock(schedule: "stairs")
        #expect(
            failure { _ = try block.options(defaults: TrainingOptions(learningRate: 1e-3), seed: 1) }.contains("cosine")
        )
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

    @Test("a key-step stage says weights, tie rule and key tokens, and what wrong tokens cost")
    func keySteps() throws {
        let stage = KeyStepStage(
            training: TrainingBlock(epochs: 3),
            alpha: 2,
            beta: 0.5,
            gamma: 0.1,
            tieRule: "canonical",
            wrongTokens: "unlikelihood",
            nllThreshold: 4,
            keyTokens: "random"
        )
        #expect(
            try stage.keyStepOptions(seed: 7)
                == KeyStepOptions(alpha: 2, beta: 0.5, gamma: 0.1, tieRule: .canonical, keyTokens: .random(seed: 7))
        )
        #expect(try KeyStepStage().keyStepOptions(seed: 7) == KeyStepOptions())
        let defaults = TrainingOptions(learningRate: 1e-3)
        let options = try stage.trainingOptions(defaults: defaults, seed: 5)
        #expect(options.negativeTokens == .unlikelihood && options.negativeThreshold == 4)
        #expect(options.epochs == 3 && options.seed == 5)
        #expect(try KeyStepStage().trainingOptions(defaults: defaults, seed: 0) == defaults)
        #expect(failure { _ = try KeyStepStage(tieRule: "x").keyStepOptions(seed: 1) }.contains("edit, canonical"))
        #expect(failure { _ = try KeyStepStage(keyTokens: "x").keyStepOptions(seed: 1) }.contains("edit, random"))
        #expect(
            failure { _ = try KeyStepStage(wrongTokens: "x").trainingOptions(defaults: defaults, seed: 1) }
                .contains("likelihood, unlikelihood")
        )
    }

    @Test("a context that the layout cannot have is refused instead of left unheard")
    func context() throws {
        #expect(
            failure { _ = try PreferenceStage(wrongStepInContext: true).pairOptions() }.contains("wrongStepInContext")
        )
        let trace = PreferenceStage(layout: "trace", wrongStepInContext: false)
        #expect(failure { _ = try trace.pairOptions() }.contains("always"))
        #expect(try PreferenceStage(wrongStepInContext: false).pairOptions().layout == .step)
    }

    @Test("the prefix layout has the wrong step in its context or not, and rules stand where they mean something")
    func rules() throws {
        #expect(try PreferenceStage(layout: "prefix").pairOptions().wrongStepInContext == false)
        #expect(try PreferenceStage(layout: "prefix", wrongStepInContext: true).pairOptions().wrongStepInContext)
        let stage = PreferenceStage(
            layout: "prefix",
            tokenWeighted: true,
            whenSelfCorrectionIsRight: "keep",
            whenSelfCorrectionNamesAnotherStep: "drop"
        )
        #expect(
            try stage.pairOptions()
                == PreferencePairs.Options(
                    layout: .prefix,
                    tokenWeighted: true,
                    whenSelfCorrectionIsRight: .keep,
                    whenSelfCorrectionNamesAnotherStep: .drop
                )
        )
        let word = PreferenceStage(whenSelfCorrectionIsRight: "zap")
        #expect(failure { _ = try word.pairOptions() }.contains("keep, drop, step"))
        let unheard = PreferenceStage(layout: "instance", whenSelfCorrectionIsRight: "drop")
        #expect(failure { _ = try unheard.pairOptions() }.contains("do not use self-corrections"))
        let nowhere = PreferenceStage(whenSelfCorrectionNamesAnotherStep: "keep")
        #expect(failure { _ = try nowhere.pairOptions() }.contains("no place"))
        let never = PreferenceStage(layout: "instance", wrongStepInContext: true)
        #expect(failure { _ = try never.pairOptions() }.contains("never"))
    }

    private func failure(_ body: () throws -> Void) -> String {
        do {
            try body()
            return ""
        } catch { return "\(error)" }
    }
}
