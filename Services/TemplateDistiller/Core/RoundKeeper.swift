import Foundation
import LanguageModel
import Logging
import PostgresClient
import Schemas
import ServiceRuntime
import Tracing

/// Keeps runs going: judges each round's candidate, starts the next round, and ends runs that are done.
///
/// Names in the model store follow: `RUN.champion`, `RUN.latest` and `RUN.round-N`, by the run's name.
struct RoundKeeper: Sendable {
    let pool: PostgresPool
    let store: ModelStore
    let logger: Logger

    /// What is to be done for a run.
    enum Work: Sendable {
        /// Judge the candidate of a round.
        case judge(RunEvent, RoundStore.Round, candidate: CheckpointEvent)
        /// End a round that gives no candidate, with the reason.
        case giveUp(RunEvent, RoundStore.Round, reason: String)
        /// Start the round after one.
        case next(RunEvent, RoundStore.Round, reason: String)
        /// End a run that is done.
        case finish(RunEvent, RoundStore.Round)
        /// Let the models' names follow verdicts.
        case name(RunEvent)

        var run: RunEvent {
            switch self {
            case .judge(let run, _, _), .giveUp(let run, _, _), .next(let run, _, _), .finish(let run, _),
                .name(let run):
                run
            }
        }

        /// What is done, as traces name it; nil where nothing is sent, and it may be looked at again and again.
        var spanName: String? {
            switch self {
            case .judge: "judge round"
            case .giveUp: "give up round"
            case .next: "start round"
            case .finish, .name: nil
            }
        }
    }

    /// The service that looks for what is to be done.
    func runner(holder: String, interval: Duration = .milliseconds(500)) -> JobRunner<Work> {
        JobRunner(
            pool: pool,
            holder: holder,
            logger: logger,
            interval: interval,
            changes: { try await JobChanges.latest(from: pool) },
            leaseName: { "run/\($0.run.id)/rounds" },
            ready: ready,
            work: { work, lease in
                guard let name = work.spanName else { return try await self.work(work, lease) }
                try await Traced.run(
                    name,
                    in: try await RunStore.trace(of: work.run.id, from: pool),
                    attributes: ["errata.run.id": .string(work.run.id)]
                ) { _ in
                    try await self.work(work, lease)
                }
            }
        )
    }

    /// What is to be done now, at most one thing a run.
    func ready() async throws -> [Work] {
        var result: [Work] = []
        for run in try await RunStore.runs(active: true, from: pool) {
            if let work = try await work(for: run) { result.append(work) }
        }
        let busy = Set(result.map(\.run.id))
        result += try await RoundStore.unnamed(from: pool).filter { !busy.contains($0.id) }.map { .name($0) }
        return result
    }

    private func work(for run: RunEvent) async throws -> Work? {
        guard let round = try await RoundStore.rounds(of: run.id, from: pool).last else { return nil }
        let jobs = try await JobStore.jobs(run: run.id, from: pool).filter { $0.id.round == round.number }
        let isTrained = jobs.allSatisfy { $0.state == .done || $0.state == .failed }
        guard round.isOver else {
            guard let gate = run.gate, let stage = run.candidateStage else {
                return try await isTrained ? end(of: run, round) : nil
            }
            if let job = jobs.first(where: { $0.id.stage == stage && $0.state == .failed }) {
                return .giveUp(run, round, reason: "the stage \(stage) failed: \(job.error ?? "no reason given")")
            }
            guard
                let candidate = try await RunStore.checkpoint(
                    run: run.id,
                    round: round.number,
                    stage: stage,
                    from: pool
                )
            else { return nil }
            return try await judgement(of: candidate, gate, run, round)
        }
        guard isTrained else { return nil }
        guard let rounds = run.rounds, round.number < rounds.maximum ?? .max else {
            return try await end(of: run, round)
        }
        let new = try await RoundStore.newProblems(for: run, round: round.number + 1, from: pool)
        if let wanted = rounds.newProblems, new >= wanted {
            return .next(run, round, reason: "\(new) new problems")
        }
        if let seconds = rounds.afterSeconds, round.secondsOver >= seconds, new > 0 {
            return .next(run, round, reason: "\(Int(seconds)) s after the last verdict, \(new) new problems")
        }
        return nil
    }

    /// A run is done once all that was trained is scored; until then there is nothing to be done for it.
    private func end(of run: RunEvent, _ round: RoundStore.Round) async throws -> Work? {
        try await isScored(run) ? .finish(run, round) : nil
    }

