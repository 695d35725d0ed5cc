import Foundation
public import Reasoning
import Tokenization
public import Training

/// Pairs of cross-model DPO, as SuperCorrect's equations 7 and 8 have them.
///
/// The teacher's correction of the student's first wrong step stands against the student's own, after the problem and the
/// verified steps before it.
public enum PreferencePairs {
    /// How a pair is laid out; the paper leaves it open.
    public enum Layout: String, Sendable, Codable, CaseIterable {
        /// The student's own output up to the wrong step, then that step: the teacher's correction is chosen, the
        /// student's step (or its own correction of it) rejected. What is preferred is what the student writes when it
        /// solves a problem, so a student that was never taught to correct can use it. The default.
        case step
        /// The correction prompt with the whole attempt, then cause and correction, as in the paper's appendix A.
        case trace

        /// Whether the text of the wrong step stands before what is chosen or rejected.
        public var hasWrongStepInContext: Bool { self == .trace }
    }

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

        /// Creates a source.
        public init(
            id: String,
            question: String,
            output: String,
            correction: CorrectionTrace,
            selfCorrection: CorrectionTrace? = nil
        ) {
            self.id = id
            self.question = question
            self.output = output
            self.correction = correction
            self.selfCorrection = selfCorrection
        }
    }

    /// Why no pair can be made.
    public enum Refusal: String, Sendable, CaseIterable, Error {
        /// The correction names no step or gives no text for it.
        case noCorrection = "no-correction"
        /// The step is not in the student's output under its tag.
        case stepNotFound = "step-not-found"
        /// The student wrote the same as the teacher.
        case identical
    }

    /// Makes a pair.
    ///
    /// Arguments:
    ///   - tokenWeighted: whether only the tokens that an alignment of the two sides leaves unmatched carry the
    ///     preference; a variant beyond the paper. By default all do.
    public static func pair(
        _ source: Source,
        layout: Layout,
        tokenWeighted: Bool = false,
        codec: StudentCodec
    ) throws(Refusal) -> PreferenceExample {
        var pair = try wholePair(source, layout: layout, codec: codec)
        if tokenWeighted {
            let alignment = KeyStepAlignment.align(right: pair.chosen, wrong: pair.rejected, tieRule: .edit)
            let weights = alignment.keyTokenWeights(alpha: 1, beta: 1, gamma: 0)
            pair.chosenWeights = weights.right
            pair.rejectedWeights = weights.wrong
        }
        return pair
    }

    private static func wholePair(
        _ source: Source,
        layout: Layout,
        codec: StudentCodec
    ) throws(Refusal) -> PreferenceExample {
        guard let step = source.correction.firstWrongStep, let correction = source.correction.correction,
            !correction.isEmpty
        else { throw .noCorrection }
        switch layout {
        case .step: return try stepPair(source, step: step, correction: correction, codec: codec)
        case .trace: return try tracePair(source, codec: codec)
        }
    }

    private static func stepPair(
        _ source: Source,
        step: Int,
        correction: String,
        codec: StudentCodec
    ) throws(Refusal) -> PreferenceExample {
        let open = "<Step\(step + 1)>"
        let close = "</Step\(step + 1)>"
        guard let start = source.output.range(of: open),
            let end = source.output.range(of: close, range: start.upperBound..<source.output.endIndex)
        else { throw .stepNotFound }
        // Only what is done is compared: the teacher's correction has no notes, so the student's are left out.
        let context = String(source.output[..<start.upperBound])
        let written = source.output[start.upperBound..<end.lowerBound]
        let right = StudentFormat.escaped(correction)
        var wrong = String(written.range(of: "<Key>").map { written[..<$0.lowerBound] } ?? written)
        if let own = source.selfCorrection, own.firstWrongStep == step, let text = own.correction, !text.isEmpty {
            wrong = StudentFormat.escaped(text)
        }
        guard right != wrong else { throw .identical }
        return split(
            source.id,
            prompt: codec.prompt(.hierarchicalThought, question: source.question),
            context: context,
            chosen: right,
            rejected: wrong,
            end: close,
            tokenizer: codec.tokenizer
        )
    }

    /// Divides context and completions between tokens.
    ///
    /// The tokens are always those that the whole text has, with the step's closing tag. Where a completion's first word
    /// joins the end of the context in one token (a tag's ">" and the word after it), that token belongs to the
    /// completion; the last token is the last that begins in the step's text: whether a note or the end of the step
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

    private static func tracePair(_ source: Source, codec: StudentCodec) throws(Refusal) -> PreferenceExample {
        guard let own = source.selfCorrection, own.firstWrongStep != nil else { throw .noCorrection }
        let chosen = StudentFormat.response(correction: source.correction)
        let rejected = StudentFormat.response(correction: own)
        guard chosen != rejected else { throw .identical }
        return PreferenceExample(
            id: source.id,
            prompt: codec.correctionPrompt(
                question: source.question,
                attempt: StudentFormat.steps(of: source.output)
            ),
            chosen: codec.response(chosen),
            rejected: codec.response(rejected)
        )
    }
}
