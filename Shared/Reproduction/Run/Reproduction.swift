import Distillation
public import Foundation
import LanguageModel
public import Schemas

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
        return plan.rates(arm).map { search(arm.id, $0) }
    }

    private func add(_ arm: Arm, to graph: inout JobGraph) {
        let rates = plan.rates(arm)
        func needs(_ seed: UInt64) -> [String] {
            var names = ["data \(seed)"]
            if let parent = arm.parent.flatMap({ table.arm($0) }) { names += student(parent, seed) }
            if arm.stage?.needsRollout == true, let source = table.rolloutArm { names.append(rollout(source, seed)) }
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
        guard let source = table.rolloutArm, arm.isTrained else { return }
        for seed in plan.seeds {
            graph.add("skill \(arm.id) \(seed)", needs: [final(arm.id, seed), rollout(source, seed)]) {
                try await measureSkill(arm, seed: seed, rollout: source)
            }
        }
    }

    // MARK: Seeds

    /// The untrained student of a seed, as a run names it.
    ///
    /// Makes the seed's problems and traces (`data/seed-N` in the folder) and the student (in its `models`), which need not
    /// be done beforehand and takes seconds; the same seed and plan give the same.
    ///
    /// - Throws: `ReasoningError` when the domain has not so many problems as the plan wants, what the model store throws,
    ///   or what `check` throws.
    public func student(ofSeed seed: UInt64) async throws -> StudentReference {
        try await prepare(seed)
        return try await notebook.student(seed).reference
    }

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
            student = Notebook.Student(
                fingerprint: print,
                modelHash: created.hash,
                tokenizerFingerprint: created.tokenizerFingerprint
            )
            try files.write(student, name)
        }
        try await notebook.add(data)
        await notebook.add(student, seed: seed)
        let duals = data.duals
        log("seed \(seed): \(data.templates.count) templates, \(duals.count) dual pairs")
    }

    /// Written into fingerprints: to be raised when the same plan and data come to mean other work.
    static let version = 2
}
