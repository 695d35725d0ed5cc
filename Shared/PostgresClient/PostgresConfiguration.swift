import CLibpq
import Foundation

/// Where the database is and how to log in.
///
/// The password never appears in a description, a reflection or an error.
public struct PostgresConfiguration: Sendable, Hashable {
    /// A text that does not show itself.
    struct Secret: Sendable, Hashable, CustomStringConvertible, CustomReflectable {
        let value: String

        var description: String { "<redacted>" }
        var customMirror: Mirror { Mirror(self, children: []) }
    }

    /// Host name, address, or the folder of a Unix socket; nil is libpq's default.
    public var host: String?
    /// TCP port, or the number in the socket's name.
    public var port: Int
    /// The role to log in as; nil is libpq's default.
    public var user: String?
    /// The database; nil is the role's name.
    public var database: String?
    /// Any further libpq setting, such as `sslmode` or `sslrootcert`.
    public var options: [String: String]
    /// Name shown in `pg_stat_activity`.
    public var applicationName: String
    /// How long one attempt to connect may take.
    public var connectTimeout: Duration
    /// How long one statement may take before the server gives it up (SQLSTATE 57014), waits for locks included; nil leaves
    /// that to the server and to libpq's `options`.
    ///
    /// What takes longer by its nature says so: migrations, and ``PostgresTransaction/allowLongStatements()``.
    public var statementTimeout: Duration?

    private var secrets: [String: Secret] = [:]

    private static let secretKeys: Set<String> = ["password", "sslpassword"]

    /// Five minutes: no statement of a service takes as long unless something holds it up for good.
    public static let standardStatementTimeout = Duration.seconds(300)

    /// libpq's settings by which a server that is gone without a word is noticed within a minute, and not after hours; those
    /// of ``options`` come before them.
    private static let networkDefaults = [
        ("keepalives_idle", "30"), ("keepalives_interval", "10"), ("keepalives_count", "3"),
        // Milliseconds that what was sent may stay without an answer of the other machine.
        ("tcp_user_timeout", "30000"),
    ]

    /// A configuration from its parts.
    public init(
        host: String?,
        port: Int = 5432,
        user: String? = nil,
        password: String? = nil,
        database: String? = nil,
        options: [String: String] = [:],
        applicationName: String = "errata",
        connectTimeout: Duration = .seconds(10),
        statementTimeout: Duration? = PostgresConfiguration.standardStatementTimeout
    ) {
        self.host = host
        self.port = port
        self.user = user
        self.database = database
        self.options = options
        self.applicationName = applicationName
        self.connectTimeout = connectTimeout
        self.statementTimeout = statementTimeout
        setPassword(password)
    }

    /// A configuration from `postgres://user:password@host:port/database?sslmode=…`, or libpq's `key=value` form.
    ///
    /// A Unix socket is `postgres:///database?host=/folder`. `connect_timeout` (seconds), the `keepalives` and
    /// `tcp_user_timeout` can be set there, and a statement's time by `options=-c statement_timeout=…`. Throws
    /// ``PostgresError`` without the password in it.
    public init(url: String) throws {
        var complaint: UnsafeMutablePointer<CChar>?
        guard !url.isEmpty, let list = PQconninfoParse(url, &complaint) else {
            let text = complaint.map { String(cString: $0) } ?? ""
            if let complaint { PQfreemem(complaint) }
            // libpq quotes parts of the URL, and so maybe the password; only this complaint is known to be harmless.
            let harmless = text.hasPrefix("invalid URI query parameter") || text.hasPrefix("invalid connection option")
            let cause = harmless ? ": \(text.trimmingCharacters(in: .whitespacesAndNewlines))" : ""
            throw PostgresError(
                kind: .configuration,
                message: "the database URL is not valid\(cause); expected "
                    + "postgres://user:password@host:port/database?sslmode=…"
            )
        }
        defer { PQconninfoFree(list) }
        var values: [String: String] = [:]
        var entry = list
        while let keyword = entry.pointee.keyword {
            if let value = entry.pointee.val { values[String(cString: keyword)] = String(cString: value) }
            entry += 1
        }
        let port = values.removeValue(forKey: "port") ?? "5432"
        guard let number = Int(port), (1...65_535).contains(number) else {
            throw PostgresError(
                kind: .configuration,
                message: "the database URL's port is not a number from 1 to 65535"
            )
        }
        var timeout = Duration.seconds(10)
        if let text = values.removeValue(forKey: "connect_timeout") {
            guard let seconds = Int(text), (1...3_600).contains(seconds) else {
                throw PostgresError(kind: .configuration, message: "connect_timeout is not a number from 1 to 3600")
            }
            timeout = .seconds(seconds)
        }
        self.init(
            host: values.removeValue(forKey: "host"),
            port: number,
            user: values.removeValue(forKey: "user"),
            password: values.removeValue(forKey: "password"),
            database: values.removeValue(forKey: "dbname"),
            applicationName: values.removeValue(forKey: "application_name") ?? "errata",
            connectTimeout: timeout
        )
        if let passphrase = values.removeValue(forKey: "sslpassword") {
            secrets["sslpassword"] = Secret(value: passphrase)
        }
        options = values
        if values["options"]?.contains("statement_timeout") ?? false { statementTimeout = nil }
    }

