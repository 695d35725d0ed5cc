import Foundation
import Schemas
import Testing

@Suite("Runs in the earlier form, four fixed stages, are read as the recipe that they were")
struct FixedStagesTests {
    private func read(_ json: JSONValue, isStored: Bool = false) throws -> RunEvent {
        try EventCoding.decode(from: EventCoding.encodeJSON(json), isStored: isStored)
    }

    private static let thresholds: JSONValue = ["templates": 1, "pairs": 1, "maximumWaitSeconds": 9]

    /// A run with these fixed stages and thresholds.
    private func run(_ stages: JSONValue, _ thresholds: JSONValue = Self.thresholds) throws -> RunEvent {
        let run = try Samples.fixedForm().changing([], "stages", to: stages).changing([], "thresholds", to: thresholds)
        #expect(try SchemaValidator.of(.run).faults(run) == [])
        return try read(run)
    }

    /// The stages of such a run.
    private func stages(_ stages: JSONValue, _ thresholds: JSONValue = Self.thresholds) throws -> [RunStage] {
        try run(stages, thresholds).stages
    }

    private static let templates = SupervisedMethod([ExampleSource("templates")])
    private static let chains = SupervisedMethod([ExampleSource("rightChains"), ExampleSource("rectifiedChains")])

    @Test("all of a run's options come over")
    func full() throws {
        let run = try read(Samples.fixedForm())
        // What a loss on pairs is divided by was never read.
        var onPairs = Samples.training
        onPairs.normalization = nil
        #expect(
            run.stages == [
                RunStage(
                    name: "hsft",
                    parent: "initial",
                    supervised: Self.templates,
                    start: StageStart(examples: 10, waitSeconds: 30),
                    training: Samples.training
                ),
                RunStage(
                    name: "krsl",
                    parent: "hsft",
                    keySteps: KeyStepMethod(
                        form: "templates",
                        alpha: 1,
                        beta: 0.025,
                        gamma: 0,
                        tieRule: "edit",
                        wrongTokens: "unlikelihood",
                        nllThreshold: 20,
                        keyTokens: "random",
                        mix: [ExampleSource("templates", weight: 0.5)]
                    ),
                    data: StageData(pairs: "corrupted", mistakes: ["calculation", "logical+knowledge"]),
                    start: StageStart(examples: 20, waitSeconds: 30),
                    training: Samples.training
                ),
                RunStage(
                    name: "dpo",
                    parent: "krsl",
                    preferences: PreferenceMethod(
                        layout: "prefix",
                        loss: "sigmoid",
                        beta: 0.1,
                        labelSmoothing: 0,
                        nllWeight: 0.1,
                        mixWeight: 2,
                        mix: [ExampleSource("templates")],
                        wrongStepInContext: true,
                        tokenWeighted: false,
                        whenSelfCorrectionIsRight: "drop",
                        whenSelfCorrectionNamesAnotherStep: "step"
                    ),
                    start: StageStart(examples: 5, waitSeconds: 30),
                    training: onPairs
                ),
                // The control's own options bound it, so it does not wait for the others' tokens.
                RunStage(
                    name: "plain",
                    parent: "initial",
                    supervised: Self.chains,
                    start: StageStart(examples: 10, waitSeconds: 30),
                    training: Samples.training
                ),
            ]
        )
        #expect(run.id == "r-1")
        #expect(run.seed == 7)
        // The untrained student was asked for templates, whatever was trained.
        #expect(run.prompt == RunPrompt(answers: "template"))
        #expect(run.rollout == RolloutOptions(limit: 100))
        #expect(run.suites.map(\.name) == ["held-out"])
        #expect(run.rounds == nil)
        #expect(run.gate == nil)
    }

    @Test("it is written as a list, and read again as the same run")
    func rewritten() throws {
        let run = try read(Samples.fixedForm())
        let data = try EventCoding.encode(run)
        let json: JSONValue = try EventCoding.decodeJSON(from: data)
        #expect(json.objectValue?["thresholds"] == nil)
        #expect(json.objectValue?["stages"]?.arrayValue?.count == 4)
        #expect(try SchemaValidator.of(.run).faults(json) == [])
        #expect(try EventCoding.decode(RunEvent.self, from: data) == run)
    }

    @Test("the schema describes every key of it")
    func described() throws {
        for length in Samples.lengths {
            let json = try Samples.fixedForm(length: length)
            #expect(try SchemaValidator.of(.run).faults(json) == [])
            #expect(try SchemaValidator.of(.run).undescribed(json) == [])
        }
    }

    @Test("a control without bounds of its own trains on as many tokens as the others together")
    func equalTokens() throws {
        let stages = try stages(
            ["plain": [:], "krsl": [:], "hsft": [:]],
            ["templates": 3, "pairs": 4, "maximumWaitSeconds": 1]
        )
        #expect(stages.map(\.name) == ["hsft", "krsl", "plain"])
        #expect(stages.map(\.parentName) == ["initial", "hsft", "initial"])
        #expect(
            stages[2]
                == RunStage(name: "plain", parent: "initial", supervised: Self.chains, tokensOf: ["hsft", "krsl"])
        )
    }

    @Test("stages that are not there are left out of the chain of parents")
    func alone() throws {
        #expect(try stages([:]) == [])
        #expect(
            try stages(["plain": [:]], ["templates": 7, "pairs": 0, "maximumWaitSeconds": 0]) == [
                RunStage(
                    name: "plain",
                    parent: "initial",
                    supervised: Self.chains,
                    start: StageStart(examples: 7, waitSeconds: 0)
                )
            ]
        )
        #expect(
            try stages(["dpo": ["loss": "ipo"], "hsft": [:]])
                == [
                    RunStage(
                        name: "hsft",
                        parent: "initial",
                        supervised: Self.templates,
                        start: StageStart(examples: 1, waitSeconds: 9)
                    ),
                    // The layout was steps where none was named, and all corrections of the roll-out were waited for.
                    RunStage(
                        name: "dpo",
                        parent: "hsft",
                        preferences: PreferenceMethod(layout: "step", loss: "ipo"),
                        start: StageStart(waitSeconds: 9)
                    ),
                ]
        )
    }

    @Test("beside a control in chains, preferences on steps are still read: the untrained student answers in templates")
    func control() throws {
        let run = try run(["plain": [:], "dpo": [:]])
        #expect(run.stages.map(\.name) == ["dpo", "plain"])
        #expect(run.stages[0].preferences == PreferenceMethod(layout: "step"))
        #expect(run.stages[0].parent == "initial")
        #expect(run.stages[1].tokensOf == ["dpo"])
        #expect(run.answers(of: "initial") == "template")
        #expect(run.answers(of: "plain") == "chain")
    }

    @Test("a prompt that such a run has is left as it is")
    func prompt() throws {
        let prompt: JSONValue = ["style": "text", "answers": "chain"]
        let run = try Samples.fixedForm().changing([], "prompt", to: prompt)
        #expect(try read(run).prompt == RunPrompt(style: "text", answers: "chain"))
    }

    @Test("a threshold of nothing becomes one of one example, as a stage on nothing fails anyway")
    func zeroes() throws {
        let stages = try stages(
            ["hsft": [:], "krsl": [:], "dpo": [:]],
            ["templates": 0, "pairs": 0, "corrections": 0, "maximumWaitSeconds": 0]
        )
        #expect(stages.map(\.start) == Array(repeating: StageStart(examples: 1, waitSeconds: 0), count: 3))
    }

    @Test("a weight of nothing mixes nothing in")
    func weights() throws {
        let stages = try stages(["hsft": [:], "krsl": ["supervisedWeight": 0], "dpo": ["supervisedWeight": 0]])
        #expect(stages[1].keySteps == KeyStepMethod(form: "templates"))
        #expect(stages[2].preferences == PreferenceMethod(layout: "step"))
    }

    @Test(
        "an unknown key of it is refused with its place",
        arguments: [
            (["stages"], "sft", "$.stages.sft is not known; known there are dpo, hsft, krsl, plain"),
            (["stages", "hsft"], "lr", "$.stages.hsft.lr is not known; known there are training"),
            (["stages", "plain"], "tokensOf", "$.stages.plain.tokensOf is not known; known there are training"),
            (["stages", "krsl"], "bate", "$.stages.krsl.bate is not known; known there are alpha, beta, gamma, "),
            (
                ["stages", "dpo"], "mix",
                "$.stages.dpo.mix is not known; known there are beta, labelSmoothing, layout, "
            ),
            (
                ["thresholds"], "attempts",
                "$.thresholds.attempts is not known; known there are corrections, maximumWaitSeconds, pairs, templates"
            ),
            ([], "round", "$.round is not known; known there are agreement, dataset, decoding, gate, "),
            (["student"], "name", "$.student.name is not known; known there are modelHash, tokenizerFingerprint"),
        ] as [([String], String, String)]
    )
    func unknownKeys(path: [String], key: String, message: String) throws {
        let json = try Samples.fixedForm().changing(path.map { .member($0) }[...], key, to: [:])
        let error = #expect(throws: SchemasError.self) { try read(json) }
        #expect(error?.code == .invalidPayload)
        #expect(error?.message.hasPrefix("errata.run.v1: \(message)") == true, "\(error?.message ?? "")")
        #expect(!(try SchemaValidator.of(.run).faults(json)).isEmpty)
        // Where it was checked before, it is left alone.
        #expect(try read(json, isStored: true) == read(Samples.fixedForm()))
    }

    @Test("a stage that is no map is refused, and one that is null is not there")
    func shapes() throws {
        let list = try Samples.fixedForm().changing([.member("stages")], "hsft", to: [])
        let error = #expect(throws: SchemasError.self) { try read(list) }
        #expect(error?.code == .malformedPayload)
        #expect(error?.message == "errata.run.v1: $.stages.hsft is not a map")
        let null = try Samples.fixedForm().changing([.member("stages")], "krsl", to: .null)
        #expect(try read(null).stages.map(\.name) == ["hsft", "dpo", "plain"])
    }

    @Test("a key that is null is as good as none")
    func nulls() throws {
        let json = try Samples.fixedForm()
            .changing(
                [],
                "stages",
                to: [
                    "plain": ["training": ["epochs": 2, "maximumTokens": .null, "lora": .null]],
                    "hsft": ["training": .null],
                    "krsl": ["supervisedWeight": .null, "pairs": .null, "mistakes": .null, "beta": .null],
                    "dpo": [
                        "layout": .null, "supervisedWeight": .null, "wrongStepInContext": .null, "loss": .null,
                    ],
                ]
            )
            .changing(
                [],
                "thresholds",
                to: ["templates": 1, "pairs": 1, "corrections": .null, "maximumWaitSeconds": 9]
            )
        let bare: JSONValue = ["plain": ["training": ["epochs": 2]], "hsft": [:], "krsl": [:], "dpo": [:]]
        let expected = try run(bare)
        #expect(try read(json) == expected)
        #expect(try read(json, isStored: true) == expected)
        #expect(expected.stages[3].tokensOf == ["hsft", "krsl", "dpo"])
    }

    @Test("what was given to it and never read is left out: passes of a control of equal cost, a roll-out for nobody")
    func unread() throws {
        let alone = try run(["plain": ["training": ["epochs": 2]]])
        #expect(alone.stages[0].training == TrainingBlock(epochs: 2))
        #expect(alone.rollout == nil)
        let beside = try run(["plain": ["training": ["epochs": 2, "batchSequences": 8]], "dpo": [:]])
        #expect(beside.stages[1].tokensOf == ["dpo"])
        #expect(beside.stages[1].training == TrainingBlock(batchSequences: 8))
        #expect(beside.rollout == RolloutOptions(limit: 100))
        // It is no less wrong for that.
        let stages: JSONValue = ["plain": ["training": ["epochs": 2e6]], "dpo": [:]]
        let wrong = try Samples.fixedForm().changing([], "stages", to: stages)
        let error = #expect(throws: SchemasError.self) { try read(wrong) }
        #expect(error?.message.hasPrefix("errata.run.v1: $.stages.plain.training.epochs must be at most") == true)
    }

    @Test(
        "thresholds are numbers, from none up",
        arguments: [
            ("templates", .null, "thresholds: $.templates is null, expected a whole number in range"),
            ("pairs", "many", "thresholds: $.pairs is not a whole number in range"),
            ("templates", true, "thresholds: $.templates is not a whole number in range"),
            ("pairs", 0.5, "thresholds: "), ("maximumWaitSeconds", .null, "thresholds: $.maximumWaitSeconds is null"),
            ("maximumWaitSeconds", "long", "thresholds: $.maximumWaitSeconds is not a number"),
            ("corrections", [], "thresholds: $.corrections is not a whole number in range"),
            // More than any whole number of the machine is refused like the rest.
            ("templates", 1e300, "thresholds: "), ("pairs", -1e300, "thresholds: "),
            ("corrections", 1e19, "thresholds: "),
            ("templates", -1, "$.thresholds.templates must be at least 0, is -1"),
            ("pairs", -2, "$.thresholds.pairs must be at least 0, is -2"),
            ("corrections", -1, "$.thresholds.corrections must be at least 0, is -1"),
            ("maximumWaitSeconds", -1, "$.thresholds.maximumWaitSeconds must be 0.0 to 31536000.0, is -1.0"),
            ("maximumWaitSeconds", 1e300, "$.thresholds.maximumWaitSeconds must be 0.0 to 31536000.0, is 1e+300"),
        ] as [(String, JSONValue, String)]
    )
    func thresholds(name: String, value: JSONValue, message: String) throws {
        let json = try Samples.fixedForm().changing([.member("thresholds")], name, to: value)
        let error = #expect(throws: SchemasError.self) { try read(json) }
        #expect(error?.code == (message.hasPrefix("thresholds") ? .malformedPayload : .invalidPayload))
        #expect(error?.message.hasPrefix("errata.run.v1: \(message)") == true, "\(error?.message ?? "")")
    }

    @Test("the earlier form needs them", arguments: ["templates", "pairs", "maximumWaitSeconds"])
    func neededThresholds(name: String) throws {
        let less = try Samples.fixedForm().changing([.member("thresholds")], name, to: nil)
        let error = #expect(throws: SchemasError.self) { try read(less) }
        #expect(error?.code == .malformedPayload)
        #expect(error?.message == "errata.run.v1: thresholds: $.\(name) is missing")
        #expect(try SchemaValidator.of(.run).faults(less) == ["$.thresholds: \(name) is required"])
    }

    @Test("as a map", arguments: [nil, .null, [], 7] as [JSONValue?])
    func noThresholds(value: JSONValue?) throws {
        let less = try Samples.fixedForm().changing([], "thresholds", to: value)
        let error = #expect(throws: SchemasError.self) { try read(less) }
        #expect(error?.code == .malformedPayload)
        #expect(
            error?.message == "errata.run.v1: $.thresholds is missing or no map; stages that are a map need it"
        )
        #expect(!(try SchemaValidator.of(.run).faults(less)).isEmpty)
    }

    @Test("a list of stages has no thresholds beside it")
    func thresholdsWithList() throws {
        let run: JSONValue = try EventCoding.decodeJSON(from: EventCoding.encode(Samples.run))
        let json = run.changing([], "thresholds", to: ["templates": 1, "pairs": 1, "maximumWaitSeconds": 1])
        let error = #expect(throws: SchemasError.self) { try read(json) }
        #expect(
            error?.message.hasPrefix("errata.run.v1: $.thresholds is not known; known there are agreement, dataset,")
                == true
        )
        #expect(try SchemaValidator.of(.run).faults(json) == ["$.thresholds: not allowed"])
    }

    @Test("rules of today hold for it, by the place in the list")
    func rules() throws {
        let json = try Samples.fixedForm().changing([.member("stages"), .member("dpo")], "layout", to: "instance")
        let error = #expect(throws: SchemasError.self) { try read(json) }
        #expect(
            error?.message.hasPrefix("errata.run.v1: $.stages[2].preferences.whenSelfCorrectionIsRight is not read in")
                == true,
            "\(error?.message ?? "")"
        )
        #expect(!(try SchemaValidator.of(.run).faults(json)).isEmpty)
        #expect(try read(json, isStored: true).stages[2].preferences?.whenSelfCorrectionIsRight == "drop")
    }

    @Test(
        "a layout that is none of its own is refused, the later one of dual pairs too",
        arguments: ["duals", "pair", ""]
    )
    func layouts(word: String) throws {
        let json = try Samples.fixedForm().changing([.member("stages"), .member("dpo")], "layout", to: .string(word))
        let error = #expect(throws: SchemasError.self) { try read(json) }
        #expect(error?.code == .invalidPayload)
        #expect(
            error?.message
                == "errata.run.v1: $.stages.dpo.layout must be one of step, trace, prefix, instance, is '\(word)'"
        )
        #expect(!(try SchemaValidator.of(.run).faults(json)).isEmpty)
    }

    @Test("what every layout but one does anyway could be said, and is left out", arguments: [true, false])
    func contexts(value: Bool) throws {
        for layout in ["step", "trace", "instance"] {
            let stages = try stages([
                "hsft": [:], "dpo": ["layout": .string(layout), "wrongStepInContext": .bool(value)],
            ])
            #expect(stages[1].preferences == PreferenceMethod(layout: layout))
        }
        #expect(
            try stages(["hsft": [:], "dpo": ["wrongStepInContext": .bool(value)]])[1].preferences
                == PreferenceMethod(layout: "step")
        )
        #expect(
            try stages(["dpo": ["layout": "prefix", "wrongStepInContext": .bool(value)]])[0].preferences
                == PreferenceMethod(layout: "prefix", wrongStepInContext: value)
        )
    }

    @Test("a gate or rounds need a stage in it too")
    func empty() throws {
        let json = try Samples.fixedForm().changing([], "stages", to: [:])
            .changing([], "gate", to: ["suite": "held-out"])
        let error = #expect(throws: SchemasError.self) { try read(json) }
        #expect(error?.message == "errata.run.v1: $.stages is empty; a run with rounds or a gate needs a stage")
        #expect(try SchemaValidator.of(.run).faults(json) == ["$.stages: fewer than 1.0 members"])
        #expect(try read(json.changing([.member("stages")], "hsft", to: [:])).candidateStage == "hsft")
    }
}
