import Reasoning
import Schemas

/// Has the reference solution turned into a hierarchical thought template and inspected (SuperCorrect, steps 2 and 3).
struct TemplateStage: Sendable {
    let work: TeacherWork

    /// The traces: the template first, then the inspector's verdicts by round.
    ///
    /// The reference is the gold solution, or a verified chain in its place; `nil` when there is neither.
    func traces(_ problem: ProblemEvent, reference: String?) async throws -> [TraceEvent] {
        let id = DeterministicID.make(cause: problem.id, parts: TraceKind.template.rawValue)
        guard let reference else {
            return [
                try trace(
                    id,
                    problem,
                    template: nil,
                    failure: "there is neither a solution nor a verified chain to make a template of",
                    rounds: 0,
                    tally: CallTally()
                )
            ]
        }
        var verdicts: [TraceEvent] = []
        var tally = CallTally()
        var candidate: ThoughtTemplate?
        var failure: String? = "no template was asked for"
        var remarks = ""
        var refused = 0
        // Each turn ends in a refusal of our own, of which `attempts` are allowed, or in an inspector's round.
        while refused < work.options.attempts {
            let answer = try await work.ask(
                .templateExtraction(question: problem.question, reference: reference, remarks: remarks),
                subject: problem.id,
                attempt: refused + verdicts.count,
                tally: &tally
            )
            let (template, fault) = read(answer, gold: problem.answer)
            candidate = template ?? candidate
            failure = fault
            guard let template, fault == nil else {
                refused += 1
                // An answer that was cut says nothing about the template.
                if answer.failure == nil { remarks = fault ?? "" }
                continue
            }
            if work.options.inspectorRounds == 0 { break }
            let round = verdicts.count + 1
            let inspection = try await work.inspect(
                .inspectTemplate(question: problem.question, reference: reference, candidate: template.xml),
                subject: problem.id,
                round: round
            )
            verdicts.append(
                try work.verdictTrace(
                    inspection,
                    id: DeterministicID.make(
                        cause: problem.id,
                        parts: TraceKind.inspectorVerdict.rawValue,
                        TraceKind.template.rawValue,
                        String(round)
                    ),
                    problemID: problem.id,
                    inspectedTraceID: id,
                    round: round,
                    prompt: .inspectTemplate
                )
            )
            guard let found = inspection.remarks else { break }
            failure = "the inspector's round \(round): \(found)"
            remarks = found
            if round >= work.options.inspectorRounds { break }
        }
        return [
            try trace(id, problem, template: candidate, failure: failure, rounds: verdicts.count, tally: tally)
        ] + verdicts
    }

    private func read(_ answer: TeacherAnswer, gold: String) -> (ThoughtTemplate?, String?) {
        if let failure = answer.failure { return (nil, failure) }
        do {
            let template = try ThoughtTemplate.parse(answer.text)
            return (template, template.failure(gold: gold))
        } catch {
            return (nil, TeacherWork.reason(error))
        }
    }

    private func trace(
        _ id: String,
        _ problem: ProblemEvent,
        template: ThoughtTemplate?,
        failure: String?,
        rounds: Int,
        tally: CallTally
    ) throws -> TraceEvent {
        TraceEvent(
            id: id,
            problemId: problem.id,
            verified: failure == nil,
            failure: failure,
            body: .template(
                TemplateBody(
                    steps: template?.steps.map { .init(text: $0.text, keyNotes: $0.keyNotes) } ?? [],
                    generalization: template?.generalization ?? "",
                    answer: template?.answer ?? "",
                    inspectorRounds: rounds
                )
            ),
            teacher: try tally.provenance(prompt: .templateExtraction, ledger: work.ledger)
        )
    }
}
