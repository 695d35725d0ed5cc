import Foundation
public import Reasoning
import Tokenization
public import Training

/// Pairs of cross-model DPO, as SuperCorrect's equations 7 and 8 have them.
///
/// The teacher's correction of the student's first wrong step stands against the student's own, after the problem and the
/// verified steps before it.
public enum PreferencePairs {
    /// What a pair is made of.
    public struct Source: Sendable {
        /// The attempt's id, which is the pair's.
        public var id: String
        /// The problem's question.
        public var question: String
        /// The student's output.
        public var output: String
        /// The teacher's verified correction.
        public var correction: CorrectionTrace
        /// The student's own correction, where it made one.
        public var selfCorrection: CorrectionTrace?
        /// The problem's worked solution, for the layout ``Layout/instance``.
        public var solution: String?

        /// Creates a source.
        public init(
            id: String,
            question: String,
            output: String,
            correction: CorrectionTrace,
            selfCorrection: CorrectionTrace? = nil,
            solution: String? = nil
        ) {
            self.id = id
            self.question = question
            self.output = output
            self.correction = correction
            self.selfCorrection = selfCorrection
            self.solution = solution
        }
    }

    /// Makes a pair.
    public static func pair(
        _ source: Source,
        options: Options = Options(),
        format: StudentFormat = .hierarchicalThought,
        codec: StudentCodec
    ) throws -> PreferenceExample {
        var pair = try wholePair(source, options: options, format: format, codec: codec)
        guard pair.chosen != pair.rejected else { throw Refusal.identical }
        if options.tokenWeighted { pair.weighDifferences() }
        return pair
    }

    private static func wholePair(
        _ source: Source,
        options: Options,
        format: StudentFormat,
        codec: StudentCodec
    ) throws -> PreferenceExample {
        if options.layout == .instance { return try instancePair(source, format: format, codec: codec) }
        guard let step = source.correction.firstWrongStep, let correction = source.correction.correction,
            !correction.isEmpty
        else { throw Refusal.noCorrection }
        let steps = StudentFormat.steps(of: source.output)
        guard steps.indices.contains(step) else { throw Refusal.stepNotFound }
        let rejected = try rejected(source, step: step, options: options)
        switch options.layout {
        case .step:
            return try stepPair(source, steps: steps, step: step, rejected: rejected, codec: codec)
        case .trace, .instance:  // instances were made above
            return try tracePair(source, steps: steps, rejected: rejected, codec: codec)
        case .prefix:
            let context = Array(steps.prefix(step + (options.wrongStepInContext ? 1 : 0)))
            return try prefixPair(source, context: context, wrong: steps[step], rejected: rejected, codec: codec)
        }
    }

    // MARK: The rejected side

    /// What is rejected.
    private enum Rejected {
        /// The student's own correction; it names a step and has a text for it.
        case own(CorrectionTrace)
        /// The student's wrong step.
        case step
    }

    private static func rejected(
        _ source: Source,
        step: Int,
        options: Options
    ) throws(Refusal) -> Rejected {
        let own = source.selfCorrection
        let named = own.flatMap { own in
            own.firstWrongStep != nil && own.correction?.isEmpty == false ? Rejected.own(own) : nil
        }
        let rule: SelfCorrectionRule
        let dropped: Refusal
        if CorrectionGrading.isRight(own, teacher: source.correction) {
            rule = options.whenSelfCorrectionIsRight
            dropped = .selfCorrectionRight
        } else if let named, own?.firstWrongStep == step {
            return named
        } else {
            rule = options.whenSelfCorrectionNamesAnotherStep
            dropped = named == nil ? .noSelfCorrection : .selfCorrectionElsewhere
        }
        switch rule {
        case .drop: throw dropped
        case .step: return .step
        case .keep:
            guard let named else { throw .noSelfCorrection }
            return named
        }
    }

    /// The rejected side as a correction of the student's.
    private static func correction(_ rejected: Rejected, source: Source, wrong: String) -> CorrectionTrace {
        switch rejected {
        case .own(let own): return own
        case .step:
            var trace = source.correction
            trace.correction = wrong
            trace.answer = AnswerExtraction.extract(source.output) ?? ""
            return trace
        }
    }

    // MARK: Layouts

