import Distillation
import Foundation
import LanguageModel
import Reasoning
import Schemas

/// Wrong attempts of a student with the teacher's corrections of them.
struct Rollout: Sendable, Codable {
    /// What decides the outcome.
    var fingerprint: String
    /// Wrong attempts at the problems that are held back for it: what the second stage learns from.
    var training: [Entry] = []
    /// Wrong attempts at development problems: what skill at corrections is measured on.
    var development: [Entry] = []

    /// A wrong attempt.
    struct Entry: Sendable, Codable {
        var problem: ProblemEvent
        var attempt: AttemptEvent
        var trace: TraceEvent

        /// The teacher's correction, where it was verified.
        var correction: CorrectionBody? {
            guard trace.verified, case .correction(let body) = trace.body else { return nil }
            return body
        }
    }

    /// The attempts that the second stage learns from.
    var corrected: [PreferencePairs.CorrectedAttempt] {
        training.map { PreferencePairs.CorrectedAttempt(problem: $0.problem, attempt: $0.attempt, trace: $0.trace) }
    }

    /// Verified corrections beside the student's own; first those in which the student names a step too.
    func examples(_ count: Int) -> [Examples.Correction] {
        let found = training.compactMap { entry in
            entry.correction.map {
                Examples.Correction(
                    question: entry.problem.question,
                    steps: $0.steps,
                    teacher: $0,
                    student: entry.attempt.selfCorrection
                )
            }
        }
        let named = found.filter { $0.student?.firstWrongStep != nil }
        return Array((named + found.filter { $0.student?.firstWrongStep == nil }).prefix(count))
    }

    /// How a student attempts the problems that are held back for it.
    static let options = RolloutOptions(split: .rollout, samples: 1, temperature: 0.7)

    /// The name of a roll-out's file.
    static func name(_ arm: String, seed: UInt64) -> String { "rollouts/seed-\(seed)/\(arm)" }
}

extension Reproduction {
    /// Lets an arm's student attempt problems, and the teacher correct the wrong attempts.
    func rollOut(_ arm: Arm, seed: UInt64) async throws {
        try check()
        let data = try await notebook.seedData(seed)
        let hash = try await notebook.chosen(arm, seed: seed, plan: plan).trial.modelHash
        let name = Rollout.name(arm.id, seed: seed)
        let digest = try await notebook.digest(ofSeed: seed)
        let print = try fingerprint(plan.withoutChoices, hash, digest, Self.version)
        if let known = files.read(name, as: Rollout.self), known.fingerprint == print {
            try await notebook.add(known, name)
            return
        }
        let scorer = try Scorer(folder: try store.folder(hash), plan: plan, check: check)
        let teacher = TeacherRun(seed: seed, plan: plan)
        func entries(_ problems: [ProblemEvent]) async throws -> [Rollout.Entry] {
            let attempts = try scorer.attempts(
                at: problems,
                format: arm.style.format,
                seed: seed,
                checkpoint: hash
            )
            let byID = Dictionary(problems.map { ($0.id, $0) }) { first, _ in first }
            var entries: [Rollout.Entry] = []
            for attempt in attempts where !attempt.correct {
                guard let problem = byID[attempt.problemId] else { continue }
                if let trace = try await teacher.correction(of: attempt, problem: problem) {
                    entries.append(Rollout.Entry(problem: problem, attempt: attempt, trace: trace))
                }
            }
            return entries
        }
        var rollout = Rollout(fingerprint: print)
        rollout.training = try await entries(data.problems.rollout)
        if seed != plan.searchSeed { rollout.development = try await entries(data.problems.development) }
        try files.write(rollout, name)
        try await notebook.add(rollout, name)
        log("roll-out of \(arm.id), seed \(seed): \(rollout.training.count) wrong of \(data.problems.rollout.count)")
    }

    /// Measures how well an arm's student finds and mends the first wrong step of attempts that are the same for every
    /// arm of a seed (SuperCorrect, Table 6).
    func measureSkill(_ arm: Arm, seed: UInt64, rollout: String) async throws {
        try check()
        var (key, trial) = try await notebook.chosen(arm, seed: seed, plan: plan)
        let attempts = try await notebook.rollout(Rollout.name(rollout, seed: seed))
        let print = try fingerprint(attempts.development, trial.fingerprint)
        if trial.correctionFingerprint != print {
            let scorer = try Scorer(folder: try store.folder(trial.modelHash), plan: plan, check: check)
            trial.correction = try scorer.skill(attempts.development)
            trial.correctionFingerprint = print
            try files.write(trial, key.name)
            log("skill of \(arm.id), seed \(seed)")
        }
        await notebook.add(trial, key)
    }
}

extension Scorer {
    /// Sampled attempts at problems, with the student's own corrections of the wrong ones.
    ///
    /// The problems are attempted in the order in which a run's roll-out has them, so that the same student writes the same.
    func attempts(
        at problems: [ProblemEvent],
        format: StudentFormat,
        seed: UInt64,
        checkpoint: String
    ) throws -> [AttemptEvent] {
        var parameters = greedy
        parameters.temperature = Rollout.options.temperature
        parameters.seed = seed
        return try solver.attempts(
            at: problems.sorted { $0.id < $1.id },
            samples: Rollout.options.samples,
            format: format,
            parameters: parameters,
            runID: "reproduction-\(seed)",
            checkpointID: checkpoint
        ) { _ in try check() }
    }

    /// The student's corrections of others' attempts against the teacher's; attempts without a verified correction are
    /// left out.
    func skill(_ entries: [Rollout.Entry]) throws -> CorrectionResult {
        let attempts = entries.compactMap { entry in
            entry.correction.map { (entry: entry, teacher: CorrectionTrace($0)) }
        }
        let own = try solver.correct(
            attempts.map { (Self.task($0.entry.problem), $0.entry.attempt.output) },
            parameters: StudentSolver.correctionParameters(greedy)
        ) { _ in try check() }
        let pairs = zip(own, attempts)
        return CorrectionResult(
            attempts: attempts.count,
            located: Self.marks(pairs.map { CorrectionGrading.isLocated($0.trace, teacher: $1.teacher) }),
            corrected: Self.marks(pairs.map { CorrectionGrading.isRight($0.trace, teacher: $1.teacher) })
        )
    }
}
