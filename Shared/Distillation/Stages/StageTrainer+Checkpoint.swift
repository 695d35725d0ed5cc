import Foundation
import LanguageModel
public import Schemas
import Training

extension StageTrainer.Trained {
    /// The checkpoint of a run's stage.
    ///
    /// Arguments:
    ///   - parent: the checkpoint that the training started from.
    ///   - examples: the numbers of examples by kind.
    ///   - options: what the stage really used, defaults filled in.
    public func checkpoint(
        of stage: RunStage,
        run: RunEvent,
        round: Int,
        parent: CheckpointEvent,
        examples: [String: Int],
        options: [String: JSONValue]
    ) -> CheckpointEvent {
        CheckpointEvent(
            // One a stage of a round: training it again gives the same event.
            id: CheckpointEvent.id(run: run.id, round: round, stage: stage.name),
            runId: run.id,
            stage: stage.name,
            round: round,
            parentCheckpointId: parent.id,
            modelHash: stored.hash,
            tokenizerFingerprint: run.student.tokenizerFingerprint,
            path: stored.folder.lastPathComponent,
            tokensTrained: tokens,
            steps: steps,
            finalLoss: finalLoss,
            trainSeconds: seconds,
            examples: examples,
            options: options,
            metrics: metrics
        )
    }
}

extension StageTrainer {
    /// Whether an error is one that the same data and options would meet again, so that another try cannot mend it.
    public static func isFinal(_ error: any Error) -> Bool { error is TrainingError || error is DistillationError }
}
