/// What a file of examples came to.
public struct TrainingData<Example: Sendable>: Sendable {
    /// The examples, in the file's order.
    public var examples: [Example] = []
    /// The lines that could not be used.
    public var rejected: [RejectedLine] = []
    /// Examples that were cut to the maximum length.
    public var truncated = 0

    /// Nothing yet.
    public init() {}
}

/// A line that was left out.
public struct RejectedLine: Sendable, Hashable, CustomStringConvertible {
    /// The line, from 1.
    public let number: Int
    /// What is wrong with it, and what would mend it.
    public let reason: String

    /// The number and the reason.
    public var description: String { "line \(number): \(reason)" }
}

/// Why one line cannot be used; the others can.
package struct TrainingLineError: Error {
    package let reason: String

    package init(_ reason: String) {
        self.reason = reason
    }
}
