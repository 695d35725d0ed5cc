/// What went wrong between this process and a PostgreSQL server.
///
/// ``description`` is safe to log: it never holds a password, nor the values that a server puts in its details.
/// ``debugDescription`` has everything the server said, for people who may see the data.
public struct PostgresError: Error, Sendable, Hashable {
    /// The part of the client that reports the error.
    public enum Kind: String, Sendable, Hashable {
        /// The server refused a statement; ``PostgresError/sqlState`` says why.
        case server
        /// The connection could not be made, or broke.
        case connection
        /// The connection broke while COMMIT was under way: nobody can say whether the transaction took effect.
        case unknownOutcome
        /// A value could not be read as the asked type.
        case decoding
        /// A value cannot be sent (a NUL character in a text, a JSON value that does not encode, ...).
        case encoding
        /// A connection string or option is wrong.
        case configuration
        /// A migration was refused.
        case migration
        /// The private server could not be made, started or stopped.
        case embedded
        /// The pool is closed, a wait took too long, or an object was used after its end.
        case usage
    }

    /// The part of the client that reports the error.
    public var kind: Kind
    /// The five characters of SQLSTATE, where the server sent them.
    public var sqlState: String?
    /// What happened, in one sentence.
    public var message: String
    /// The server's detail, which may quote values of the row.
    public var detail: String?
    /// The server's hint.
    public var hint: String?
    /// The table that the server names.
    public var table: String?
    /// The column that the server or the decoder names.
    public var column: String?
    /// The constraint that the server names.
    public var constraint: String?
    /// The statement's SQL with placeholders, never with its values.
    public var statement: String?

    /// An error of the client itself.
    public init(kind: Kind, sqlState: String? = nil, message: String, detail: String? = nil) {
        self.kind = kind
        self.sqlState = sqlState
        self.message = message
        self.detail = detail
    }

    /// The transaction lost against a concurrent one (40001 or 40P01) and succeeds when it is run again.
    public var isSerializationFailure: Bool {
        sqlState == "40001" || sqlState == "40P01"
    }

    /// The same work may succeed when it is tried again later.
    ///
    /// True for serialization failures, lost connections, a server that starts, stops or is full, and lock time-outs.
    /// False for ``Kind/unknownOutcome``: only the caller knows whether its work can be repeated.
    public var isTransient: Bool {
        if isSerializationFailure { return true }
        guard let sqlState else { return kind == .connection }
        switch sqlState {
        case "55P03", "57P01", "57P02", "57P03", "57P05": return true
        default: return sqlState.hasPrefix("08") || (sqlState.hasPrefix("53") && sqlState != "53100")
        }
    }

    /// A plan that the server kept for a prepared statement no longer fits the tables.
    var isStalePlan: Bool {
        sqlState == "26000" || (sqlState == "0A000" && message.contains("cached plan"))
    }

    /// Trying to connect again cannot help: wrong password, role or database.
    var isPermanentConnectFailure: Bool {
        guard let sqlState else { return kind == .configuration }
        return sqlState.hasPrefix("28") || sqlState == "3D000" || sqlState == "42501"
    }
}

extension PostgresError: CustomStringConvertible, CustomDebugStringConvertible {
    /// Safe to log: no secrets, and no values of rows.
    public var description: String {
        var text = "PostgresError (\(kind.rawValue)"
        if let sqlState { text += ", SQLSTATE \(sqlState)" }
        text += "): "
        // The server quotes the offending value in the message of a data exception (class 22).
        if kind == .server, let sqlState, sqlState.hasPrefix("22") {
            text += "a value is not valid for its type or range (see the debug description)"
        } else {
            text += message
        }
        if let table { text += "; table \(table)" }
        if let column { text += "; column \(column)" }
        if let constraint { text += "; constraint \(constraint)" }
        return text
    }

    /// Everything that is known, values of rows included.
    public var debugDescription: String {
        var text = "PostgresError (\(kind.rawValue)"
        if let sqlState { text += ", SQLSTATE \(sqlState)" }
        text += "): \(message)"
        for (name, value) in [
            ("detail", detail), ("hint", hint), ("table", table), ("column", column), ("constraint", constraint),
            ("statement", statement),
        ] {
            if let value { text += "; \(name): \(value)" }
        }
        return text
    }
}
