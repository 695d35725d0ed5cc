import Distillation
import FaultPoints
import Foundation
import LanguageModel
public import Logging
public import PostgresClient
import Reasoning
import Schemas
public import ServiceRuntime
import Tracing

/// Does the evaluators' work piece by piece: a piece's results are kept as soon as it is done, a crash redoes one piece,
/// and several evaluators share a checkpoint.
public struct EvaluationWork: Sendable {
    /// The problems of a piece: what a crash redoes.
    public static let pieceSize = 32

    private let pool: PostgresPool
    private let students: Students
    private let pieceSize: Int
    private let logger: Logger

    /// Creates the work.
    ///
    /// Arguments:
    ///   - pieceSize: the problems of a piece; it changes no result.
    public init(pool: PostgresPool, students: Students, pieceSize: Int = pieceSize, logger: Logger) {
        self.pool = pool
        self.students = students
        self.pieceSize = pieceSize
        self.logger = logger
    }

    /// One thing to be done.
    public enum Step: Sendable {
        /// Divide a job's problems into pieces, or leave it out.
        case open(EvaluationJobStore.Job, problems: [String], shots: [String], leftOut: String?)
        /// Do a piece.
        case piece(EvaluationJobStore.Job, EvaluationJobStore.Piece)
        /// Put a job's results together.
        case finish(EvaluationJobStore.Job)

        var name: String {
            switch self {
            case .open(let job, _, _, _): "evaluate/\(job.id)/open"
            case .piece(let job, let piece): "evaluate/\(job.id)/\(piece.number)"
            case .finish(let job): "evaluate/\(job.id)/finish"
            }
        }

        var job: EvaluationJobStore.Job {
            switch self {
            case .open(let job, _, _, _), .piece(let job, _), .finish(let job): job
            }
        }

        /// What is done, as traces name it.
        var spanName: String {
            switch self {
            case .open: "open evaluation"
            case .piece(let job, _): job.suite == nil ? "roll out" : "evaluate"
            case .finish: "finish evaluation"
            }
        }
    }

    /// The service that looks for what is to be done, and does it.
    public func runner(holder: String, interval: Duration = .milliseconds(300)) -> JobRunner<Step> {
        JobRunner(
            pool: pool,
            holder: holder,
            logger: logger,
            interval: interval,
            changes: { try await JobChanges.latest(from: pool) },
            leaseName: { $0.name },
            ready: ready,
            again: again,
            work: { step, lease in
                var attributes: SpanAttributes = [
                    "errata.run.id": .string(step.job.run), "errata.checkpoint.id": .string(step.job.checkpoint),
                ]
                attributes["errata.suite"] = step.job.suite
                if case .piece(_, let piece) = step {
                    attributes["errata.piece"] = piece.number
                    attributes["errata.problems"] = piece.problems.count
                }
                try await Traced.run(step.spanName, in: step.job.trace, attributes: attributes) { _ in
                    try await work(step, lease)
                }
            }
        )
    }

    // MARK: What is to be done

    /// What could be done now, in order.
    func ready() async throws -> [Step] {
        var steps: [Step] = []
        for job in try await EvaluationJobStore.jobs(unfinished: true, from: pool) {
            steps += try await self.steps(of: job)
        }
        return steps
    }

    /// A step as it is by now; nil where it has been done.
    ///
    /// Reads its own job alone, for there may be many pieces.
    private func again(_ step: Step) async throws -> Step? {
        let jobs = try await EvaluationJobStore.jobs(run: step.job.run, unfinished: true, from: pool)
        guard let job = jobs.first(where: { $0.id == step.job.id }) else { return nil }
        return try await steps(of: job).first { $0.name == step.name }
    }

    private func steps(of job: EvaluationJobStore.Job) async throws -> [Step] {
        guard let run = try await RunStore.run(job.run, from: pool) else { return [] }
        guard job.state != .waiting else { return try await opening(job, run).map { [$0] } ?? [] }
        let pieces = try await EvaluationJobStore.pieces(of: job.id, from: pool).filter { $0.seconds == nil }
        return pieces.isEmpty ? [.finish(job)] : pieces.map { .piece(job, $0) }
    }

    private func opening(_ job: EvaluationJobStore.Job, _ run: RunEvent) async throws -> Step? {
        guard let name = job.suite else { return try await openingRollout(job, run) }
        guard let suite = run.suites.first(where: { $0.name == name }) else {
            return .open(job, problems: [], shots: [], leftOut: "the run has no suite \(name)")
        }
        let count = try await ProblemStore.count(dataset: suite.dataset, split: suite.split, from: pool)
        let wait = suite.waitSeconds ?? EvaluationSuite.defaultWait
        guard count >= suite.expectedProblems || job.waitedSeconds >= wait else { return nil }
        let problems = try await ProblemStore.problems(
            dataset: suite.dataset,
            split: suite.split,
            limit: suite.limit,
            from: pool
        )
        if problems.isEmpty {
            let reason =
                "none of its \(suite.expectedProblems) problems (\(suite.dataset), \(suite.split.rawValue)) came within "
                + "\(Int(wait)) s"
            return .open(job, problems: [], shots: [], leftOut: reason)
        }
        guard let wanted = suite.shots, wanted > 0 else {
            return .open(job, problems: problems.map(\.id), shots: [], leftOut: nil)
        }
        let shots = try await chooseShots(wanted, of: suite, job, run)
        guard shots.count == wanted else {
            guard job.waitedSeconds >= wait else { return nil }
            let reason =
                "it shows \(wanted) solved problems of \(suite.dataset), of which \(shots.count) came within \(Int(wait)) s"
            return .open(job, problems: [], shots: [], leftOut: reason)
        }
        return .open(job, problems: problems.map(\.id), shots: shots, leftOut: nil)
    }

