import Schemas

/// Runs: one with every option, small ones, and one in the earlier form.
extension Samples {
    static let training = TrainingBlock(
        learningRate: 2e-3,
        maximumTokens: 1000,
        batchTokens: 512,
        accumulation: 2,
        maximumLength: 2048,
        tokensAtOnce: 4096,
        recomputeActivations: true,
        precision: "bfloat16",
        schedule: "cosine",
        warmupRatio: 0.05,
        weightDecay: 0.1,
        maximumGradientNorm: 1,
        normalization: "none",
        shuffle: false,
        saveDtype: "bfloat16",
        lora: LoRABlock(rank: 8, alpha: 16, dropout: 0.05, targets: ["q_proj", "down_proj"])
    )

    static let bySequences = TrainingBlock(epochs: 3, batchSequences: 8)
    static let bySteps = TrainingBlock(maximumSteps: 10)

    /// A run with every option somewhere: two rounds' worth of stages of each method, a gate and three suites.
    static let run = RunEvent(
        id: "r-1",
        name: "first",
        dataset: "gsm8k",
        seed: 9_007_199_254_740_991,
        student: StudentReference(modelHash: "abc", tokenizerFingerprint: "def"),
        prompt: RunPrompt(style: "chat", system: "Answer in steps.", answers: "template"),
        stages: [templates, keys, corrections, duals, selfTraining, plain],
        rollout: RolloutOptions(limit: 100),
        suites: [
            EvaluationSuite(name: "held-out", dataset: "gsm8k", split: .test, expectedProblems: 200),
            EvaluationSuite(
                name: "guard",
                dataset: "other",
                split: .train,
                expectedProblems: 50,
                waitSeconds: 60,
                limit: 50,
                stages: ["initial", "templates", "corrections", "plain"]
            ),
            EvaluationSuite(
                name: "few-shot",
                dataset: "gsm8k",
                split: .development,
                expectedProblems: 20,
                shots: 4,
                stages: ["initial"],
                policy: "strict"
            ),
        ],
        decoding: decoding,
        rounds: RunRounds(
            newProblems: 500,
            afterSeconds: 86_400,
            maximum: 10,
            from: "champion",
            data: "replay",
            replayShare: 0.5
        ),
        gate: RunGate(
            suite: "held-out",
            stage: "corrections",
            leastGain: 0.01,
            level: 0.1,
            mustNotFall: ["guard"]
        ),
        teacherBudget: RunTeacherBudget(tokens: 1_000_000, cost: 12.5),
        agreement: RunAgreement(agreeing: 3, of: 5)
    )

    static let templates = RunStage(
        name: "templates",
        parent: "initial",
        supervised: SupervisedMethod([
            ExampleSource("templates", weight: 2, style: "template-text"), ExampleSource("solutions"),
        ]),
        answers: "template",
        data: StageData(datasets: ["gsm8k", "more"], families: ["apples"], limit: 1000),
        start: StageStart(examples: 100, waitSeconds: 30),
        training: training
    )

    static let keys = RunStage(
        name: "keys",
        parent: "templates",
        keySteps: KeyStepMethod(
            form: "templates",
            alpha: 1,
            beta: 0.025,
            gamma: 0,
            tieRule: "edit",
            wrongTokens: "unlikelihood",
            nllThreshold: 20,
            keyTokens: "random",
            mix: [ExampleSource("templates", weight: 0.5, style: "template")]
        ),
        data: StageData(pairs: "corrupted", mistakes: ["calculation", "logical+knowledge"], equalMistakes: true),
        start: StageStart(examples: 50),
        training: bySequences
    )

    static let corrections = RunStage(
        name: "corrections",
        parent: "keys",
        preferences: PreferenceMethod(
            layout: "prefix",
            loss: "sigmoid",
            beta: 0.1,
            labelSmoothing: 0,
            nllWeight: 0.1,
            mixWeight: 2,
            mix: [ExampleSource("rightChains", weight: 0.5), ExampleSource("templates", style: "template")],
            wrongStepInContext: true,
            tokenWeighted: false,
            whenSelfCorrectionIsRight: "drop",
            whenSelfCorrectionNamesAnotherStep: "step"
        ),
        start: StageStart(examples: 20),
        training: bySteps
    )

