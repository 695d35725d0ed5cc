import Distillation
import Schemas
import TensorEngine
import Testing
import Training

@testable import Reproduction

@Suite("What arms learn from, on four problems")
struct ArmExamplesTests {
    private static let p1 = "Q: Ana has 3 shells and finds 4. How many has she?\n"
    private static let p2 = "Q: Ben has 9 pens and gives 2 away. How many has he?\n"
    private static let p3 = "Q: Cleo buys 2 boxes of 5 eggs. How many eggs has she?\n"
    private static let p4 = "Q: Dan walks 2 km. How many meters?\n"
    private static let right = [
        p1 + "A: She has 3 + 4 = 7 shells.\n#### 7$", p3 + "A: She has 2 * 5 = 10 eggs.\n#### 10$",
    ]
    private static let rectified = [p2 + "A: He has 9 - 2 = 7 pens.\n#### 7$"]
    private static let corrections = [
        p2 + "S:\n1. He has 9 + 2 = 11 pens.\nC: 1<Cause>He gives pens away.</Cause>"
            + "<Correction>He has 9 - 2 = 7 pens.</Correction><Answer>7</Answer>$",
        p3 + "S:\n1. She has 2 * 5 = 10 eggs.\nC:<Answer>10</Answer>$",
    ]
    private static let template =
        p1 + "T: <Step1>She has 3 + 4 = 7 shells.<Key>Add what she finds.</Key></Step1>\n"
        + "<Generalized>Put the parts together.</Generalized>\n<Answer>7</Answer>$"
    /// Each pair's right chain, then its wrong one.
    private static let duals = [
        p1 + "A: She has 3 + 4 = 7 shells.\n#### 7$", p1 + "A: She has 3 + 4 = 8 shells.\n#### 8$",
        p2 + "A: He has 9 - 2 = 7 pens.\n#### 7$", p2 + "A: He has 9 + 2 = 11 pens.\n#### 11$",
        p3 + "A: She has 2 * 5 = 10 eggs.\n#### 10$", p3 + "A: She has 2 + 5 = 7 eggs.\n#### 7$",
        p4 + "A: He walks 2 * 1000 = 2000 meters.\n#### 2000$", p4 + "A: He walks 2 * 100 = 200 meters.\n#### 200$",
    ]
    private static let r1 = "Q: Eva has 5 cups and breaks 2. How many has she?\n"

    @Test("whole chains: right, rectified, repeated, and wrong ones behind their mark")
    func chains() throws {
        #expect(try TinySeed.work("std-cot", of: .edit).texts == Self.right)
        let rwc = try TinySeed.work("rwc", of: .edit)
        #expect(rwc.texts == Self.right + Self.rectified)
        #expect(rwc.work.examples.counts == ["rightChains": 2, "rectifiedChains": 1])
        #expect(rwc.work.count == 3)
        let repeated = [Self.p1 + "A: She has 4 + 3 = 7 shells.\n#### 7$"]
        #expect(try TinySeed.work("repeated", of: .edit).texts == Self.right + Self.rectified + repeated)
        let wrong = [
            "Q: [Counterfactual Reasoning] Ana has 3 shells and finds 4. How many has she?\n"
                + "A: She has 3 + 4 = 8 shells.\n#### 8$",
            "Q: [Counterfactual Reasoning] Ben has 9 pens and gives 2 away. How many has he?\n"
                + "A: He has 9 + 2 = 11 pens.\n#### 11$",
            "Q: [Counterfactual Reasoning] Cleo buys 2 boxes of 5 eggs. How many eggs has she?\n"
                + "A: She has 2 + 5 = 7 eggs.\n#### 7$",
            "Q: [Counterfactual Reasoning] Dan walks 2 km. How many meters?\n"
                + "A: He walks 2 * 100 = 200 meters.\n#### 200$",
        ]
        #expect(try TinySeed.work("dual", of: .edit).texts == Self.right + Self.rectified + wrong)
    }

    @Test("templates in every style, with corrections")
    func templates() throws {
        let steps = "A: She has 3 + 4 = 7 shells."
        let expected: [(arm: String, text: String)] = [
            ("sft", Self.p1 + steps + "\n#### 7$"),
            ("hsft", Self.template),
            ("notes", Self.p1 + steps + "\nKeys: Add what she finds.\n#### 7$"),
            (
                "notes-method",
                Self.p1 + steps + "\nKeys: Add what she finds.\nIn general: Put the parts together.\n#### 7$"
            ),
            (
                "template-text",
                Self.p1 + "T: Step 1: She has 3 + 4 = 7 shells. Key: Add what she finds.\n"
                    + "Generalized: Put the parts together.\nAnswer: 7$"
            ),
        ]
        for (arm, text) in expected {
            let made = try TinySeed.work(arm, of: .supercorrect)
            #expect(made.texts == [text] + Self.corrections, "\(arm)")
            #expect(made.work.examples.counts == ["templates": 1, "corrections": 2])
            #expect(made.work.options.epochs == ReproductionPlan.quick.supervisedPasses)
            #expect(made.work.options.maximumTokens == nil)
        }
    }

