public import Reasoning

extension SimulatedTeacher {
    /// The name that answers carry, whatever model was asked for.
    public static let model = "errata-simulator"

    /// A reply that may have been cut.
    public struct Completion: Sendable, Hashable {
        /// The text.
        public var text: String
        /// Its tokens: words, digits and marks.
        public var tokens: Int
        /// Whether it is all of the reply.
        public var isWhole: Bool
    }

    /// A reply as an endpoint gives it, for a request's seed and the index of the choice.
    public func completion(
        of messages: [PromptMessage],
        temperature: Double,
        seed: Int64,
        choice: Int = 0,
        maximumTokens: Int?
    ) -> Completion {
        let reply = reply(
            to: messages,
            temperature: temperature,
            sampleSeed: StableHash.value(of: "\(seed) \(choice)\n\(Self.transcript(messages))")
        )
        return Self.cut(reply, to: maximumTokens)
    }

    /// The tokens of a conversation.
    public static func promptTokens(_ messages: [PromptMessage]) -> Int {
        WordTokens.ranges(of: transcript(messages)).count
    }

    /// A conversation as one text.
    public static func transcript(_ messages: [PromptMessage]) -> String {
        messages.map { "\($0.role)\n\($0.content)" }.joined(separator: "\n")
    }

    /// The first tokens of a text.
    static func cut(_ text: String, to maximum: Int?) -> Completion {
        let ranges = WordTokens.ranges(of: text)
        guard let maximum, maximum < ranges.count else {
            return Completion(text: text, tokens: ranges.count, isWhole: true)
        }
        let end = maximum > 0 ? ranges[maximum - 1].upperBound : 0
        return Completion(
            text: String(decoding: text.utf8.prefix(end), as: UTF8.self),
            tokens: maximum,
            isWhole: false
        )
    }
}
