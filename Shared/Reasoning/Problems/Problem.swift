/// A word problem with its gold answer.
public struct Problem: Sendable, Hashable, Codable {
    /// A stable identifier: a hash of the question unless the source named one.
    public var id: String
    /// The question as it is put to a model.
    public var question: String
    /// The worked solution in GSM8K's layout (`<<a+b=c>>` marks), without the final `####` line.
    public var solution: String?
    /// The gold answer.
    public var answer: String
    /// The generator's family, or the source's own label.
    public var family: String?
    /// The number of dependent calculations, where known.
    public var steps: Int?

    /// Makes a problem; the identifier defaults to a hash of the question.
    public init(
        id: String? = nil,
        question: String,
        solution: String?,
        answer: String,
        family: String? = nil,
        steps: Int? = nil
    ) {
        self.id = id ?? StableHash.hexadecimal(of: question)
        self.question = question
        self.solution = solution
        self.answer = answer
        self.family = family
        self.steps = steps
    }
}
