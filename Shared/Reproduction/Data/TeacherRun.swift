import Distillation
import Foundation
import PracticeDomain
import Reasoning
import Schemas
import Teaching

/// Has the simulated teacher work on a seed's problems, by the same pipeline as the TeacherIngestion service.
struct TeacherRun: Sendable {
    let seed: UInt64
    let plan: ReproductionPlan

    /// The temperature of a teacher's first answer.
    private static let temperature = TeachingOptions().temperature
    /// The temperature of repeated samples.
    private static let repeatTemperature = 0.7

    private func ledger(errorRate: Double, rewording: Double = 0) -> DirectTeacherLedger {
        DirectTeacherLedger(
            teacher: InProcessTeacher(SimulatedTeacher(seed: seed, errorRate: errorRate, rewording: rewording))
        )
    }

    /// The ledger of everything but repeated samples.
    var ledger: DirectTeacherLedger { ledger(errorRate: plan.teacherErrorShare / Self.temperature) }

    /// All that the teacher makes of a seed's problems.
    func collect() async throws -> SeedData {
        let problems = try SeedProblems(seed: seed, plan: plan)
        var data = SeedData(
            seed: seed,
            problems: problems,
            traces: try await traces(of: problems.training),
            repeated: try await repeatedChains(of: problems.training),
            developmentTraces: try await traces(of: problems.development)
        )
        data.corrections = try await corrections(of: data.duals)
        return data
    }

    /// Chains of all problems first, so that the examples of a corruption are drawn from the rectified pairs (EDIT,
    /// step 2b); then the rest.
    private func traces(of problems: [ProblemEvent]) async throws -> [TraceEvent] {
        let plain = TeachingPipeline(ledger: ledger)
        var chains: [ProblemChains] = []
        for problem in problems { chains.append(try await plain.chains(of: problem)) }
        let pairs = zip(problems, chains).compactMap { $1.demonstration(of: $0) }
        let pipeline = TeachingPipeline(
            ledger: ledger,
            demonstrations: RectifiedDemonstrations(pairs: pairs, seed: seed)
        )
        var traces: [TraceEvent] = []
        for (problem, chains) in zip(problems, chains) {
            try Task.checkCancellation()
            traces += try await pipeline.traces(of: problem, after: chains)
        }
        return traces
    }

    /// One further right chain a problem, sampled by a teacher that makes no slips and words things otherwise.
    private func repeatedChains(of problems: [ProblemEvent]) async throws -> [String: String] {
        let pipeline = TeachingPipeline(
            ledger: ledger(errorRate: 0, rewording: 0.5 / Self.repeatTemperature),
            options: TeachingOptions(temperature: Self.repeatTemperature)
        )
        var chains: [String: String] = [:]
        for problem in problems {
            chains[problem.id] = try await pipeline.chains(of: problem).rightChain
        }
        return chains
    }

    /// The teacher's correction of a wrong attempt.
    func correction(of attempt: AttemptEvent, problem: ProblemEvent) async throws -> TraceEvent? {
        try await TeachingPipeline(ledger: ledger).traces(of: attempt, problem: problem).first
    }

    /// Corrections of the dual pairs' wrong chains, and right chains that need none: what lets a student that was
    /// trained from nothing answer the correction prompt, as a pretrained one can without.
    private func corrections(of duals: [SeedData.Dual]) async throws -> [SeedData.Correction] {
        var corrections: [SeedData.Correction] = []
        // Every fourth pair's wrong chain and every fourth's right one: the format is soon learnt, and what is left of the
        // tokens goes into solving.
        for (index, dual) in duals.enumerated() {
            try Task.checkCancellation()
            switch index % 4 {
            case 0:
                let trace = try await correction(of: wrongAttempt(dual), problem: dual.problem)
                if let trace, trace.verified, case .correction(let body) = trace.body {
                    corrections.append(SeedData.Correction(problem: dual.problem, trace: CorrectionTrace(body)))
                }
            case 2:
                let steps = WorkedSolution.parse(dual.body.right).steps.map(\.text)
                let trace = CorrectionTrace(
                    steps: steps,
                    firstWrongStep: nil,
                    cause: nil,
                    correction: nil,
                    answer: dual.problem.answer
                )
                corrections.append(SeedData.Correction(problem: dual.problem, trace: trace))
            default: break
            }
        }
        return corrections
    }

    /// The wrong chain of a dual pair, as if a student had written it.
    private func wrongAttempt(_ dual: SeedData.Dual) -> AttemptEvent {
        AttemptEvent(
            id: DeterministicID.make(cause: dual.problem.id, parts: "dual-wrong"),
            runId: "reproduction-\(seed)",
            checkpointId: "none",
            problemId: dual.problem.id,
            sample: 0,
            output: dual.body.wrong,
            answer: dual.body.wrongAnswer,
            correct: false,
            promptFormat: StudentFormat.chainOfThought.rawValue
        )
    }
}