    /// Sets or removes the password.
    public mutating func setPassword(_ password: String?) {
        secrets["password"] = password.map(Secret.init(value:))
    }

    /// The same server and role, another database.
    public func with(database: String) -> PostgresConfiguration {
        var copy = self
        copy.database = database
        return copy
    }

    /// libpq's keywords and values, secrets included.
    var keywords: [(key: String, value: String)] {
        var list = options.sorted { $0.key < $1.key }.map { (key: $0.key, value: $0.value) }
        for (key, value) in Self.networkDefaults where options[key] == nil { list.append((key, value)) }
        if let host { list.append(("host", host)) }
        list.append(("port", String(port)))
        if let user { list.append(("user", user)) }
        if let database { list.append(("dbname", database)) }
        list.append(("application_name", applicationName))
        list.append(("client_encoding", "UTF8"))
        for (key, secret) in secrets.sorted(by: { $0.key < $1.key }) { list.append((key, secret.value)) }
        return list
    }

    /// The statement that puts ``statementTimeout`` in force.
    var statementTimeoutText: String {
        guard let statementTimeout else { return "RESET statement_timeout" }
        return "SET statement_timeout TO \(max(1, Int64(statementTimeout / .milliseconds(1))))"
    }

    /// The URL that ``init(url:)`` reads back; with the password only when asked for, to hand it to another process.
    public func url(includingPassword: Bool) -> String {
        var query = options.filter { !Self.secretKeys.contains($0.key) }
        if applicationName != "errata" { query["application_name"] = applicationName }
        var text = "postgres://"
        if let user {
            text += Self.escape(user)
            if includingPassword, let password = secrets["password"] { text += ":\(Self.escape(password.value))" }
            text += "@"
        } else if includingPassword, let password = secrets["password"] {
            query["password"] = password.value
        }
        if let host, host.hasPrefix("/") || host.contains(",") || host.contains(":") {
            query["host"] = host
            if port != 5432 { query["port"] = String(port) }
        } else if let host {
            text += "\(Self.escape(host)):\(port)"
        } else if port != 5432 {
            query["port"] = String(port)
        }
        text += "/\(database.map(Self.escape) ?? "")"
        if includingPassword, let passphrase = secrets["sslpassword"] { query["sslpassword"] = passphrase.value }
        if !query.isEmpty {
            text +=
                "?"
                + query.sorted { $0.key < $1.key }.map { "\($0.key)=\(Self.escape($0.value))" }
                .joined(separator: "&")
        }
        return text
    }

    private static func escape(_ text: String) -> String {
        let safe = Set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~/".utf8)
        var result = ""
        for byte in text.utf8 {
            if safe.contains(byte) {
                result.unicodeScalars.append(Unicode.Scalar(byte))
            } else {
                result += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return result
    }
}

extension PostgresConfiguration: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
    /// The URL without any secret.
    public var description: String { url(includingPassword: false) }
    /// The URL without any secret.
    public var debugDescription: String { description }
    /// Shows the URL only, so that `dump` cannot show a secret.
    public var customMirror: Mirror { Mirror(self, children: ["url": description]) }
}
