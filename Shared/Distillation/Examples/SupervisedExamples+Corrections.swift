public import Reasoning
public import Training

extension SupervisedExamples {
    /// A correction after the prompt that asks for one: it teaches a student the format before it corrects itself.
    ///
    /// A correction that names no step gives an example of an attempt that may stand, answered with the answer alone.
    ///
    /// Arguments:
    ///   - correction: the attempt's steps, the first wrong one with cause and correction, and the right answer.
    public static func correction(
        _ correction: CorrectionTrace,
        question: String,
        codec: StudentCodec
    ) throws -> SupervisedExample {
        codec.supervised(
            prompt: try codec.correctionPrompt(question: question, attempt: correction.steps),
            response: StudentFormat.response(correction: correction)
        )
    }
}

extension CorrectionTrace {
    /// The correction of a dual pair's wrong chain: its first step that differs from the right chain's is the first wrong
    /// one, and the right chain's step there is the correction.
    ///
    /// Arguments:
    ///   - right: the right chain, a step a line.
    ///   - wrong: the wrong chain, a step a line.
    ///   - cause: why the step is wrong, in short; a pair does not say.
    ///   - answer: the right answer.
    /// - Returns: `nil` when no step of both chains differs: one is the other, or a beginning of it.
    public init?(right: String, wrong: String, cause: String, answer: String) {
        let steps = WorkedSolution.parse(wrong).steps.map(\.text)
        let truth = WorkedSolution.parse(right).steps.map(\.text)
        guard let first = zip(steps, truth).enumerated().first(where: { $0.element.0 != $0.element.1 })?.offset else {
            return nil
        }
        self.init(steps: steps, firstWrongStep: first, cause: cause, correction: truth[first], answer: answer)
    }
}
