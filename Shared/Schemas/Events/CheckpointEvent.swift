/// A trained model.
///
/// Record key: the run's id.
public struct CheckpointEvent: EventPayload, Hashable {
    /// The event type.
    public static let type = EventType.checkpoint

    /// The checkpoint's id.
    public var id: String
    /// The run that it belongs to.
    public var runId: String
    /// The stage of the run that made it; `initial` for the untrained student.
    public var stage: String
    /// The run's round, from 1; not there for the initial one.
    public var round: Int?
    /// The checkpoint that training started from; not there for the initial one.
    public var parentCheckpointId: String?
    /// The hash of the model in the model store.
    public var modelHash: String
    /// The fingerprint of its tokenizer.
    public var tokenizerFingerprint: String?
    /// The model's folder, relative to the model store's root.
    public var path: String
    /// The tokens that the stage trained on.
    public var tokensTrained: Int
    /// The optimiser steps of the stage.
    public var steps: Int
    /// The loss at the end of the stage; not there for the initial checkpoint.
    public var finalLoss: Double?
    /// The time that the stage took, in seconds.
    public var trainSeconds: Double
    /// The number of examples by kind, for example `templates`, `dualPairs`, `corrections`.
    public var examples: [String: Int]
    /// The options that the stage really used, defaults filled in.
    public var options: [String: JSONValue]
    /// The last training metrics, under TRL's names.
    public var metrics: [String: Double]?

    /// Makes a checkpoint.
    public init(
        id: String,
        runId: String,
        stage: String,
        round: Int? = nil,
        parentCheckpointId: String? = nil,
        modelHash: String,
        tokenizerFingerprint: String? = nil,
        path: String,
        tokensTrained: Int,
        steps: Int,
        finalLoss: Double? = nil,
        trainSeconds: Double,
        examples: [String: Int] = [:],
        options: [String: JSONValue] = [:],
        metrics: [String: Double]? = nil
    ) {
        self.id = id
        self.runId = runId
        self.stage = stage
        self.round = round
        self.parentCheckpointId = parentCheckpointId
        self.modelHash = modelHash
        self.tokenizerFingerprint = tokenizerFingerprint
        self.path = path
        self.tokensTrained = tokensTrained
        self.steps = steps
        self.finalLoss = finalLoss
        self.trainSeconds = trainSeconds
        self.examples = examples
        self.options = options
        self.metrics = metrics
    }

    /// The run's id.
    public var key: String { runId }

    /// Checks ids, ranges and finite numbers, and that every stage but the initial one has a parent.
    public func validate() throws {
        let check = Validation(type: Self.type)
        try check.identifier(id, "id")
        try check.identifier(runId, "runId")
        try check.identifier(stage, "stage")
        try check.atLeast(round, 1, "round")
        try check.identifier(parentCheckpointId, "parentCheckpointId")
        try check.require(
            (parentCheckpointId == nil) == (stage == RunStage.initial),
            "parentCheckpointId",
            stage == RunStage.initial ? "must not be there for the initial stage" : "must be there for stage \(stage)"
        )
        try check.identifier(modelHash, "modelHash")
        try check.identifier(tokenizerFingerprint, "tokenizerFingerprint")
        try check.notBlank(path, "path")
        try check.atLeast(tokensTrained, 0, "tokensTrained")
        try check.atLeast(steps, 0, "steps")
        try check.finite(finalLoss, "finalLoss")
        try check.finite(trainSeconds, "trainSeconds")
        try check.atLeast(trainSeconds, 0, "trainSeconds")
        for (name, count) in examples.sorted(by: { $0.key < $1.key }) {
            try check.atLeast(count, 0, "examples.\(name)")
        }
        for (name, value) in (metrics ?? [:]).sorted(by: { $0.key < $1.key }) {
            try check.finite(value, "metrics.\(name)")
        }
    }
}

extension CheckpointEvent {
    /// The id of a stage's checkpoint: one a stage and round.
    public static func id(run: String, round: Int, stage: String) -> String {
        DeterministicID.make(cause: run, parts: ["checkpoint", stage] + (round > 1 ? [String(round)] : []))
    }

    /// The untrained student as a run's first checkpoint.
    ///
    /// Arguments:
    ///   - path: the model's folder, relative to the model store's root.
    public static func initial(of run: RunEvent, path: String) -> CheckpointEvent {
        CheckpointEvent(
            id: id(run: run.id, round: 1, stage: RunStage.initial),
            runId: run.id,
            stage: RunStage.initial,
            modelHash: run.student.modelHash,
            tokenizerFingerprint: run.student.tokenizerFingerprint,
            path: path,
            tokensTrained: 0,
            steps: 0,
            trainSeconds: 0
        )
    }
}
