import Reasoning
import Schemas

/// Asks for a chain of thought and tells right from wrong (EDIT, steps 1 and 2a).
struct ChainStage: Sendable {
    let work: TeacherWork

    /// What came of asking for a chain.
    struct Outcome: Sendable {
        /// The last chain, empty when every answer was cut or empty.
        var text = ""
        /// The answer that was read from it.
        var answer: String?
        /// Whether that is the gold answer.
        var isCorrect = false
        /// By what the grader decided; nil without an answer.
        var rule: GradingRule?
        /// Why the chain is not verified.
        var failure: Refusal?
        /// Whether it has steps and announces an answer.
        var isChain = false
        var tally = CallTally()

        /// A wrong chain that a student could have written: it has steps and announces an answer, which is another one.
        var isWrong: Bool { !isCorrect && answer != nil && isChain }
    }

    /// Asks for a chain until one reaches an answer, right or wrong, by calculations that hold if it is right.
    func chain(_ problem: ProblemEvent) async throws -> Outcome {
        try await chain(of: problem) { _ in .chainOfThought(question: problem.question) }
    }

    /// Asks for a right chain with the answer as a hint (AHP), close to the wrong one where there is one.
    func rectified(_ problem: ProblemEvent, wrong: String) async throws -> Outcome {
        try await chain(of: problem, mustBeRight: true) { _ in
            .rectify(question: problem.question, answer: problem.answer, chain: wrong)
        }
    }

    private func chain(
        of problem: ProblemEvent,
        mustBeRight: Bool = false,
        question: (Int) -> TeacherRequest
    ) async throws -> Outcome {
        var outcome = Outcome()
        for attempt in 0..<work.options.attempts {
            let reply = try await work.ask(
                question(attempt),
                subject: problem.id,
                attempt: attempt,
                tally: &outcome.tally
            )
            if let failure = reply.refusal {
                // A usable chain of an earlier attempt stays.
                if outcome.text.isEmpty { outcome.failure = failure }
                continue
            }
            read(reply.text, gold: problem.answer, into: &outcome)
            if outcome.failure == nil || (outcome.isWrong && !mustBeRight) { return outcome }
        }
        return outcome
    }

    private func read(_ text: String, gold: String, into outcome: inout Outcome) {
        let tally = outcome.tally
        outcome = Self.graded(text, gold: gold)
        outcome.tally = tally
    }

    /// A chain, read and graded: by this the work and a replay of it come to the same verdict.
    static func graded(_ text: String, gold: String, grader: Grader = Grader()) -> Outcome {
        if let excess = ChainForm.excess(of: text) {
            var outcome = Outcome()
            outcome.text = text
            outcome.failure = excess
            return outcome
        }
        let solution = WorkedSolution.parse(text)
        let verdict = solution.answer.map { grader.verdict(gold: gold, predicted: $0) }
        var outcome = Outcome()
        outcome.text = text
        outcome.answer = solution.answer
        outcome.isCorrect = verdict?.isCorrect ?? false
        outcome.rule = verdict?.rule
        outcome.failure = failure(of: text, solution: solution, gold: gold, grader: grader)
        outcome.isChain = ChainForm.failure(of: text, solution: solution) == nil
        return outcome
    }

    /// Why a chain is not a right one; `nil` when it is.
    ///
    /// An answer that is not announced counts where the chain works something out: then its last number is a result, and
    /// not one of the question's.
    static func failure(
        of text: String,
        solution: WorkedSolution,
        gold: String,
        grader: Grader = Grader()
    ) -> Refusal? {
        if let excess = ChainForm.excess(of: text) { return excess }
        guard let answer = solution.answer else { return Refusal(.noAnswer, "no answer was found in the chain") }
        guard grader.isCorrect(gold: gold, predicted: answer) else {
            return Refusal(.wrongAnswer, "the answer \(answer.prefix(200)) is not \(gold.prefix(200))")
        }
        if let failure = ChainForm.failure(of: text, solution: solution),
            !solution.steps.contains(where: { !$0.calculations.isEmpty })
        {
            return failure
        }
        for step in solution.steps {
            for calculation in step.calculations where calculation.isCorrect == false {
                return Refusal(
                    .arithmetic,
                    "\(calculation.expression.prefix(200)) is not \(calculation.value.prefix(200))"
                )
            }
        }
        return LeakFilter.mentionsReference(text) ? Refusal(.leak, "the text mentions a given answer") : nil
    }

    /// The trace of a chain.
    func trace(_ outcome: Outcome, problem: ProblemEvent) throws -> TraceEvent {
        TraceEvent(
            id: DeterministicID.make(cause: problem.id, parts: TraceKind.chainOfThought.rawValue),
            problemId: problem.id,
            verified: outcome.failure == nil,
            failure: outcome.failure?.message,
            failureKind: outcome.failure?.kind.rawValue,
            body: .chainOfThought(
                ChainOfThoughtBody(text: outcome.text, answer: outcome.answer, correct: outcome.isCorrect)
            ),
            teacher: try outcome.tally.provenance(prompt: .chainOfThought, ledger: work.ledger),
            grader: Grader().stamp
        )
    }
}
