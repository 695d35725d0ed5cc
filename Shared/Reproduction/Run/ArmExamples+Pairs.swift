import Distillation
import Reasoning
import Schemas
import Training

extension ArmExamples {
    // MARK: Key steps

    /// Right and wrong chains with their signed token weights, and what is mixed in.
    func keySteps(_ recipe: KeyStepRecipe, seed: UInt64) throws -> [SupervisedExample] {
        var examples: [SupervisedExample] = []
        for dual in duals(recipe) {
            guard let texts = Self.texts(dual) else { continue }
            let location = KeyStepLocation(
                right: texts.right,
                wrong: texts.wrong,
                tokens: .student(codec.tokenizer),
                alpha: recipe.alpha,
                beta: recipe.beta,
                gamma: recipe.gamma,
                tieRule: .edit
            )
            for (side, end) in [(location.right, recipe.gamma), (location.wrong, 0)] {
                examples.append(
                    try SupervisedExamples.weighted(
                        side.text,
                        weights: side.weights,
                        endWeight: end,
                        question: dual.problem.question,
                        format: .chainOfThought,
                        codec: codec
                    )
                )
            }
        }
        guard recipe.supervisedWeight > 0 else { return examples }
        return examples
            + supervised([.right, .rectified]).map { example in
                var weighted = example
                weighted.weights = example.weights.map { $0 * recipe.supervisedWeight }
                return weighted
            }
    }

    // MARK: Preferences

    /// The pairs of a recipe.
    func pairs(_ recipe: PreferenceRecipe, rollout: Rollout?) throws -> [PreferenceExample] {
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
        case .instance: return corrections(recipe, rollout, layout: .instance)
        case .prefix: return corrections(recipe, rollout, layout: .prefix)
        case .step: return corrections(recipe, rollout, layout: .step)
        }
    }

    private func corrections(
        _ recipe: PreferenceRecipe,
        _ rollout: Rollout?,
        layout: PreferencePairs.Layout
    ) -> [PreferenceExample] {
        var seen: Set<[Int32]> = []
        return (rollout?.wrong ?? []).compactMap { entry in
            guard let trace = entry.correction, trace.verified, case .correction(let body) = trace.body else {
                return nil
            }
            let source = PreferencePairs.Source(
                id: entry.attempt.id,
                question: entry.problem.question,
                output: entry.attempt.output,
                correction: CorrectionTrace(body),
                selfCorrection: entry.attempt.selfCorrection.map { CorrectionTrace($0, steps: body.steps) }
            )
            guard
                let pair = try? PreferencePairs.pair(
                    source,
                    layout: layout,
                    tokenWeighted: recipe.isTokenWeighted,
                    codec: codec
                ),
                seen.insert(pair.prompt + [-1] + pair.chosen + [-1] + pair.rejected).inserted
            else { return nil }
            return pair
        }
    }

    /// The first stage's examples, for a supervised term.
    func stageOne(_ recipe: PreferenceRecipe) -> [SupervisedExample] {
        supervised(recipe.pairs == .duals ? [.right, .rectified] : [.templates, .corrections])
    }
}
