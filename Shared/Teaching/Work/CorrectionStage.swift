import Reasoning
import Schemas

/// Has the first wrong step of a student's attempt found and corrected, and the correction inspected (SuperCorrect,
/// steps 7 and 9).
struct CorrectionStage: Sendable {
    let work: TeacherWork

    /// The traces: the correction first, then the inspector's verdicts by round.
    func traces(_ attempt: AttemptEvent, problem: ProblemEvent) async throws -> [TraceEvent] {
        let steps = StudentFormat.steps(of: attempt.output)
        var tally = CallTally()
        guard !steps.isEmpty else {
            return [
                try trace(
                    attempt,
                    steps: [],
                    found: nil,
                    failure: Refusal(.noAttempt, "the attempt has no steps"),
                    rounds: 0,
                    tally: tally
                )
            ]
        }
        guard let reference = try await reference(problem, tally: &tally) else {
            return [
                try trace(
                    attempt,
                    steps: steps,
                    found: nil,
                    failure: Refusal(.noReference, "there is neither a solution nor a verified chain to correct by"),
                    rounds: 0,
                    tally: tally
                )
            ]
        }
        return try await traces(attempt, steps: steps, problem: problem, reference: reference, tally: tally)
    }

    private func traces(
        _ attempt: AttemptEvent,
        steps: [String],
        problem: ProblemEvent,
        reference: String,
        tally calls: CallTally
    ) async throws -> [TraceEvent] {
        var tally = calls
        let outcome = try await InspectorLoop(
            work: work,
            trace: .correction,
            traceID: Self.id(of: attempt),
            problemID: attempt.problemId,
            subject: attempt.id,
            attempt: attempt,
            question: {
                .groundedCorrection(
                    question: problem.question,
                    reference: reference,
                    attempt: steps,
                    remarks: $0
                )
            },
            read: { read($0, gold: problem.answer, steps: steps) },
            inspection: {
                .inspectCorrection(question: problem.question, reference: reference, candidate: $0.xml)
            }
        ).run(tally: &tally)
        return [
            try trace(
                attempt,
                steps: steps,
                found: outcome.candidate,
                failure: outcome.failure,
                rounds: outcome.verdicts.count,
                tally: tally
            )
        ] + outcome.verdicts
    }

    /// The gold solution, or a chain of the teacher's that reaches the gold answer.
    private func reference(_ problem: ProblemEvent, tally: inout CallTally) async throws -> String? {
        if let solution = problem.solution { return solution }
        let stage = ChainStage(work: work)
        let chain = try await stage.chain(problem)
        for answer in chain.tally.answers { tally.add(answer) }
        if chain.failure == nil { return chain.text }
        let rectified = try await stage.rectified(problem, wrong: chain.isWrong ? chain.text : "")
        for answer in rectified.tally.answers { tally.add(answer) }
        return rectified.failure == nil ? rectified.text : nil
    }

    private func read(
        _ answer: TeacherAnswer,
        gold: String,
        steps: [String]
    ) -> (CorrectionTrace?, Refusal?) {
        do {
            // What is inspected and kept are the student's steps, not the teacher's copy of them.
            let reading = try CorrectionReading(answer.text, attempt: steps)
            return (reading.trace, reading.failure(gold: gold))
        } catch {
            return (nil, Refusal(error))
        }
    }

    static func id(of attempt: AttemptEvent) -> String {
        DeterministicID.make(cause: attempt.id, parts: TraceKind.correction.rawValue)
    }

    private func trace(
        _ attempt: AttemptEvent,
        steps: [String],
        found: CorrectionTrace?,
        failure: Refusal?,
        rounds: Int,
        tally: CallTally
    ) throws -> TraceEvent {
        TraceEvent(
            id: Self.id(of: attempt),
            problemId: attempt.problemId,
            verified: failure == nil,
            failure: failure?.message,
            failureKind: failure?.kind.rawValue,
            body: .correction(
                CorrectionBody(
                    steps: steps,
                    firstWrongStep: found?.firstWrongStep,
                    cause: found?.cause ?? "",
                    correction: found?.correction ?? "",
                    answer: found?.answer ?? "",
                    inspectorRounds: rounds
                )
            ),
            teacher: try tally.provenance(prompt: .groundedCorrection, ledger: work.ledger),
            attemptId: attempt.id,
            runId: attempt.runId,
            grader: Grader().stamp
        )
    }
}
