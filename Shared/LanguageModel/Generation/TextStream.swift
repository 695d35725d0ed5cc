public import Tokenization

/// Turns the tokens of one generation into text as they come, up to a stop string.
///
/// A piece never holds half a character, and the pieces are what `Tokenizer.decode` gives of all tokens at once. Text that
/// may turn out to begin a stop string is held back until that is decided; the stop string itself is never given out.
public struct TextStream: Sendable {
    /// Whether a stop string has come; what comes after it is passed over.
    public private(set) var isStopped = false
    private var decoder: StreamingDecoder
    private let stops: [[UInt8]]
    private var held: [UInt8] = []

    /// A stream at the end of a prompt.
    ///
    /// - Parameters:
    ///   - tokenizer: The model's tokenizer.
    ///   - prompt: The tokens that the text continues: some tokenizers drop the space before a text's first word, and
    ///     the continuation's first word is not that.
    ///   - stopStrings: What ends the text.
    public init(_ tokenizer: Tokenizer, continuing prompt: [TokenID] = [], stopStrings: [String] = []) {
        decoder = StreamingDecoder(tokenizer)
        stops = stopStrings.map { Array($0.utf8) }.filter { !$0.isEmpty }
        for token in prompt { _ = decoder.append(token) }
        decoder.endKnownText()
    }

    /// The text that `token` makes certain; often empty.
    public mutating func append(_ token: TokenID) -> String { add(decoder.append(token)) }

    /// What was held back when the generation ended.
    public mutating func finish() -> String {
        let text = add(decoder.finish())
        guard !isStopped else { return text }
        defer { held.removeAll() }
        return text + String(decoding: held, as: UTF8.self)
    }

    private mutating func add(_ text: String) -> String {
        guard !isStopped else { return "" }
        held += text.utf8
        if let stop = stops.compactMap({ held.firstOccurrence(of: $0) }).min() {
            isStopped = true
            defer { held.removeAll() }
            return String(decoding: held[..<stop], as: UTF8.self)
        }
        // A stop string begins with a whole character, so the cut is between two.
        let open = stops.map { held.longestEnd(beginning: $0) }.max() ?? 0
        let certain = held.count - open
        defer { held.removeFirst(certain) }
        return String(decoding: held[..<certain], as: UTF8.self)
    }
}

extension [UInt8] {
    /// Where `pattern` occurs first: by bytes, because to Swift a line feed after a carriage return is no line feed.
    func firstOccurrence(of pattern: [UInt8]) -> Int? {
        guard !pattern.isEmpty, pattern.count <= count else { return nil }
        return (0...count - pattern.count).first { self[$0..<$0 + pattern.count].elementsEqual(pattern) }
    }

    /// The length of the longest end of these bytes that is a beginning of `pattern` and not all of it.
    func longestEnd(beginning pattern: [UInt8]) -> Int {
        let longest = Swift.min(count, pattern.count - 1)
        guard longest > 0 else { return 0 }
        return (1...longest).last { suffix($0).elementsEqual(pattern.prefix($0)) } ?? 0
    }
}
