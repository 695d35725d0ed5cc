import DataSupport
import Foundation
import Testing

@testable import Training

@Suite("Bounds of a training's plan")
struct TrainingPlanBoundTests {
    private let lengths = (0..<40).map { 3 + $0 % 9 }

    @Test("an accumulation beyond all data makes one update a pass, at once")
    func accumulation() throws {
        let time = try processorTime {
            let plan = try TrainingPlan(
                lengths: lengths,
                options: TrainingOptions(learningRate: 1, epochs: 2, accumulation: .max)
            )
            // Its last batch of the first pass ends the update, and what is wanted of the second pass is one too.
            #expect(plan.updates.count == 2 && plan.updates.allSatisfy { $0.examples.count == 40 })
        }
        #expect(time < .seconds(1), "\(time)")
    }

    @Test("accumulation past the last example that is wanted ends there")
    func partOfAPass() throws {
        let plan = try TrainingPlan(
            lengths: lengths,
            options: TrainingOptions(learningRate: 1, epochs: 0.5, batchSequences: 4, accumulation: .max)
        )
        #expect(plan.updates.map(\.examples.count) == [20])
    }

    @Test("more updates than a plan holds are refused", arguments: [Int.max, 1_000_001])
    func updates(steps: Int) {
        let options = TrainingOptions(learningRate: 1, maximumSteps: steps, batchSequences: 1)
        let error = #expect(throws: TrainingError.self) { try TrainingPlan(lengths: [1], options: options) }
        #expect(error.map { "\($0)".contains("1000000 updates") } == true)
    }
}
