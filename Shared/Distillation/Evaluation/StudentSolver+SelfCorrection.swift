public import LanguageModel
public import Reasoning

/// Self-correction at inference: a second pass with the correction prompt, without any reference.
extension StudentSolver {
    /// The most tokens of a correction unless said otherwise: a step's number, cause, correction and answer.
    public static let maximumCorrectionTokens = 128

    /// What came of a task in both passes.
    public struct CorrectedOutcome: Sendable, Hashable {
        /// The first pass.
        public var first: Outcome
        /// The student's text in the second pass.
        public var output: String
        /// Whether that was cut off; then only an answer that it names to the end counts.
        public var isTruncated: Bool
        /// What could be read from it; nil where it has no answer.
        public var trace: CorrectionTrace?
        /// The answer that counts after the second pass: the correction's where it could be read, else the first one.
        public var answer: String?
        /// Whether that is the gold one.
        public var correct: Bool

        /// Joins a first pass with its correction.
        public init(
            first: Outcome,
            output: String,
            isTruncated: Bool = false,
            trace: CorrectionTrace?,
            gold: String,
            grader: Grader = Grader()
        ) {
            self.first = first
            self.output = output
            self.isTruncated = isTruncated
            self.trace = trace
            answer = trace?.answer ?? first.answer
            correct = trace.map { grader.isCorrect(gold: gold, predicted: $0.answer) } ?? first.correct
        }
    }

    /// How a correction is decoded: greedily and with at most so many tokens, otherwise as given.
    public static func correctionParameters(
        _ parameters: GenerationParameters,
        maximumTokens: Int = maximumCorrectionTokens
    ) -> GenerationParameters {
        var greedy = parameters
        greedy.temperature = 0
        greedy.maximumNewTokens = min(parameters.maximumNewTokens, maximumTokens)
        return greedy
    }

    /// Lets the student correct its outcomes; right ones too, since it does not know which they are.
    ///
    /// Arguments:
    ///   - parameters: decoding of the corrections, see ``correctionParameters(_:maximumTokens:)``.
    ///   - grader: what compares the answers.
    ///   - onFinish: called with the number of finished corrections; throwing cancels.
    public func selfCorrect(
        _ outcomes: [(task: Task, first: Outcome)],
        parameters: GenerationParameters,
        grader: Grader = Grader(),
        onFinish: ((Int) throws -> Void)? = nil
    ) throws -> [CorrectedOutcome] {
        let corrections = try correct(
            outcomes.map { ($0.task, $0.first.output) },
            parameters: parameters,
            onFinish: onFinish
        )
        return zip(outcomes, corrections).map { outcome, correction in
            CorrectedOutcome(
                first: outcome.first,
                output: correction.output,
                isTruncated: correction.isTruncated,
                trace: correction.trace,
                gold: outcome.task.gold,
                grader: grader
            )
        }
    }

    /// Solves tasks and lets the student correct each of its outputs.
    ///
    /// Arguments:
    ///   - parameters: decoding of the first pass; the second is greedy.
    ///   - grader: what compares the answers.
    ///   - onFinish: called with the number of finished texts, two a task in all; throwing cancels.
    public func solveAndCorrect(
        _ tasks: [Task],
        format: StudentFormat,
        shots: [StudentCodec.Shot] = [],
        parameters: GenerationParameters,
        maximumCorrectionTokens: Int = maximumCorrectionTokens,
        grader: Grader = Grader(),
        onFinish: ((Int) throws -> Void)? = nil
    ) throws -> [CorrectedOutcome] {
        let first = try solve(
            tasks,
            format: format,
            shots: shots,
            parameters: parameters,
            grader: grader,
            onFinish: onFinish
        )
        return try selfCorrect(
            Array(zip(tasks, first)),
            parameters: Self.correctionParameters(parameters, maximumTokens: maximumCorrectionTokens),
            grader: grader,
            onFinish: { try onFinish?(tasks.count + $0) }
        )
    }

    /// How well the student finds and mends errors (SuperCorrect, Table 6): wrong attempts, its own or another's, against
    /// the teacher's corrections of them.
    public func correctionSkill(
        _ attempts: [(task: Task, output: String, teacher: CorrectionTrace)],
        parameters: GenerationParameters,
        onFinish: ((Int) throws -> Void)? = nil
    ) throws -> CorrectionSkill {
        let own = try correct(
            attempts.map { ($0.task, $0.output) },
            parameters: Self.correctionParameters(parameters),
            onFinish: onFinish
        )
        return CorrectionSkill(zip(own, attempts).map { (own: $0.trace, teacher: $1.teacher) })
    }
}

/// What a second pass brought over a set of tasks (SuperCorrect, figure 3).
public struct SelfCorrectionGain: Sendable, Hashable, Codable {
    /// The tasks.
    public var tasks: Int
    /// Those solved in the first pass.
    public var correctBefore: Int
    /// Those solved after the second pass.
    public var correct: Int
    /// Those that only the second pass solved.
    public var changedToRight: Int
    /// Those that only the first pass solved.
    public var changedToWrong: Int
    /// The corrections that could be read: those with an answer.
    public var readable: Int
    /// The corrections that name a step of the attempt.
    public var named: Int

    /// Counts outcomes.
    public init(_ outcomes: [StudentSolver.CorrectedOutcome]) {
        self.init(
            passes: outcomes.map {
                ($0.first.correct, $0.correct, isReadable: $0.trace != nil, isNamed: $0.trace?.firstWrongStep != nil)
            }
        )
    }

    /// Counts both passes of tasks: whether each solved it, and whether the correction could be read and names a step.
    public init(passes: [(first: Bool, second: Bool, isReadable: Bool, isNamed: Bool)]) {
        tasks = passes.count
        correctBefore = passes.count { $0.first }
        correct = passes.count { $0.second }
        changedToRight = passes.count { $0.second && !$0.first }
        changedToWrong = passes.count { !$0.second && $0.first }
        readable = passes.count { $0.isReadable }
        named = passes.count { $0.isNamed }
    }
}
