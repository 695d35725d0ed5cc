public import PostgresClient
public import Schemas

/// A stage of a run that could be trained now.
public struct ReadyStage: Sendable {
    /// The run.
    public let run: RunEvent
    /// The round, from 1.
    public let round: Int
    /// The stage.
    public let stage: RunStage
    /// The checkpoint to start from.
    public let parent: CheckpointEvent
    /// The tokens to train on where the stage is to take as many as others took.
    public let tokens: Int?
    /// The trace that its run came in.
    public let trace: TraceContext?

    /// Creates a ready stage.
    public init(
        run: RunEvent,
        round: Int,
        stage: RunStage,
        parent: CheckpointEvent,
        tokens: Int? = nil,
        trace: TraceContext? = nil
    ) {
        self.run = run
        self.round = round
        self.stage = stage
        self.parent = parent
        self.tokens = tokens
        self.trace = trace
    }

    /// Its name among all.
    public var id: StageID { StageID(run: run.id, round: round, stage: stage.name) }
}

/// Which stages of which runs can be trained now: their parents are there, and enough of what they learn from.
///
/// A stage that has waited long enough is ready with whatever there is; where that is nothing, its training says so and the
/// stage fails, so that nothing waits for ever.
public struct StageReadiness: Sendable {
    private let pool: PostgresPool
    private let trains: @Sendable (RunStage) -> Bool

    /// Creates a look at the database.
    ///
    /// Arguments:
    ///   - trains: the stages that are of interest.
    public init(pool: PostgresPool, trains: @escaping @Sendable (RunStage) -> Bool) {
        self.pool = pool
        self.trains = trains
    }

    /// A stage of interest that is not done.
    public struct Candidate: Sendable {
        /// Its job.
        public let job: JobStore.Job
        /// The run.
        public let run: RunEvent
        /// The stage.
        public let stage: RunStage
    }

    /// The stages of interest that are not done, of runs that are active, in order.
    public func candidates() async throws -> [Candidate] {
        var result: [Candidate] = []
        var runs: [String: RunEvent] = [:]
        for job in try await JobStore.jobs(states: [.waiting, .running], active: true, from: pool) {
            if runs[job.id.run] == nil { runs[job.id.run] = try await RunStore.run(job.id.run, from: pool) }
            guard let run = runs[job.id.run], let stage = run.stage(job.id.stage), trains(stage) else { continue }
            result.append(Candidate(job: job, run: run, stage: stage))
        }
        return result
    }

    /// Why a waiting stage can never begin, as the attempts that it would learn from will not come; nil where they may.
    public func lastingObstacle(to candidate: Candidate) async throws -> String? {
        let (job, stage) = (candidate.job, candidate.stage)
        guard stage.needsRollout, !job.hasInputs, let parent = try await parent(of: stage, job.id) else { return nil }
        let reason = try await EvaluationJobStore.leftOutRollout(
            checkpoint: parent.checkpoint.id,
            round: job.id.round,
            from: pool
        )
        return reason.map { "the roll-out of \(stage.parentName) was left out: \($0)" }
    }

    /// The stages that are ready, in order.
    public func ready() async throws -> [ReadyStage] { try await ready(among: candidates()) }

    /// Those of some stages that are ready, in order.
    public func ready(among candidates: [Candidate]) async throws -> [ReadyStage] {
        var result: [ReadyStage] = []
        for candidate in candidates {
            let ready = try await ready(candidate.job, candidate.stage, of: candidate.run)
            if let ready { result.append(ready) }
        }
        return result
    }

    private func ready(_ job: JobStore.Job, _ stage: RunStage, of run: RunEvent) async throws -> ReadyStage? {
        guard let parent = try await parent(of: stage, job.id), let tokens = try await tokens(for: stage, job.id) else {
            return nil
        }
        let ready = ReadyStage(
            run: run,
            round: job.id.round,
            stage: stage,
            parent: parent.checkpoint,
            tokens: tokens == 0 ? nil : tokens,
            trace: job.trace
        )
        if job.hasInputs { return ready }
        let waited = min(job.waitedSeconds, parent.ageSeconds)
        return try await hasEnough(stage, of: run, ready, waited: waited) ? ready : nil
    }

