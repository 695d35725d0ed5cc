public import LanguageModel
public import Reasoning
import Tokenization

/// Lets a student solve problems and grades its answers.
public struct StudentSolver {
    /// The version of extraction and equivalence, for events.
    public static let graderVersion = Grader.version

    private let writer: any StudentWriter
    private let codec: StudentCodec

    /// Creates a solver with a model in memory.
    ///
    /// Arguments:
    ///   - batchSize: texts that are written at once; it changes no text.
    public init(model: CausalLanguageModel, codec: StudentCodec, batchSize: Int = 64) {
        self.init(ModelWriter(model: model, tokenizer: codec.tokenizer, batchSize: batchSize), codec: codec)
    }

    /// Creates a solver with a writer, whose model has the codec's tokenizer.
    public init(_ writer: any StudentWriter, codec: StudentCodec) {
        self.writer = writer
        self.codec = codec
    }

    /// A problem to solve.
    public struct Task: Sendable {
        /// The question.
        public var question: String
        /// The gold answer.
        public var gold: String
        /// The random stream of its sampling; equal streams give equal samples whatever else is in the batch.
        public var stream: UInt64

        /// Creates a task.
        public init(question: String, gold: String, stream: UInt64 = 0) {
            self.question = question
            self.gold = gold
            self.stream = stream
        }
    }

    /// What came of a task.
    public struct Outcome: Sendable, Hashable {
        /// The student's text.
        public var output: String
        /// The answer in it.
        public var answer: String?
        /// Whether the answer is the gold one.
        public var correct: Bool
        /// Whether the text was cut off by the most tokens that the student may write; then only an answer that it names
        /// counts, see ``Reasoning/AnswerExtraction/extract(_:isTruncated:)``.
        public var isTruncated = false
        /// The tokens of the text.
        public var tokens = 0
        /// By what the grader decided; nil without an answer.
        public var rule: GradingRule?
        /// The grader's policy and version, see ``Reasoning/Grader/stamp``.
        public var grader = Grader().stamp
        /// By what the answer was found; nil without one.
        public var extraction: ExtractionRule?
    }

    /// Solves tasks.
    ///
    /// Arguments:
    ///   - shots: solved problems that are shown before each question.
    ///   - parameters: decoding; the end-of-text token is added to the stop tokens.
    ///   - grader: what compares the answers.
    ///   - onFinish: called with the number of finished tasks; throwing cancels.
    public func solve(
        _ tasks: [Task],
        format: StudentFormat,
        shots: [StudentCodec.Shot] = [],
        parameters: GenerationParameters,
        grader: Grader = Grader(),
        onFinish: ((Int) throws -> Void)? = nil
    ) throws -> [Outcome] {
        let outputs = try complete(
            tasks.map { try codec.prompt(format, question: $0.question, shots: shots) },
            streams: tasks.map(\.stream),
            parameters: parameters,
            onFinish: onFinish
        )
        return zip(tasks, outputs).map { task, output in
            Self.grade(
                output.text,
                gold: task.gold,
                isTruncated: output.isTruncated,
                tokens: output.tokens,
                grader: grader
            )
        }
    }

    /// Lets the student correct attempts of its own, without any reference.
    public func correct(
        _ attempts: [(task: Task, output: String)],
        parameters: GenerationParameters,
        onFinish: ((Int) throws -> Void)? = nil
    ) throws -> [(output: String, trace: CorrectionTrace?, isTruncated: Bool)] {
        let steps = attempts.map { StudentFormat.steps(of: $0.output) }
        let outputs = try complete(
            zip(attempts, steps).map { try codec.correctionPrompt(question: $0.task.question, attempt: $1) },
            streams: attempts.map(\.task.stream),
            parameters: parameters,
            onFinish: onFinish
        )
        return zip(outputs, steps).map {
            ($0.text, Self.readCorrection($0.text, steps: $1, isTruncated: $0.isTruncated), $0.isTruncated)
        }
    }

    /// What can be read from a student's correction of an attempt, whose steps are given; nil where it has no answer.
    ///
    /// Arguments:
    ///   - isTruncated: whether it was cut off; then only an answer that it names to the end counts.
    public static func readCorrection(_ output: String, steps: [String], isTruncated: Bool) -> CorrectionTrace? {
        try? StudentFormat.parseCorrection(output, attempt: steps, isTruncated: isTruncated)
    }

    /// Grades an output: by this a student is scored, and a stored output graded again.
    ///
    /// The form that the student was asked for does not matter: an answer is found in a chain and in a template by the same
    /// rules.
    ///
    /// Arguments:
    ///   - isTruncated: whether it was cut off.
    ///   - tokens: how long it is.
    public static func grade(
        _ output: String,
        gold: String,
        isTruncated: Bool = false,
        tokens: Int = 0,
        grader: Grader = Grader()
    ) -> Outcome {
        let verdict = grader.verdict(gold: gold, text: output, isTruncated: isTruncated)
        let found = verdict.extraction
        return Outcome(
            output: output,
            answer: found?.text,
            correct: verdict.isCorrect,
            isTruncated: isTruncated,
            tokens: tokens,
            rule: found == nil ? nil : verdict.rule,
            grader: grader.stamp,
            extraction: found?.rule
        )
    }

    private func complete(
        _ prompts: [[TokenID]],
        streams: [UInt64],
        parameters: GenerationParameters,
        onFinish: ((Int) throws -> Void)?
    ) throws -> [WrittenText] {
        var parameters = parameters
        parameters.stopTokens += codec.stopTokens.filter { !parameters.stopTokens.contains($0) }
        // A prompt that fills all positions of the model leaves no room for an answer, so that there is none.
        let positions = writer.maximumPositions
        let answerable = prompts.indices.filter { prompts[$0].count < positions }
        var finished = prompts.count - answerable.count
        if finished > 0 { try onFinish?(finished) }
        let texts = try writer.write(
            answerable.map { prompts[$0] },
            streams: answerable.map { streams[$0] },
            parameters: parameters
        ) {
            finished += 1
            try onFinish?(finished)
        }
        var outputs = prompts.map { _ in WrittenText(text: "", isTruncated: true, tokens: 0) }
        for (index, text) in zip(answerable, texts) { outputs[index] = text }
        return outputs
    }
}
