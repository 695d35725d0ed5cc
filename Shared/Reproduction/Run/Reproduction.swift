import Distillation
public import Foundation
import LanguageModel
import Reasoning
import Schemas
import Training

/// Runs a table: problems and teacher, the choice of rates on the development split, every arm for every seed, scores.
///
/// What is done is kept in files under the folder, each under a fingerprint of what decides it; a run that was ended
/// goes on where it was, a training in progress included. Students are computed on one thread each, several at a time,
/// so that the same plan gives the same bits whatever the number of workers.
public struct Reproduction: Sendable {
    let table: ReproductionTable
    let plan: ReproductionPlan
    let folder: URL
    let workers: Int
    let files: ResultFiles
    let store: ModelStore
    let notebook = Notebook()
    let check: @Sendable () throws -> Void
    let log: @Sendable (String) -> Void

    /// Prepares a run.
    ///
    /// - Parameters:
    ///   - table: what is run.
    ///   - plan: sizes, seeds and budgets.
    ///   - folder: where everything is kept; a folder of an earlier run is gone on with.
    ///   - workers: students that are computed at the same time.
    ///   - check: throws to end the run; called often, from any thread.
    ///   - log: told of each piece of work that is done.
    /// - Throws: when the folder cannot be made.
    public init(
        table: ReproductionTable,
        plan: ReproductionPlan,
        folder: URL,
        workers: Int,
        check: @escaping @Sendable () throws -> Void,
        log: @escaping @Sendable (String) -> Void
    ) throws {
        self.table = table
        self.plan = plan
        self.folder = folder
        self.workers = workers
        self.check = check
        self.log = log
        files = try ResultFiles(folder: folder)
        store = try ModelStore(root: folder.appending(path: "models"))
    }

    private var seeds: [UInt64] { [plan.searchSeed] + plan.seeds }

    /// Does all work that is not done yet and puts the results together.
    ///
    /// - Throws: ``ReproductionError``, what the trainers throw, or what `check` throws.
    public func run() async throws -> TableResults {
        var graph = JobGraph()
        for seed in seeds { graph.add("data \(seed)") { try await prepare(seed) } }
        for arm in table.arms { add(arm, to: &graph) }
        for probe in table.probes {
            graph.add("probe \(probe.id)", needs: ["data \(plan.seeds[0])", final(probe.parent, plan.seeds[0])]) {
                try await run(probe)
            }
        }
        let total = graph.jobs.count
        log("\(table.title): \(total) pieces of work, \(workers) at a time, in \(folder.path)")
        try await graph.run(workers: workers)
        return try await results()
    }

    // MARK: The graph

    private func final(_ arm: String, _ seed: UInt64) -> String { "final \(arm) \(seed)" }
    private func search(_ arm: String, _ rate: Double) -> String { "search \(arm) \(rate)" }

    private func rollout(_ arm: String, _ seed: UInt64) -> String { "rollout \(arm) \(seed)" }

    /// What must be done before an arm's student of a seed is there.
    private func student(_ arm: Arm, _ seed: UInt64) -> [String] {
        guard seed == plan.searchSeed else { return [final(arm.id, seed)] }
        return plan.rates(arm.recipe).map { search(arm.id, $0) }
    }

    private func add(_ arm: Arm, to graph: inout JobGraph) {
        let rates = plan.rates(arm.recipe)
        func needs(_ seed: UInt64) -> [String] {
            var names = ["data \(seed)"]
            if let parent = arm.parent.flatMap({ table.arm($0) }) { names += student(parent, seed) }
            if needsRollout(arm), let source = table.rolloutArm { names.append(rollout(source, seed)) }
            return names
        }
        for rate in rates {
            graph.add(search(arm.id, rate), needs: needs(plan.searchSeed)) {
                try await trial(arm, TrialKey(arm: arm.id, seed: plan.searchSeed, rate: rate))
            }
        }
        for seed in plan.seeds {
            graph.add(final(arm.id, seed), needs: needs(seed) + rates.map { search(arm.id, $0) }) {
                let rate = try await notebook.bestRate(arm, plan: plan)
                try await trial(arm, TrialKey(arm: arm.id, seed: seed, rate: rate))
            }
        }
        if arm.id == table.rolloutArm {
            for seed in seeds {
                graph.add(rollout(arm.id, seed), needs: student(arm, seed)) { try await rollOut(arm, seed: seed) }
            }
        }
        guard let source = table.rolloutArm, arm.recipe.isTrained else { return }
        for seed in plan.seeds {
            graph.add("skill \(arm.id) \(seed)", needs: [final(arm.id, seed), rollout(source, seed)]) {
                try await measureSkill(arm, seed: seed, rollout: source)
            }
        }
    }

    private func needsRollout(_ arm: Arm) -> Bool {
        switch arm.recipe {
        case .preference(let recipe): recipe.pairs != .duals
        case .supervised(let recipe): recipe.sources.contains(.steps)
        case .untrained, .keySteps, .selfCorrection: false
        }
    }

    // MARK: Pieces of work

