/// A model folder, one of its files, or the model store is not what it should be.
public struct ModelFileError: Error, Sendable, CustomStringConvertible {
    /// What kind of fault it is, for callers that react to it.
    public enum Code: String, Sendable {
        /// The file or folder is absent or cannot be read or written.
        case inaccessible
        /// The bytes do not follow the format.
        case malformed
        /// The format is right, but it asks for something that Errata does not do.
        case unsupported
        /// A tensor or model that was asked for is not there.
        case missing
        /// Content differs from the hash that names it.
        case corrupt
    }

    /// The kind of fault.
    public let code: Code
    /// The file or folder concerned.
    public let place: String
    /// What is wrong and, where there is one, the cure.
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
