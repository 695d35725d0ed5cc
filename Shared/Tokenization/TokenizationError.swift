/// A tokenizer file, or a request to train a tokenizer, that cannot be used.
public struct TokenizationError: Error, Sendable, CustomStringConvertible {
    /// What kind of fault it is.
    public enum Code: String, Sendable {
        /// A file is absent or cannot be read or written.
        case inaccessible
        /// The content contradicts the format or itself.
        case malformed
        /// The content is right, but asks for something that Errata does not do.
        case unsupported
    }

    /// The kind of fault.
    public let code: Code
    /// The file or part concerned.
    public let place: String
    /// What is wrong.
    public let message: String

    /// Makes an error about `place`.
    public init(_ code: Code, place: String, _ message: String) {
        self.code = code
        self.place = place
        self.message = message
    }

    /// The place and the message, fit for a log.
    public var description: String { "\(place): \(message)" }
}
