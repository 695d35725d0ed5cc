import CompletionClient
import Foundation
public import Schemas
import ServiceRuntime
import Teaching

/// How a role of the teacher is asked: an entry of the file that `ERRATA_TEACHERS` names.
///
/// What an entry leaves out is taken from the entry `default`, and what that leaves out from the keys `ERRATA_TEACHER_…`.
public struct TeacherSettings: Sendable, Hashable, Codable {
    /// What a million tokens cost, in any one currency.
    public struct Price: Sendable, Hashable, Codable {
        /// Of what is sent.
        public var prompt: Double
        /// Of what comes back, thoughts included.
        public var completion: Double

        /// Makes a price.
        public init(prompt: Double, completion: Double) {
            self.prompt = prompt
            self.completion = completion
        }
    }

    /// The kind of server; `generic` by default.
    public var preset: TeacherPreset?
    /// The base address of an OpenAI-compatible API.
    public var url: String?
    /// The model, as the server names it.
    public var model: String?
    /// A file with the key.
    public var apiKeyFile: String?
    /// The temperature of the first attempt; 0.2 by default, and more at each further one.
    public var temperature: Double?
    /// The share of the probability that is sampled from; left out by default.
    public var topP: Double?
    /// The most tokens of an answer, thoughts included; 2,048 by default, 16,384 of a model that thinks.
    public var maximumTokens: Int?
    /// Whether answers are streamed.
    public var stream: Bool?
    /// The longest that a whole call may take, in seconds.
    public var timeoutSeconds: Double?
    /// The longest silence in a streamed answer, in seconds; 120 by default.
    public var silenceSeconds: Double?
    /// The longest that a connection may take to come about, in seconds; 10 by default.
    public var connectSeconds: Double?
    /// The most calls of the server at the same time; of entries with one address the least counts.
    public var concurrency: Int?
    /// Further headers of each call.
    public var headers: [String: String]?
    /// What is merged into the body of each call, such as `{"reasoning_effort": "high"}`; null takes a field out.
    public var body: [String: JSONValue]?
    /// What tokens cost.
    public var price: Price?
    /// How requests go in batches; one call each where it is left out.
    ///
    /// It is taken as a whole: what a role's leaves out has its default, whatever the entry `default` says.
    public var batch: Batch?

    /// Makes settings that say nothing.
    public init() {}

    /// These settings, with another's where they say nothing.
    func over(_ other: TeacherSettings) -> TeacherSettings {
        var merged = self
        merged.preset = preset ?? other.preset
        merged.url = url ?? other.url
        merged.model = model ?? other.model
        merged.apiKeyFile = apiKeyFile ?? other.apiKeyFile
        merged.temperature = temperature ?? other.temperature
        merged.topP = topP ?? other.topP
        merged.maximumTokens = maximumTokens ?? other.maximumTokens
        merged.stream = stream ?? other.stream
        merged.timeoutSeconds = timeoutSeconds ?? other.timeoutSeconds
        merged.silenceSeconds = silenceSeconds ?? other.silenceSeconds
        merged.connectSeconds = connectSeconds ?? other.connectSeconds
        merged.concurrency = concurrency ?? other.concurrency
        merged.headers = (other.headers ?? [:]).merging(headers ?? [:]) { $1 }
        merged.body = (other.body ?? [:]).merging(body ?? [:]) { $1 }
        merged.price = price ?? other.price
        merged.batch = batch ?? other.batch
        return merged
    }

    /// Where the server is.
    ///
    /// - Throws: ``ConfigurationError`` where the address is none.
    func address(in place: String) throws -> ServerAddress {
        guard let url else {
            throw ConfigurationError("\(place): no address; set url, or ERRATA_TEACHER_URL")
        }
        guard let address = ServerAddress(url) else {
            throw ConfigurationError("\(place): url is '\(url)'; it must be like http://HOST:8000/v1")
        }
        return address
    }

    /// Checks what is said.
    ///
    /// - Throws: ``ConfigurationError`` that names the place and the bound.
    func check(_ place: String) throws {
        func refuse(_ reason: String) -> ConfigurationError { ConfigurationError("\(place).\(reason)") }
        if let temperature, !(0...2).contains(temperature) { throw refuse("temperature must be 0 to 2") }
        if let topP, !(topP > 0 && topP <= 1) { throw refuse("topP must be above 0 and at most 1") }
        if let maximumTokens, !(1...1_000_000).contains(maximumTokens) {
            throw refuse("maximumTokens must be 1 to 1000000")
        }
        for (name, value) in [
            ("timeoutSeconds", timeoutSeconds), ("silenceSeconds", silenceSeconds), ("connectSeconds", connectSeconds),
        ] {
            if let value, !(value > 0 && value <= 86_400) { throw refuse("\(name) must be above 0 and at most 86400") }
        }
        if let concurrency, !(1...1000).contains(concurrency) { throw refuse("concurrency must be 1 to 1000") }
        if let price, !(price.prompt >= 0 && price.completion >= 0) { throw refuse("price must not be negative") }
        for name in ["model", "messages", "stream"] where body?[name] != nil {
            throw refuse(
                "body.\(name) is not merged; \(name == "messages" ? "prompts make them" : "set \(name) itself")"
            )
        }
        try batch?.check("\(place).batch")
        if url != nil { _ = try address(in: place) }
    }

    /// The file's entries, merged and checked, by role.
    ///
    /// - Parameters:
    ///   - file: The path; nil or empty for none.
    ///   - keys: What the keys `ERRATA_TEACHER_…` say.
    /// - Returns: The settings of each role.
    /// - Throws: ``ConfigurationError`` that names file, entry and cure.
    static func read(file: String?, keys: TeacherSettings) throws -> [TeacherRole: TeacherSettings] {
        let key = TeacherIngestionService.Keys.teachers.name
        var entries = try NamedEntries.read(TeacherSettings.self, file: file ?? "", key: key)
        let place = file.map { "\(key): \($0): " } ?? ""
        for (name, entry) in entries.sorted(by: { $0.key < $1.key }) {
            guard name == "default" || TeacherRole(rawValue: name) != nil else {
                let known = (["default"] + TeacherRole.allCases.map(\.rawValue)).joined(separator: ", ")
                throw ConfigurationError("\(place)'\(name)' is no role; the roles are \(known)")
            }
            try entry.check(place + name)
        }
        let base = (entries.removeValue(forKey: "default") ?? TeacherSettings()).over(keys)
        var roles: [TeacherRole: TeacherSettings] = [:]
        for role in TeacherRole.allCases {
            let settings = entries[role.rawValue]?.over(base) ?? base
            _ = try settings.address(in: place + role.rawValue)
            guard settings.model?.isEmpty == false else {
                throw ConfigurationError("\(place)\(role.rawValue): no model; set model, or ERRATA_TEACHER_MODEL")
            }
            roles[role] = settings
        }
        return roles
    }
}
