import DataSupport
import Foundation
import Testing

@testable import PracticeDomain
@testable import Reasoning

/// Estimates what ``FirstErrorModel`` holds as constants, from solutions that are only marked right or wrong.
private struct FirstErrorEstimate {
    typealias Frequencies = FirstErrorModel.Frequencies

    private(set) var frequencies: [StepObservation: Frequencies] = [:]
    private(set) var hazard = 0.0

    private static let rounds = 60
    private static let reference = StepObservation(kind: .reference, isCarried: false)
    private let kinds: Set<StepObservation>

    /// Solutions as the observations of their steps, those without an observation left out.
    init(right: [[StepObservation]], wrong: [[StepObservation]]) {
        kinds = Set((right + wrong).joined())
        // At first the first step that is not the reference's is the first wrong one.
        var chances = wrong.map { steps in
            let first = steps.firstIndex { $0 != FirstErrorEstimate.reference } ?? steps.count - 1
            return steps.indices.map { $0 == first ? 1.0 : 0 }
        }
        for _ in 0..<FirstErrorEstimate.rounds {
            maximize(right, wrong, chances)
            chances = wrong.map(posterior)
        }
    }

    private mutating func maximize(
        _ right: [[StepObservation]],
        _ wrong: [[StepObservation]],
        _ chances: [[Double]]
    ) {
        var counts = Dictionary(uniqueKeysWithValues: kinds.map { ($0, Frequencies(right: 1, first: 1, after: 1)) })
        for step in right.joined() { counts[step]?.right += 1 }
        var looked = 0.0
        for (steps, chances) in zip(wrong, chances) {
            var after = 0.0
            for (place, (step, chance)) in zip(steps, chances).enumerated() {
                counts[step]?.first += chance
                counts[step]?.after += after
                counts[step]?.right += 1 - after - chance
                after += chance
                looked += chance * Double(place + 1)
            }
        }
        hazard = Double(wrong.count) / looked
        let sums = counts.values.reduce(into: Frequencies(right: 0, first: 0, after: 0)) {
            $0.right += $1.right
            $0.first += $1.first
            $0.after += $1.after
        }
        frequencies = counts.mapValues {
            Frequencies(right: $0.right / sums.right, first: $0.first / sums.first, after: $0.after / sums.after)
        }
    }

    /// The chance of each step being the first wrong one.
    private func posterior(_ steps: [StepObservation]) -> [Double] {
        var before = 0.0
        var scores: [Double] = []
        for step in steps {
            guard let seen = frequencies[step] else { continue }
            scores.append(before + log(seen.first / seen.after))
            before += log((1 - hazard) * seen.right / seen.after)
        }
        let greatest = scores.max() ?? 0
        let weights = scores.map { exp($0 - greatest) }
        let sum = weights.reduce(0, +)
        return weights.map { $0 / sum }
    }
}

/// Solutions whose steps are drawn from ``FirstErrorModel``.
private struct FirstErrorDraw {
    private var source = ReasoningRandom(seed: 51)
    private let observations: [StepObservation]

    init() {
        let kinds: [StepKind] = [.reference, .reordered, .coincident, .new, .miscalculated]
        let own = kinds.map { StepObservation(kind: $0, isCarried: false) }
        observations =
            own + own.filter { $0.kind != .reference }.map { StepObservation(kind: $0.kind, isCarried: true) }
    }

    private mutating func step(_ state: KeyPath<FirstErrorModel.Frequencies, Double>) -> StepObservation {
        let chances = observations.map { FirstErrorModel.frequencies($0)[keyPath: state] }
        var place = Double(source.next() >> 11) * 0x1p-53 * chances.reduce(0, +)
        for (observation, chance) in zip(observations, chances) {
            place -= chance
            if place < 0 { return observation }
        }
        return observations[0]
    }

    mutating func right() -> [StepObservation] { (0..<source.integer(2...5)).map { _ in step(\.right) } }

    mutating func wrong() -> [StepObservation] {
        var steps: [StepObservation] = []
        while !source.chance(FirstErrorModel.hazard) { steps.append(step(\.right)) }
        steps.append(step(\.first))
        // As likely as any other number, for the model asks only where the first wrong step is.
        for _ in 0..<source.integer(0...12) { steps.append(step(\.after)) }
        return steps
    }
}

