package import Schemas

/// Small stages for recipes.
extension RunStage {
    /// A stage on thought templates.
    package static func templates(
        _ name: String = "templates",
        parent: String? = nil,
        examples: Int = 1,
        wait: Double? = nil,
        data: StageData? = nil,
        training: TrainingBlock? = nil
    ) -> RunStage {
        supervised(["templates"], name, parent: parent, examples: examples, wait: wait, data: data, training: training)
    }

    /// A stage on whole responses of some kinds.
    package static func supervised(
        _ kinds: [String],
        _ name: String,
        parent: String? = nil,
        examples: Int? = 1,
        wait: Double? = nil,
        data: StageData? = nil,
        training: TrainingBlock? = nil,
        tokensOf: [String]? = nil
    ) -> RunStage {
        RunStage(
            name: name,
            parent: parent,
            supervised: SupervisedMethod(kinds.map { ExampleSource($0) }),
            data: data,
            start: StageStart(examples: examples, waitSeconds: wait),
            training: training,
            tokensOf: tokensOf
        )
    }

    /// A stage on key steps, of pairs that are written as templates unless its method says otherwise.
    package static func keySteps(
        _ name: String = "keys",
        _ method: KeyStepMethod = KeyStepMethod(form: "templates"),
        parent: String? = nil,
        examples: Int = 1,
        wait: Double? = nil,
        data: StageData? = nil,
        training: TrainingBlock? = nil
    ) -> RunStage {
        RunStage(
            name: name,
            parent: parent,
            keySteps: method,
            data: data,
            start: StageStart(examples: examples, waitSeconds: wait),
            training: training
        )
    }

    /// A stage on preferences between the parent's wrong steps and the teacher's corrections.
    package static func corrections(
        _ name: String = "corrections",
        layout: String = "step",
        parent: String? = "templates",
        examples: Int? = nil,
        training: TrainingBlock? = nil
    ) -> RunStage {
        RunStage(
            name: name,
            parent: parent,
            preferences: PreferenceMethod(layout: layout, beta: 0.25),
            start: examples.map { StageStart(examples: $0) },
            training: training
        )
    }
}

extension EvaluationSuite {
    /// A suite of ten problems that no stage learns from.
    package static func ofTen(_ name: String = "held-out") -> EvaluationSuite {
        EvaluationSuite(name: name, dataset: StageBench.dataset, split: .test, expectedProblems: 10)
    }
}
