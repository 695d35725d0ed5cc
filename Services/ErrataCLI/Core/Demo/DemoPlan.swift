import Foundation
import PracticeDomain
import Reasoning
import Schemas

/// What the demonstration runs: sizes and hyper-parameters, chosen on the development split of other seeds.
struct DemoPlan: Sendable {
    /// The data set's name in the system.
    var dataset = "demo"
    /// Distinct training problems: few, seen many times.
    var trainingProblems = 1000
    /// Problems held back from stage one for roll-outs.
    var rolloutProblems = 3000
    /// Held-out problems of the table.
    var testProblems = 1000
    /// Tokens of HSFT, which bound the time whatever the problems are; of the built-in domain 20 passes.
    var templateTokens = 2_600_000
    /// Tokens of KRSL; of the built-in domain one pass over right and wrong chains and templates.
    var keyStepTokens = 400_000

    /// Every stage in about two minutes, to see that it runs; the student learns the layout and little else.
    static var quick: DemoPlan {
        DemoPlan(
            trainingProblems: 300,
            rolloutProblems: 60,
            testProblems: 200,
            templateTokens: 450_000,
            keyStepTokens: 60_000
        )
    }

    /// The stages of a run: rates and lengths of a student of 0.65 million parameters trained from nothing.
    ///
    /// The papers' rates are for pretrained students of billions.
    var stages: RunStages {
        func block(rate: Double, tokens: Int? = nil, epochs: Double? = nil, warmup: Double) -> TrainingBlock {
            TrainingBlock(
                learningRate: rate,
                epochs: epochs,
                maximumTokens: tokens,
                batchSequences: 16,
                schedule: "cosine",
                warmupRatio: warmup
            )
        }
        return RunStages(
            // As many tokens as the whole chain of the other stages.
            plain: SupervisedStage(training: block(rate: 5e-4, warmup: 0.02)),
            hsft: SupervisedStage(training: block(rate: 5e-4, tokens: templateTokens, warmup: 0.02)),
            // Gamma and the mixed-in templates keep what the key tokens alone would let the student forget.
            krsl: KeyStepStage(
                training: block(rate: 5e-5, tokens: keyStepTokens, warmup: 0.05),
                alpha: 1,
                beta: 0.025,
                gamma: 1,
                supervisedWeight: 1
            ),
            // A student this small knows too little for preferences alone to help: what the chosen corrections say has to
            // be learnt (the likelihood term), and what stage one taught has to be kept (the mixed-in templates).
            dpo: PreferenceStage(
                training: block(rate: 1e-3, epochs: 3, warmup: 0.05),
                loss: "sigmoid",
                beta: 0.1,
                nllWeight: 1,
                supervisedWeight: 10
            )
        )
    }

    /// Problems by split.
    struct Problems: Sendable {
        var training: [ProblemEvent]
        var rollout: [ProblemEvent]
        var test: [ProblemEvent]

        var all: [ProblemEvent] { test + rollout + training }
    }

    /// Problems of the built-in domain.
    func generatedProblems(seed: UInt64) throws -> Problems {
        let generator = ProblemGenerator(seed: seed, stepRange: 2...3, difficulty: .gentle)
        func events(_ count: Int, _ split: ProblemSplit) throws -> [ProblemEvent] {
            try generator.generate(count: count, split: split)
                .map { ProblemLines.event(of: $0, dataset: dataset, split: split) }
        }
        return Problems(
            training: try events(trainingProblems, .train),
            rollout: try events(rolloutProblems, .rollout),
            test: try events(testProblems, .test)
        )
    }

    /// The user's problems, split by a hash of the question: 20 % test, 25 % roll-out, the rest training.
    func problems(file: String) throws -> Problems {
        var result = Problems(training: [], rollout: [], test: [])
        var seen: Set<String> = []
        for (number, line) in try ProblemLines.read(file) {
            do {
                var event = try ProblemLines.event(of: line, dataset: dataset, split: .train)
                event.dataset = dataset
                guard seen.insert(event.question).inserted else { continue }
                switch StableHash.value(of: event.question) % 100 {
                case 0..<20:
                    event.split = .test
                    result.test.append(event)
                case 20..<45:
                    event.split = .rollout
                    result.rollout.append(event)
                default:
                    event.split = .train
                    result.training.append(event)
                }
            } catch {
                Terminal.error("\(file):\(number): \(error)")
            }
        }
        guard result.test.count >= 20, result.rollout.count >= 20, result.training.count >= 50 else {
            throw CLIError(
                "\(file) has \(seen.count) usable problems; the demonstration needs at least 200 to split them"
            )
        }
        return result
    }
}
