/// Decodes tokens as they come, holding back bytes until they make whole characters.
///
/// The pieces joined, `finish()` included, are `Tokenizer.decode` of all ids. Fallback bytes (`<0xNN>`) are therefore held
/// back to the end of their run: a broken character in it makes all of its bytes replacement characters.
public struct StreamingDecoder: Sendable {
    private let tokenizer: Tokenizer
    private let skipsSpecialTokens: Bool
    /// Bytes whose character is not complete yet.
    private var pending: [UInt8] = []
    /// Fallback bytes that are not text yet.
    private var fallback: [UInt8] = []
    private var isFirstToken = true
    /// How many more leading contents each strip step takes away, by step; nil for those that act on every token.
    private var stripsLeft: [Int: Int] = [:]

    /// A decoder at the start of a text.
    public init(_ tokenizer: Tokenizer, skipSpecialTokens: Bool = true) {
        self.tokenizer = tokenizer
        skipsSpecialTokens = skipSpecialTokens
        var isFused = false
        for (index, step) in tokenizer.model.decoder.steps.enumerated() {
            switch step {
            case .fuse: isFused = true
            case .strip(_, let start) where isFused: stripsLeft[index] = start
            default: break
            }
        }
    }

    /// The text that `id` completes; empty while a character is still open.
    public mutating func append(_ id: TokenID) -> String {
        guard let token = tokenizer.model.text(of: id, skipSpecialTokens: skipsSpecialTokens) else { return "" }
        pending += transform(token)
        isFirstToken = false
        let end = Self.completeEnd(pending)
        defer { pending.removeFirst(end) }
        return String(decoding: pending[..<end], as: UTF8.self)
    }

    /// Passes over what is held back of a text that ends here and is known: a prompt, before its continuation.
    ///
    /// Half a character stays, for the continuation to complete.
    public mutating func endKnownText() {
        guard !fallback.isEmpty, String(validating: fallback, as: UTF8.self) != nil else { return }
        _ = apply(from: fallbackStep + 1, fallback)
        fallback.removeAll()
    }

    /// What was held back, broken characters replaced; the decoder then stands at the start of a new text.
    public mutating func finish() -> String {
        if !fallback.isEmpty { pending += apply(from: fallbackStep + 1, Decoder.text(ofFallback: fallback)) }
        let rest = String(decoding: pending, as: UTF8.self)
        self = StreamingDecoder(tokenizer, skipSpecialTokens: skipsSpecialTokens)
        return rest
    }

    private var fallbackStep: Int {
        tokenizer.model.decoder.steps.firstIndex { step in
            if case .byteFallback = step { return true }
            return false
        } ?? 0
    }

    private mutating func transform(_ token: [UInt8]) -> [UInt8] {
        if tokenizer.model.decoder.isAbsent { return isFirstToken ? token : [0x20] + token }
        return apply(from: 0, token)
    }

    private mutating func apply(from first: Int, _ token: [UInt8]) -> [UInt8] {
        var token = token
        let steps = tokenizer.model.decoder.steps
        for index in steps.indices where index >= first {
            switch steps[index] {
            case .byteLevel: token = ByteAlphabet.decode(token) ?? token
            case .replace(let pattern, let content): token = token.replacingSequence(pattern, with: content)
            case .fuse: break
            case .metaspace(let replacement, let dropsFirst):
                token = token.replacingSequence(replacement, with: isFirstToken && dropsFirst ? [] : [0x20])
            case .byteFallback:
                if let byte = Decoder.fallbackByte(token) {
                    fallback.append(byte)
                    return []
                } else if !fallback.isEmpty {
                    token = Decoder.text(ofFallback: fallback) + token
                    fallback.removeAll()
                }
            case .strip(let content, let start):
                guard let left = stripsLeft[index] else {
                    token = Decoder.strip(token, content, start)
                    continue
                }
                guard left > 0, !token.isEmpty else { continue }
                let stripped = Decoder.strip(token, content, left)
                let taken = (token.count - stripped.count) / content.count
                stripsLeft[index] = stripped.isEmpty ? left - taken : 0
                token = stripped
            }
        }
        return token
    }

    /// Where the bytes end that no later byte can change: before a character that has begun rightly but is not whole.
    static func completeEnd(_ bytes: [UInt8]) -> Int {
        for back in 1...3 where back <= bytes.count {
            let start = bytes.count - back
            let lead = bytes[start]
            if lead & 0xC0 == 0x80 { continue }
            let length = lead >= 0xF0 && lead <= 0xF4 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC2 ? 2 : 1
            guard lead <= 0xF4, length > back else { return bytes.count }
            if back > 1 {
                let second = bytes[start + 1]
                switch lead {
                case 0xE0 where second < 0xA0, 0xED where second > 0x9F, 0xF0 where second < 0x90,
                    0xF4 where second > 0x8F:
                    return bytes.count
                default: break
                }
            }
            return start
        }
        return bytes.count
    }
}
