import Distillation
import Reasoning
import Schemas
import Testing
import Tokenization
import Training

@Suite("Examples of a stage on preferences")
struct PreferenceStageTests {
    private typealias Samples = StageSamples

    private func stage(_ method: PreferenceMethod, data: StageData? = nil) -> RunStage {
        RunStage(name: "dpo", preferences: method, data: data)
    }

    // MARK: Dual pairs

    @Test("the whole chains of dual pairs, under the ids of their problems")
    func duals() throws {
        let codec = try TokenizerKind.bytes.codec()
        let material = StageMaterial(problems: Samples.problems.reversed(), traces: Samples.duals.reversed())
        let made = try Samples.collect(stage(PreferenceMethod(layout: "duals")), material, codec: codec)
        #expect(
            made.pairs.map { codec.text($0) } == [
                "Q: Tom has 2 pens and gets 3. How many?\nA:‖ 2+3=5.\n#### 5⏹✗ 2+3=6.\n#### 6⏹",
                "Q: Ann has 9 figs and eats 2. How many?\nA:‖ 9-2=7.\n#### 7⏹✗ 9+2=11.\n#### 11⏹",
            ]
        )
        #expect(made.pairs.map(\.id) == ["Q1", "p10"] && made.pairs.allSatisfy { $0.chosenWeights == nil })
        #expect(made.counts == ["pairs": 2, "not-written": 1] && made.supervised.isEmpty)