    /// The checkpoint that a stage starts from and how long it has been there; nil before it is.
    func parent(
        of stage: RunStage,
        _ id: StageID
    ) async throws -> (checkpoint: CheckpointEvent, ageSeconds: Double)? {
        let parent: String
        switch stage.parentName {
        case RunStage.initial, RunStage.champion:
            guard
                let round = try await RoundStore.rounds(of: id.run, from: pool).first(where: { $0.number == id.round })
            else { return nil }
            parent = round.parent(of: stage, run: id.run)
        case let name: parent = CheckpointEvent.id(run: id.run, round: id.round, stage: name)
        }
        guard let checkpoint = try await RunStore.checkpoint(parent, from: pool),
            let age = try await pool.query(
                "SELECT extract(epoch FROM now() - created_at)::float8 AS age FROM checkpoints WHERE id = \(parent)"
            ).first
        else { return nil }
        return (checkpoint, try age.get("age", as: Double.self))
    }

    /// The tokens that the stages of ``RunStage/tokensOf`` took together, 0 where there are none; nil before all are done.
    private func tokens(for stage: RunStage, _ id: StageID) async throws -> Int? {
        var sum = 0
        for name in stage.tokensOf ?? [] {
            guard
                let done = try await RunStore.checkpoint(run: id.run, round: id.round, stage: name, from: pool)
            else { return nil }
            sum += done.tokensTrained
        }
        return sum
    }

    private func hasEnough(
        _ stage: RunStage,
        of run: RunEvent,
        _ ready: ReadyStage,
        waited: Double
    ) async throws -> Bool {
        let limit = stage.start?.waitSeconds ?? StageStart.defaultWait
        if stage.needsRollout {
            guard
                let rollout = try await EvaluationStore.rolloutProgress(
                    checkpoint: ready.parent.id,
                    round: ready.round,
                    onlyOwn: run.rounds?.learnsFromNew ?? false,
                    from: pool
                )
            else { return false }
            guard stage.needsCorrections else { return true }
            if let wanted = stage.start?.examples, rollout.verified >= wanted { return true }
            // An attempt that the teacher fails on for good is never answered; the others must not wait for it for ever.
            return rollout.answered >= rollout.wrong || rollout.waitedSeconds >= limit
        }
        if waited >= limit { return true }
        let examples = try await examples(for: stage, of: run, round: ready.round)
        return examples.found >= examples.wanted
    }

    /// How many traces a stage could learn from, and with how many of them it starts.
    func examples(for stage: RunStage, of run: RunEvent, round: Int) async throws -> (found: Int, wanted: Int) {
        let onlyNew = run.rounds?.learnsFromNew ?? false
        let selection = TrainingSelection(stage, of: run, round: round, onlyNew: onlyNew)
        let found = try await examples(for: stage, of: run, selection)
        // What started a later round is enough for its stages.
        return (found, round > 1 ? 1 : stage.start?.examples ?? 1)
    }

    /// The number of traces that a stage could learn from.
    private func examples(for stage: RunStage, of run: RunEvent, _ selection: TrainingSelection) async throws -> Int {
        switch stage.method {
        case .supervised(let method):
            var sum = 0
            for source in method.sources { sum += try await examples(of: source, stage, selection) }
            return sum
        case .keySteps(let method):
            return try await TraceStore.countKeySteps(
                KeyStepForm(method, of: run),
                selection,
                method: stage.data?.pairMethod,
                mistakes: stage.data?.mistakes,
                from: pool
            )
        case .preferences: return try await duals(stage, selection)
        case nil: return 0
        }
    }

    private func examples(
        of source: ExampleSource,
        _ stage: RunStage,
        _ selection: TrainingSelection
    ) async throws -> Int {
        switch source.kind {
        case "rightChains", "repeatedChains":
            let all = try await TraceStore.count(.chainOfThought, selection, from: pool)
            let repeated = try await TraceStore.count(.chainOfThought, selection, repeated: true, from: pool)
            return source.kind == "rightChains" ? all - repeated : repeated
        case "rectifiedChains":
            return try await TraceStore.count(
                .dual,
                selection,
                method: .rectified,
                mistakes: stage.data?.mistakes,
                from: pool
            )
        case "wrongChains", "corrections": return try await duals(stage, selection)
        case "templates": return try await TraceStore.count(.template, selection, from: pool)
        case "solutions": return try await ProblemStore.ids(selection, from: pool).count
        default: return 0
        }
    }

    private func duals(_ stage: RunStage, _ selection: TrainingSelection) async throws -> Int {
        try await TraceStore.count(
            .dual,
            selection,
            method: stage.data?.pairMethod,
            mistakes: stage.data?.mistakes,
            from: pool
        )
    }
}
