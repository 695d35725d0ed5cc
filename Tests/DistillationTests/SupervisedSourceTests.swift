import Distillation
import Reasoning
import Schemas
import Testing
import Tokenization
import Training

@Suite("Examples of each kind of source")
struct SupervisedSourceTests {
    private typealias Samples = StageSamples

    private static let material = StageMaterial(
        problems: Samples.problems,
        traces: Samples.templates + Samples.duals + Samples.chains
    )

    private struct Made: Equatable {
        var texts: [String]
        var counts: [String: Int]
    }

    /// The texts of a stage on the given sources, with their numbers.
    private func texts(_ sources: ExampleSource..., material: StageMaterial = material) throws -> Made {
        let codec = try TokenizerKind.bytes.codec()
        let stage = RunStage(name: "sft", supervised: SupervisedMethod(sources))
        let collected = try Samples.collect(stage, material, codec: codec)
        #expect(collected.pairs.isEmpty)
        return Made(texts: collected.supervised.map { codec.text($0) }, counts: collected.counts)
    }

    @Test("right chains: the first by id of each problem that has one, in order of the problems' ids by bytes")
    func rightChains() throws {
        let made = try texts(ExampleSource("rightChains"))
        #expect(
            made.texts == [
                "Q: Tom has 2 pens and gets 3. How many?\nA:‖ 2+3=5.\n#### 5⏹",
                "Q: Ann has 9 figs and eats 2. How many?\nA:‖ 9-2=7.\n#### 7⏹",
            ]
        )
        #expect(made.counts == ["rightChains": 2])
    }

    @Test("repeated chains: all but the first of a problem")
    func repeatedChains() throws {
        let made = try texts(ExampleSource("repeatedChains"))
        #expect(made.texts == ["Q: Tom has 2 pens and gets 3. How many?\nA:‖ Tom has 2+3=5 pens.\n#### 5⏹"])
        #expect(made.counts == ["repeatedChains": 1])
    }

    @Test("rectified chains: the right chains of rectified pairs alone")
    func rectifiedChains() throws {
        let made = try texts(ExampleSource("rectifiedChains"))
        #expect(
            made.texts == [
                "Q: Ann has 9 figs and eats 2. How many?\nA:‖ 9-2=7.\n#### 7⏹",
                "Q: Bo has 4 cups of 2 pints. How many?\nA:‖ 4*2=8.\n#### 8⏹",
            ]
        )
        #expect(made.counts == ["rectifiedChains": 2])
    }

    @Test("wrong chains stand behind their mark with their own answer; one without an answer is left out")
    func wrongChains() throws {
        let made = try texts(ExampleSource("wrongChains"))
        #expect(
            made.texts == [
                "Q: [Counterfactual Reasoning] Tom has 2 pens and gets 3. How many?\nA:‖ 2+3=6.\n#### 6⏹",
                "Q: [Counterfactual Reasoning] Ann has 9 figs and eats 2. How many?\nA:‖ 9+2=11.\n#### 11⏹",
            ]
        )
        #expect(made.counts == ["wrongChains": 2])
    }

    @Test("solutions: those that problems have, without a calculator's marks")
    func solutions() throws {
        let made = try texts(ExampleSource("solutions"))
        #expect(
            made.texts == [
                "Q: Tom has 2 pens and gets 3. How many?\nA:‖ Tom has 2+3=5 pens.\n#### 5⏹",
                "Q: Bo has 4 cups of 2 pints. How many?\nA:‖ 4*2=8.\n#### 8⏹",
            ]
        )
        #expect(made.counts == ["solutions": 2])
    }

    @Test(
        "templates are written in their style, after the question that asks for it",
        arguments: [
            (
                nil,
                "T:‖ <Step1>2+3=5.<Key>Mind the sum.</Key></Step1>\n<Generalized>Add.</Generalized>\n<Answer>5</Answer>⏹"
            ),
            ("template-text", "T:‖ Step 1: 2+3=5. Key: Mind the sum.\nGeneralized: Add.\nAnswer: 5⏹"),
            ("chain", "A:‖ 2+3=5.\n#### 5⏹"), ("chain-with-notes", "A:‖ 2+3=5.\nKeys: Mind the sum.\n#### 5⏹"),
            ("chain-with-method", "A:‖ 2+3=5.\nKeys: Mind the sum.\nIn general: Add.\n#### 5⏹"),
        ] as [(String?, String)]
    )
    func templates(style: String?, expected: String) throws {
        let made = try texts(ExampleSource("templates", style: style))
        #expect(made.texts.first == "Q: Tom has 2 pens and gets 3. How many?\n" + expected)
        #expect(made.texts.count == 2 && made.counts == ["templates": 2])
        #expect(made.texts.last?.hasPrefix("Q: Bo has 4 cups") == true)
    }

    @Test("corrections of dual pairs: where the chains part, with the pattern of the mistake as the cause")
    func derivedCorrections() throws {
        let made = try texts(ExampleSource("corrections"))
        #expect(
            made.texts == [
                "Q: Tom has 2 pens and gets 3. How many?\nS:\n1. 2+3=6.\nC:‖ 1<Cause>a mistake (calculation)</Cause>"
                    + "<Correction>2+3=5.</Correction><Answer>5</Answer>⏹",
                "Q: Ann has 9 figs and eats 2. How many?\nS:\n1. 9+2=11.\nC:‖ 1<Cause>a mistake (logical)</Cause>"
                    + "<Correction>9-2=7.</Correction><Answer>7</Answer>⏹",
                "Q: Bo has 4 cups of 2 pints. How many?\nS:\n1. I do not know.\nC:‖ 1<Cause>a mistake</Cause>"
                    + "<Correction>4*2=8.</Correction><Answer>8</Answer>⏹",
            ]
        )
        #expect(made.counts == ["corrections": 3])
    }

    @Test("corrections that the teacher gave take the place of those that are made from pairs")
    func givenCorrections() throws {
        let given = Samples.correction("k", Samples.figs, steps: ["9+2=11."], cause: "Eaten.", correction: "9-2=7.")
        let material = StageMaterial(problems: Samples.problems, traces: Samples.duals + [given])
        let made = try texts(ExampleSource("corrections"), material: material)
        #expect(
            made.texts == [
                "Q: Ann has 9 figs and eats 2. How many?\nS:\n1. 9+2=11.\nC:‖ 1<Cause>Eaten.</Cause>"
                    + "<Correction>9-2=7.</Correction><Answer>7</Answer>⏹"
            ]
        )
    }

    @Test("a correction that finds no wrong step teaches to write the answer alone")
    func noWrongStep() throws {
        let given = Samples.correction("k", Samples.figs, steps: ["9-2=7."], wrong: nil, cause: "", correction: "")
        let material = StageMaterial(problems: Samples.problems, traces: [given])
        #expect(
            try texts(ExampleSource("corrections"), material: material).texts == [
                "Q: Ann has 9 figs and eats 2. How many?\nS:\n1. 9-2=7.\nC:‖<Answer>7</Answer>⏹"
            ]
        )
    }

    @Test("sources follow one another, each with its weight on every token of its responses")
    func weights() throws {
        let codec = try TokenizerKind.bytes.codec()
        let stage = Samples.supervised(
            ExampleSource("templates", weight: 0.25, style: "chain"),
            ExampleSource("rightChains")
        )
        let made = try Samples.collect(stage, Self.material, codec: codec)
        #expect(made.counts == ["templates": 2, "rightChains": 2])
        #expect(made.supervised.map { Set($0.weights) } == [[0, 0.25], [0, 0.25], [0, 1], [0, 1]])
        #expect(codec.marked(0.25, in: made.supervised[1]) == " 4*2=8.\n#### 8⏹")
        #expect(codec.marked(1, in: made.supervised[2]) == " 2+3=5.\n#### 5⏹")
    }

    @Test(
        "the order in which material comes in changes nothing",
        arguments: ["rightChains", "repeatedChains", "wrongChains", "solutions", "templates", "corrections"]
    )
    func order(kind: String) throws {
        let turned = StageMaterial(
            problems: Samples.problems.reversed(),
            traces: Array((Samples.templates + Samples.duals + Samples.chains).reversed())
        )
        #expect(turned.problems.map(\.id) == ["Q1", "p10", "p2"])
        #expect(try texts(ExampleSource(kind), material: turned) == texts(ExampleSource(kind)))
    }

    @Test("a stage with nothing to learn from says what it found")
    func nothing() {
        let material = StageMaterial(problems: Samples.problems)
        let stage = Samples.supervised(ExampleSource("templates"), ExampleSource("rightChains"))
        #expect(
            Samples.failure { _ = try Samples.collect(stage, material) }
                == "the stage sft has nothing to learn from (rightChains 0, templates 0)"
        )
        let unknown = Samples.supervised(ExampleSource("riddles"))
        #expect(
            Samples.failure { _ = try Samples.collect(unknown, material) } == "the source kind 'riddles' is not known"
        )
    }
}