    /// A candidate can be judged when it and the champion have been scored on the gate's suites.
    private func judgement(
        of candidate: CheckpointEvent,
        _ gate: RunGate,
        _ run: RunEvent,
        _ round: RoundStore.Round
    ) async throws -> Work? {
        guard let champion = try await RoundStore.champion(of: run.id, from: pool) else { return nil }
        let jobs = try await EvaluationJobStore.jobs(run: run.id, from: pool)
        for suite in gate.suites {
            for checkpoint in [candidate.id, champion] {
                let id = EvaluationJobStore.evaluationID(checkpoint: checkpoint, suite: suite)
                guard let job = jobs.first(where: { $0.id == id }) else { return nil }
                switch job.state {
                case .done: continue
                case .leftOut:
                    return .giveUp(
                        run,
                        round,
                        reason: "there are no scores on \(suite): \(job.reason ?? "it was left out")"
                    )
                case .waiting, .open: return nil
                }
            }
        }
        return .judge(run, round, candidate: candidate)
    }

    // MARK: Work

    private func work(_ work: Work, _ lease: JobLease) async throws {
        switch work {
        case .name(let run):
            guard try await follow(run, lease) else { throw NamesNotSet(run: run.name) }
        case .judge(let run, let round, let candidate):
            try await write(try await verdict(on: candidate, run, round), run, round, lease)
        case .giveUp(let run, let round, let reason):
            let champion = try await RoundStore.champion(of: run.id, from: pool) ?? round.champion
            let verdict = VerdictEvent(
                id: Self.verdictID(run, round),
                runId: run.id,
                round: round.number,
                decision: .hold,
                by: .gate,
                reasons: [reason],
                championCheckpointId: champion
            )
            try await write(verdict, run, round, lease)
        case .next(let run, let round, let reason):
            let next = try await NextRound(run: run, after: round, reason: reason, from: pool)
            logger.notice(
                "round begins",
                metadata: ["run": "\(run.id)", "round": "\(next.number)", "reason": "\(reason)"]
            )
            try await lease.commit(Effects { try await next.start(in: $0) }, in: pool)
        case .finish(let run, let round):
            try lease.checkHeld()
            try await point(run)
            let effects = Effects { transaction in
                try await RoundStore.end(run.id, round: round.number, in: transaction)
                _ = try await RunStore.end(run.id, as: .finished, reason: "all rounds are over", in: transaction)
            }
            try await lease.commit(effects, in: pool)
        }
    }

    /// Whether every checkpoint has been scored on every suite that it is to be scored on.
    ///
    /// The checkpoints' own events ask for their evaluation: these must have been seen first. The jobs are read once, for one
    /// that comes between two readings would be missing in the first and be taken for ended in the second.
    private func isScored(_ run: RunEvent) async throws -> Bool {
        let checkpoints = try await RunStore.checkpoints(run: run.id, from: pool)
        let jobs = try await EvaluationJobStore.jobs(run: run.id, from: pool)
        guard !jobs.contains(where: { $0.state == .waiting || $0.state == .open }) else { return false }
        // A run that another service has written may have no checkpoint yet.
        guard checkpoints.contains(where: { $0.stage == RunStage.initial }) else { return false }
        return checkpoints.allSatisfy { checkpoint in
            run.suites.filter { $0.scores(checkpoint.stage) }.allSatisfy { suite in
                jobs.contains { $0.checkpoint == checkpoint.id && $0.suite == suite.name }
            }
        }
    }

    private static func verdictID(_ run: RunEvent, _ round: RoundStore.Round) -> String {
        DeterministicID.make(cause: run.id, parts: "verdict", String(round.number))
    }

