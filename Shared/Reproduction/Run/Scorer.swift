import Distillation
import Foundation
import LanguageModel
import Reasoning
import Schemas
import TensorEngine
import Tokenization

/// Lets a student solve problems, as the Evaluator service does.
struct Scorer {
    let solver: StudentSolver
    let plan: ReproductionPlan
    let check: @Sendable () throws -> Void

    init(
        model: CausalLanguageModel,
        codec: StudentCodec,
        plan: ReproductionPlan,
        check: @escaping @Sendable () throws -> Void
    ) {
        solver = StudentSolver(model: model, codec: codec)
        self.plan = plan
        self.check = check
    }

    /// A student out of the store, computed on one thread.
    init(folder: URL, plan: ReproductionPlan, check: @escaping @Sendable () throws -> Void) throws {
        self.init(
            model: try CausalLanguageModel.load(folder: folder, context: ComputeContext(threads: 1)),
            codec: try StudentCodec(try Tokenizer(folder: folder)),
            plan: plan,
            check: check
        )
    }

    var greedy: GenerationParameters {
        GenerationParameters(maximumNewTokens: plan.maximumNewTokens, temperature: 0)
    }

    /// Greedy decoding of answers in a style.
    private func parameters(_ style: ResponseStyle) -> GenerationParameters {
        GenerationParameters(maximumNewTokens: plan.maximumNewTokens(style), temperature: 0)
    }

    /// The outcomes on problems, greedily.
    func solve(_ problems: [ProblemEvent], style: ResponseStyle) throws -> [StudentSolver.Outcome] {
        try solver.solve(problems.map(Self.task), format: style.format, parameters: parameters(style)) { _ in
            try check()
        }
    }

    /// Whether the answers are right after a second pass, in which the student corrects what it wrote.
    func correct(_ problems: [ProblemEvent], _ outcomes: [StudentSolver.Outcome]) throws -> [Bool] {
        try solver.selfCorrect(
            zip(problems, outcomes).map { (Self.task($0), $1) },
            parameters: StudentSolver.correctionParameters(greedy)
        ) { _ in try check() }.map(\.correct)
    }

    static func task(_ problem: ProblemEvent) -> StudentSolver.Task {
        StudentSolver.Task(question: problem.question, gold: problem.answer)
    }

    /// One character an outcome.
    static func marks(_ outcomes: [Bool]) -> String { String(outcomes.map { $0 ? "1" : "0" }) }
}
