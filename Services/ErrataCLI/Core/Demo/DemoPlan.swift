import Foundation
import PracticeDomain
import Reasoning
import Schemas
import Teaching

/// What the demonstration runs: sizes and hyper-parameters, chosen on the development split of other seeds.
struct DemoPlan: Sendable {
    /// The data set's name in the system.
    var dataset = "demo"
    /// Distinct training problems: few, seen many times.
    var trainingProblems = 1000
    /// Problems held back from stage one for roll-outs.
    var rolloutProblems = 2500
    /// Held-out problems of the table.
    var testProblems = 1000
    /// Held-out problems that the gate compares students on.
    var developmentProblems = 300
    /// Training problems that stream in after the first round.
    var laterProblems = 150
    /// The share of the first round's problems that the second one learns from again; with ``laterProblems`` it decides how
    /// long that round takes.
    var replayShare = 0.1
    /// Passes of HSFT over a thousand problems; more problems are passed over less often, which bounds the time.
    var templatePasses = 17.0
    /// Passes of KRSL over the right and wrong chains of a thousand problems, and over their templates.
    var keyStepPasses = 1.0

    /// Every stage in about two minutes, to see that it runs; the student learns the layout and little else.
    static var quick: DemoPlan {
        DemoPlan(
            trainingProblems: 300,
            rolloutProblems: 60,
            testProblems: 200,
            developmentProblems: 60,
            laterProblems: 60,
            // What a student learns in so few steps of the new problems alone has hardly a step that can be corrected.
            replayShare: 1,
            templatePasses: 3.5,
            keyStepPasses: 0.15
        )
    }

    /// The stages of a run: rates and lengths of a student of 0.65 million parameters trained from nothing.
    ///
    /// The papers' rates are for pretrained students of billions.
    ///
    /// - Parameters:
    ///   - templates: The verified templates that there are.
    ///   - pairs: The verified dual pairs that there are.
    /// - Returns: The stages, each behind its parent.
    func stages(templates: Int, pairs: Int) -> [RunStage] {
        func block(rate: Double, epochs: Double? = nil, warmup: Double) -> TrainingBlock {
            TrainingBlock(
                learningRate: rate,
                epochs: epochs,
                batchSequences: 16,
                schedule: "cosine",
                warmupRatio: warmup
            )
        }
        let mixed = [ExampleSource("templates")]
        let thousands = 1_000 / Double(max(1, templates))
        return [
            RunStage(
                name: "hsft",
                supervised: SupervisedMethod(mixed),
                start: StageStart(examples: max(1, templates), waitSeconds: 30),
                training: block(rate: 5e-4, epochs: templatePasses * thousands, warmup: 0.02)
            ),
            // Gamma and the mixed-in templates keep what the key tokens alone would let the student forget.
            RunStage(
                name: "krsl",
                parent: "hsft",
                keySteps: KeyStepMethod(form: "templates", alpha: 1, beta: 0.025, gamma: 1, mix: mixed),
                // Not every dual pair has a template to be written with: a few may be missing.
                start: StageStart(examples: max(1, pairs), waitSeconds: 30),
                training: block(rate: 5e-5, epochs: keyStepPasses * thousands, warmup: 0.05)
            ),
            // A student this small knows too little for preferences alone to help: what the chosen corrections say has to
            // be learnt (the likelihood term), and what stage one taught has to be kept (the mixed-in templates).
            RunStage(
                name: "dpo",
                parent: "krsl",
                preferences: PreferenceMethod(
                    layout: "step",
                    loss: "sigmoid",
                    beta: 0.1,
                    nllWeight: 1,
                    mixWeight: 10,
                    mix: mixed
                ),
                start: StageStart(waitSeconds: 30),
                training: block(rate: 1e-3, epochs: 3, warmup: 0.05)
            ),
            // As many tokens as the whole chain of the other stages, in the round whose table it is for.
            RunStage(
                name: "plain",
                supervised: SupervisedMethod([ExampleSource("rightChains"), ExampleSource("rectifiedChains")]),
                training: block(rate: 5e-4, warmup: 0.02),
                tokensOf: ["hsft", "krsl", "dpo"],
                lastRound: 1
            ),
        ]
    }

    /// Problems by split.
    struct Problems: Sendable {
        var training: [ProblemEvent]
        var rollout: [ProblemEvent]
        var development: [ProblemEvent]
        var test: [ProblemEvent]
        /// Training problems that stream in after the first round.
        var later: [ProblemEvent]

        /// What streams in at the start.
        var first: [ProblemEvent] { test + development + rollout + training }

        /// Leaves out what the system would leave out, which counts on the rest: duplicates among the problems to learn from,
        /// and those that give away one that is scored.
        ///
        /// - Returns: how many.
        mutating func leaveOutOverlaps() -> Int {
            var scored = Decontamination()
            var index = DuplicateIndex()
            func fingerprint(_ problem: ProblemEvent) -> ProblemFingerprint {
                ProblemFingerprint(question: problem.question, answer: problem.answer)
            }
            for problem in test + development {
                scored.insert(NormalizedText(problem.question), id: problem.id)
                index.insert(fingerprint(problem), id: problem.id)
            }
            let learned = (rollout + training + later).sorted { $0.id < $1.id }
            let leftOut = Set(
                learned.filter { problem in
                    let found = fingerprint(problem)
                    return scored.match(of: found.text) != nil || index.insert(found, id: problem.id) != nil
                }.map(\.id)
            )
            rollout.removeAll { leftOut.contains($0.id) }
            training.removeAll { leftOut.contains($0.id) }
            later.removeAll { leftOut.contains($0.id) }
            return leftOut.count
        }
    }

    /// Problems of the built-in domain.
    func generatedProblems(seed: UInt64) throws -> Problems {
        let generator = ProblemGenerator(seed: seed, stepRange: 2...3, difficulty: .gentle)
        func events(_ count: Int, _ split: ProblemSplit) throws -> [ProblemEvent] {
            try generator.generate(count: count, split: split)
                .map { ProblemEvent($0, dataset: dataset, split: split) }
        }
        let training = try events(trainingProblems + laterProblems, .train)
        return Problems(
            training: Array(training.prefix(trainingProblems)),
            rollout: try events(rolloutProblems, .rollout),
            development: try events(developmentProblems, .development),
            test: try events(testProblems, .test),
            later: Array(training.dropFirst(trainingProblems))
        )
    }

    /// The user's problems, split by a hash of the question: 20 % test, 10 % development, 20 % roll-out, the rest training,
    /// a fifth of which streams in after the first round.
    func problems(file: String) throws -> Problems {
        var result = Problems(training: [], rollout: [], development: [], test: [], later: [])
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
                case 20..<30:
                    event.split = .development
                    result.development.append(event)
                case 30..<50:
                    event.split = .rollout
                    result.rollout.append(event)
                case 50..<60:
                    event.split = .train
                    result.later.append(event)
                default:
                    event.split = .train
                    result.training.append(event)
                }
            } catch {
                Terminal.error("\(file):\(number): \(error)")
            }
        }
        let leftOut = result.leaveOutOverlaps()
        if leftOut > 0 {
            Terminal.error(
                "\(file): \(leftOut) problems are left out: they are near duplicates, or give away held-out ones"
            )
        }
        guard result.test.count >= 20, result.rollout.count >= 20, result.development.count >= 10,
            result.later.count >= 10, result.training.count >= 50
        else {
            throw CLIError(
                "\(file) has \(seen.count) usable problems; the demonstration needs at least 200 to split them"
            )
        }
        return result
    }
}