    @Test("KRSL weighs what differs")
    func keySteps() throws {
        let edit = try TinySeed.work("edit", of: .edit)
        #expect(edit.texts == Self.duals)
        #expect(edit.work.examples.counts == ["pairs": 4])
        #expect(edit.weighted(0) == ["7": [1, 1]])
        #expect(edit.weighted(1) == ["8": [-0.025, -0.025]])
        #expect(edit.weighted(5).values.allSatisfy { $0.allSatisfy { $0 == -0.025 } })
        #expect(edit.work.options.normalization == .perSequence)
        #expect(edit.work.options.schedule == .cosine)
        #expect(edit.work.options.maximumTokens == ReproductionPlan.quick.secondStageTokens)

        #expect(try TinySeed.work("krsl-0-025", of: .edit).weighted(0).isEmpty)
        #expect(try TinySeed.work("krsl-1-0", of: .edit).weighted(1).isEmpty)
        #expect(try TinySeed.work("krsl-1-05", of: .edit).weighted(1) == ["8": [-0.05, -0.05]])
        #expect(try TinySeed.work("krsl-printed", of: .edit).work.options.normalization == .none)
        #expect(try TinySeed.work("krsl-bounded", of: .edit).work.options.negativeTokens == .unlikelihood)
        // All tokens of the right chain weigh 1, those of the wrong one as before.
        let gamma = try TinySeed.work("krsl-gamma", of: .edit)
        let response = try #require(gamma.work.examples.supervised[0].responseLength)
        #expect(gamma.work.examples.supervised[0].weights.suffix(response).allSatisfy { $0 == 1 })
        #expect(gamma.weighted(1) == ["8": [-0.025, -0.025]])
        let cured = try TinySeed.work("krsl-cured", of: .edit)
        #expect(cured.weighted(1) == ["8": [-0.1, -0.1]])
        #expect(cured.work.options.negativeTokens == .unlikelihood)
    }

    @Test("KRSL chooses pairs by origin and by mistake, of each mistake as many as of the rarest")
    func pairs() throws {
        let duals = Self.duals
        #expect(try TinySeed.work("krsl-rectified", of: .edit).texts == Array(duals[2..<4]))
        #expect(try TinySeed.work("krsl-corrupted", of: .edit).texts == Array(duals[..<2] + duals[4...]))
        #expect(try TinySeed.work("krsl-calculation", of: .edit).texts == Array(duals[..<2]))
        #expect(try TinySeed.work("krsl-logical", of: .edit).texts == Array(duals[2..<4]))
        #expect(try TinySeed.work("krsl-knowledge", of: .edit).texts == Array(duals[6...]))
    }

    @Test("random key tokens are as many, elsewhere; a supervised term is mixed in")
    func controls() throws {
        let edit = try TinySeed.work("edit", of: .edit).work.examples.supervised
        let random = try TinySeed.work("krsl-random", of: .edit).work.examples.supervised
        #expect(random.map(\.tokens) == edit.map(\.tokens))
        for (edit, random) in zip(edit, random) {
            #expect(random.weights.count { $0 != 0 } == edit.weights.count { $0 != 0 })
        }
        #expect(random != edit)
        let mixed = try TinySeed.work("krsl-sft", of: .edit)
        #expect(mixed.texts == Self.duals + Self.right + Self.rectified)
        #expect(try #require(mixed.work.examples.supervised.last).weights.allSatisfy { $0 == 0 || $0 == 1 })
    }

    @Test("preferences on whole chains")
    func dualPreferences() throws {
        let dpo = try TinySeed.work("dpo", of: .edit)
        #expect(dpo.pairs.count == 4)
        #expect(
            dpo.pairs[0] == [
                Self.p1 + "A:", " She has 3 + 4 = 7 shells.\n#### 7$", " She has 3 + 4 = 8 shells.\n#### 8$",
            ]
        )
        let options = try #require(dpo.work.preference)
        #expect(options.loss == .sigmoid && options.beta == 0.1)
        #expect(options.nllWeight == 0 && options.supervisedWeight == 0)
    }

    @Test("preferences on a wrong attempt: its correction, its step, or all of it")
    func corrections() throws {
        let cross = try TinySeed.work("cross-dpo", of: .supercorrect)
        let prefix = [
            Self.r1 + "S:\nC:",
            " 1<Cause>She breaks cups.</Cause><Correction>She has 5 - 2 = 3 cups.</Correction>",
            " 1<Cause>She breaks cups.</Cause><Correction>She has 5 + 2 = 7 cups.</Correction>",
        ]
        #expect(cross.pairs == [prefix])
        #expect(cross.texts.isEmpty && cross.work.count == 1)

        let stable = try TinySeed.work("cross-dpo-stable", of: .supercorrect)
        #expect(stable.pairs == [prefix])
        #expect(stable.texts == [Self.template] + Self.corrections)
        #expect(stable.work.preference?.nllWeight == 1)
        #expect(stable.work.preference?.supervisedWeight == 10)
        #expect(stable.work.count == 1)

        let weighted = try TinySeed.work("cross-dpo-weighted", of: .supercorrect).work.examples.pairs[0]
        #expect(try #require(weighted.chosenWeights).count { $0 != 0 } < weighted.chosen.count)

        let step = [Self.r1 + "T: <Step1>", "She has 5 - 2 = 3 cups.", "She has 5 + 2 = 7 cups."]
        #expect(try TinySeed.work("step-dpo", of: .supercorrect).pairs == [step])
        #expect(
            try TinySeed.work("instance-dpo", of: .supercorrect).pairs == [
                [
                    Self.r1 + "T:", " <Step1>She has 5 - 2 = 3 cups.</Step1>\n<Answer>3</Answer>$",
                    " <Step1>She has 5 + 2 = 7 cups.</Step1>\n<Answer>7</Answer>$",
                ]
            ]
        )
        // The control learns the same step by likelihood.
        let control = try TinySeed.work("step-control", of: .supercorrect)
        #expect(control.texts == [Self.template] + Self.corrections + [step[0] + step[1]])
    }
}
