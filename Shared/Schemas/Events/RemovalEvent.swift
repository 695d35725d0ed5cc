/// That a problem is not learned from, since another one is the same or an evaluation question stands in it.
///
/// Record key: the problem's id.
public struct RemovalEvent: EventPayload, Hashable {
    /// The event type.
    public static let type = EventType.removal

    /// The removal's id.
    public var id: String
    /// The problem that is left out.
    public var problemId: String
    /// Its data set.
    public var dataset: String
    /// Its split.
    public var split: ProblemSplit
    /// Where it is left out.
    public var from: Scope
    /// How the two are alike.
    public var kind: Kind
    /// How much, 0...1: the Jaccard similarity of their three-word shingles, or the share of the other's question.
    public var similarity: Double
    /// The problem that stands against it.
    public var otherId: String
    /// That one's data set.
    public var otherDataset: String
    /// That one's split.
    public var otherSplit: ProblemSplit

    /// Where a problem is left out.
    public enum Scope: String, Sendable, Hashable, Codable, CaseIterable {
        /// Everywhere; both are of one data set.
        case all
        /// From the runs that learn from both data sets, or are scored on the other.
        case runs
    }

    /// How two problems are alike.
    public enum Kind: String, Sendable, Hashable, Codable, CaseIterable {
        /// But for case, punctuation and white space they are the same.
        case exact
        /// They have the same numbers and answer, and nearly the same words.
        case near
        /// The evaluation question stands in the other.
        case contains
    }

    /// Makes a removal.
    public init(
        id: String,
        problemId: String,
        dataset: String,
        split: ProblemSplit,
        from: Scope,
        kind: Kind,
        similarity: Double,
        otherId: String,
        otherDataset: String,
        otherSplit: ProblemSplit
    ) {
        self.id = id
        self.problemId = problemId
        self.dataset = dataset
        self.split = split
        self.from = from
        self.kind = kind
        self.similarity = similarity
        self.otherId = otherId
        self.otherDataset = otherDataset
        self.otherSplit = otherSplit
    }

    /// The problem's id.
    public var key: String { problemId }

    /// Checks ids and the similarity.
    public func validate() throws {
        let check = Validation(type: Self.type)
        try check.identifier(id, "id")
        try check.identifier(problemId, "problemId")
        try check.identifier(dataset, "dataset")
        try check.identifier(otherId, "otherId")
        try check.identifier(otherDataset, "otherDataset")
        try check.range(similarity, 0...1, "similarity")
    }
}
