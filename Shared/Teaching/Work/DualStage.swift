import Reasoning
import Schemas

/// Makes a dual pair: a wrong chain is rectified, a right one is corrupted (EDIT, steps 2a and 2b).
struct DualStage: Sendable {
    let work: TeacherWork
    let demonstrations: any DemonstrationSource

    /// What came of it.
    struct Outcome: Sendable {
        var body: DualBody
        var failure: Refusal?
        var tally = CallTally()
        var prompt: PromptID

        /// A right chain that passed every check, also where no pair came of it.
        var rightChain: String?
    }

    /// Makes the pair of a problem from the teacher's own chain.
    ///
    /// A wrong chain is rectified. A right one is corrupted; so is, where the teacher did not get to a right one even
    /// with the answer as a hint, the problem's reference solution.
    func pair(_ problem: ProblemEvent, chains: ProblemChains) async throws -> Outcome {
        try await classified(try await unclassified(problem, chains: chains), problem: problem)
    }

    private func unclassified(_ problem: ProblemEvent, chains: ProblemChains) async throws -> Outcome {
        let chain = chains.chain
        guard let rectified = chains.rectified else {
            return try await corrupted(chain.text, answer: chain.answer, problem: problem, tally: CallTally())
        }
        if rectified.failure == nil {
            guard chain.isWrong else {
                return try await corrupted(
                    rectified.text,
                    answer: rectified.answer,
                    problem: problem,
                    tally: rectified.tally
                )
            }
            let body = DualBody(
                right: rectified.text,
                wrong: chain.text,
                rightAnswer: rectified.answer,
                wrongAnswer: chain.answer,
                method: .rectified,
                attempts: rectified.tally.answers.count
            )
            return Outcome(body: body, tally: rectified.tally, prompt: .rectify, rightChain: rectified.text)
        }
        if let reference = Self.referenceChain(problem) {
            return try await corrupted(reference, answer: problem.answer, problem: problem, tally: rectified.tally)
        }
        let body = DualBody(
            right: rectified.text,
            wrong: chain.text,
            rightAnswer: rectified.answer,
            wrongAnswer: chain.answer,
            method: .rectified,
            attempts: max(1, rectified.tally.answers.count)
        )
        let failure = Refusal(.noRightChain, "no right chain: \(rectified.failure?.message ?? "none was given")")
        return Outcome(body: body, failure: failure, tally: rectified.tally, prompt: .rectify)
    }

    private func corrupted(
        _ right: String,
        answer: String?,
        problem: ProblemEvent,
        tally: CallTally
    ) async throws -> Outcome {
        var body = DualBody(right: right, wrong: "", rightAnswer: answer, method: .corrupted)
        var outcome = Outcome(body: body, tally: tally, prompt: .corrupt, rightChain: right)
        let examples = try await demonstrations.corruption(for: problem)
        for attempt in 0..<work.options.attempts {
            let reply = try await work.ask(
                .corrupt(
                    question: problem.question,
                    chain: right,
                    demonstrations: examples
                ),
                subject: problem.id,
                attempt: attempt,
                tally: &outcome.tally
            )
            body.attempts = attempt + 1
            outcome.body.attempts = attempt + 1
            if let failure = reply.refusal {
                if outcome.body.wrong.isEmpty { outcome.failure = failure }
                continue
            }
            outcome.failure = Self.take(reply.text, into: &body, problem: problem)
            outcome.body = body
            if outcome.failure == nil { return outcome }
        }
        return outcome
    }

    /// How often the teacher is asked for a pattern: one that twice gave none that can be read will give none, and
    /// the numbers tell it for nothing.
    private static let classifications = 2

    /// Has the pattern of a verified pair's mistake told by the teacher; by the numbers where it is not asked or its
    /// answers cannot be read.
    private func classified(_ pair: Outcome, problem: ProblemEvent) async throws -> Outcome {
        guard pair.failure == nil else { return pair }
        var outcome = pair
        outcome.body.mistake = Self.mistake(right: pair.body.right, wrong: pair.body.wrong)
        outcome.body.mistakeSource = .numbers
        var tally = CallTally()
        if let pattern = try await pattern(of: pair.body, problem: problem, tally: &tally) {
            outcome.body.mistake = pattern.name
            outcome.body.mistakeSource = .teacher
        }
        outcome.tally.addCost(of: tally)
        return outcome
    }

    /// The trace of a pair with the pattern of its mistake told by the teacher, who was not asked when it was made.
    ///
    /// - Returns: nil where there is nothing to tell: no verified pair, a pattern that the teacher told before, or none that
    ///   can be read.
    func classified(_ pair: TraceEvent, problem: ProblemEvent) async throws -> TraceEvent? {
        guard pair.verified, case .dual(var body) = pair.body, body.mistakeSource != .teacher else { return nil }
        var tally = CallTally()
        guard let pattern = try await pattern(of: body, problem: problem, tally: &tally) else { return nil }
        body.mistake = pattern.name
        body.mistakeSource = .teacher
        var told = pair
        told.body = .dual(body)
        return told
    }

