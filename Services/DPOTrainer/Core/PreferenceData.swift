import Distillation
import PostgresClient
import Reasoning
import Schemas
import ServiceRuntime
import Training

/// Preference pairs from a run's wrong attempts and the teacher's corrections of them.
struct PreferenceData: Sendable {
    /// Pairs with their numbers, and the number of attempts that gave none by reason.
    struct Collected: Sendable {
        var pairs: [PreferenceExample] = []
        var counts: [String: Int] = [:]
    }

    let pool: PostgresPool
    let codec: StudentCodec
    let options: PreferencePairs.Options

    /// The thought templates that stage one was trained on, for the supervised term.
    func templates(of run: RunEvent) async throws -> [SupervisedExample] {
        SupervisedExamples.templates(
            of: try await TraceStore.verified(.template, dataset: run.dataset, from: pool),
            questions: try await ProblemStore.questions(dataset: run.dataset, split: .train, from: pool),
            codec: codec
        )
    }

    func collect(run: RunEvent) async throws -> Collected {
        let problems = Dictionary(
            uniqueKeysWithValues: try await ProblemStore.problems(
                dataset: run.dataset,
                split: run.rollout.split,
                from: pool
            ).map { ($0.id, $0) }
        )
        let attempts = try await EvaluationStore.wrongAttempts(run: run.id, from: pool)
        let byID = Dictionary(uniqueKeysWithValues: attempts.map { ($0.id, $0) })
        var collected = Collected()
        var seen: Set<[Int32]> = []
        for trace in try await TraceStore.corrections(run: run.id, from: pool) {
            guard case .correction(let body) = trace.body, let attempt = trace.attemptId.flatMap({ byID[$0] }),
                let problem = problems[attempt.problemId]
            else { continue }
            guard trace.verified else {
                collected.counts["unverified", default: 0] += 1
                continue
            }
            let source = PreferencePairs.Source(
                id: attempt.id,
                question: problem.question,
                output: attempt.output,
                correction: CorrectionTrace(body),
                selfCorrection: attempt.selfCorrection.map { CorrectionTrace($0, steps: body.steps) },
                solution: problem.solution
            )
            do {
                let pair = try PreferencePairs.pair(source, options: options, codec: codec)
                // Samples of one problem often share the same first wrong step: one pair says it all.
                guard seen.insert(pair.prompt + [-1] + pair.chosen + [-1] + pair.rejected).inserted else {
                    collected.counts["repeated", default: 0] += 1
                    continue
                }
                collected.pairs.append(pair)
            } catch {
                collected.counts[error.rawValue, default: 0] += 1
            }
        }
        collected.counts["pairs"] = collected.pairs.count
        return collected
    }
}

extension CorrectionTrace {
    /// The teacher's correction in a trace.
    init(_ body: CorrectionBody) {
        self.init(
            steps: body.steps,
            firstWrongStep: body.firstWrongStep,
            cause: body.cause,
            correction: body.correction,
            answer: body.answer
        )
    }

    /// A student's own correction of an attempt.
    init(_ own: SelfCorrection, steps: [String]) {
        self.init(
            steps: steps,
            firstWrongStep: own.firstWrongStep,
            cause: own.cause,
            correction: own.correction,
            answer: own.answer ?? ""
        )
    }
}