    /// The solved training problems that a suite shows: those that it showed to the run's other checkpoints, else the first
    /// in order of id.
    private func chooseShots(
        _ wanted: Int,
        of suite: EvaluationSuite,
        _ job: EvaluationJobStore.Job,
        _ run: RunEvent
    ) async throws -> [String] {
        let others = try await EvaluationJobStore.jobs(run: run.id, from: pool)
        if let shown = others.first(where: { $0.suite == suite.name && $0.shots.count == wanted }) {
            return shown.shots
        }
        guard let checkpoint = try await RunStore.checkpoint(job.checkpoint, from: pool) else { return [] }
        let kind = Self.kind(of: checkpoint, run)
        let ids = try await ProblemStore.ids(TrainingSelection(datasets: [suite.dataset]), from: pool)
        var chosen: [String] = []
        for start in stride(from: 0, to: ids.count, by: 64) where chosen.count < wanted {
            let some = Array(ids[start..<min(start + 64, ids.count)])
            let solved = Set(
                try await TraceStore.verified(ofProblems: some, from: pool).filter { $0.kind == kind }.map(\.problemId)
            )
            chosen += some.filter(solved.contains).prefix(wanted - chosen.count)
        }
        return chosen
    }

    /// The traces that show a student what it is asked for.
    private static func kind(of checkpoint: CheckpointEvent, _ run: RunEvent) -> TraceKind {
        run.answers(of: checkpoint.stage) == "chain" ? .chainOfThought : .template
    }

    /// A roll-out is of the problems that the checkpoint has not attempted for an earlier round, up to the run's limit.
    ///
    /// It waits for the first problem that it attempts, and for the checkpoint's roll-outs for earlier rounds.
    private func openingRollout(_ job: EvaluationJobStore.Job, _ run: RunEvent) async throws -> Step? {
        let earlier = try await EvaluationJobStore.jobs(run: run.id, unfinished: true, from: pool)
        guard !earlier.contains(where: { $0.suite == nil && $0.checkpoint == job.checkpoint && $0.round < job.round })
        else { return nil }
        let options = run.rollout ?? RolloutOptions()
        let problems = try await ProblemStore.rollout(of: run, options, notAttemptedBy: job.checkpoint, from: pool)
        if problems.isEmpty, job.waitedSeconds < EvaluationSuite.defaultWait,
            try await !EvaluationStore.hasAttempts(checkpoint: job.checkpoint, from: pool)
        {
            return nil
        }
        return .open(job, problems: problems.map(\.id), shots: [], leftOut: nil)
    }

    // MARK: Doing it

    private func work(_ step: Step, _ lease: JobLease) async throws {
        switch step {
        case .open(let job, let problems, let shots, let leftOut):
            if let leftOut {
                logger.error("suite left out", metadata: metadata(job, ["reason": "\(leftOut)"]))
            }
            let effects = Effects { [pieceSize] transaction in
                if let leftOut {
                    try await EvaluationJobStore.finish(job.id, leftOut: leftOut, in: transaction)
                } else {
                    try await EvaluationJobStore.open(
                        job.id,
                        problems: problems,
                        shots: shots,
                        pieceSize: pieceSize,
                        in: transaction
                    )
                }
            }
            try await lease.commit(effects, in: pool)
        case .piece(let job, let piece): try await doPiece(piece, of: job, lease)
        case .finish(let job): try await finish(job, lease)
        }
    }

