/// A problem as a line of a data set gives it.
public struct ProblemRecord: Sendable, Hashable {
    /// The problem; where the line has no id, its id is a hash of the question.
    public var problem: Problem
    /// The layout that it was read in; nil where the columns were named.
    public let layout: ProblemLayout?
    /// Where the id comes from.
    public let idSource: IDSource
    /// The difficulty, as the data set names it.
    public var level: String?
    /// The split that the line names, as it stands there.
    public var split: String?

    /// Where the id of a problem comes from.
    public enum IDSource: Sendable, Hashable {
        /// The line names one, which is taken to be the problem's own in its data set.
        case name
        /// The line has a number, which counts the problems of one split.
        case number
        /// The question: another text is another problem.
        case question
    }

    /// What tells the problem from the others of its data set, for an id made of it.
    ///
    /// Arguments:
    ///   - split: the split that it is submitted to.
    public func identity(split: String) -> [String] {
        // Of these layouts ids were made before there were others: they stay the same.
        let isFirst = layout == .gsm8k || layout == .plain
        return idSource == .name || idSource == .question && isFirst ? [problem.id] : [split, problem.id]
    }
}