    private static func stepPair(
        _ source: Source,
        steps: [String],
        step: Int,
        rejected: Rejected,
        codec: StudentCodec
    ) throws -> PreferenceExample {
        let open = "<Step\(step + 1)>"
        let close = "</Step\(step + 1)>"
        guard let start = source.output.range(of: open),
            let end = source.output.range(of: close, range: start.upperBound..<source.output.endIndex),
            // Steps without text are not counted, so that the tag of that number may hold another step.
            StudentFormat.steps(of: String(source.output[start.lowerBound..<end.upperBound])) == [steps[step]]
        else { throw Refusal.stepNotFound }
        // Only what is done is compared: the teacher's correction has no notes, so the student's are left out.
        let context = String(source.output[..<start.upperBound])
        let written = source.output[start.upperBound..<end.lowerBound]
        let right = StudentFormat.escaped(source.correction.correction ?? "")
        var wrong = String(written.range(of: "<Key>").map { written[..<$0.lowerBound] } ?? written)
        if case .own(let own) = rejected, own.firstWrongStep == step, let text = own.correction {
            wrong = StudentFormat.escaped(text)
        }
        guard right != wrong else { throw Refusal.identical }
        return split(
            source.id,
            prompt: try codec.prompt(.hierarchicalThought, question: source.question),
            context: context,
            chosen: right,
            rejected: wrong,
            end: close,
            tokenizer: codec.tokenizer
        )
    }

    private static func tracePair(
        _ source: Source,
        steps: [String],
        rejected: Rejected,
        codec: StudentCodec
    ) throws -> PreferenceExample {
        let wrong = source.correction.firstWrongStep.map { steps[$0] } ?? ""
        let own = correction(rejected, source: source, wrong: wrong)
        return PreferenceExample(
            id: source.id,
            prompt: try codec.correctionPrompt(question: source.question, attempt: steps),
            chosen: codec.response(StudentFormat.response(correction: source.correction)),
            rejected: codec.response(StudentFormat.response(correction: own))
        )
    }

    /// The completions end where cause and correction end: a student goes on with the answer there, so neither the
    /// answer, which equation 8 does not have, nor an end of text, which would teach to stop before it.
    private static func prefixPair(
        _ source: Source,
        context: [String],
        wrong: String,
        rejected: Rejected,
        codec: StudentCodec
    ) throws -> PreferenceExample {
        let answer = "<Answer>"
        func completion(_ trace: CorrectionTrace) -> String {
            let whole = codec.written(StudentFormat.response(correction: trace))
            return String(
                whole.range(of: answer, options: [.literal, .backwards]).map { whole[..<$0.lowerBound] } ?? ""
            )
        }
        return split(
            source.id,
            prompt: try codec.correctionPrompt(question: source.question, attempt: context),
            context: "",
            chosen: completion(source.correction),
            rejected: completion(correction(rejected, source: source, wrong: wrong)),
            end: answer,
            tokenizer: codec.tokenizer
        )
    }

    /// Plain DPO: the steps of the problem's solution in the student's format, without notes and general method, which no
    /// solution has, against the whole output.
    private static func instancePair(
        _ source: Source,
        format: StudentFormat,
        codec: StudentCodec
    ) throws -> PreferenceExample {
        let steps = source.solution.map { WorkedSolution.parse($0).steps.map(\.text) } ?? []
        guard !steps.isEmpty else { throw Refusal.noSolution }
        let template = ThoughtTemplate(
            steps: steps.map { TemplateStep(text: $0) },
            generalization: "",
            answer: source.correction.answer
        )
        return PreferenceExample(
            id: source.id,
            prompt: try codec.prompt(format, question: source.question),
            chosen: codec.response((format == .chainOfThought ? ResponseStyle.chain : .template).response(template)),
            rejected: codec.response(source.output)
        )
    }

    /// Divides context and completions between tokens.
    ///
    /// The tokens are always those that the whole text has, with what follows the completion. Where a completion's first
    /// word joins the end of the context in one token (a tag's ">" and the word after it), that token belongs to the
    /// completion; the last token is the last that begins in the completion: whether a note or the end of the step
    /// follows is not what is preferred.
    static func split(
        _ id: String,
        prompt: [TokenID],
        context: String,
        chosen: String,
        rejected: String,
        end: String,
        tokenizer: Tokenizer
    ) -> PreferenceExample {
        let bytes = context.utf8.count
        func tokens(_ completion: String) -> ArraySlice<(id: TokenID, range: Range<Int>)> {
            let last = bytes + completion.utf8.count
            return tokenizer.encodeWithOffsets(context + completion + end).prefix { $0.range.lowerBound < last }
        }
        let right = tokens(chosen)
        let wrong = tokens(rejected)
        let within = right.prefix { $0.range.upperBound <= bytes }.count
        let shared = zip(right.prefix(within), wrong).prefix { $0.id == $1.id }.count
        return PreferenceExample(
            id: id,
            prompt: prompt + right.prefix(shared).map(\.id),
            chosen: right.dropFirst(shared).map(\.id),
            rejected: wrong.dropFirst(shared).map(\.id)
        )
    }
}

extension PreferenceExample {
    /// Lets only the tokens that an alignment of the two sides leaves unmatched carry the preference.
    mutating func weighDifferences() {
        let alignment = KeyStepAlignment.align(right: chosen, wrong: rejected, tieRule: .edit)
        let weights = alignment.keyTokenWeights(alpha: 1, beta: 1, gamma: 0)
        chosenWeights = weights.right
        rejectedWeights = weights.wrong
    }
}
