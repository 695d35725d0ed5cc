import CompletionClient
import Foundation
public import Schemas
import ServiceRuntime

/// An OpenAI-compatible server that writes students' texts in place of this service's own engine, for students that are
/// too large for a processor.
public struct StudentEndpoint: Sendable, Hashable, Codable {
    /// The base address, up to and with `/v1`.
    public var url: String
    /// What the server calls the student, `{hash}` standing for the model's hash in the store; `{hash}` by default.
    public var model: String?
    /// A file with what is sent as a bearer token.
    public var apiKeyFile: String?
    /// The most texts that are asked for at once; 16 by default.
    public var concurrency: Int?
    /// The most seconds that a text may take; 600 by default.
    public var timeoutSeconds: Double?
    /// A program, and its arguments, that makes the server serve a student: it is run before the first question to each,
    /// with the student's folder and the model's name behind the arguments, and ends with 0 when the server is ready.
    public var load: [String]?
    /// What is merged into the body of each request, such as `{"stop_token_ids": [2]}`; null takes a field out.
    public var body: [String: JSONValue]?

    static let defaultConcurrency = 16
    static let defaultTimeout = 600.0
    private static let longestTimeout = 86_400.0

    /// Reads a JSON file of endpoints by name; an empty path is none.
    ///
    /// - Throws: `ConfigurationError` that names the file, the place and the cure.
    public static func read(file: String) throws -> [String: StudentEndpoint] {
        let key = StudentEndpointKeys.file.name
        let endpoints = try NamedEntries.read(StudentEndpoint.self, file: file, key: key)
        for (name, endpoint) in endpoints.sorted(by: { $0.key < $1.key }) {
            func refuse(_ reason: String) -> ConfigurationError {
                ConfigurationError("\(key): \(file): \(name).\(reason)")
            }
            guard ServerAddress(endpoint.url) != nil else {
                throw refuse("url is '\(endpoint.url)'; it must be like http://HOST:8000/v1")
            }
            guard (endpoint.concurrency ?? 1) > 0 else { throw refuse("concurrency must be at least 1") }
            let timeout = endpoint.timeoutSeconds ?? defaultTimeout
            guard timeout > 0, timeout <= longestTimeout else {
                throw refuse("timeoutSeconds must be above 0 and at most \(Int(longestTimeout))")
            }
            guard endpoint.load?.first?.isEmpty != true, endpoint.load?.isEmpty != true else {
                throw refuse("load names no program; leave it out where the server serves every student by itself")
            }
            _ = try endpoint.apiKey()
        }
        return endpoints
    }

    /// The bearer token, read anew each time, so that a key can be changed without a restart.
    func apiKey() throws -> String? {
        guard let apiKeyFile else { return nil }
        guard let text = try? String(contentsOfFile: apiKeyFile, encoding: .utf8) else {
            throw ConfigurationError("apiKeyFile: \(apiKeyFile) cannot be read")
        }
        return text.trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// What the server calls a model.
    func name(of hash: String) -> String { (model ?? "{hash}").replacing("{hash}", with: hash) }
}

/// A server that does not answer for now: the piece is tried again.
struct EndpointUnavailable: Error, CustomStringConvertible {
    let description: String
    /// What the server asks to wait.
    var pause: Duration?
}
