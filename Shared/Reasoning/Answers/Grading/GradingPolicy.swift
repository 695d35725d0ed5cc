/// How strictly answers are compared.
///
/// All policies compare numbers and expressions by value, read LaTeX and plain text alike, tell open from closed intervals,
/// keep the order of tuples, and take an answer with a unit for one without: `72` is `72 degrees`, but `5 cm` is not `5 m`,
/// `5 red balls` are not `5 blue balls`, and `3 left` is not `3 right`. They differ in this:
///
/// | | ``strict`` | ``standard`` | ``qwen`` |
/// | --- | --- | --- | --- |
/// | order of a list without brackets | counts | does not count | counts |
/// | a list without brackets and a tuple; a vector and a tuple | differ | same where the order is | same where the order is |
/// | a set of one number and the number; `3/4 or 0.75` and either | differ | same | same |
/// | arithmetic left undone: `3245/5` and `649` | differ | same | same |
/// | `x/100`, where one side has a percent sign | differs | same | same |
/// | `x/100` and `100x`, where none has | differ | differ | same |
/// | rounding | none | a decimal of two places or more is the fraction or root that rounds to it | a relative 1e-4, and as standard |
/// | upper and lower case of text and option letters | counts | does not count | does not count |
/// | articles and punctuation of text | count, but for the last stop | do not count | do not count |
/// | `T` for true, `Y` for yes, `AC` for `A, C` | no | yes | yes |
/// | `1,25` for `1.25` | no | two places | two places |
/// | `1 km` and `1000 m`, `$0.50` and `50 cents`, `90°` and `π/2`: units that are exact multiples | differ | same | same |
/// | `seven` and `7`, `two thirds` and `2/3` | differ | same | same |
///
/// A percent sign on one side only is let pass by all of them: `10%` is `10`.
///
/// Files of other tools fit so: hendrycks/math compares strings and simple-evals refuses what is not simplified, so that
/// `strict` fits them; Math-Verify, NeMo-Skills and open-instruct compare values and normalised text, which is `standard`;
/// figures that were reported with Qwen2.5-Math's evaluation call for `qwen`.
public enum GradingPolicy: String, Sendable, CaseIterable, Codable {
    /// As a marker who wants the answer in the form asked for.
    case strict
    /// As a mathematician; the default.
    case standard
    /// As the evaluation of Qwen2.5-Math: with a tolerance, and blind to factors of 100.
    case qwen

    /// The policy of a verdict by its mark, see ``Grader/stamp``; nil where it names none that there is.
    public init?(stamp: String) {
        self.init(rawValue: String(stamp.prefix { $0 != "/" }))
    }

    /// The largest difference as a share of the gold value.
    var relativeTolerance: Double? { self == .qwen ? 1e-4 : nil }
    var allowsRounding: Bool { self != .strict }
    var listsAreOrdered: Bool { self != .standard }
    var requiresSimplification: Bool { self == .strict }
    var foldsText: Bool { self != .strict }
}
