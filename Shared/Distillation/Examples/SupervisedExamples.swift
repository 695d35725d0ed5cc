public import Reasoning
public import Schemas
public import Training

/// Examples of the supervised stages.
public enum SupervisedExamples {
    /// HSFT (SuperCorrect, equation 5): the whole thought template, answer included, after the question.
    public static func template(
        _ template: ThoughtTemplate,
        question: String,
        style: ResponseStyle = .template,
        codec: StudentCodec
    ) throws -> SupervisedExample {
        codec.supervised(
            prompt: try codec.prompt(style.format, question: question),
            response: style.response(template)
        )
    }

    /// Plain chain-of-thought distillation (EDIT, equation 4): a right or rectified chain after the question.
    public static func chain(
        _ text: String,
        answer: String,
        question: String,
        codec: StudentCodec
    ) throws -> SupervisedExample {
        codec.supervised(
            prompt: try codec.prompt(.chainOfThought, question: question),
            response: StudentFormat.response(chain: text, answer: answer)
        )
    }
}

/// Renders the two chains of a dual pair in the student's own format, so that they differ only where the chains do.
public enum DualRendering {
    /// The two texts of a dual pair as a student writes them.
    ///
    /// Arguments:
    ///   - answer: the right answer.
    ///   - format: whether chains or templates.
    ///   - template: the problem's template, which templates take their notes and general method from.
    /// - Returns: `nil` where the pair cannot be written so: the wrong chain has no answer, or there is no template.
    public static func texts(
        of dual: DualBody,
        answer: String,
        format: StudentFormat,
        template: ThoughtTemplate?
    ) -> (right: String, wrong: String)? {
        guard format == .chainOfThought else {
            return template.flatMap { hierarchical(right: dual.right, wrong: dual.wrong, template: $0) }
        }
        guard let wrongAnswer = dual.wrongAnswer ?? AnswerExtraction.extract(dual.wrong) else { return nil }
        return (
            StudentFormat.response(chain: dual.right, answer: answer),
            StudentFormat.response(chain: dual.wrong, answer: wrongAnswer)
        )
    }

    /// The thought templates of a right and a wrong chain.
    ///
    /// The notes and the general method come from the problem's template; a note stays where the chains have as many
    /// steps as the template, so that the notes of step *n* belong to step *n*.
    ///
    /// - Returns: `nil` when a chain has no steps or no answer.
    public static func hierarchical(
        right: String,
        wrong: String,
        template: ThoughtTemplate
    ) -> (right: String, wrong: String)? {
        guard let right = rewrite(right, template), let wrong = rewrite(wrong, template) else { return nil }
        return (StudentFormat.response(template: right), StudentFormat.response(template: wrong))
    }

    private static func rewrite(_ chain: String, _ template: ThoughtTemplate) -> ThoughtTemplate? {
        let steps = WorkedSolution.parse(chain).steps.map(\.text)
        guard !steps.isEmpty, let answer = AnswerExtraction.extract(chain) else { return nil }
        let notes = steps.count == template.steps.count ? template.steps.map(\.keyNotes) : []
        return ThoughtTemplate(
            steps: steps.enumerated().map {
                TemplateStep(text: $0.element, keyNotes: $0.offset < notes.count ? notes[$0.offset] : [])
            },
            generalization: template.generalization,
            answer: answer
        )
    }
}
