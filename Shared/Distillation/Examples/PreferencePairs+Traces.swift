public import Reasoning
public import Schemas
public import Training

extension PreferencePairs {
    /// A student's wrong attempt with the teacher's correction of it.
    public struct CorrectedAttempt: Sendable {
        /// The attempted problem.
        public var problem: ProblemEvent
        /// The attempt.
        public var attempt: AttemptEvent
        /// The trace of its correction.
        public var trace: TraceEvent

        /// Creates a corrected attempt.
        public init(problem: ProblemEvent, attempt: AttemptEvent, trace: TraceEvent) {
            self.problem = problem
            self.attempt = attempt
            self.trace = trace
        }
    }

    /// Pairs with their number under `pairs`, and the number of attempts that gave none by reason.
    public struct Collected: Sendable {
        /// The pairs, in the attempts' order.
        public var pairs: [PreferenceExample] = []
        /// The numbers: `pairs`, `unverified`, `repeated`, and each ``Refusal``.
        public var counts: [String: Int] = [:]
    }

    /// Makes pairs of corrected attempts; traces that are no corrections are passed over.
    public static func collect(
        _ attempts: [CorrectedAttempt],
        options: Options,
        format: StudentFormat = .hierarchicalThought,
        codec: StudentCodec
    ) throws -> Collected {
        var collected = Collected()
        var seen: Set<[Int32]> = []
        for corrected in attempts {
            guard case .correction(let body) = corrected.trace.body else { continue }
            guard corrected.trace.verified else {
                collected.counts["unverified", default: 0] += 1
                continue
            }
            let source = Source(
                id: corrected.attempt.id,
                question: corrected.problem.question,
                output: corrected.attempt.output,
                correction: CorrectionTrace(body),
                selfCorrection: corrected.attempt.selfCorrection.map { CorrectionTrace($0, steps: body.steps) },
                solution: corrected.problem.solution
            )
            do {
                let pair = try pair(
                    source,
                    options: options,
                    format: StudentFormat(rawValue: corrected.attempt.promptFormat) ?? format,
                    codec: codec
                )
                // Samples of one problem often share the same first wrong step: one pair says it all.
                guard seen.insert(pair.prompt + [-1] + pair.chosen + [-1] + pair.rejected).inserted else {
                    collected.counts["repeated", default: 0] += 1
                    continue
                }
                collected.pairs.append(pair)
            } catch let refusal as Refusal {
                collected.counts[refusal.rawValue, default: 0] += 1
            }
        }
        collected.counts["pairs"] = collected.pairs.count
        return collected
    }
}

extension CorrectionTrace {
    /// The teacher's correction in a trace.
    public init(_ body: CorrectionBody) {
        self.init(
            steps: body.steps,
            firstWrongStep: body.firstWrongStep,
            cause: body.cause,
            correction: body.correction,
            answer: body.answer
        )
    }

    /// A student's own correction of an attempt.
    public init(_ own: SelfCorrection, steps: [String]) {
        self.init(
            steps: steps,
            firstWrongStep: own.firstWrongStep,
            cause: own.cause,
            correction: own.correction,
            answer: own.answer ?? ""
        )
    }
}
