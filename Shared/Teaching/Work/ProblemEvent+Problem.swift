public import Reasoning
public import Schemas

extension ProblemEvent {
    /// A problem as one of a data set's split; its id is of the data set and the problem's own.
    public init(_ problem: Problem, dataset: String, split: ProblemSplit) {
        self.init(
            id: DeterministicID.make(cause: dataset, parts: problem.id),
            dataset: dataset,
            split: split,
            question: problem.question,
            solution: problem.solution,
            answer: problem.answer,
            family: problem.family,
            steps: problem.steps
        )
    }
}
