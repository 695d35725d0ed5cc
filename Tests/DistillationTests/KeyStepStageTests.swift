import Distillation
import Reasoning
import Schemas
import Testing
import Tokenization
import Training

@Suite("Examples of a stage on key steps")
struct KeyStepStageTests {
    private typealias Samples = StageSamples

    private static let material = StageMaterial(
        problems: Samples.problems,
        traces: Samples.templates + Samples.duals + Samples.chains
    )

    private func stage(_ method: KeyStepMethod) -> RunStage { RunStage(name: "krsl", keySteps: method) }

    @Test("the two chains of a pair follow one another, and what they do not share has the method's weights")
    func chains() throws {
        let codec = try TokenizerKind.bytes.codec()
        let made = try Samples.collect(
            stage(KeyStepMethod(alpha: 2, beta: 0.5, gamma: 0.25)),
            Self.material,
            codec: codec
        )
        #expect(
            made.supervised.map { codec.text($0) } == [
                "Q: Tom has 2 pens and gets 3. How many?\nA:‖ 2+3=5.\n#### 5⏹",
                "Q: Tom has 2 pens and gets 3. How many?\nA:‖ 2+3=6.\n#### 6⏹",
                "Q: Ann has 9 figs and eats 2. How many?\nA:‖ 9-2=7.\n#### 7⏹",
                "Q: Ann has 9 figs and eats 2. How many?\nA:‖ 9+2=11.\n#### 11⏹",
            ]
        )
        #expect(made.supervised.map { codec.marked(2, in: $0) } == ["55", "", "-77", ""])
        #expect(made.supervised.map { codec.marked(-0.5, in: $0) } == ["", "66", "", "+1111"])
        #expect(codec.marked(0.25, in: made.supervised[0]) == " 2+3=.\n#### ⏹")
        #expect(made.supervised.map(\.responseLength) == [15, 15, 15, 17])
        // The last wrong chain has no answer, so that it cannot be written.
        #expect(made.counts == ["pairs": 2, "not-written": 1])
    }

    @Test("as templates, pairs take notes and method from the problem's template and are left out without one")
    func templates() throws {
        let codec = try TokenizerKind.bytes.codec()
        let made = try Samples.collect(stage(KeyStepMethod(form: "templates")), Self.material, codec: codec)
        let right =
            "Q: Tom has 2 pens and gets 3. How many?\nT:‖ <Step1>2+3=5.<Key>Mind the sum.</Key></Step1>\n"
            + "<Generalized>Add.</Generalized>\n<Answer>5</Answer>⏹"
        #expect(
            made.supervised.map { codec.text($0) } == [
                right, right.replacing("=5.", with: "=6.").replacing("<Answer>5", with: "<Answer>6"),
            ]
        )
        #expect(codec.marked(1, in: made.supervised[0]) == "55")
        #expect(codec.marked(-0.025, in: made.supervised[1]) == "66")
        #expect(made.counts == ["pairs": 1, "not-written": 2])
    }

    @Test("whole responses are mixed in behind the pairs, with their own weights and numbers")
    func mix() throws {
        let codec = try TokenizerKind.bytes.codec()
        let mix = [ExampleSource("rightChains", weight: 0.5)]
        let made = try Samples.collect(stage(KeyStepMethod(mix: mix)), Self.material, codec: codec)
        #expect(made.supervised.count == 6)
        #expect(codec.marked(0.5, in: made.supervised[4]) == " 2+3=5.\n#### 5⏹")
        #expect(codec.marked(0.5, in: made.supervised[5]) == " 9-2=7.\n#### 7⏹")
        #expect(made.counts == ["pairs": 2, "not-written": 1, "rightChains": 2])
    }

    @Test("random key tokens are drawn by the run's seed, as many in each chain")
    func random() throws {
        let codec = try TokenizerKind.bytes.codec()
        let made = try Samples.collect(stage(KeyStepMethod(keyTokens: "random")), Self.material, codec: codec)
        #expect(made.supervised.map { $0.weights.count { $0 == 1 } } == [2, 0, 3, 0])
        #expect(made.supervised.map { $0.weights.count { $0 < 0 } } == [0, 2, 0, 5])
        #expect(made.supervised.allSatisfy { $0.weights.last == 0 }, "the end of a text is never drawn")
        let places = made.supervised.map(\.weights)
        let edited = try Samples.collect(stage(KeyStepMethod()), Self.material, codec: codec)
        #expect(edited.supervised.map(\.weights) != places)
    }

    @Test("the order in which material comes in changes nothing")
    func order() throws {
        let turned = StageMaterial(
            problems: Samples.problems.reversed(),
            traces: Array((Samples.templates + Samples.duals + Samples.chains).reversed())
        )
        for form in ["chains", "templates"] {
            let method = KeyStepMethod(form: form, mix: [ExampleSource("templates")])
            let made = try Samples.collect(stage(method), turned)
            #expect(try made.supervised == Samples.collect(stage(method), Self.material).supervised)
        }
    }

    @Test("a stage without a pair says what it found, whatever is mixed in")
    func nothing() {
        let mix = stage(KeyStepMethod(mix: [ExampleSource("rightChains")]))
        let bare = StageMaterial(problems: Samples.problems, traces: Samples.chains)
        #expect(
            Samples.failure { _ = try Samples.collect(mix, bare) }
                == "the stage krsl has nothing to learn from (no traces)"
        )
        let unwritten = StageMaterial(problems: Samples.problems, traces: Samples.duals)
        #expect(
            Samples.failure { _ = try Samples.collect(stage(KeyStepMethod(form: "templates")), unwritten) }
                == "the stage krsl has nothing to learn from (not-written 3)"
        )
    }
}
