/// What is wrong with a configuration; all that is wrong is told at once.
public struct ConfigurationError: Error, Sendable, Hashable, CustomStringConvertible {
    /// One problem, naming the key and the cure.
    public let problems: [String]

    /// Makes an error from its problems.
    public init(_ problems: [String]) { self.problems = problems }

    /// Makes an error from one problem.
    public init(_ problem: String) { self.init([problem]) }

    /// The problems, one a line; never a secret's value.
    public var description: String { problems.joined(separator: "\n") }
}
