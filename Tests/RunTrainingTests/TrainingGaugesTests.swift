import Foundation
import ServiceRuntime
import Testing
import Training

@testable import RunTraining

@Suite("What trainings say at /metrics")
struct TrainingGaugesTests {
    @Test("a training has series while it goes on, those of its rewards where it has some, and none after its end")
    func series() throws {
        let gauges = TrainingGauges()
        let first = StageID(run: "r", round: 2, stage: "dpo")
        let second = StageID(run: "r", round: 2, stage: "other")
        let step = try JSONDecoder().decode(
            TrainingStep.self,
            from: Data(
                """
                {"step": 3, "totalSteps": 10, "epoch": 0.3, "loss": 1.5, "learningRate": 0.001, "gradientNorm": 2,
                 "tokensSeen": 40, "tokensPerSecond": 8, "metrics": {"rewards/margins": 0.25, "entropy": 1}}
                """.utf8
            )
        )
        let line = try JSONDecoder().decode(EngineJob.Line.self, from: Data(#"{"step": 7, "loss": 0.5}"#.utf8))
        gauges.note(step, of: first)
        gauges.note(line, of: second)
        let labels = ["run": "r", "round": "2", "stage": "dpo"]
        let others = ["run": "r", "round": "2", "stage": "other"]
        let expected: Set<MetricSample> = [
            MetricSample(.trainingStep, 3, labels), MetricSample(.trainingPlannedSteps, 10, labels),
            MetricSample(.trainingLoss, 1.5, labels), MetricSample(.trainingLearningRate, 0.001, labels),
            MetricSample(.trainingGradientNorm, 2, labels), MetricSample(.trainingTokens, 40, labels),
            MetricSample(.trainingTokenRate, 8, labels), MetricSample(.trainingRewardMargin, 0.25, labels),
            MetricSample(.trainingStep, 7, others), MetricSample(.trainingLoss, 0.5, others),
        ]
        #expect(Set(gauges.samples) == expected)
        gauges.ended(first)
        #expect(Set(gauges.samples.map(\.labels)) == [others])
        gauges.ended(second)
        #expect(gauges.samples.isEmpty)
    }
}
