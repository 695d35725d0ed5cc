import ModelFiles

/// The `decoder`: turns the texts of tokens back into one text.
struct Decoder: Sendable {
    enum Step: Sendable {
        case byteLevel
        case replace([UInt8], with: [UInt8])
        case byteFallback
        case fuse
        case strip([UInt8], start: Int)
        case metaspace([UInt8], dropsFirst: Bool)
    }

    static let replacementCharacter: [UInt8] = [0xEF, 0xBF, 0xBD]

    let steps: [Step]
    /// Without a decoder, tokens are joined by spaces.
    let isAbsent: Bool

    init(_ node: JSONNode?, place: String) throws {
        isAbsent = node?.isNull ?? true
        steps = try Self.steps(node, place: place)
    }

    private static func steps(_ node: JSONNode?, place: String) throws -> [Step] {
        guard let node, !node.isNull else { return [] }
        switch node["type"]?.string {
        case "ByteLevel": return [.byteLevel]
        case "Replace":
            let (pattern, content) = try node.stringReplacement(part: "decoder", place: place)
            return [.replace(pattern, with: content)]
        case "ByteFallback": return [.byteFallback]
        case "Fuse": return [.fuse]
        case "Strip":
            guard let content = node["content"]?.bytes, !content.isEmpty, let start = node["start"]?.integer,
                (0...1024).contains(start), node["stop"]?.integer == 0
            else {
                throw TokenizationError(
                    .unsupported,
                    place: place,
                    "decoder Strip is supported with a content, start in 0...1024 and stop 0"
                )
            }
            return [.strip(content, start: start)]
        case "Metaspace":
            let metaspace = try PreTokenizer.Metaspace(node, place: place)
            return [.metaspace(metaspace.replacement, dropsFirst: metaspace.prepend != .never)]
        case "Sequence":
            return try (node["decoders"]?.array ?? []).flatMap { try steps($0, place: place) }
        case let type:
            throw TokenizationError(
                .unsupported,
                place: place,
                "decoder \(type ?? "without a type") is not supported; "
                    + "ByteLevel, Replace, ByteFallback, Fuse, Strip, Metaspace and Sequence are"
            )
        }
    }

    /// The text of `tokens`, as UTF-8 that may be broken where the tokens spell broken text.
    func decode(_ tokens: [[UInt8]]) -> [UInt8] {
        if isAbsent { return Array(tokens.joined(separator: [0x20])) }
        var tokens = tokens
        for step in steps {
            switch step {
            case .byteLevel: tokens = [tokens.flatMap { ByteAlphabet.decode($0) ?? $0 }]
            case .replace(let pattern, let content):
                tokens = tokens.map { $0.replacingSequence(pattern, with: content) }
            case .byteFallback: tokens = Self.joinFallbackBytes(tokens)
            case .fuse: tokens = [Array(tokens.joined())]
            case .strip(let content, let start): tokens = tokens.map { Self.strip($0, content, start) }
            case .metaspace(let replacement, let dropsFirst):
                tokens = tokens.enumerated().map { index, token in
                    token.replacingSequence(replacement, with: index == 0 && dropsFirst ? [] : [0x20])
                }
            }
        }
        return Array(tokens.joined())
    }

    static func strip(_ token: [UInt8], _ content: [UInt8], _ count: Int) -> [UInt8] {
        var start = 0
        for _ in 0..<count where token.hasSequence(content, at: start) { start += content.count }
        return start == 0 ? token : Array(token[start...])
    }

    /// The byte that a token `<0xNN>` stands for.
    static func fallbackByte(_ token: [UInt8]) -> UInt8? {
        guard token.count == 6, token.hasSequence(Array("<0x".utf8), at: 0), token[5] == UInt8(ascii: ">"),
            token[3] != UInt8(ascii: "+"), token[3] != UInt8(ascii: "-")
        else { return nil }
        return UInt8(String(decoding: token[3..<5], as: UTF8.self), radix: 16)
    }

    /// A run of bytes is text when all of it is UTF-8, else one replacement character a byte.
    static func text(ofFallback bytes: [UInt8]) -> [UInt8] {
        if String(validating: bytes, as: UTF8.self) != nil { return bytes }
        return bytes.flatMap { _ in replacementCharacter }
    }

    private static func joinFallbackBytes(_ tokens: [[UInt8]]) -> [[UInt8]] {
        var result: [[UInt8]] = []
        var run: [UInt8] = []
        for token in tokens {
            if let byte = fallbackByte(token) {
                run.append(byte)
                continue
            }
            if !run.isEmpty {
                result.append(text(ofFallback: run))
                run.removeAll()
            }
            result.append(token)
        }
        if !run.isEmpty { result.append(text(ofFallback: run)) }
        return result
    }
}
