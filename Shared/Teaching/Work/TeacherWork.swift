import Reasoning
import Schemas

/// The teacher's work on one problem or one attempt: shared by the stages.
struct TeacherWork: Sendable {
    let ledger: any TeacherLedger
    let options: TeachingOptions

    /// The same work, which asks for the kinds of mistakes only where they are wanted.
    func classifying(_ isWanted: Bool) -> TeacherWork {
        var options = options
        options.classifiesMistakes = options.classifiesMistakes && isWanted
        return TeacherWork(ledger: ledger, options: options)
    }

    /// Puts a question and notes the call.
    func ask(
        _ question: TeacherRequest,
        subject: String,
        attempt: Int,
        tally: inout CallTally
    ) async throws -> TeacherAnswer {
        let answer = try await ledger.ask(
            question,
            subject: subject,
            temperature: options.temperature(question.promptID.role, attempt: attempt),
            attempt: attempt
        )
        tally.add(answer)
        return answer
    }

    // MARK: Inspector

    /// An inspector's round on a candidate.
    struct Inspection: Sendable {
        /// What the inspector said; `nil` when it could not be read.
        var verdict: InspectorVerdict?
        /// Why it could not.
        var failure: String?
        var tally = CallTally()

        /// What is to be mended; `nil` when the candidate is accepted or there is no verdict.
        var remarks: String? {
            guard let verdict, !verdict.isOK else { return nil }
            let reason = verdict.reason.flatMap { $0.isEmpty ? nil : $0 } ?? "it is faulty"
            guard let part = verdict.part, !part.isEmpty else { return reason }
            return "\(part): \(reason)"
        }
    }

    /// Has a candidate inspected; a verdict that cannot be read is asked for again.
    ///
    /// Rounds count from 1, and each has seeds of its own.
    func inspect(_ question: TeacherRequest, subject: String, round: Int) async throws -> Inspection {
        var inspection = Inspection()
        for attempt in 0..<options.attempts {
            let answer = try await ledger.ask(
                question,
                subject: subject,
                temperature: options.temperature(question.promptID.role, attempt: attempt),
                attempt: (round - 1) * options.attempts + attempt
            )
            inspection.tally.add(answer)
            if let failure = answer.failure {
                inspection.failure = failure
                continue
            }
            do {
                inspection.verdict = try InspectorVerdict.parse(answer.text)
                inspection.failure = nil
                return inspection
            } catch {
                inspection.failure = Refusal(error).message
            }
        }
        return inspection
    }

    /// The trace of an inspector's round.
    func verdictTrace(
        _ inspection: Inspection,
        id: String,
        problemID: String,
        inspectedTraceID: String,
        round: Int,
        prompt: PromptID,
        attempt: AttemptEvent? = nil
    ) throws -> TraceEvent {
        let fault = inspection.remarks.map {
            VerdictBody.Fault(step: Self.step(named: inspection.verdict?.part), message: $0)
        }
        return TraceEvent(
            id: id,
            problemId: problemID,
            verified: inspection.verdict != nil,
            failure: inspection.verdict == nil ? (inspection.failure ?? "the inspector gave no verdict") : nil,
            failureKind: inspection.verdict == nil ? Refusal.Kind.inspectorUnreadable.rawValue : nil,
            body: .inspectorVerdict(
                VerdictBody(
                    inspectedTraceId: inspectedTraceID,
                    round: round,
                    accepted: inspection.verdict?.isOK ?? false,
                    faults: fault.map { [$0] } ?? []
                )
            ),
            teacher: try inspection.tally.provenance(prompt: prompt, ledger: ledger),
            attemptId: attempt?.id,
            runId: attempt?.runId
        )
    }

    /// The index of the step that a part such as `Step2` names.
    private static func step(named part: String?) -> Int? {
        guard let part, part.lowercased().hasPrefix("step") else { return nil }
        let digits = part.dropFirst(4).drop { $0 == " " }.prefix { $0.isASCII && $0.isNumber }
        return Int(digits).flatMap { $0 >= 1 ? $0 - 1 : nil }
    }
}
