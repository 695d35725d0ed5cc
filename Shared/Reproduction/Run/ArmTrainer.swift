import Distillation
import Foundation
import Reasoning
import Schemas
import TensorEngine
import Training

/// Trains an arm by the trainers that the services use.
struct ArmTrainer: Sendable {
    let plan: ReproductionPlan
    let trainer: StageTrainer
    let check: @Sendable () throws -> Void

    /// What an arm's training came to.
    struct Outcome {
        var trained: StageTrainer.Trained
        var examples: Int
    }

    /// Trains one arm from its parent's student; `nil` where the teacher's traces give it nothing to learn from.
    func train(
        _ arm: Arm,
        key: TrialKey,
        rate: Double,
        parent: String,
        data: SeedData,
        rollout: Rollout?
    ) throws -> Outcome? {
        let codec = try trainer.codec(of: parent)
        let examples = ArmExamples(data: data, codec: codec, style: arm.style, rollout: rollout)
        let name = key.name.replacing("/", with: "_")
        let options = Self.options(arm.recipe, plan: plan, rate: rate, seed: key.seed)
        switch arm.recipe {
        case .untrained, .selfCorrection:
            throw ReproductionError("the arm \(arm.id) is not trained")
        case .supervised(let recipe):
            let found = examples.supervised(recipe.sources)
            return Outcome(trained: try supervised(parent, name, found, options), examples: found.count)
        case .keySteps(let recipe):
            let found = examples.keySteps(recipe, seed: key.seed)
            guard !found.isEmpty else { return nil }
            return Outcome(trained: try supervised(parent, name, found, options), examples: found.count)
        case .preference(let recipe):
            let pairs = examples.pairs(recipe)
            guard !pairs.isEmpty else { return nil }
            var preference = PreferenceOptions()
            preference.beta = recipe.beta
            preference.nllWeight = recipe.nllWeight
            preference.supervisedWeight = recipe.supervisedWeight
            let mixed = recipe.supervisedWeight > 0 ? examples.stageOne(recipe) : []
            let trained = try trainer.preference(
                from: parent,
                name: name,
                pairs: pairs,
                options: options,
                preference: preference,
                supervised: mixed
            ) { _ in try check() }
            return Outcome(trained: trained, examples: pairs.count)
        }
    }

    private func supervised(
        _ parent: String,
        _ name: String,
        _ examples: [SupervisedExample],
        _ options: TrainingOptions
    ) throws -> StageTrainer.Trained {
        try trainer.supervised(from: parent, name: name, examples: examples, options: options) { _ in try check() }
    }

    /// The optimiser's options: the same for all arms of a stage but for the rate and what the recipe itself says.
    static func options(
        _ recipe: Recipe,
        plan: ReproductionPlan,
        rate: Double,
        seed: UInt64
    ) -> TrainingOptions {
        var options = TrainingOptions(
            learningRate: rate,
            maximumTokens: plan.secondStageTokens,
            batchSequences: plan.batchSequences,
            schedule: .cosine,
            warmupRatio: 0.05,
            seed: seed
        )
        if case .supervised(let recipe) = recipe {
            switch recipe.length {
            case .tokens: options.maximumTokens = plan.supervisedTokens
            case .passes:
                options.maximumTokens = nil
                options.epochs = plan.supervisedPasses
            case .secondStage: break
            }
        }
        if case .keySteps(let recipe) = recipe {
            options.normalization = recipe.isNormalized ? .perSequence : .none
            if recipe.isBounded { options.negativeTokens = .unlikelihood }
        }
        return options
    }
}
