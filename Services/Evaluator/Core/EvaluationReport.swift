import Distillation
import PostgresClient
import Reasoning
import Schemas
import ServiceRuntime

/// Puts the results of a checkpoint on a suite together.
struct EvaluationReport: Sendable {
    let pool: PostgresPool

    /// The evaluation's event.
    func event(
        _ job: EvaluationJobStore.Job,
        checkpoint: CheckpointEvent,
        run: RunEvent,
        suite: EvaluationSuite
    ) async throws -> EvaluationEvent {
        let results = try await EvaluationJobStore.results(of: job.id, from: pool)
        let pieces = try await EvaluationJobStore.pieces(of: job.id, from: pool)
        let problems = try await ProblemStore.problems(ids: results.map(\.problemID), from: pool)
        let correct = results.count(where: \.correct)
        // Pieces of evaluators of several versions have several graders: then none is named.
        let graders = Set(results.map(\.grader))
        return EvaluationEvent(
            id: job.id,
            runId: run.id,
            checkpointId: checkpoint.id,
            stage: checkpoint.stage,
            round: checkpoint.round,
            suite: suite.name,
            problems: results.count,
            correct: correct,
            accuracy: Double(correct) / Double(max(1, results.count)),
            interval: ConfidenceInterval(successes: correct, trials: results.count),
            answered: results.count { $0.answer != nil },
            truncated: results.count(where: \.truncated),
            answers: run.answers(of: checkpoint.stage),
            shots: suite.shots,
            groups: Self.groups(results, problems),
            seconds: pieces.reduce(0) { $0 + ($1.seconds ?? 0) },
            comparisons: try await comparisons(of: results, run: run, checkpoint: checkpoint, suite: suite),
            decoding: run.decoding ?? Students.defaultDecoding,
            graderVersion: StudentSolver.graderVersion,
            grader: graders.count == 1 ? graders.first ?? nil : nil,
            selfCorrection: Self.selfCorrection(results)
        )
    }

    /// Exact McNemar tests against every checkpoint of the run that was scored on the suite before.
    private func comparisons(
        of results: [EvaluationJobStore.Result],
        run: RunEvent,
        checkpoint: CheckpointEvent,
        suite: EvaluationSuite
    ) async throws -> [PairedComparison] {
        let own = Dictionary(results.map { ($0.problemID, $0.correct) }) { first, _ in first }
        var comparisons: [PairedComparison] = []
        for earlier in try await EvaluationStore.evaluations(run: run.id, from: pool)
        where earlier.suite == suite.name && earlier.checkpointId != checkpoint.id {
            let outcomes = try await EvaluationStore.outcomes(
                checkpoint: earlier.checkpointId,
                suite: suite.name,
                from: pool
            )
            let pairs = PairedOutcomes(own, outcomes)
            comparisons.append(
                PairedComparison(
                    againstCheckpointId: earlier.checkpointId,
                    againstStage: earlier.stage,
                    againstRound: earlier.round,
                    problems: pairs.problems,
                    onlyThis: pairs.onlyFirst,
                    onlyOther: pairs.onlySecond,
                    pValue: pairs.pValue
                )
            )
        }
        return comparisons
    }

    // MARK: Groups

    /// Scores by family, difficulty and steps of the problem, where it has them, and by length of the output.
    static func groups(_ results: [EvaluationJobStore.Result], _ problems: [ProblemEvent]) -> [ScoreGroup] {
        let byID = Dictionary(problems.map { ($0.id, $0) }) { first, _ in first }
        func grouped(_ by: String, _ value: (EvaluationJobStore.Result) -> (order: Int, name: String)?) -> [ScoreGroup]
        {
            var counts: [String: (order: Int, problems: Int, correct: Int)] = [:]
            for result in results {
                guard let (order, name) = value(result) else { continue }
                let old = counts[name] ?? (order, 0, 0)
                counts[name] = (order, old.problems + 1, old.correct + (result.correct ? 1 : 0))
            }
            return counts.sorted { ($0.value.order, $0.key) < ($1.value.order, $1.key) }.map { name, count in
                ScoreGroup(
                    by: by,
                    value: name,
                    problems: count.problems,
                    correct: count.correct,
                    interval: ConfidenceInterval(successes: count.correct, trials: count.problems)
                )
            }
        }
        return grouped("family") { byID[$0.problemID]?.family.map { (0, $0) } }
            + grouped("difficulty") { byID[$0.problemID]?.difficulty.map(difficultyGroup) }
            + grouped("steps") { byID[$0.problemID]?.steps.map { ($0, String($0)) } }
            + grouped("length") { $0.tokens.map(lengthGroup) }
    }

    /// In order of the number in it, so that `Level 10` comes after `Level 2`; those without one come first.
    static func difficultyGroup(_ difficulty: String) -> (order: Int, name: String) {
        (difficulty.firstMatch(of: /\d+/).flatMap { Int($0.output) } ?? -1, difficulty)
    }

    /// Lengths by doubling: up to 32, 33 to 64, 65 to 128 and so on.
    static func lengthGroup(_ tokens: Int) -> (order: Int, name: String) {
        var high = 32
        while tokens > high { high *= 2 }
        return (high, high == 32 ? "0-32" : "\(high / 2 + 1)-\(high)")
    }

    // MARK: The second pass

    private static func selfCorrection(_ results: [EvaluationJobStore.Result]) -> SelfCorrectionScore? {
        let seconds = results.compactMap { result in result.second.map { (result, $0) } }
        guard !seconds.isEmpty, seconds.count == results.count else { return nil }
        let gain = SelfCorrectionGain(
            passes: seconds.map { ($0.0.correct, $0.1.correct, isReadable: $0.1.readable, isNamed: $0.1.named) }
        )
        return SelfCorrectionScore(
            correct: gain.correct,
            accuracy: Double(gain.correct) / Double(gain.tasks),
            interval: ConfidenceInterval(successes: gain.correct, trials: gain.tasks),
            changedToRight: gain.changedToRight,
            changedToWrong: gain.changedToWrong,
            readable: gain.readable,
            named: gain.named,
            truncated: seconds.contains { $0.1.truncated == nil } ? nil : seconds.count { $0.1.truncated == true }
        )
    }
}

extension ConfidenceInterval {
    /// Wilson's 95 % interval.
    init(successes: Int, trials: Int) {
        let interval = WilsonInterval(successes: successes, trials: trials)
        self.init(low: interval.low, high: interval.high)
    }
}