    private func doPiece(
        _ piece: EvaluationJobStore.Piece,
        of job: EvaluationJobStore.Job,
        _ lease: JobLease
    ) async throws {
        guard let run = try await RunStore.run(job.run, from: pool),
            let checkpoint = try await RunStore.checkpoint(job.checkpoint, from: pool)
        else { return }
        let problems = try await ProblemStore.problems(ids: piece.problems, from: pool)
        let started = ContinuousClock.now
        var effects: Effects
        do {
            if let name = job.suite, let suite = run.suites.first(where: { $0.name == name }) {
                let shots = try await shots(job.shots, of: suite, run, checkpoint)
                let results = try await students.score(
                    checkpoint,
                    of: run,
                    on: problems,
                    shots: shots,
                    grader: suite.grader
                )
                effects = Effects { try await EvaluationJobStore.insert(results, evaluation: job.id, in: $0) }
            } else {
                let attempts = try await students.rollOut(
                    checkpoint,
                    of: run,
                    round: job.round,
                    at: problems,
                    firstStream: piece.offset
                )
                effects = Effects(
                    events: try attempts.map { try OutgoingEvent($0, source: EvaluatorService.source, time: Date()) }
                ) { try await EvaluationStore.insert(attempts, in: $0) }
            }
        } catch let error where Self.isFinal(error) {
            logger.error("evaluation left out", metadata: metadata(job, ["reason": "\(error)"]))
            try await lease.commit(
                Effects { try await EvaluationJobStore.finish(job.id, leftOut: "\(error)", in: $0) },
                in: pool
            )
            return
        } catch let error as CancellationError {
            throw error
        } catch {
            // Another try may go better: a server comes back, an operator mends a model. People see what it waits for.
            try await lease.commit(
                Effects { try await EvaluationJobStore.note("\(error)", of: job.id, in: $0) },
                in: pool
            )
            throw error
        }
        let seconds = (ContinuousClock.now - started) / .seconds(1)
        let written = effects
        effects = Effects(events: written.events) { transaction in
            try await written.apply(transaction)
            if job.reason != nil { try await EvaluationJobStore.note(nil, of: job.id, in: transaction) }
            try await EvaluationJobStore.finish(piece: piece.number, of: job.id, seconds: seconds, in: transaction)
        }
        try FaultPoint.pieceGraded.reach()
        try await lease.commit(effects, in: pool)
        logger.info(
            "piece done",
            metadata: metadata(
                job,
                ["piece": "\(piece.number)", "problems": "\(problems.count)", "seconds": "\(seconds)"]
            )
        )
    }

    /// Whether an error of asking a student is one that comes again with each try: of the run's options, or of the student.
    private static func isFinal(_ error: any Error) -> Bool {
        error is StudentCannotAnswer || error is GenerationError || error is DistillationError
    }

    /// The solved problems as the student would have written them.
    private func shots(
        _ ids: [String],
        of suite: EvaluationSuite,
        _ run: RunEvent,
        _ checkpoint: CheckpointEvent
    ) async throws -> [StudentCodec.Shot] {
        let kind = Self.kind(of: checkpoint, run)
        let problems = try await ProblemStore.problems(ids: ids, from: pool)
        let traces = try await TraceStore.verified(ofProblems: ids, from: pool)
        let shots = problems.compactMap { problem -> StudentCodec.Shot? in
            let response: String
            switch traces.first(where: { $0.problemId == problem.id && $0.kind == kind })?.body {
            case .chainOfThought(let body): response = StudentFormat.response(chain: body.text, answer: problem.answer)
            case .template(let body): response = StudentFormat.response(template: ThoughtTemplate(body))
            default: return nil
            }
            return StudentCodec.Shot(question: problem.question, response: response)
        }
        guard shots.count == ids.count else {
            throw StudentCannotAnswer(
                "the suite \(suite.name) shows solved problems of \(suite.dataset) that have no verified \(kind.rawValue), "
                    + "which \(checkpoint.stage) is asked for"
            )
        }
        return shots
    }

    private func finish(_ job: EvaluationJobStore.Job, _ lease: JobLease) async throws {
        guard let run = try await RunStore.run(job.run, from: pool),
            let checkpoint = try await RunStore.checkpoint(job.checkpoint, from: pool)
        else { return }
        guard let name = job.suite else {
            let effects = Effects { transaction in
                try await EvaluationStore.finishRollout(
                    checkpoint: checkpoint.id,
                    run: run.id,
                    round: job.round,
                    in: transaction
                )
                try await EvaluationJobStore.finish(job.id, in: transaction)
            }
            try await lease.commit(effects, in: pool)
            return
        }
        guard let suite = run.suites.first(where: { $0.name == name }) else { return }
        let evaluation = try await EvaluationReport(pool: pool).event(
            job,
            checkpoint: checkpoint,
            run: run,
            suite: suite
        )
        let outgoing = try OutgoingEvent(evaluation, source: EvaluatorService.source, time: Date())
        let effects = Effects(events: [outgoing]) { transaction in
            _ = try await EvaluationStore.insert(evaluation, in: transaction)
            try await EvaluationJobStore.finish(job.id, in: transaction)
        }
        try await lease.commit(effects, in: pool)
        logger.info(
            "evaluated",
            metadata: metadata(
                job,
                [
                    "stage": "\(checkpoint.stage)", "correct": "\(evaluation.correct)",
                    "problems": "\(evaluation.problems)",
                ]
            )
        )
    }

    private func metadata(_ job: EvaluationJobStore.Job, _ more: Logger.Metadata) -> Logger.Metadata {
        more.merging([
            "run": "\(job.run)", "checkpoint": "\(job.checkpoint)", "suite": "\(job.suite ?? "roll-out")",
        ]) { $1 }
    }
}
