/// Tells chains of thought from texts that only end in a number, and corruptions of a chain from other texts.
public enum ChainForm {
    /// How much of a right step a step of the wrong chain must say to stand for it, 0 to 1: of all that it says, or of
    /// its numbers and signs, since a reference can be terse and a teacher wordy.
    ///
    /// A calculation in which the operation and the result slipped still has .6 of its numbers and signs in common, two
    /// that share nothing but the operation have .4.
    static let leastOverlap = 0.45
    static let leastArithmeticOverlap = 0.5
    /// The share of the right chain's steps that must be found again in the wrong one.
    static let leastShare = 0.5
    /// How alike a step is to a sentence of the question that it repeats.
    private static let restated = 0.9
    /// The most steps that are compared.
    private static let maximumSteps = 64

    /// The longest text that is taken for a chain, in bytes of UTF-8.
    ///
    /// What is made of a pair grows with the product of the lengths: an alignment of chains of this length, a token a byte,
    /// takes 256 MiB, of ten times the length all memory that there is.
    public static let maximumLength = 1 << 15

    /// Why a text is too long for a chain; nil where it is not.
    public static func excess(of text: String) -> Refusal? {
        let count = text.utf8.count
        guard count > maximumLength else { return nil }
        return Refusal(.tooLong, "the chain has \(count) bytes; it may have \(maximumLength)")
    }

    /// Whether a text announces its answer: behind "the answer is", `####`, in a box or an element.
    public static func announcesAnswer(_ text: String) -> Bool {
        // Of a text that is read as cut the last number is never taken, and with a line behind it nothing is cut.
        AnswerExtraction.extract(text + "\n", isTruncated: true) != nil
    }

    /// Whether a step works something out.
    static func works(_ step: SolutionStep) -> Bool {
        if !step.calculations.isEmpty { return true }
        let tokens = StepTokens(step.text)
        return tokens.numbers.count >= 2 && tokens.tokens.contains { if case .sign = $0 { true } else { false } }
    }

    /// Why a text is no chain that somebody could have reasoned by; nil where it is one.
    public static func failure(of text: String, solution: WorkedSolution) -> Refusal? {
        if let excess = excess(of: text) { return excess }
        if solution.steps.isEmpty { return Refusal(.noChain, "the chain has no steps") }
        if !announcesAnswer(text) { return Refusal(.noChain, "the chain announces no answer") }
        return nil
    }

    /// Why a wrong chain is no corruption of a right one; nil where it is one.
    ///
    /// It must be a chain, differ in its steps, work out at least half as many of them, have a counterpart for at least
    /// half of the right chain's, and not say the question again.
    public static func failure(ofCorruption wrong: String, right: String, question: String) -> Refusal? {
        if let excess = excess(of: wrong) {
            return Refusal(excess.kind, excess.message.replacing("the chain", with: "the corrupted chain"))
        }
        let corrupted = WorkedSolution.parse(wrong)
        if let failure = failure(of: wrong, solution: corrupted) {
            return Refusal(failure.kind, failure.message.replacing("the chain", with: "the corrupted chain"))
        }
        let wrongSteps = corrupted.steps.prefix(maximumSteps)
        let rightSteps = WorkedSolution.parse(right).steps.prefix(maximumSteps)
        if rightSteps.map(\.text) == wrongSteps.map(\.text) {
            return Refusal(.unchanged, "the corrupted chain differs in nothing but its answer")
        }
        let sentences = SolutionLines.sentences(of: question).prefix(maximumSteps).map { StepTokens($0) }
        let tokens = wrongSteps.map { StepTokens($0.text) }
        let repeated = tokens.count { step in sentences.contains { $0.overlap(step) >= restated } }
        if 2 * repeated >= tokens.count { return Refusal(.noChain, "the corrupted chain says the question again") }
        let needed = rightSteps.count(where: works)
        let worked = wrongSteps.count(where: works)
        if 2 * worked < needed {
            return Refusal(.noChain, "the corrupted chain works out \(worked) steps, the right one \(needed)")
        }
        let found = rightSteps.count { right in
            let right = StepTokens(right.text)
            return tokens.contains {
                $0.overlap(right) >= leastOverlap || $0.arithmeticOverlap(right) >= leastArithmeticOverlap
            }
        }
        if Double(found) < leastShare * Double(rightSteps.count) {
            return Refusal(
                .littleOverlap,
                "the corrupted chain has \(found) of the right one's \(rightSteps.count) steps"
            )
        }
        return nil
    }
}
