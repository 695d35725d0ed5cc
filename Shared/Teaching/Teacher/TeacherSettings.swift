public import Schemas

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

        /// Whether it is a price: nothing is paid for being asked.
        public var isPossible: Bool { prompt >= 0 && completion >= 0 && prompt.isFinite && completion.isFinite }

        /// What tokens cost.
        public func cost(promptTokens: Int, completionTokens: Int) -> Double {
            (Double(promptTokens) * prompt + Double(completionTokens) * completion) / 1e6
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
    /// What is added to the seed of each sample, so that another one has the same questions answered anew; 0 by default.
    public var seed: Int64?
    /// The most tokens of an answer, thoughts included; 2,048 by default, 16,384 of a model that thinks.
    public var maximumTokens: Int?
    /// Whether answers are streamed.
    public var stream: Bool?
    /// The longest that a whole call may take, in seconds.
    public var timeoutSeconds: Double?
    /// The longest silence in a streamed answer, in seconds; 120 by default.
    public var silenceSeconds: Double?
    /// The longest silence before a streamed answer, in seconds; of servers on a desk, which let calls wait for a free place,
    /// as long as the whole call may take, else as long as any silence.
    public var firstByteSeconds: Double?
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
    public func over(_ other: TeacherSettings) -> TeacherSettings {
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
        merged.firstByteSeconds = firstByteSeconds ?? other.firstByteSeconds
        merged.seed = seed ?? other.seed
        merged.connectSeconds = connectSeconds ?? other.connectSeconds
        merged.concurrency = concurrency ?? other.concurrency
        merged.headers = (other.headers ?? [:]).merging(headers ?? [:]) { $1 }
        merged.body = (other.body ?? [:]).merging(body ?? [:]) { $1 }
        merged.price = price ?? other.price
        merged.batch = batch ?? other.batch
        return merged
    }

    /// The longest that a whole call may take, in seconds.
    public var timeout: Double { timeoutSeconds ?? (preset ?? .generic).timeout }

    /// The longest silence in a streamed answer, in seconds.
    public var silence: Double { silenceSeconds ?? 120 }

    /// The longest silence before it, in seconds.
    public var firstByte: Double { firstByteSeconds ?? ((preset ?? .generic).letsCallsWait ? timeout : silence) }

    /// The settings of each role, of a file's entries: what an entry leaves out is taken from `default`, and then from `keys`.
    ///
    /// Arguments:
    ///   - entries: by the name of a role, or `default`; others are passed over, see ``unknownName(in:)``.
    ///   - keys: what the keys `ERRATA_TEACHER_…` say.
    public static func byRole(
        _ entries: [String: TeacherSettings],
        keys: TeacherSettings = TeacherSettings()
    ) -> [TeacherRole: TeacherSettings] {
        let base = (entries[defaultEntry] ?? TeacherSettings()).over(keys)
        return Dictionary(
            TeacherRole.allCases.map { ($0, entries[$0.rawValue]?.over(base) ?? base) }
        ) { first, _ in first }
    }

    /// The first of the entries' names, in order, that is no role's, with what the names may be.
    public static func unknownName(in entries: [String: TeacherSettings]) -> (name: String, known: String)? {
        let known = [defaultEntry] + TeacherRole.allCases.map(\.rawValue)
        return entries.keys.sorted().first { !known.contains($0) }.map { ($0, known.joined(separator: ", ")) }
    }

    private static let defaultEntry = "default"
}
