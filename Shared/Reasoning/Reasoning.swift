/// What is wrong with a text that this module was given, and where.
public struct ReasoningError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kinds of failure.
    public enum Code: String, Sendable, Hashable, Codable {
        /// A line is not a problem in a layout that is known.
        case malformedProblem
        /// A problem has no reference answer.
        case missingAnswer
        /// A text holds no usable thought template.
        case malformedTemplate
        /// A text holds no usable correction trace.
        case malformedCorrection
        /// A text holds no verdict.
        case malformedVerdict
        /// A text names no category of mistakes.
        case malformedMistake
        /// A text is longer than the parsers accept.
        case tooLong
        /// The generator found no further distinct problem.
        case exhausted
        /// A prompt file is malformed or a value for it is missing.
        case prompt
    }

    /// The kind of failure.
    public let code: Code
    /// Place and cure, in a sentence.
    public let message: String
    /// How a text that cannot be read is counted among the refused ones, where the code does not say it.
    public let kind: Refusal.Kind?

    /// Makes an error of a kind with its message.
    public init(_ code: Code, _ message: String, kind: Refusal.Kind? = nil) {
        self.code = code
        self.message = message
        self.kind = kind
    }

    /// The kind and the message.
    public var description: String { "ReasoningError(\(code.rawValue)): \(message)" }
}
