import Schemas

/// A message that can never be processed, however often it is tried: it goes to the dead letters with its bytes.
///
/// Any other error out of an ``EventProcessor`` is taken as transient and retried.
public struct PermanentFailure: Error, Sendable, CustomStringConvertible {
    /// A stable, greppable word, such as `malformed-payload`.
    public let code: String
    /// What is wrong and what would mend it.
    public let message: String

    /// Creates a failure.
    public init(code: String, message: String) {
        self.code = code.isEmpty ? "failed" : code
        // A message may quote what came; PostgreSQL's texts hold no NUL, and a dead letter needs words.
        let text = message.withoutNUL
        self.message = text.allSatisfy(\.isWhitespace) ? "no reason given" : text
    }

    /// The whole in a sentence, safe to log.
    public var description: String { "\(code): \(message)" }
}
