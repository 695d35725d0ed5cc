import Distillation
import PostgresClient
import Reasoning
import Schemas
import ServiceRuntime
import Training

/// The training data of a supervised stage, read from what the teacher's traces left in the database.
struct StageExamples: Sendable {
    let pool: PostgresPool
    let codec: StudentCodec

    /// Examples with their numbers by kind.
    struct Collected: Sendable {
        var examples: [SupervisedExample]
        var counts: [String: Int]
    }

    func collect(for stage: ReadyStage) async throws -> Collected {
        switch stage.stage {
        case .hsft: return try await templates(of: stage.run)
        case .krsl: return try await keySteps(of: stage.run)
        default: return try await chains(of: stage.run)
        }
    }

    private func problems(of run: RunEvent) async throws -> [String: ProblemEvent] {
        let problems = try await ProblemStore.problems(dataset: run.dataset, split: .train, from: pool)
        return Dictionary(uniqueKeysWithValues: problems.map { ($0.id, $0) })
    }

    private func templates(of run: RunEvent, weight: Float = 1) async throws -> Collected {
        let examples = SupervisedExamples.templates(
            of: try await TraceStore.verified(.template, dataset: run.dataset, from: pool),
            questions: try await ProblemStore.questions(dataset: run.dataset, split: .train, from: pool),
            codec: codec,
            weight: weight
        )
        return Collected(examples: examples, counts: ["templates": examples.count])
    }

    /// Right and wrong chains with the run's own signed token weights; `supervisedWeight` mixes the templates in.
    private func keySteps(of run: RunEvent) async throws -> Collected {
        let stage = run.stages.krsl ?? KeyStepStage()
        let options = try stage.keyStepOptions(seed: run.seed)
        let problems = try await problems(of: run)
        var collected = Collected(examples: [], counts: [:])
        let events = try await TraceStore.keySteps(KeyStepQuery(run), from: pool)
        for event in events {
            guard let problem = problems[event.problemId] else { continue }
            collected.examples += try SupervisedExamples.keySteps(
                of: event,
                question: problem.question,
                format: .hierarchicalThought,
                codec: codec,
                options: options
            ).examples
        }
        collected.counts["pairs"] = events.count
        if let weight = stage.supervisedWeight, weight > 0 {
            let templates = try await templates(of: run, weight: Float(weight))
            collected.examples += templates.examples
            collected.counts.merge(templates.counts) { $1 }
        }
        return collected
    }

    /// One right chain a problem: the teacher's own where it was right, else the rectified one.
    private func chains(of run: RunEvent) async throws -> Collected {
        let problems = try await problems(of: run)
        var chains: [String: String] = [:]
        var counts = ["chains": 0, "rectified": 0]
        for trace in try await TraceStore.verified(.chainOfThought, dataset: run.dataset, from: pool) {
            guard case .chainOfThought(let body) = trace.body else { continue }
            chains[trace.problemId] = body.text
            counts["chains", default: 0] += 1
        }
        for trace in try await TraceStore.verified(.dual, dataset: run.dataset, from: pool) {
            guard case .dual(let body) = trace.body, chains[trace.problemId] == nil else { continue }
            chains[trace.problemId] = body.right
            counts["rectified", default: 0] += 1
        }
        let examples = chains.keys.sorted().compactMap { id -> SupervisedExample? in
            guard let problem = problems[id], let chain = chains[id] else { return nil }
            return SupervisedExamples.chain(chain, answer: problem.answer, question: problem.question, codec: codec)
        }
        return Collected(examples: examples, counts: counts)
    }
}
