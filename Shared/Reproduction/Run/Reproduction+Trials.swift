import Distillation
import Foundation
import LanguageModel
import Schemas
import Training

extension Reproduction {
    /// The recipe of an arm for a seed, at a rate that is chosen or tried; the arms that it starts from have their best.
    func recipe(of arm: Arm, seed: UInt64, rate: Double?) async throws -> RunEvent {
        var rates: [String: Double] = [:]
        for ancestor in table.lineage(of: arm).dropLast() {
            rates[ancestor.id] = try await notebook.bestRate(ancestor, plan: plan)
        }
        rates[arm.id] = rate
        return try table.recipe(
            of: arm,
            plan: plan,
            seed: seed,
            rates: rates,
            student: try await notebook.student(seed).reference
        )
    }

    /// The weights that an arm starts from.
    private func parentHash(_ arm: Arm, seed: UInt64) async throws -> String {
        guard let parent = arm.parent.flatMap({ table.arm($0) }), parent.isTrained || parent.isSecondPass else {
            return try await notebook.student(seed).modelHash
        }
        return try await notebook.chosen(parent, seed: seed, plan: plan).trial.modelHash
    }

    /// Trains and scores an arm for a seed at a rate, if that is not done yet.
    func trial(_ arm: Arm, _ key: TrialKey) async throws {
        try check()
        let data = try await notebook.seedData(key.seed)
        let parent = try await parentHash(arm, seed: key.seed)
        let run = try await recipe(of: arm, seed: key.seed, rate: key.rate)
        var rollout: Rollout?
        var rolloutDigest: String?
        if arm.stage?.needsRollout == true, let source = table.rolloutArm {
            let name = Rollout.name(source, seed: key.seed)
            rollout = try await notebook.rollout(name)
            rolloutDigest = try await notebook.digest(ofRollout: name)
        }
        let print = try fingerprint(
            run,
            arm.style,
            plan.withoutChoices,
            key.name,
            parent,
            try await notebook.digest(ofSeed: key.seed),
            rolloutDigest,
            Self.version
        )
        if let known = files.read(key.name, as: Trial.self), known.fingerprint == print {
            await notebook.add(known, key)
            return
        }
        let started = ContinuousClock.now
        var trial = Trial(fingerprint: print, modelHash: parent)
        if let stage = run.stage(arm.id) {
            try train(stage, of: run, arm, key, material: data.material(rollout), into: &trial)
        }
        let scorer = try Scorer(folder: try store.folder(trial.modelHash), plan: plan, check: check)
        try score(&trial, arm, scorer, data, isSearch: key.seed == plan.searchSeed)
        trial.seconds = (ContinuousClock.now - started) / .seconds(1)
        try files.write(trial, key.name)
        await notebook.add(trial, key)
        let suite = trial.suites[SuiteName.test] ?? trial.suites[SuiteName.development]
        log(
            "\(arm.id), seed \(key.seed)" + (key.rate.map { ", rate \($0)" } ?? "") + ": "
                + percent(SuiteResult.share(suite?.outcomes ?? ""))
                + " in \(Int(trial.seconds.rounded())) s"
        )
    }

    /// Trains an arm's stage from the trial's model, as a service does, and notes the outcome in the trial.
    private func train(
        _ stage: RunStage,
        of run: RunEvent,
        _ arm: Arm,
        _ key: TrialKey,
        material: StageMaterial,
        into trial: inout Trial
    ) throws {
        let trainer = StageTrainer(store: store, workFolder: folder.appending(path: "work"), threads: 1)
        let parent = trial.modelHash
        let work: StageWork
        do {
            let codec = try trainer.codec(of: parent, prompt: run.prompt)
            work = try StageWork(stage, of: run, material: material, codec: codec)
        } catch let error as DistillationError where arm.length == .secondStage {
            // Few problems give no pairs of a rare kind. The row then shows its parent's student, with 0 examples beside it.
            log("\(arm.id), seed \(key.seed): \(error)")
            return
        }
        let name = key.name.replacing("/", with: "_")
        let trained = try trainer.train(work, from: parent, name: name) { _ in try check() }
        trainer.forget(name)
        trial.modelHash = trained.stored.hash
        trial.tokens = trained.tokens
        trial.examples = work.count
        trial.loss = trained.finalLoss
        trial.trainSeconds = trained.seconds
    }

    private func score(_ trial: inout Trial, _ arm: Arm, _ scorer: Scorer, _ data: SeedData, isSearch: Bool) throws {
        let suites =
            isSearch
            ? [SuiteName.development: data.problems.development]
            : data.problems.suites
        for (name, problems) in suites.sorted(by: { $0.key < $1.key }) {
            let outcomes = try scorer.solve(problems, style: arm.style)
            var result = SuiteResult(outcomes: Scorer.marks(outcomes.map(\.correct)))
            if name == SuiteName.test { trial.outputs = outcomes.prefix(8).map(\.output) }
            if arm.isSecondPass {
                result.outcomes = Scorer.marks(try scorer.correct(problems, outcomes))
            } else if table.rolloutArm != nil, arm.isTrained, name == SuiteName.test {
                result.selfCorrected = Scorer.marks(try scorer.correct(problems, outcomes))
            }
            trial.suites[name] = result
        }
    }

    /// A share as a percentage, for the log.
    func percent(_ share: Double) -> String { Figures.percent(share) + " %" }
}
