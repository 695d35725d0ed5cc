import Distillation
import Foundation
import LanguageModel
import Schemas
import TensorEngine
import Testing

@testable import Reproduction

/// A reproduction's trainings are those of runs: the same recipe on the same material gives the same weights.
@Suite("A table's students against runs of their recipes")
struct ReproducedTrainingTests {
    private static let plan: ReproductionPlan = {
        var plan = ReproductionPlan.quick
        plan.seeds = [1]
        plan.trainingProblems = 30
        plan.rolloutProblems = 15
        plan.supervisedTokens = 8_000
        plan.supervisedPasses = 4
        plan.secondStageTokens = 3_000
        plan.testProblems = 6
        plan.developmentProblems = 6
        plan.outOfDomainProblems = 2
        return plan
    }()

    /// An arm with those that it starts from, and nothing that is compared.
    private static func table(_ arm: String, of whole: ReproductionTable) throws -> ReproductionTable {
        let arm = try #require(whole.arm(arm))
        return ReproductionTable(
            id: whole.id,
            title: whole.title,
            arms: whole.lineage(of: arm),
            claims: [],
            rolloutArm: whole.rolloutArm
        )
    }

    @Test("EDIT")
    func edit() async throws { try await compare("edit", of: .edit) }

    @Test("cross-model DPO")
    func crossModel() async throws { try await compare("cross-dpo", of: .supercorrect) }

    private func compare(_ arm: String, of whole: ReproductionTable) async throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "reproduced-\(UUID().uuidString)")
        defer { try? FileManager.default.removeItem(at: folder) }
        let table = try Self.table(arm, of: whole)
        let reproduction = try Reproduction(
            table: table,
            plan: Self.plan,
            folder: folder,
            workers: 2,
            check: {},
            log: { _ in }
        )
        let results = try await reproduction.run()
        let files = try ResultFiles(folder: folder)
        let rate = try #require(results.rates[arm])
        let trial = try #require(files.read(TrialKey(arm: arm, seed: 1, rate: rate).name, as: Trial.self))
        #expect(trial.examples > 0)

        // The recipe as an event, and the material as it lies in the folder, in another order.
        let recipe = try table.recipe(
            ofArm: arm,
            plan: Self.plan,
            seed: 1,
            rates: results.rates,
            student: try await reproduction.student(ofSeed: 1)
        )
        let run = try EventCoding.decode(RunEvent.self, from: EventCoding.encode(recipe))
        let material = try material(of: run, folder: folder, rolledOut: table.rolloutArm)
        let other = folder.appending(path: "other")
        let trainer = StageTrainer(
            store: try ModelStore(root: folder.appending(path: "models")),
            workFolder: other,
            threads: 1
        )
        var hashes = [RunStage.initial: run.student.modelHash]
        for stage in run.stagesInOrder {
            let parent = try #require(hashes[stage.parentName])
            let work = try StageWork(
                stage,
                of: run,
                material: material,
                codec: try trainer.codec(of: parent, prompt: run.prompt)
            )
            hashes[stage.name] = try trainer.train(work, from: parent, name: stage.name) { _ in }.stored.hash
        }
        #expect(hashes[arm] == trial.modelHash)
        // Each stage moved the student.
        #expect(Set(hashes.values).count == hashes.count)
    }

    private func material(of run: RunEvent, folder: URL, rolledOut: String?) throws -> StageMaterial {
        var generator = SeededGenerator(seed: 5)
        func lines<Event: EventPayload>(_ name: String, as type: Event.Type = Event.self) throws -> [Event] {
            let data = try Data(contentsOf: folder.appending(path: "data/seed-1/\(name).jsonl"))
            return try data.split(separator: UInt8(ascii: "\n"))
                .map { try EventCoding.decodeJSON(Event.self, from: Data($0)) }
                .shuffled(using: &generator)
        }
        let problems: [ProblemEvent] = try lines("problems")
        let rollout = try rolledOut.flatMap {
            try ResultFiles(folder: folder).read(Rollout.name($0, seed: 1), as: Rollout.self)
        }
        let entries = rollout?.training.shuffled(using: &generator) ?? []
        return StageMaterial(
            problems: problems.filter { $0.dataset == run.dataset && $0.split == .train },
            traces: try lines("traces"),
            attempts: entries.map(\.attempt),
            attempted: problems.filter { $0.split == .rollout },
            corrections: entries.map(\.trace).reversed()
        )
    }
}
