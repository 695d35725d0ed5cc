import Distillation
import Foundation
import LanguageModel
import Reasoning
import Schemas
import Testing
import Tokenization
import Training

@testable import Reproduction

@Suite("The data of a seed, and what arms make of it")
struct SeedDataTests {
    private static let plan: ReproductionPlan = {
        var plan = ReproductionPlan.quick
        plan.trainingProblems = 120
        return plan
    }()

    private func codec(_ data: SeedData) throws -> (StudentCodec, URL) {
        let folder = FileManager.default.temporaryDirectory.appending(path: "reproduction-\(UUID().uuidString)")
        let store = try ModelStore(root: folder)
        let student = try StudentFactory.create(texts: data.texts, size: Self.plan.student, seed: 1, in: store)
        return (try StudentCodec(try Tokenizer(folder: student.folder)), folder)
    }

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
    }

    @Test("recipes choose the examples that they name")
    func recipes() async throws {
        let data = try await TeacherRun(seed: 1, plan: Self.plan).collect()
        let (codec, folder) = try codec(data)
        defer { try? FileManager.default.removeItem(at: folder) }
        let examples = ArmExamples(data: data, codec: codec, style: .chain)
        let right = examples.supervised([.right])
        let rectified = examples.supervised([.rectified])
        #expect(right.count == data.rightChains.count && !rectified.isEmpty)
        #expect(Set(right).isDisjoint(with: rectified))
        let counterfactual = examples.supervised([.counterfactual])
        #expect(counterfactual.count == data.duals.count)
        #expect(codec.tokenizer.decode(counterfactual[0].tokens).contains(ArmExamples.counterfactualMark))
        let corrections = examples.supervised([.corrections])
        #expect(corrections.count == data.corrections.count)
        #expect(corrections.count >= data.duals.count / 3)
        #expect(data.corrections.contains { $0.trace.firstWrongStep == nil })

        let corrupted = examples.duals(KeyStepRecipe { $0.pairs = .corrupted }).count
        let rectifiedPairs = examples.duals(KeyStepRecipe { $0.pairs = .rectified }).count
        #expect(corrupted + rectifiedPairs == data.duals.count)
        // Of each mistake pattern equally many.
        let counts = Set(ArmExamples.patterns.map { name in examples.duals(KeyStepRecipe { $0.mistake = name }).count })
        #expect(counts.count == 1)

        let authors = examples.keySteps(KeyStepRecipe(), seed: 1)
        #expect(authors.count == 2 * data.duals.count)
        let random = examples.keySteps(KeyStepRecipe { $0.isRandom = true }, seed: 1)
        for (edit, random) in zip(authors, random) {
            #expect(edit.tokens == random.tokens)
            #expect(edit.weights.filter { $0 != 0 }.count == random.weights.filter { $0 != 0 }.count)
        }
        #expect(authors != random)
        let negative = Set(authors.flatMap(\.weights).filter { $0 < 0 })
        #expect(negative == [-0.025])
        let mixed = examples.keySteps(KeyStepRecipe { $0.supervisedWeight = 0.5 }, seed: 1)
        #expect(mixed.count == authors.count + right.count + rectified.count)
        #expect(Set(try #require(mixed.last).weights) == [0, 0.5])
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
