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
                    failure: Refusal(
                        .noReference,
                        "there is neither a solution nor a verified chain to make a template of"
                    ),
                    rounds: 0,
                    tally: CallTally()
                )
            ]
        }
        var tally = CallTally()
        let outcome = try await InspectorLoop(
            work: work,
            trace: .template,
            traceID: id,
            problemID: problem.id,
            subject: problem.id,
            question: {
                .templateExtraction(question: problem.question, reference: reference, remarks: $0)
            },
            read: { read($0, gold: problem.answer) },
            inspection: {
                .inspectTemplate(question: problem.question, reference: reference, candidate: $0.xml)
            }
        ).run(tally: &tally)
        return [
            try trace(
                id,
                problem,
                template: outcome.candidate,
                failure: outcome.failure,
                rounds: outcome.verdicts.count,
                tally: tally
            )
        ] + outcome.verdicts
    }

    private func read(_ answer: TeacherAnswer, gold: String) -> (ThoughtTemplate?, Refusal?) {
        do {
            let template = try ThoughtTemplate.parse(answer.text)
            return (template, template.failure(gold: gold))
        } catch {
            return (nil, Refusal(error))
        }
    }

    private func trace(
        _ id: String,
        _ problem: ProblemEvent,
        template: ThoughtTemplate?,
        failure: Refusal?,
        rounds: Int,
        tally: CallTally
    ) throws -> TraceEvent {
        TraceEvent(
            id: id,
            problemId: problem.id,
            verified: failure == nil,
            failure: failure?.message,
            failureKind: failure?.kind.rawValue,
            body: .template(
                template.map { TemplateBody($0, inspectorRounds: rounds) }
                    ?? TemplateBody(steps: [], generalization: "", answer: "", inspectorRounds: rounds)
            ),
            teacher: try tally.provenance(prompt: .templateExtraction, ledger: work.ledger),
            grader: Grader().stamp
        )
    }
}

extension TemplateBody {
    /// A template as a trace has it.
    init(_ template: ThoughtTemplate, inspectorRounds: Int? = nil) {
        self.init(
            steps: template.steps.map { .init(text: $0.text, keyNotes: $0.keyNotes) },
            generalization: template.generalization,
            answer: template.answer,
            inspectorRounds: inspectorRounds
        )
    }
}
