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

    private func ledger(seed: UInt64, errorRate: Double, rewording: Double = 0) -> DirectTeacherLedger {
        DirectTeacherLedger(
            teacher: InProcessTeacher(SimulatedTeacher(seed: seed, errorRate: errorRate, rewording: rewording))
        )
    }

    /// The ledger of everything but repeated samples.
    var ledger: DirectTeacherLedger { ledger(seed: seed, errorRate: plan.teacherErrorShare / Self.temperature) }

    /// All that the teacher makes of a seed's problems.
    func collect() async throws -> SeedData {
        let problems = try SeedProblems(seed: seed, plan: plan)
        var data = SeedData(
            seed: seed,
            problems: problems,
            traces: try await traces(of: problems.training),
            developmentTraces: try await traces(of: problems.development)
        )
        data.repeated = try await repeatedChains(of: data)
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

    /// As many further right chains as there are dual pairs, in whose place they are learned from.
    ///
    /// They are sampled by a teacher that makes no slips and words things otherwise, of the problems whose first chain is
    /// right, in rounds: of any other problem a further chain would be the first right one, which is no repeat.
    private func repeatedChains(of data: SeedData) async throws -> [TraceEvent] {
        let first = data.traces.filter { $0.verified && $0.kind == .chainOfThought }
        let wanted = data.duals.count
        var chains: [TraceEvent] = []
        for sample in 0..<(first.isEmpty ? 0 : (wanted + first.count - 1) / first.count) {
            let pipeline = TeachingPipeline(
                ledger: ledger(
                    seed: seed &+ UInt64(sample) << 32,
                    errorRate: 0,
                    rewording: 0.5 / Self.repeatTemperature
                ),
                options: TeachingOptions(temperature: Self.repeatTemperature)
            )
            for trace in first.prefix(wanted - chains.count) {
                try Task.checkCancellation()
                guard let problem = data.byID[trace.problemId],
                    let text = try await pipeline.chains(of: problem).rightChain
                else { continue }
                chains.append(repeated(trace, text: text, answer: problem.answer, sample: sample))
            }
        }
        return chains
    }

    /// A further chain of the problem of a trace; its id stands behind the first one's.
    private func repeated(_ first: TraceEvent, text: String, answer: String, sample: Int) -> TraceEvent {
        var trace = first
        trace.id = "\(first.id)-repeated-\(sample + 1)"
        trace.body = .chainOfThought(ChainOfThoughtBody(text: text, answer: answer, correct: true))
        trace.teacher.temperature = Self.repeatTemperature
        return trace
    }

    /// The teacher's correction of a wrong attempt.
    func correction(of attempt: AttemptEvent, problem: ProblemEvent) async throws -> TraceEvent? {
        try await TeachingPipeline(ledger: ledger).traces(of: attempt, problem: problem).first
    }

    /// Corrections of the dual pairs' wrong chains, and right chains that need none: what lets a student that was
    /// trained from nothing answer the correction prompt, as a pretrained one can without.
    private func corrections(of duals: [SeedData.Dual]) async throws -> [TraceEvent] {
        var corrections: [TraceEvent] = []
        // Every fourth pair's wrong chain and every fourth's right one: the format is soon learnt, and what is left of the
        // tokens goes into solving.
        for (index, dual) in duals.enumerated() {
            try Task.checkCancellation()
            switch index % 4 {
            case 0:
                guard var trace = try await correction(of: wrongAttempt(dual), problem: dual.problem), trace.verified
                else { continue }
                // Of no student's attempt, and of no run.
                (trace.attemptId, trace.runId) = (nil, nil)
                corrections.append(trace)
            case 2: corrections.append(approval(of: dual))
            default: break
            }
        }
        return corrections
    }

    /// The right chain of a dual pair as a checked one in which no step is wrong.
    private func approval(of dual: SeedData.Dual) -> TraceEvent {
        TraceEvent(
            id: DeterministicID.make(cause: dual.trace.id, parts: "approval"),
            problemId: dual.problem.id,
            verified: true,
            body: .correction(
                CorrectionBody(
                    steps: WorkedSolution.parse(dual.body.right).steps.map(\.text),
                    firstWrongStep: nil,
                    cause: "",
                    correction: "",
                    answer: dual.problem.answer
                )
            ),
            teacher: dual.trace.teacher
        )
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