    static let duals = RunStage(
        name: "duals",
        parent: "champion",
        preferences: PreferenceMethod(layout: "duals", loss: "simpo", simpoMargin: 0.5),
        data: StageData(pairs: "all"),
        start: StageStart(examples: 1),
        lastRound: 3
    )

    static let selfTraining = RunStage(
        name: "self",
        parent: "templates",
        supervised: SupervisedMethod([ExampleSource("attempts"), ExampleSource("teacherSteps")])
    )

    static let plain = RunStage(
        name: "plain",
        supervised: SupervisedMethod([ExampleSource("rightChains"), ExampleSource("rectifiedChains")]),
        start: StageStart(examples: 10),
        tokensOf: ["templates", "keys"],
        engine: "trl"
    )

    /// A run with nothing that can be left out: the untrained student is scored on nothing.
    static let minimalRun = RunEvent(
        id: "r",
        name: "n",
        dataset: "d",
        seed: 0,
        student: StudentReference(modelHash: "m", tokenizerFingerprint: "t"),
        stages: [],
        suites: []
    )

    /// A run whose only stage has nothing that can be left out.
    static var oneStage: RunEvent {
        var run = minimalRun
        run.stages = [stage("a")]
        return run
    }

    /// A small stage on worked solutions, which say nothing about how the student answers in templates.
    static func stage(
        _ name: String,
        parent: String? = nil,
        _ kind: String = "solutions",
        tokensOf: [String]? = nil
    ) -> RunStage {
        RunStage(
            name: name,
            parent: parent,
            supervised: SupervisedMethod([ExampleSource(kind)]),
            start: StageStart(examples: 1),
            tokensOf: tokensOf
        )
    }

    /// A small run of stages.
    static func run(of stages: [RunStage]) -> RunEvent {
        var run = minimalRun
        run.stages = stages
        return run
    }

    /// Stages that stand before what they wait for, `s0` last: the recipe in the order that is furthest from theirs.
    static func reversedChain(_ count: Int) -> [RunStage] {
        (0..<count).reversed().map { stage("s\($0)", parent: $0 == 0 ? nil : "s\($0 - 1)") }
    }

    /// What can say how long a stage trains.
    static let lengths = ["epochs", "maximumTokens", "maximumSteps"]

    /// A run in the earlier form, an object of four fixed stages and thresholds for all, with every option that it had.
    ///
    /// `length` names what says how long it trains in the optimiser's options, of which only one can be given.
    static func fixedForm(length: String = "maximumTokens") throws -> JSONValue {
        var options = training
        if length != "maximumTokens" {
            (options.maximumTokens, options.batchTokens, options.batchSequences) = (nil, nil, 8)
            if length == "epochs" { options.epochs = 1.5 } else { options.maximumSteps = 10 }
        }
        let training: JSONValue = try EventCoding.decodeJSON(from: EventCoding.encodeJSON(options))
        let keySteps: JSONValue = [
            "training": training, "alpha": 1, "beta": 0.025, "gamma": 0, "tieRule": "edit", "supervisedWeight": 0.5,
            "wrongTokens": "unlikelihood", "nllThreshold": 20, "keyTokens": "random", "pairs": "corrupted",
            "mistakes": ["calculation", "logical+knowledge"],
        ]
        let preferences: JSONValue = [
            "training": training, "loss": "sigmoid", "beta": 0.1, "labelSmoothing": 0, "nllWeight": 0.1,
            "supervisedWeight": 2, "layout": "prefix", "wrongStepInContext": true, "tokenWeighted": false,
            "whenSelfCorrectionIsRight": "drop", "whenSelfCorrectionNamesAnotherStep": "step",
        ]
        return [
            "id": "r-1", "name": "first", "dataset": "gsm8k", "seed": 7,
            "student": ["modelHash": "abc", "tokenizerFingerprint": "def"],
            "stages": [
                "plain": ["training": training], "hsft": ["training": training], "krsl": keySteps, "dpo": preferences,
            ],
            "thresholds": ["templates": 10, "pairs": 20, "corrections": 5, "maximumWaitSeconds": 30],
            "rollout": ["split": "rollout", "samples": 1, "temperature": 0.7, "limit": 100],
            "suites": [["name": "held-out", "dataset": "gsm8k", "split": "test", "expectedProblems": 200]],
        ]
    }
}
