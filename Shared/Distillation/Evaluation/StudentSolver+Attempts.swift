public import LanguageModel
public import Reasoning
public import Schemas

/// Roll-outs: attempts of a student at problems, with its own correction of the wrong ones (SuperCorrect, steps 5, 6
/// and 8).
extension StudentSolver {
    /// Lets the student attempt problems.
    ///
    /// Arguments:
    ///   - samples: attempts a problem, each with a random stream of its own.
    ///   - parameters: decoding of the attempts; corrections are greedy, see ``correctionParameters(_:maximumTokens:)``.
    ///   - firstStream: the place of the first problem in the whole roll-out, which decides the random streams.
    ///   - runID, round: the run that the attempts belong to, and its round.
    ///   - checkpointID: the checkpoint that attempts; the attempts' ids derive from it.
    ///   - onFinish: called after each text; throwing cancels.
    /// - Returns: one attempt a problem and sample, problem by problem.
    public func attempts(
        at problems: [ProblemEvent],
        samples: Int,
        format: StudentFormat,
        parameters: GenerationParameters,
        maximumCorrectionTokens: Int = maximumCorrectionTokens,
        firstStream: Int = 0,
        runID: String,
        round: Int? = nil,
        checkpointID: String,
        onFinish: ((Int) throws -> Void)? = nil
    ) throws -> [AttemptEvent] {
        let jobs = problems.indices.flatMap { problem in (0..<samples).map { (problem, sample: $0) } }
        let tasks = jobs.map { problem, sample in
            Task(
                question: problems[problem].question,
                gold: problems[problem].answer,
                stream: UInt64((firstStream + problem) * samples + sample)
            )
        }
        let outcomes = try solve(tasks, format: format, parameters: parameters, onFinish: onFinish)
        let wrong = outcomes.indices.filter { !outcomes[$0].correct }
        let corrections = try correct(
            wrong.map { (tasks[$0], outcomes[$0].output) },
            parameters: Self.correctionParameters(parameters, maximumTokens: maximumCorrectionTokens),
            onFinish: onFinish
        )
        let own = Dictionary(uniqueKeysWithValues: zip(wrong, corrections))
        return jobs.indices.map { index in
            let (problem, sample) = jobs[index]
            let outcome = outcomes[index]
            return AttemptEvent(
                id: DeterministicID.make(cause: checkpointID, parts: "attempt", problems[problem].id, String(sample)),
                runId: runID,
                checkpointId: checkpointID,
                round: round,
                problemId: problems[problem].id,
                sample: sample,
                output: outcome.output,
                answer: outcome.answer,
                correct: outcome.correct,
                truncated: outcome.isTruncated ? true : nil,
                selfCorrection: own[index].map { own in
                    Self.grade(
                        own.output,
                        isTruncated: own.isTruncated,
                        trace: own.trace,
                        gold: problems[problem].answer
                    )
                },
                promptFormat: format.rawValue,
                grader: outcome.grader
            )
        }
    }

    /// Grades a student's correction of its own attempt: by this a roll-out is graded, and a stored one graded again.
    ///
    /// Arguments:
    ///   - isTruncated: whether the output was cut off.
    ///   - trace: what ``readCorrection(_:steps:isTruncated:)`` read from the output.
    public static func grade(
        _ output: String,
        isTruncated: Bool,
        trace: CorrectionTrace?,
        gold: String,
        grader: Grader = Grader()
    ) -> SelfCorrection {
        SelfCorrection(
            output: output,
            firstWrongStep: trace?.firstWrongStep,
            cause: trace?.cause,
            correction: trace?.correction,
            answer: trace?.answer,
            correct: trace.map { grader.isCorrect(gold: gold, predicted: $0.answer) } ?? false,
            truncated: isTruncated ? true : nil
        )
    }
}