    private func verdict(
        on candidate: CheckpointEvent,
        _ run: RunEvent,
        _ round: RoundStore.Round
    ) async throws -> VerdictEvent {
        let champion = try await RoundStore.champion(of: run.id, from: pool) ?? round.champion
        let gate = run.gate ?? RunGate(suite: "")
        let looks = try await RoundStore.verdicts(of: run.id, from: pool)
            .count { $0.by == .gate && $0.comparison != nil }
        let rule = GateRule(gate: gate, look: looks + 1)
        func outcomes(_ checkpoint: String) async throws -> [String: GateRule.Outcomes] {
            var result: [String: GateRule.Outcomes] = [:]
            for suite in gate.suites {
                result[suite] = try await EvaluationStore.outcomes(checkpoint: checkpoint, suite: suite, from: pool)
            }
            return result
        }
        let finding = rule.decide(
            candidate: try await outcomes(candidate.id),
            champion: try await outcomes(champion)
        )
        return VerdictEvent(
            id: Self.verdictID(run, round),
            runId: run.id,
            round: round.number,
            decision: finding.decision,
            by: .gate,
            reasons: finding.reasons,
            candidateCheckpointId: candidate.id,
            candidateModelHash: candidate.modelHash,
            championCheckpointId: champion,
            look: rule.look,
            level: rule.level,
            comparison: finding.comparison,
            guards: finding.guards
        )
    }

    private func write(
        _ verdict: VerdictEvent,
        _ run: RunEvent,
        _ round: RoundStore.Round,
        _ lease: JobLease
    ) async throws {
        let event = try OutgoingEvent(verdict, source: RunProcessor.source, time: Date())
        let effects = Effects(events: [event]) { transaction in
            try await RoundStore.insert(verdict, in: transaction)
            try await RoundStore.end(run.id, round: round.number, in: transaction)
        }
        try await lease.commit(effects, in: pool)
        logger.notice(
            "verdict",
            metadata: [
                "run": "\(run.id)", "round": "\(round.number)", "decision": "\(verdict.decision.rawValue)",
                "reasons": "\(verdict.reasons.joined(separator: "; "))",
            ]
        )
        _ = try await follow(run, lease)
    }

    // MARK: Names

    /// Lets the names of the run's models follow its verdicts, and notes so where they do.
    ///
    /// - Returns: whether they do.
    private func follow(_ run: RunEvent, _ lease: JobLease) async throws -> Bool {
        // First: a verdict that comes meanwhile is followed the next time.
        let verdicts = try await RoundStore.unnamed(of: run.id, from: pool)
        try lease.checkHeld()
        guard try await point(run) else { return false }
        try await lease.commit(Effects { try await RoundStore.named(verdicts, in: $0) }, in: pool)
        return true
    }

    /// Lets the names of the run's models stand for what they name now.
    ///
    /// - Returns: whether they do.
    @discardableResult
    func point(_ run: RunEvent) async throws -> Bool {
        guard try await hasNames(run) else { return true }
        let checkpoints = try await RunStore.checkpoints(run: run.id, from: pool)
        let rounds = try await RoundStore.rounds(of: run.id, from: pool)
        var names: [String: String] = [:]
        if let champion = try await RoundStore.champion(of: run.id, from: pool), run.gate != nil {
            names["champion"] = champion
        }
        for round in rounds {
            guard let stage = run.candidateStage else { continue }
            let candidate = CheckpointEvent.id(run: run.id, round: round.number, stage: stage)
            guard checkpoints.contains(where: { $0.id == candidate }) else { continue }
            names["latest"] = candidate
            names["round-\(round.number)"] = candidate
        }
        let prefix = Self.namePrefix(run.name)
        var areSet = true
        for (suffix, id) in names {
            guard let checkpoint = checkpoints.first(where: { $0.id == id }) else { continue }
            do {
                try store.pointName("\(prefix).\(suffix)", to: checkpoint.modelHash)
            } catch {
                areSet = false
                logger.warning("name not set", metadata: ["name": "\(prefix).\(suffix)", "error": "\(error)"])
            }
        }
        return areSet
    }

    /// Whether the names are this run's: of runs of one name the last has them.
    private func hasNames(_ run: RunEvent) async throws -> Bool {
        let prefix = Self.namePrefix(run.name)
        return try await !RunStore.names(after: run.id, from: pool).contains { Self.namePrefix($0) == prefix }
    }

    /// A run's name, as a model's name can be.
    static func namePrefix(_ runName: String) -> String {
        let allowed = runName.map { $0.isASCII && ($0.isLetter || $0.isNumber || "._-".contains($0)) ? $0 : "-" }
        let name = String(allowed.drop { !($0.isLetter || $0.isNumber) }.prefix(80))
        return name.isEmpty ? "run" : name
    }
}

/// Names of a run's models could not be set; the log says which and why, and it is tried again.
struct NamesNotSet: Error, CustomStringConvertible {
    let run: String

    var description: String { "not all names of the models of \(run) could be set" }
}