        let weighted = PreferenceMethod(layout: "duals", tokenWeighted: true)
        let pair = try #require(try Samples.collect(stage(weighted), material, codec: codec).pairs.first)
        let chosen = try #require(pair.chosenWeights)
        let rejected = try #require(pair.rejectedWeights)
        #expect(codec.text(zip(pair.chosen, chosen).filter { $0.1 == 1 }.map(\.0)) == "55")
        #expect(codec.text(zip(pair.rejected, rejected).filter { $0.1 == 1 }.map(\.0)) == "66")
    }

    @Test("whole responses are mixed in beside the pairs, with the sources' weights")
    func mix() throws {
        let codec = try TokenizerKind.bytes.codec()
        let material = StageMaterial(problems: Samples.problems, traces: Samples.duals + Samples.chains)
        let method = PreferenceMethod(layout: "duals", mix: [ExampleSource("rightChains", weight: 0.5)])
        let made = try Samples.collect(stage(method), material, codec: codec)
        #expect(made.pairs.count == 2 && made.supervised.count == 2)
        #expect(codec.marked(0.5, in: made.supervised[0]) == " 2+3=5.\n#### 5⏹")
        #expect(made.counts == ["pairs": 2, "not-written": 1, "rightChains": 2])
    }

    // MARK: Attempts

    private static let nuts = Samples.problem("r1", "Add 1 and 1.", "2", solution: "1+1=2.\n#### 2")
    private static let output = " <Step1>1=1</Step1>\n<Step2>1+1=3</Step2>\n<Answer>3</Answer>"

    /// An attempt that goes wrong in its second step, and its correction; the student's own says 1+1=4.
    private static let material = StageMaterial(
        problems: [],
        attempts: [
            Samples.attempt("a1", nuts, output, correct: false, sample: 1),
            Samples.attempt(
                "a2",
                nuts,
                output,
                correct: false,
                sample: 0,
                selfCorrection: SelfCorrection(
                    output: "",
                    firstWrongStep: 1,
                    cause: "Bad.",
                    correction: "1+1=4",
                    answer: "4",
                    correct: false
                )
            ),
        ],
        attempted: [nuts],
        corrections: ["a1", "a2"].map {
            Samples.correction(
                "k-" + $0,
                nuts,
                steps: ["1=1", "1+1=3"],
                wrong: 1,
                cause: "One more.",
                correction: "1+1=2",
                attempt: $0
            )
        }
    )

    @Test(
        "each layout of corrected attempts, in order of the attempts' samples",
        arguments: [
            (
                "step",
                [
                    "Q: Add 1 and 1.\nT: <Step1>1=1</Step1>\n<Step2>‖1+1=2✗1+1=4",
                    "Q: Add 1 and 1.\nT: <Step1>1=1</Step1>\n<Step2>‖1+1=2✗1+1=3",
                ]
            ),
            (
                "prefix",
                [
                    "Q: Add 1 and 1.\nS:\n1. 1=1\nC:‖ 2<Cause>One more.</Cause><Correction>1+1=2</Correction>"
                        + "✗ 2<Cause>Bad.</Cause><Correction>1+1=4</Correction>",
                    "Q: Add 1 and 1.\nS:\n1. 1=1\nC:‖ 2<Cause>One more.</Cause><Correction>1+1=2</Correction>"
                        + "✗ 2<Cause>One more.</Cause><Correction>1+1=3</Correction>",
                ]
            ),
            (
                "trace",
                [
                    "Q: Add 1 and 1.\nS:\n1. 1=1\n2. 1+1=3\nC:‖ 2<Cause>One more.</Cause>"
                        + "<Correction>1+1=2</Correction><Answer>2</Answer>⏹"
                        + "✗ 2<Cause>Bad.</Cause><Correction>1+1=4</Correction><Answer>4</Answer>⏹"
                ]
            ),
            (
                "instance",
                [
                    "Q: Add 1 and 1.\nT:‖ <Step1>1+1=2.</Step1>\n<Answer>2</Answer>⏹"
                        + "✗ <Step1>1=1</Step1>\n<Step2>1+1=3</Step2>\n<Answer>3</Answer>⏹"
                ]
            ),
        ]
    )
    func layouts(layout: String, expected: [String]) throws {
        let codec = try TokenizerKind.bytes.codec()
        let made = try Samples.collect(
            stage(PreferenceMethod(layout: layout)),
            Self.material,
            parentAnswers: "template",
            codec: codec
        )
        #expect(made.pairs.map { codec.text($0) } == expected)
        #expect(made.pairs.first?.id == "a2" && made.counts["pairs"] == expected.count)
    }

    @Test("an attempt of a parent that answers in chains stands after the question that it was asked")
    func chains() throws {
        let codec = try TokenizerKind.bytes.codec()
        let made = try Samples.collect(
            stage(PreferenceMethod(layout: "instance")),
            StageMaterial(
                problems: [],
                attempts: [Samples.attempt("a", Self.nuts, " 1+1=3\n#### 3", correct: false)],
                attempted: [Self.nuts],
                corrections: [Samples.correction("k", Self.nuts, steps: ["1+1=3"], correction: "1+1=2", attempt: "a")]
            ),
            codec: codec
        )
        #expect(made.pairs.map { codec.text($0) } == ["Q: Add 1 and 1.\nA:‖ 1+1=2.\n#### 2⏹✗ 1+1=3\n#### 3⏹"])
    }

    @Test("a stage without a pair says what became of the attempts, whatever is mixed in")
    func nothing() {
        let attempts = ["a1", "a2"].map { Samples.attempt($0, Self.nuts, " no steps", correct: false) }
        let material = StageMaterial(
            problems: Samples.problems,
            traces: Samples.chains,
            attempts: attempts,
            attempted: [Self.nuts],
            corrections: [
                Samples.correction("k1", Self.nuts, steps: ["no steps"], correction: "1+1=2", attempt: "a1"),
                Samples.correction("k2", Self.nuts, steps: ["x"], correction: "y", attempt: "a2", verified: false),
            ]
        )
        let method = PreferenceMethod(layout: "step", mix: [ExampleSource("rightChains")])
        #expect(
            Samples.failure { _ = try Samples.collect(stage(method), material, parentAnswers: "template") }
                == "the stage dpo has nothing to learn from (pairs 0, step-not-found 1, unverified 1)"
        )
    }
}
