public import ServiceRuntime
import Synchronization
import Training

/// What the trainings that go on in this process are at, for `/metrics`; one that has ended leaves no series.
public final class TrainingGauges: Sendable {
    /// TRL's names of the figures that only some methods have.
    private static let rewards: [(name: MetricName, key: String)] = [
        (.trainingChosenReward, "rewards/chosen"), (.trainingRejectedReward, "rewards/rejected"),
        (.trainingRewardMargin, "rewards/margins"), (.trainingRewardAccuracy, "rewards/accuracies"),
    ]

    private let running = Mutex<[StageID: [MetricName: Double]]>([:])

    /// Creates gauges of no training.
    public init() {}

    /// Notes an update; may be called from any thread.
    func note(_ step: TrainingStep, of stage: StageID) {
        var values: [MetricName: Double] = [
            .trainingStep: Double(step.step), .trainingPlannedSteps: Double(step.totalSteps), .trainingLoss: step.loss,
            .trainingLearningRate: step.learningRate, .trainingGradientNorm: step.gradientNorm,
            .trainingTokens: Double(step.tokensSeen), .trainingTokenRate: step.tokensPerSecond,
        ]
        for (name, key) in Self.rewards { values[name] = step.metrics[key] }
        running.withLock { $0[stage] = values }
    }

    /// Notes what another engine says of an update.
    func note(_ line: EngineJob.Line, of stage: StageID) {
        var values: [MetricName: Double] = [.trainingStep: Double(line.step)]
        values[.trainingPlannedSteps] = line.totalSteps.map(Double.init)
        values[.trainingLoss] = line.loss
        values[.trainingTokens] = line.tokens.map(Double.init)
        running.withLock { $0[stage] = values }
    }

    /// Forgets a training.
    func ended(_ stage: StageID) {
        running.withLock { $0[stage] = nil }
    }

    /// The figures of all trainings that go on.
    public var samples: [MetricSample] {
        running.withLock { $0 }.flatMap { stage, values -> [MetricSample] in
            let labels = ["run": stage.run, "round": "\(stage.round)", "stage": stage.stage]
            return values.map { MetricSample($0.key, $0.value, labels) }
        }
    }
}