    /// Problems, teacher's traces and the untrained student of a seed.
    private func prepare(_ seed: UInt64) async throws {
        try check()
        // The teacher takes seconds, so that its traces are made again rather than read: the same bits either way.
        let data = try await TeacherRun(seed: seed, plan: plan).collect()
        try SeedFiles.write(data, to: folder.appending(path: "data/seed-\(seed)"))
        let name = "students/seed-\(seed)"
        let print = try fingerprint(plan.student, data.texts)
        var student: Notebook.Student
        if let known = files.read(name, as: Notebook.Student.self), known.fingerprint == print {
            student = known
        } else {
            let created = try StudentFactory.create(texts: data.texts, size: plan.student, seed: seed, in: store)
            student = Notebook.Student(fingerprint: print, modelHash: created.hash)
            try files.write(student, name)
        }
        try await notebook.add(data)
        await notebook.add(student, seed: seed)
        let duals = data.duals
        log("seed \(seed): \(data.templates.count) templates, \(duals.count) dual pairs")
    }

    /// The weights that an arm starts from.
    private func parentHash(_ arm: Arm, seed: UInt64) async throws -> String {
        guard let parent = arm.parent.flatMap({ table.arm($0) }) else {
            return try await notebook.student(seed).modelHash
        }
        if case .untrained = parent.recipe { return try await notebook.student(seed).modelHash }
        return try await notebook.chosen(parent, seed: seed, plan: plan).trial.modelHash
    }

    private func trial(_ arm: Arm, _ key: TrialKey) async throws {
        try check()
        let data = try await notebook.seedData(key.seed)
        let parent = try await parentHash(arm, seed: key.seed)
        var rollout: Rollout?
        var rolloutDigest: String?
        if needsRollout(arm), let source = table.rolloutArm {
            let name = Rollout.name(source, seed: key.seed)
            rollout = try await notebook.rollout(name)
            rolloutDigest = try await notebook.digest(ofRollout: name)
        }
        let print = try fingerprint(
            arm.recipe,
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
        if let rate = key.rate {
            let trainer = ArmTrainer(
                plan: plan,
                trainer: StageTrainer(store: store, workFolder: folder.appending(path: "work"), threads: 1),
                check: check
            )
            if let outcome = try trainer.train(
                arm,
                key: key,
                rate: rate,
                parent: parent,
                data: data,
                rollout: rollout
            ) {
                trial.modelHash = outcome.trained.stored.hash
                trial.tokens = outcome.trained.tokens
                trial.examples = outcome.examples
                trial.loss = outcome.trained.finalLoss
                trial.trainSeconds = outcome.trained.seconds
            } else {
                // The row then shows its parent's student, with 0 examples beside it.
                log("\(arm.id), seed \(key.seed): the teacher's traces give it nothing to learn from")
            }
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

    private func score(_ trial: inout Trial, _ arm: Arm, _ scorer: Scorer, _ data: SeedData, isSearch: Bool) throws {
        let suites =
            isSearch
            ? [SuiteName.development: data.problems.development]
            : data.problems.suites
        for (name, problems) in suites.sorted(by: { $0.key < $1.key }) {
            let outcomes = try scorer.solve(problems, style: arm.style)
            var result = SuiteResult(outcomes: Scorer.marks(outcomes.map(\.correct)))
            if name == SuiteName.test { trial.outputs = outcomes.prefix(8).map(\.output) }
            if arm.recipe == .selfCorrection {
                result.outcomes = Scorer.marks(try scorer.correct(problems, outcomes))
            } else if table.rolloutArm != nil, arm.recipe.isTrained, name == SuiteName.test {
                result.selfCorrected = Scorer.marks(try scorer.correct(problems, outcomes))
            }
            trial.suites[name] = result
        }
    }

    /// Written into fingerprints: to be raised when the same plan and data come to mean other work.
    static let version = 1

    private func run(_ probe: Probe) async throws {
        try check()
        let seed = plan.seeds[0]
        guard let parent = table.arm(probe.parent),
            case (let key, let start) = try await notebook.chosen(parent, seed: seed, plan: plan), let rate = key.rate
        else { throw ReproductionError("the probe \(probe.id) starts from \(probe.parent), which is no trained arm") }
        let name = "probes/\(probe.id)"
        struct Kept: Codable {
            var fingerprint: String
            var result: ProbeResult
        }
        let digest = try await notebook.digest(ofSeed: seed)
        let print = try fingerprint(probe, plan.withoutChoices, seed, digest, start.modelHash, Self.version)
        if let known = files.read(name, as: Kept.self), known.fingerprint == print {
            await notebook.add(known.result)
            return
        }
        let run = ProbeRun(
            probe: probe,
            plan: plan,
            data: try await notebook.seedData(seed),
            folder: try store.folder(start.modelHash),
            check: check
        )
        let result = try run.run(rate: rate * probe.rateShare)
        try files.write(Kept(fingerprint: print, result: result), name)
        await notebook.add(result)
        log("probe \(probe.id): \(result.points.last?.accuracy.map(percent) ?? "")")
    }

    private func percent(_ share: Double) -> String { Figures.percent(share) + " %" }
}
