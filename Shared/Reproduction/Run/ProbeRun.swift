import Distillation
import Foundation
import LanguageModel
import Reasoning
import Schemas
import TensorEngine
import Tokenization
import Training

extension Reproduction {
    /// Follows a probe's training, if that is not done yet.
    func run(_ probe: Probe) async throws {
        try check()
        let seed = plan.seeds[0]
        guard let parent = table.arm(probe.parent),
            case (let key, let start) = try await notebook.chosen(parent, seed: seed, plan: plan), let rate = key.rate
        else { throw ReproductionError("the probe \(probe.id) starts from \(probe.parent), which is no trained arm") }
        let recipe = try await recipe(of: probe.arm, seed: seed, rate: rate * probe.rateShare)
        let name = "probes/\(probe.id)"
        struct Kept: Codable {
            var fingerprint: String
            var result: ProbeResult
        }
        let digest = try await notebook.digest(ofSeed: seed)
        let print = try fingerprint(recipe, plan.withoutChoices, digest, start.modelHash, Self.version)
        if let known = files.read(name, as: Kept.self), known.fingerprint == print {
            await notebook.add(known.result)
            return
        }
        let run = ProbeRun(
            id: probe.id,
            recipe: recipe,
            plan: plan,
            data: try await notebook.seedData(seed),
            folder: try store.folder(start.modelHash),
            check: check
        )
        let result = try run.run()
        try files.write(Kept(fingerprint: print, result: result), name)
        await notebook.add(result)
        log("probe \(probe.id): \(result.points.last?.accuracy.map(percent) ?? "")")
    }
}

/// Trains by KRSL and looks at what becomes of key and other tokens of pairs that nothing was trained on.
struct ProbeRun {
    let id: String
    /// The run whose stage of this id is followed.
    let recipe: RunEvent
    let plan: ReproductionPlan
    let data: SeedData
    /// Of the model that the stage starts from.
    let folder: URL
    let check: @Sendable () throws -> Void

    /// How many dual pairs are looked at.
    private static let pairs = 150
    /// How often in the course of the training.
    private static let looks = 16

    func run() throws -> ProbeResult {
        guard let stage = recipe.stage(id) else { throw ReproductionError("the run \(recipe.id) has no stage \(id)") }
        let model = try CausalLanguageModel.load(folder: folder, context: ComputeContext(threads: 1))
        let codec = try StudentCodec(folder: folder, prompt: recipe.prompt)
        let work = try StageWork(stage, of: recipe, material: data.material(), codec: codec)
        // Not by StageTrainer, which does not hand out the model while it trains.
        let trainer = try SupervisedTrainer(model: model, examples: work.examples.supervised, options: work.options)
        let watched = try WatchedPairs(Array(data.developmentDuals.prefix(Self.pairs)), codec: codec)
        let scorer = Scorer(model: model, codec: codec, plan: plan, check: check)
        let every = max(1, trainer.totalSteps / Self.looks)
        var result = ProbeResult(probe: id, rate: work.options.learningRate, points: [])
        func look(step: Int) throws {
            var point = try watched.look(at: model)
            point.step = step
            let looks = result.points.count
            // Solving takes longer than looking at probabilities: every fourth time is enough.
            if looks % 4 == 0 || step == trainer.totalSteps {
                let outcomes = try scorer.solve(data.problems.development, style: .chain)
                point.accuracy = Double(outcomes.count(where: \.correct)) / Double(max(1, outcomes.count))
            }
            result.points.append(point)
        }
        try look(step: 0)
        _ = try trainer.run { step in
            try check()
            if step.step % every == 0 || step.step == step.totalSteps { try look(step: step.step) }
        }
        return result
    }
}

/// Dual pairs whose tokens are watched, key and other ones apart.
struct WatchedPairs {
    private var sequences: [[TokenID]] = []
    /// For each sequence the places of key tokens and of the others, as indices into log-probabilities.
    private var keys: [[Int]] = []
    private var others: [[Int]] = []

    /// Right and wrong chains take turns.
    init(_ duals: [SeedData.Dual], codec: StudentCodec) throws {
        for dual in duals {
            guard let texts = dual.texts else { continue }
            let location = KeyStepLocation(
                right: texts.right,
                wrong: texts.wrong,
                tokens: .student(codec.tokenizer),
                options: KeyStepOptions(beta: 1)
            )
            let prompt = try codec.prompt(.chainOfThought, question: dual.problem.question)
            for side in [location.right, location.wrong] {
                sequences.append(prompt + codec.response(side.text))
                let first = prompt.count - 1
                keys.append(side.weights.indices.filter { side.weights[$0] != 0 }.map { first + $0 })
                others.append(side.weights.indices.filter { side.weights[$0] == 0 }.map { first + $0 })
            }
        }
    }

    func look(at model: CausalLanguageModel) throws -> ProbeResult.Point {
        let found = try model.logProbabilities(sequences)
        func mean(_ side: Int, _ places: [[Int]]) -> Double {
            var sum = 0.0
            var count = 0
            for index in stride(from: side, to: found.count, by: 2) {
                for place in places[index] { sum += Double(found[index][place]) }
                count += places[index].count
            }
            return sum / Double(max(1, count))
        }
        return ProbeResult.Point(
            step: 0,
            rightKey: mean(0, keys),
            rightOther: mean(0, others),
            wrongKey: mean(1, keys),
            wrongOther: mean(1, others)
        )
    }
}