@Suite("First wrong step: the estimate of the model's constants")
struct FirstErrorEstimateTests {
    @Test("it finds the constants again in solutions that are drawn with them, without seeing where they go wrong")
    func drawn() {
        var draw = FirstErrorDraw()
        let right = (0..<20_000).map { _ in draw.right() }
        let wrong = (0..<20_000).map { _ in draw.wrong() }
        let estimate = FirstErrorEstimate(right: right, wrong: wrong)
        #expect(abs(estimate.hazard - FirstErrorModel.hazard) < 0.02, "hazard \(estimate.hazard)")
        for (observation, found) in estimate.frequencies {
            let drawn = FirstErrorModel.frequencies(observation)
            for side in [\FirstErrorModel.Frequencies.right, \.first, \.after] {
                #expect(
                    abs(found[keyPath: side] - drawn[keyPath: side]) < 0.02,
                    "\(observation): estimated \(found), drawn with \(drawn)"
                )
            }
        }
    }
}

@Suite("First wrong step: the model's constants", .external)
struct ExternalFirstErrorEstimateTests {
    private struct Example: Decodable {
        struct Solution: Decodable {
            var isCorrect: Bool
            var solution: String
        }

        var question: String
        var groundTruth: String
        var solutions: [Solution]

        private enum Key: String, CodingKey, CaseIterable {
            case question, groundTruth
            case smallFinetuning = "6bFinetuning"
            case smallVerification = "6bVerification"
            case largeFinetuning = "175bFinetuning"
            case largeVerification = "175bVerification"
        }

        init(from decoder: any Decoder) throws {
            let values = try decoder.container(keyedBy: Key.self)
            question = try values.decode(String.self, forKey: .question)
            groundTruth = try values.decode(String.self, forKey: .groundTruth)
            solutions = try Key.allCases.dropFirst(2).map { try values.decode(Solution.self, forKey: $0) }
        }
    }

    private struct Question: Decodable {
        var question: String
    }

    private func observations(_ example: Example, _ solution: String) -> [StepObservation] {
        let steps = solution.split(whereSeparator: \.isNewline).map {
            StepText(WorkedSolution.withoutMarks(String($0)))
        }
        let reference = ReferenceQuantities(
            question: example.question,
            reference: WorkedSolution.withoutMarks(example.groundTruth)
        )
        return StepKinds(attempt: steps, reference: reference).observations.compactMap { observation in
            guard var observation else { return nil }
            // The model does not ask where a right step's values come from.
            if observation.kind == .reference { observation.isCarried = false }
            return observation
        }
    }

    @Test("they are the estimate by expectation maximisation on solutions of which only the answer was judged")
    func constants() throws {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        let labelled = Set(
            try TestData.lines(TestData.external("first_error/verify_then_generate.jsonl")).map {
                try decoder.decode(Question.self, from: Data($0.utf8)).question
            }
        )
        var right: [[StepObservation]] = []
        var wrong: [[StepObservation]] = []
        for line in try TestData.lines(TestData.external("gsm8k/example_model_solutions_a.jsonl")) {
            let example = try decoder.decode(Example.self, from: Data(line.utf8))
            guard !labelled.contains(example.question) else { continue }
            for solution in example.solutions {
                let steps = observations(example, solution.solution)
                guard !steps.isEmpty else { continue }
                if solution.isCorrect { right.append(steps) } else { wrong.append(steps) }
            }
        }
        #expect(right.count > 900)
        #expect(wrong.count > 900)
        let estimate = FirstErrorEstimate(right: right, wrong: wrong)
        #expect(abs(estimate.hazard - FirstErrorModel.hazard) < 0.001)
        for (observation, found) in estimate.frequencies {
            let kept = FirstErrorModel.frequencies(observation)
            for side in [\FirstErrorModel.Frequencies.right, \.first, \.after] {
                #expect(
                    abs(found[keyPath: side] - kept[keyPath: side]) < 0.001,
                    "\(observation): estimated \(found), kept \(kept)"
                )
            }
        }
    }
}