    /// What the teacher says; nil where it is not asked or cannot be read.
    private func pattern(
        of body: DualBody,
        problem: ProblemEvent,
        tally: inout CallTally
    ) async throws -> MistakePattern? {
        guard work.options.classifiesMistakes else { return nil }
        for attempt in 0..<min(Self.classifications, work.options.attempts) {
            let answer = try await work.ask(
                .classifyMistake(question: problem.question, right: body.right, wrong: body.wrong),
                subject: problem.id,
                attempt: attempt,
                tally: &tally
            )
            if answer.failure == nil, let pattern = try? MistakePattern.parse(answer.text) { return pattern }
        }
        return nil
    }

    /// Takes a corrupted chain into a pair: by this the work and a replay of it come to the same verdict.
    ///
    /// - Returns: Why the chain makes no pair; `nil` when it does.
    static func take(
        _ text: String,
        into body: inout DualBody,
        problem: ProblemEvent,
        grader: Grader = Grader()
    ) -> Refusal? {
        body.wrong = text
        body.wrongAnswer = AnswerExtraction.extract(text)
        return failure(of: body, problem: problem, grader: grader)
    }

    /// Why the wrong chain of a pair makes none, by the rules of the pair's method; `nil` when it does.
    ///
    /// A rectified pair's is what a teacher wrote by itself, which may go another way than the right chain.
    static func failure(ofWrong body: DualBody, problem: ProblemEvent, grader: Grader = Grader()) -> Refusal? {
        guard body.method == .rectified else { return failure(of: body, problem: problem, grader: grader) }
        let wrong = ChainStage.graded(body.wrong, gold: problem.answer, grader: grader)
        if wrong.isWrong { return nil }
        if wrong.isCorrect { return Refusal(.notWrong, "the wrong chain still reaches \(problem.answer.prefix(200))") }
        let failure = wrong.failure ?? Refusal(.noChain, "it is no chain to another answer")
        return Refusal(failure.kind == .wrongAnswer ? .noChain : failure.kind, "the wrong chain: \(failure.message)")
    }

    /// Why a corrupted chain makes no pair; `nil` when it does.
    static func failure(of body: DualBody, problem: ProblemEvent, grader: Grader = Grader()) -> Refusal? {
        guard let answer = body.wrongAnswer else {
            return Refusal(.noAnswer, "no answer was found in the corrupted chain")
        }
        if grader.isCorrect(gold: problem.answer, predicted: answer) {
            return Refusal(.notWrong, "the corrupted chain still reaches \(problem.answer.prefix(200))")
        }
        if let failure = ChainForm.failure(ofCorruption: body.wrong, right: body.right, question: problem.question) {
            return failure
        }
        return LeakFilter.mentionsReference(body.wrong)
            ? Refusal(.leak, "the text mentions a given answer") : nil
    }

    /// The reference solution as a chain of thought, where it is one that holds.
    static func referenceChain(_ problem: ProblemEvent) -> String? {
        guard let reference = problem.solution else { return nil }
        let steps = WorkedSolution.parse(reference).steps.map(\.text)
        let text = (steps + ["The answer is \(problem.answer)."]).joined(separator: "\n")
        let failure = ChainStage.failure(of: text, solution: WorkedSolution.parse(text), gold: problem.answer)
        return failure == nil ? text : nil
    }

    /// The pattern of a mistake, as far as numbers show it: a calculation that does not hold at the first step in which
    /// the chains part, else a step of reasoning.
    static func mistake(right: String, wrong: String) -> String {
        let right = WorkedSolution.parse(right).steps
        let wrong = WorkedSolution.parse(wrong).steps
        let first = wrong.indices.first { !right.indices.contains($0) || right[$0].text != wrong[$0].text }
        guard let first else { return "other" }
        return wrong[first].calculations.contains { $0.isCorrect == false } ? "calculation" : "logical"
    }

    /// The trace of a pair.
    func trace(_ outcome: Outcome, problem: ProblemEvent) throws -> TraceEvent {
        TraceEvent(
            id: DeterministicID.make(cause: problem.id, parts: TraceKind.dual.rawValue),
            problemId: problem.id,
            verified: outcome.failure == nil,
            failure: outcome.failure?.message,
            failureKind: outcome.failure?.kind.rawValue,
            body: .dual(outcome.body),
            teacher: try outcome.tally.provenance(prompt: outcome.prompt, ledger: work.ledger),
            grader: Grader().stamp
        )
    }
}
