import Distillation
import Reasoning
import Schemas
import Training

/// The examples that an arm is trained on, made of a seed's data.
struct ArmExamples: Sendable {
    let data: SeedData
    let codec: StudentCodec
    let style: ResponseStyle
    /// Wrong attempts with their corrections, for arms that learn from them.
    var rollout: Rollout?

    /// The mark before the question of a wrong chain (EDIT, section 4.1).
    static let counterfactualMark = "[Counterfactual Reasoning] "

    // MARK: Whole responses

    func supervised(_ sources: [SupervisedRecipe.Source]) -> [SupervisedExample] {
        sources.flatMap(supervised)
    }

    private func supervised(_ source: SupervisedRecipe.Source) -> [SupervisedExample] {
        switch source {
        case .right:
            data.rightChains.map { chain($0.text, answer: $0.problem.answer, question: $0.problem.question) }
        case .rectified:
            data.duals.filter { $0.body.method == .rectified }.map {
                chain($0.body.right, answer: $0.problem.answer, question: $0.problem.question)
            }
        case .repeated:
            data.problems.training.compactMap { problem in
                data.repeated[problem.id].map { chain($0, answer: problem.answer, question: problem.question) }
            }
        case .counterfactual:
            data.duals.compactMap { dual in
                dual.body.wrongAnswer.map {
                    chain(dual.body.wrong, answer: $0, question: Self.counterfactualMark + dual.problem.question)
                }
            }
        case .templates:
            data.templates.map { problem, body in
                codec.supervised(
                    prompt: codec.prompt(style.format, question: problem.question),
                    response: style.response(ThoughtTemplate(body))
                )
            }
        case .corrections:
            data.corrections.map {
                SupervisedExamples.correction($0.trace, question: $0.problem.question, codec: codec)
            }
        case .steps:
            corrections(.init(layout: .step)).map { SupervisedExample(prompt: $0.prompt, response: $0.chosen) }
        }
    }

    private func chain(_ text: String, answer: String, question: String) -> SupervisedExample {
        SupervisedExamples.chain(text, answer: answer, question: question, codec: codec)
    }

    // MARK: Dual pairs

    /// The dual pairs of a recipe, in the problems' order.
    func duals(_ recipe: KeyStepRecipe) -> [SeedData.Dual] {
        let all = data.duals
        let chosen = all.filter { dual in
            switch recipe.pairs {
            case .all: true
            case .corrupted: dual.body.method == .corrupted
            case .rectified: dual.body.method == .rectified
            }
        }
        guard let mistake = recipe.mistake else { return chosen }
        let counts = Dictionary(grouping: chosen) { $0.body.mistake ?? "other" }.mapValues(\.count)
        let smallest = Self.patterns.map { counts[$0] ?? 0 }.min() ?? 0
        return Array(chosen.filter { $0.body.mistake == mistake }.prefix(smallest))
    }

    /// The mistake patterns that are compared with one another.
    static let patterns = ["logical", "knowledge", "calculation"]

    /// A dual pair as the student writes it.
    static func texts(_ dual: SeedData.Dual) -> (right: String, wrong: String)? {
        guard let wrongAnswer = dual.body.wrongAnswer else { return nil }
        return (
            StudentFormat.response(chain: dual.body.right, answer: dual.problem.answer),
            StudentFormat.response(chain: dual.body.wrong, answer: wrongAnswer)
        )
    }
}
