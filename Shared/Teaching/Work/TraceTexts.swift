import Reasoning
import Schemas

extension ThoughtTemplate {
    /// The template of a trace.
    init(_ body: TemplateBody) {
        self.init(
            steps: body.steps.map { TemplateStep(text: $0.text, keyNotes: $0.keyNotes) },
            generalization: body.generalization,
            answer: body.answer
        )
    }
}
