import Distillation
import Reasoning
import Schemas
import Training

extension ArmExamples {
    // MARK: Key steps

    /// Right and wrong chains with their signed token weights, and what is mixed in.
    func keySteps(_ recipe: KeyStepRecipe, seed: UInt64) -> [SupervisedExample] {
        let options = KeyStepOptions(
            alpha: recipe.alpha,
            beta: recipe.beta,
            gamma: recipe.gamma,
            keyTokens: recipe.isRandom ? .random(seed: seed) : .edit
        )
        let examples = duals(recipe).flatMap { dual in
            Self.texts(dual).map { texts in
                SupervisedExamples.keySteps(
                    right: texts.right,
                    wrong: texts.wrong,
                    question: dual.problem.question,
                    format: .chainOfThought,
                    codec: codec,
                    options: options
                ).examples
            } ?? []
        }
        guard recipe.supervisedWeight > 0 else { return examples }
        return examples
            + supervised([.right, .rectified]).map { $0.weighted(by: Float(recipe.supervisedWeight)) }
    }

    // MARK: Preferences

    /// The pairs of a recipe.
    func pairs(_ recipe: PreferenceRecipe) -> [PreferenceExample] {
        switch recipe.pairs {
        case .duals:
            return duals(KeyStepRecipe()).compactMap { dual in
                guard let texts = Self.texts(dual) else { return nil }
                return PreferenceExample(
                    id: dual.problem.id,
                    prompt: codec.prompt(.chainOfThought, question: dual.problem.question),
                    chosen: codec.response(texts.right),
                    rejected: codec.response(texts.wrong)
                )
            }
        case .instance: return corrections(.init(layout: .instance))
        case .prefix: return corrections(.init(layout: .prefix, tokenWeighted: recipe.isTokenWeighted))
        case .step: return corrections(.init(layout: .step, tokenWeighted: recipe.isTokenWeighted))
        }
    }

    func corrections(_ options: PreferencePairs.Options) -> [PreferenceExample] {
        PreferencePairs.collect(rollout?.corrected ?? [], options: options, codec: codec).pairs
    }

    /// The first stage's examples, for a supervised term.
    func stageOne(_ recipe: PreferenceRecipe) -> [SupervisedExample] {
        supervised(recipe.pairs == .duals ? [.right, .rectified] : [.templates, .corrections])
    }
}
