/// Why something that a teacher wrote is not used: a kind to count by, and a sentence to read.
public struct Refusal: Error, Sendable, Hashable, Codable, CustomStringConvertible {
    /// The kinds of refusals.
    ///
    /// Their raw values stand in traces and stay what they are.
    public enum Kind: String, Sendable, Hashable, Codable, CaseIterable {
        /// The answer ended before it was complete.
        case cut
        /// The endpoint or the model declined to answer.
        case declined
        /// There is no text, or nothing but thoughts.
        case empty
        /// There is more text, or more parts, than is read.
        case tooLong = "too-long"
        /// The text has not the form that was asked for.
        case malformed
        /// There are no steps.
        case noSteps = "no-steps"
        /// There is no answer.
        case noAnswer = "no-answer"
        /// There is an answer, and it is not the right one.
        case wrongAnswer = "wrong-answer"
        /// A calculation does not hold.
        case arithmetic
        /// A template without the method in general.
        case noGeneralization = "no-generalization"
        /// The text shows that its author was given a solution or an answer.
        case leak
        /// The inspector found a fault.
        case inspector
        /// The inspector's verdict could not be read, however often it was asked for.
        case inspectorUnreadable = "inspector-unreadable"
        /// A correction that names no step as wrong.
        case noWrongStep = "no-wrong-step"
        /// A correction whose wrong step is none of the attempt's, or not surely one of them.
        case unmatchedStep = "unmatched-step"
        /// A correction without a cause.
        case noCause = "no-cause"
        /// A correction that does not say what the step should have been.
        case noCorrection = "no-correction"
        /// A chain of which no right one could be had.
        case noRightChain = "no-right-chain"
        /// A corrupted chain that reaches the right answer all the same.
        case notWrong = "not-wrong"
        /// A corrupted chain with the steps of the right one.
        case unchanged
        /// A text that is no chain of thought: no announced answer, or steps in which nothing is worked out.
        case noChain = "no-chain"
        /// A corrupted chain that has too little in common with the right one.
        case littleOverlap = "little-overlap"
        /// There is no reference to work from.
        case noReference = "no-reference"
        /// An attempt without steps.
        case noAttempt = "no-attempt"
    }

    /// The kind.
    public var kind: Kind
    /// What is wrong, in a sentence that names the place.
    public var message: String

    /// Makes a refusal.
    public init(_ kind: Kind, _ message: String) {
        self.kind = kind
        self.message = message
    }

    /// Makes the refusal that an error of a parser amounts to.
    public init(_ error: any Error) {
        switch error {
        case let refusal as Refusal: self = refusal
        case let error as ReasoningError:
            self.init(error.kind ?? (error.code == .tooLong ? .tooLong : .malformed), error.message)
        default: self.init(.malformed, "\(error)")
        }
    }

    /// The sentence and the kind.
    public var description: String { "\(message) [\(kind.rawValue)]" }
}
