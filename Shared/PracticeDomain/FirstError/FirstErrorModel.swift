import Foundation
import Reasoning

/// How likely each step of an attempt is the first wrong one, from what the steps are like beside the reference.
///
/// A chain of three states that only goes forward: steps are right, one step is the first wrong one, and the steps
/// after it follow from it. Each state has its own distribution of ``StepObservation``, so that a step that only
/// carries an error on is explained by the error before it. Steps without observation say nothing.
///
/// The distributions and the hazard were estimated without any step label, on the solutions that OpenAI published as
/// examples with GSM8K (four models on each of 640 of its test problems, each solution marked right or wrong by its
/// final answer), leaving out the 20 problems that also occur in the labelled attempts that the tests count on. All
/// steps of a right solution are right; in a wrong one the first wrong step is hidden. They maximise the likelihood
/// by expectation maximisation: start with the first step that is not the reference's as the first wrong one, then in
/// turn compute for each wrong solution the chance of each step with an observation being the first wrong one, and
/// count observations by state with these chances (one is added to each count), 60 times. The hazard is the number of
/// wrong solutions over the number of steps with an observation up to and with the first wrong one.
/// `FirstErrorEstimateTests` estimates them again. Estimates from resampled problems differ by about a tenth, which moves
/// the share of human labels that are hit by a point and a half.
struct FirstErrorModel {
    /// How often an observation is made in each state.
    struct Frequencies {
        var right: Double
        var first: Double
        var after: Double
    }

    /// The chance that a step is the first wrong one when those before it are right.
    static let hazard = 0.540

    private static let reference = Frequencies(right: 0.839, first: 0.097, after: 0.098)
    private static let own: [StepKind: Frequencies] = [
        .reordered: Frequencies(right: 0.076, first: 0.326, after: 0.140),
        .coincident: Frequencies(right: 0.056, first: 0.046, after: 0.038),
        .new: Frequencies(right: 0.014, first: 0.494, after: 0.272),
        .miscalculated: Frequencies(right: 0.005, first: 0.035, after: 0.014),
    ]
    private static let carried: [StepKind: Frequencies] = [
        .reordered: Frequencies(right: 0.001, first: 0.001, after: 0.037),
        .coincident: Frequencies(right: 0.004, first: 0.001, after: 0.019),
        .new: Frequencies(right: 0.005, first: 0.001, after: 0.365),
        .miscalculated: Frequencies(right: 0.001, first: 0.001, after: 0.017),
    ]

    static func frequencies(_ observation: StepObservation) -> Frequencies {
        (observation.isCarried ? carried : own)[observation.kind] ?? reference
    }

    /// The step that is most likely the first wrong one, the earliest of equals; nil where none has an observation.
    ///
    /// Looks at one observation a step, nil for a step that says nothing, and only at the steps before `end`.
    static func mostLikely(_ observations: [StepObservation?], before end: Int) -> Int? {
        let seen = observations.map { $0.map(frequencies) }
        var best: Int?
        var greatest = -Double.infinity
        // Against the chance that all steps follow from an error before the attempt.
        var before = 0.0
        for (step, frequencies) in seen.enumerated() where step < end {
            guard let frequencies else { continue }
            let here = before + log(frequencies.first / frequencies.after)
            if here > greatest {
                greatest = here
                best = step
            }
            before += log((1 - hazard) * frequencies.right / frequencies.after)
        }
        return best
    }
}
