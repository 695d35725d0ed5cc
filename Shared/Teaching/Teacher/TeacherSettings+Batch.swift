extension TeacherSettings {
    /// How a role is asked in batches, as an entry's `batch` says: cheaper than one call at a time at most services, and
    /// answered within hours.
    ///
    /// A question waits for others until there are enough, or until it has waited long enough. Who is asked waits in the
    /// place of a message, so that no batch has more requests than `ERRATA_CONCURRENCY` lets messages be worked on.
    public struct Batch: Sendable, Hashable, Codable {
        /// Whether requests go in batches; true by default, false where the entry `default` says otherwise.
        public var enabled: Bool?
        /// So many waiting requests make a batch at once; 100 by default.
        public var minimumRequests: Int?
        /// After so many seconds fewer requests make one; 60 by default.
        public var waitSeconds: Double?
        /// The seconds between two looks at a job; 30 by default.
        public var pollSeconds: Double?
        /// The most requests of a batch; 50,000 by default, which is the most that OpenAI takes.
        public var maximumRequests: Int?
        /// The time that the server is given, in its own words; `24h` by default.
        public var completionWindow: String?
        /// The endpoint that each line names; `/v1/chat/completions` by default.
        public var endpoint: String?

        /// Makes settings that say nothing.
        public init() {}
    }
}
