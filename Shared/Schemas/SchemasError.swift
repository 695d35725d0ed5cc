/// Why a message or a payload was refused.
///
/// `code` is stable and fit for a dead letter's cause; `message` names the place and the cure.
public struct SchemasError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The kind of refusal; the raw value is stable across versions.
    public enum Code: String, Sendable, Hashable, CaseIterable {
        /// A CloudEvents attribute that must be there is not.
        case missingAttribute = "missing-attribute"
        /// A CloudEvents attribute is there but malformed.
        case malformedAttribute = "malformed-attribute"
        /// The CloudEvents version is not 1.0.
        case unknownSpecVersion = "unknown-specversion"
        /// The content type is not JSON in binary mode.
        case contentType = "content-type"
        /// The event type, or its schema version, is not one that this program reads.
        case unknownType = "unknown-type"
        /// The message has no body.
        case emptyMessage = "empty-message"
        /// The message is larger than the limit.
        case tooLarge = "too-large"
        /// The body is not JSON, or does not have the shape that its type asks for.
        case malformedPayload = "malformed-payload"
        /// The body has the right shape but a value that makes no sense.
        case invalidPayload = "invalid-payload"
        /// A value cannot be written as JSON, for example a number that is not finite.
        case unencodable = "unencodable"
    }

    /// The kind of refusal.
    public let code: Code
    /// What is wrong, where, and what would mend it.
    public let message: String

    /// The longest message, in bytes: what it quotes may be as long as the body that it came in.
    static let longestMessage = 4000

    /// Makes an error of a kind with its message, of which the end is cut where it is too long.
    public init(_ code: Code, _ message: String) {
        self.code = code
        self.message = message.cut(toBytes: Self.longestMessage)
    }

    /// The message with its code, safe to log: it never holds a whole payload.
    public var description: String { "\(message) [\(code.rawValue)]" }
}
