public import Reasoning
public import Schemas
public import Training

extension SupervisedExamples {
    /// HSFT examples of thought-template traces, in their order; traces of other kinds and of problems without a question
    /// here are left out.
    ///
    /// Arguments:
    ///   - questions: the questions by problem id.
    ///   - weight: the weight of each response token.
    public static func templates(
        of traces: [TraceEvent],
        questions: [String: String],
        codec: StudentCodec,
        weight: Float = 1
    ) -> [SupervisedExample] {
        traces.compactMap { trace in
            guard case .template(let body) = trace.body, let question = questions[trace.problemId] else { return nil }
            return template(ThoughtTemplate(body), question: question, codec: codec).weighted(by: weight)
        }
    }
}

extension ThoughtTemplate {
    /// The template of a trace.
    public init(_ body: TemplateBody) {
        self.init(
            steps: body.steps.map { TemplateStep(text: $0.text, keyNotes: $0.keyNotes) },
            generalization: body.generalization,
            answer: body.answer
        )
    }
}
