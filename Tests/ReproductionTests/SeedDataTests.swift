import Distillation
import Foundation
import Reasoning
import Schemas
import Testing

@testable import Reproduction

@Suite("The data of a seed")
struct SeedDataTests {
    private static let plan: ReproductionPlan = {
        var plan = ReproductionPlan.quick
        plan.trainingProblems = 120
        return plan
    }()

    @Test("splits and suites share no problem, and out-of-domain is what it says")
    func splits() throws {
        let problems = try SeedProblems(seed: 1, plan: Self.plan)
        let all = [problems.training, problems.rollout, problems.development] + problems.suites.values
        let questions = all.flatMap { $0.map(\.question) }
        #expect(Set(questions).count == questions.count)
        let trained = Set(problems.training.compactMap(\.family))
        let unseen = Set(try #require(problems.suites[SuiteName.families]).compactMap(\.family))
        #expect(!trained.isEmpty && !unseen.isEmpty && trained.isDisjoint(with: unseen))
        let longest = try #require(problems.training.compactMap(\.steps).max())
        #expect(try #require(problems.suites[SuiteName.longer]).allSatisfy { ($0.steps ?? 0) > longest })
        // What a run names a suite by.
        #expect(Set(problems.suites.values.flatMap { $0 }.map(\.dataset)).count == 3)
        #expect(all.flatMap { $0 }.allSatisfy { $0.dataset.hasPrefix("reproduction-1") })
        let again = try SeedProblems(seed: 1, plan: Self.plan)
        #expect(again.training == problems.training)
        #expect(try SeedProblems(seed: 2, plan: Self.plan).training != problems.training)
    }

    @Test("the teacher errs as often as planned, and pairs are verified on both sides")
    func teacher() async throws {
        let data = try await TeacherRun(seed: 1, plan: Self.plan).collect()
        let chains = data.traces.filter { $0.kind == .chainOfThought }
        let wrong = chains.count { !$0.verified }
        // 27 % of 120, five standard deviations wide.
        #expect((9...57).contains(wrong))
        #expect(data.duals.contains { $0.body.method == .rectified })
        #expect(data.duals.contains { $0.body.method == .corrupted })
        for dual in data.duals {
            func answer(_ text: String) -> Bool {
                AnswerExtraction.extract(text).map {
                    AnswerEquivalence.equivalent(gold: dual.problem.answer, predicted: $0)
                } ?? false
            }
            #expect(answer(dual.body.right) && !answer(dual.body.wrong))
        }
        let again = try await TeacherRun(seed: 1, plan: Self.plan).collect()
        #expect(again.traces == data.traces)
        #expect(again.repeated == data.repeated)
        #expect(try fingerprint(again) == fingerprint(data))
        var other = data
        other.corrections.removeLast()
        #expect(try fingerprint(other) != fingerprint(data))
        #expect(again.corrections == data.corrections)
    }

    @Test("further chains are repeats: behind the first one of their problem, as many as pairs, and worded otherwise")
    func repeated() async throws {
        let data = try await TeacherRun(seed: 1, plan: Self.plan).collect()
        let first = Dictionary(
            grouping: data.traces.filter { $0.verified && $0.kind == .chainOfThought },
            by: \.problemId
        )
        #expect(data.repeated.count == data.duals.count)
        #expect(Set(data.repeated.map(\.id)).count == data.repeated.count)
        var reworded = 0
        for trace in data.repeated {
            try trace.validate()
            let chain = try #require(first[trace.problemId]?.first)
            #expect(chain.id.utf8.lexicographicallyPrecedes(trace.id.utf8))
            guard case .chainOfThought(let body) = trace.body, case .chainOfThought(let own) = chain.body else {
                continue
            }
            #expect(body.correct && body.answer == data.byID[trace.problemId]?.answer)
            if body.text != own.text { reworded += 1 }
        }
        #expect(reworded > data.repeated.count / 4)
    }

    @Test("corrections are of no attempt and no run: half of wrong chains, half of right ones that may stand")
    func corrections() async throws {
        let data = try await TeacherRun(seed: 1, plan: Self.plan).collect()
        #expect(data.corrections.count >= data.duals.count / 3)
        var named = 0
        for trace in data.corrections {
            #expect(trace.verified && trace.attemptId == nil && trace.runId == nil)
            guard case .correction(let body) = trace.body else { continue }
            #expect(body.answer == data.byID[trace.problemId]?.answer && !body.steps.isEmpty)
            if let step = body.firstWrongStep {
                named += 1
                #expect(body.steps[step] != body.correction)
            } else {
                #expect(body.cause.isEmpty && body.correction.isEmpty)
            }
        }
        #expect(abs(2 * named - data.corrections.count) <= data.corrections.count / 3)
    }

    @Test("stages learn from the training problems and all that the teacher made of them")
    func material() async throws {
        let data = try await TeacherRun(seed: 1, plan: Self.plan).collect()
        let material = data.material()
        #expect(Set(material.problems.map(\.id)) == Set(data.problems.training.map(\.id)))
        let verified = data.traces.filter(\.verified) + data.repeated + data.corrections
        #expect(Set(material.traces.map(\.id)) == Set(verified.map(\.id)))
        #expect(Set(data.learned.map(\.id)).count == data.learned.count)
        #expect(material.attempts.isEmpty && material.corrections.isEmpty)
    }

    @Test(
        "every arm's parent and comparisons stand before or beside it",
        arguments: [ReproductionTable.edit, .supercorrect]
    )
    func tables(table: ReproductionTable) throws {
        var seen: Set<String> = []
        let names = Set(table.arms.map(\.id))
        #expect(names.count == table.arms.count)
        for arm in table.arms {
            if let parent = arm.parent { #expect(seen.contains(parent), "\(arm.id) stands before its parent") }
            #expect(names.isSuperset(of: arm.against))
            seen.insert(arm.id)
        }
        for claim in table.claims { #expect(names.contains(claim.arm) && names.contains(claim.against)) }
        for probe in table.probes { #expect(names.contains(probe.parent)) }
        if let source = table.rolloutArm { #expect(names.contains(source)) }
    }

    @Test("a verdict takes the interval and every seed")
    func verdicts() {
        func verdict(_ difference: Double, _ low: Double, _ high: Double, _ seeds: [Double]) -> ClaimResult.Verdict {
            Reproduction.verdict(
                .above,
                Comparison(
                    against: "other",
                    suite: SuiteName.test,
                    difference: difference,
                    low: low,
                    high: high,
                    pValue: 0.01,
                    bySeed: seeds
                )
            )
        }
        #expect(verdict(0.05, 0.01, 0.09, [0.04, 0.05, 0.06]) == .shown)
        #expect(verdict(0.05, 0.01, 0.09, [0.16, 0, -0.01]) == .inDirection)
        #expect(verdict(0.02, -0.01, 0.05, [0.02, 0.02, 0.02]) == .inDirection)
        #expect(verdict(-0.02, -0.05, 0.01, [-0.02, -0.02, -0.02]) == .notShown)
        #expect(verdict(0, 0, 0, [0, 0, 0]) == .notShown)
        #expect(verdict(-0.05, -0.09, -0.01, [-0.04, -0.05, -0.06]) == .reversed)
    }
}
