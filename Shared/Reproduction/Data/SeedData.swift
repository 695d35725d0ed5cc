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
    /// Further right chains of training problems, by problem.
    let repeated: [String: String]
    /// Dual pairs of development problems, which nothing is trained on.
    let developmentTraces: [TraceEvent]

    /// The training problems by id.
    let byID: [String: ProblemEvent]

    /// Checked chains: wrong ones with the teacher's correction, right ones with none.
    var corrections: [Correction] = []

    /// A checked chain with its problem.
    struct Correction: Sendable, Encodable {
        let problem: ProblemEvent
        let trace: CorrectionTrace
    }

    /// A dual pair with its problem.
    struct Dual: Sendable {
        let problem: ProblemEvent
        let body: DualBody
    }

    init(
        seed: UInt64,
        problems: SeedProblems,
        traces: [TraceEvent],
        repeated: [String: String],
        developmentTraces: [TraceEvent]
    ) {
        self.seed = seed
        self.problems = problems
        self.traces = traces
        self.repeated = repeated
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
            return Dual(problem: problem, body: body)
        }
    }

    /// The teacher's own right chains (D+), by problem.
    var rightChains: [(problem: ProblemEvent, text: String)] {
        traces.compactMap { trace in
            guard trace.verified, case .chainOfThought(let body) = trace.body, let problem = byID[trace.problemId]
            else { return nil }
            return (problem, body.text)
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
