import Reasoning
import Schemas

/// The inspector loop (SuperCorrect, steps 3 and 9): a candidate goes back to the teacher with what our own checks or the
/// inspector found, until both accept it or their rounds are used up.
///
/// An inspector whose verdict cannot be read, however often it is asked, is a failed call: the candidate is refused for
/// want of a judgement, as SuperCorrect uses only what the inspector accepted.
struct InspectorLoop<Candidate> {
    let work: TeacherWork
    /// The trace whose candidates are inspected.
    let trace: TraceKind
    /// That trace's id.
    let traceID: String
    /// The problem that it belongs to.
    let problemID: String
    /// Whose questions these are: the problem's id, or the attempt's.
    let subject: String
    /// The attempt, for corrections.
    var attempt: AttemptEvent?
    /// What the teacher is asked, with the remarks on what it said before, empty at first.
    let question: (_ remarks: String) -> TeacherRequest
    /// A candidate of a usable answer, and why our own checks refuse it.
    let read: (TeacherAnswer) -> (Candidate?, Refusal?)
    /// What the inspector is asked about a candidate.
    let inspection: (Candidate) -> TeacherRequest

    /// What came of it.
    struct Outcome {
        /// The last candidate that could be read.
        var candidate: Candidate?
        /// Why it is not accepted; `nil` when it is.
        var failure: Refusal? = Refusal(.empty, "nothing was asked for")
        /// The inspector's verdicts by round.
        var verdicts: [TraceEvent] = []
    }

    /// Runs the loop and notes the teacher's calls; the inspector's stand in the verdicts.
    func run(tally: inout CallTally) async throws -> Outcome {
        var outcome = Outcome()
        var remarks = ""
        var refused = 0
        // Each turn ends in a refusal of our own, of which `attempts` are allowed, or in an inspector's round.
        while refused < work.options.attempts {
            let answer = try await work.ask(
                question(remarks),
                subject: subject,
                attempt: refused + outcome.verdicts.count,
                tally: &tally
            )
            let (found, fault) = answer.refusal.map { (nil, $0) } ?? read(answer)
            outcome.candidate = found ?? outcome.candidate
            outcome.failure = fault
            guard let found, fault == nil else {
                refused += 1
                // An answer that was cut says nothing about the candidate.
                if answer.refusal == nil { remarks = fault?.message ?? "" }
                continue
            }
            if work.options.inspectorRounds == 0 { break }
            let round = outcome.verdicts.count + 1
            let request = inspection(found)
            let inspected = try await work.inspect(request, subject: subject, round: round)
            outcome.verdicts.append(try verdict(inspected, round: round, prompt: request.promptID))
            guard inspected.verdict != nil else {
                // Nothing is known of the candidate, neither good nor bad: there is no remark to go back with it, and
                // another candidate would meet the same inspector.
                let reason = inspected.failure ?? "it gave none"
                outcome.failure = Refusal(
                    .inspectorUnreadable,
                    "the inspector's round \(round) has no verdict: \(reason)"
                )
                break
            }
            guard let remark = inspected.remarks else { break }
            outcome.failure = Refusal(.inspector, "the inspector's round \(round): \(remark)")
            remarks = remark
            if round >= work.options.inspectorRounds { break }
        }
        return outcome
    }

    private func verdict(_ inspection: TeacherWork.Inspection, round: Int, prompt: PromptID) throws -> TraceEvent {
        try work.verdictTrace(
            inspection,
            id: DeterministicID.make(
                cause: subject,
                parts: TraceKind.inspectorVerdict.rawValue,
                trace.rawValue,
                String(round)
            ),
            problemID: problemID,
            inspectedTraceID: traceID,
            round: round,
            prompt: prompt,
            attempt: attempt
        )
    }
}
