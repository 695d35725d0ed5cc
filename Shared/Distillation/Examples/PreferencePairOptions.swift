extension PreferencePairs {
    /// How a pair is laid out; the paper leaves it open.
    public enum Layout: String, Sendable, Codable, CaseIterable {
        /// The student's own output up to the wrong step, then that step: the teacher's correction is chosen, the
        /// student's step (or its own correction of it) rejected. What is preferred is what the student writes when it
        /// solves a problem, so a student that was never taught to correct can use it. The default.
        case step
        /// The correction prompt with the whole attempt, then step number, cause, correction and answer, as in the
        /// paper's appendix A.
        case trace
        /// The correction prompt with the verified steps before the wrong one only, then number, cause and correction of
        /// the wrong step, without the answer: the paper's equations 7 and 8 to the letter.
        case prefix
        /// The problem, then a whole right solution against the student's whole wrong output: plain DPO, the paper's
        /// ablation "instance level".
        case instance

        /// Whether the text of the wrong step stands before what is chosen or rejected; nil where an option says so.
        public var hasWrongStepInContext: Bool? {
            switch self {
            case .step, .instance: false
            case .trace: true
            case .prefix: nil
            }
        }
    }

    /// What becomes of an attempt whose self-correction is not a wrong correction of the wrong step.
    public enum SelfCorrectionRule: String, Sendable, Codable, CaseIterable {
        /// What the student wrote is rejected all the same.
        case keep
        /// No pair is made.
        case drop
        /// The student's wrong step is rejected instead, as it stands: in the layouts `trace` and `prefix` as a
        /// correction that leaves the step as it was, under the teacher's cause, so that the two sides part only where
        /// the correction begins.
        case step
    }

    /// The choices that the paper leaves open, with their defaults.
    public struct Options: Sendable, Hashable, Codable {
        /// How pairs are laid out.
        public var layout: Layout
        /// In the layout `prefix`: whether the wrong step stands in the context, after the verified steps.
        ///
        /// By default not: equations 7 and 8 condition on the verified steps alone.
        public var wrongStepInContext: Bool
        /// Whether only the tokens that an alignment of the two sides leaves unmatched carry the preference.
        ///
        /// A variant beyond the paper. By default all tokens do, as in equation 8.
        public var tokenWeighted: Bool
        /// What to do when the student's own correction is right, see ``CorrectionGrading/isRight(_:teacher:)``.
        ///
        /// The paper does not say. By default `drop`: to reject a right correction would teach the wrong thing, and the
        /// student needs no lesson there. In the layout `step` the default is `step`: what is rejected is how the
        /// student solved the problem, and a right second look does not make that step right.
        public var whenSelfCorrectionIsRight: SelfCorrectionRule
        /// What to do when the student's own correction names another step, or none, or cannot be read.
        ///
        /// The paper does not say. The default is `step`: who calls another step wrong says that this one may stay. In
        /// the layout `trace` it is `keep`: there the step is still to be found, so the wrong number is part of the
        /// lesson; where no step was named, nothing can be kept and no pair is made.
        public var whenSelfCorrectionNamesAnotherStep: SelfCorrectionRule

        /// Options; what is nil has the layout's default.
        public init(
            layout: Layout = .step,
            wrongStepInContext: Bool? = nil,
            tokenWeighted: Bool = false,
            whenSelfCorrectionIsRight: SelfCorrectionRule? = nil,
            whenSelfCorrectionNamesAnotherStep: SelfCorrectionRule? = nil
        ) {
            self.layout = layout
            self.wrongStepInContext = wrongStepInContext ?? layout.hasWrongStepInContext ?? false
            self.tokenWeighted = tokenWeighted
            self.whenSelfCorrectionIsRight = whenSelfCorrectionIsRight ?? (layout == .step ? .step : .drop)
            self.whenSelfCorrectionNamesAnotherStep =
                whenSelfCorrectionNamesAnotherStep ?? (layout == .trace ? .keep : .step)
        }
    }

    /// Why no pair can be made.
    public enum Refusal: String, Sendable, CaseIterable, Error {
        /// The teacher's correction names no step or gives no text for it.
        case noCorrection = "no-correction"
        /// The step is not in the student's output, or not under its tag.
        case stepNotFound = "step-not-found"
        /// The student wrote the same as the teacher.
        case identical
        /// The student's own correction is right, and such attempts are dropped.
        case selfCorrectionRight = "self-correction-right"
        /// The student's own correction names another step, and such attempts are dropped.
        case selfCorrectionElsewhere = "self-correction-elsewhere"
        /// The student's own correction names no step or cannot be read, and the options leave nothing to reject.
        case noSelfCorrection = "no-self-correction"
        /// The problem has no worked solution whose steps could be chosen.
        case noSolution = "no-solution"
    }
}
