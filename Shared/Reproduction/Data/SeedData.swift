import Distillation
import Foundation
import PracticeDomain
import Reasoning
import Schemas
import Teaching

/// The problems of one seed with all that the teacher made of them.
struct SeedData: Sendable, Encodable {
    let seed: UInt64
    let problems: SeedProblems
    /// The traces of training problems: chains, templates, inspections, dual pairs.
    let traces: [TraceEvent]
    /// The traces of development problems, which nothing is trained on.
    let developmentTraces: [TraceEvent]
    /// Further right chains of training problems whose first chain is right.
    var repeated: [TraceEvent] = []
    /// Checked chains of training problems: wrong ones with the teacher's correction, right ones with none.
    var corrections: [TraceEvent] = []

    /// The problems of training and development by id.
    let byID: [String: ProblemEvent]

    /// A dual pair with its problem.
    struct Dual: Sendable {
        let problem: ProblemEvent
        let trace: TraceEvent
        let body: DualBody

        /// Both chains as a student writes them.
        var texts: (right: String, wrong: String)? {
            DualRendering.texts(of: body, answer: problem.answer, format: .chainOfThought, template: nil)
        }
    }

    /// All traces that stages learn from.
    var learned: [TraceEvent] { traces + repeated + corrections }

    /// What the stages of a recipe learn from.
    ///
    /// Arguments:
    ///   - rollout: wrong attempts with their corrections, for stages that learn from them.
    func material(_ rollout: Rollout? = nil) -> StageMaterial {
        let entries = rollout?.training ?? []
        return StageMaterial(
            problems: problems.training,
            traces: learned,
            attempts: entries.map(\.attempt),
            attempted: entries.map(\.problem),
            corrections: entries.map(\.trace)
        )
    }

    init(
        seed: UInt64,
        problems: SeedProblems,
        traces: [TraceEvent],
        developmentTraces: [TraceEvent]
    ) {
        self.seed = seed
        self.problems = problems
        self.traces = traces
        self.developmentTraces = developmentTraces
        byID = Dictionary((problems.training + problems.development).map { ($0.id, $0) }) { first, _ in first }
    }

    /// Verified dual pairs of training problems, in the problems' order.
    var duals: [Dual] { duals(of: traces) }

    /// Verified dual pairs of development problems.
    var developmentDuals: [Dual] { duals(of: developmentTraces) }

    private func duals(of traces: [TraceEvent]) -> [Dual] {
        traces.compactMap { trace in
            guard trace.verified, case .dual(let body) = trace.body, let problem = byID[trace.problemId] else {
                return nil
            }
            return Dual(problem: problem, trace: trace, body: body)
        }
    }

    /// Verified templates with their problems.
    var templates: [(problem: ProblemEvent, template: TemplateBody)] {
        traces.compactMap { trace in
            guard trace.verified, case .template(let body) = trace.body, let problem = byID[trace.problemId] else {
                return nil
            }
            return (problem, body)
        }
    }

    /// Every text that a tokenizer should know.
    var texts: [String] {
        problems.training.map(\.question)
            + traces.filter { $0.verified && ($0.kind == .template || $0.kind == .dual) }.flatMap(\.body.texts)
    }
}
