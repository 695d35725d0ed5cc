import Digests
import Foundation
import ModelFiles

/// Everything that a `tokenizer.json` says, read once and shared by all copies of a tokenizer.
final class TokenizerModel: Sendable {
    let normalizer: Normalizer
    let preTokenizer: PreTokenizer
    let pairs: BytePairModel
    let decoder: Decoder
    let rawTokens: AddedTokens
    let normalizedTokens: AddedTokens
    let prefix: [TokenID]
    let suffix: [TokenID]
    /// Text of each id, added tokens included.
    private let texts: [[UInt8]?]
    /// The special tokens.
    let isSpecial: Set<TokenID>
    private let addedIDs: ByteTable
    let fingerprint: String
    let json: Data

    init(json: Data, place: String) throws {
        let root: JSONNode
        do {
            root = try JSONNode.parse(json)
        } catch {
            throw TokenizationError(.malformed, place: place, error.description)
        }
        guard root.object != nil else {
            throw TokenizationError(.malformed, place: place, "is \(root.kind), not a JSON object")
        }
        self.json = json
        let normalizer = try Normalizer(root["normalizer"], place: place)
        self.normalizer = normalizer
        preTokenizer = try PreTokenizer(root["pre_tokenizer"], place: place)
        decoder = try Decoder(root["decoder"], place: place)
        pairs = try BytePairModel(root["model"], isByteLevel: preTokenizer.isByteLevel, place: place)
        let added = try AddedTokens.read(root["added_tokens"], place: place)
        (texts, addedIDs) = try Self.join(pairs, added, place: place)
        isSpecial = Set(added.filter(\.isSpecial).map(\.id))
        rawTokens = AddedTokens(added.filter { !$0.isNormalized }, spelling: \.content)
        normalizedTokens = AddedTokens(added.filter(\.isNormalized)) { token in
            var text = NormalizedText(token.content, origin: 0, keepsOffsets: false)
            normalizer.apply(to: &text)
            return text.bytes
        }
        (prefix, suffix) = try Self.template(root["post_processor"], vocabularySize: texts.count, place: place)
        fingerprint = Self.fingerprint(root, pairs, added)
    }

    private static func join(
        _ pairs: BytePairModel,
        _ added: [AddedTokens.Token],
        place: String
    ) throws -> ([[UInt8]?], ByteTable) {
        var texts = pairs.tokens
        var ids = ByteTable()
        for token in added {
            let name = String(decoding: token.content, as: UTF8.self)
            func malformed(_ message: String) -> TokenizationError {
                TokenizationError(.malformed, place: place, "added token \(name) \(message)")
            }
            guard ids.insert(token.content, token.id) else { throw malformed("is listed twice") }
            if let known = pairs.vocabulary.id(token.content), known != token.id {
                throw malformed("has the id \(token.id), but \(known) in the vocabulary")
            }
            let id = Int(token.id)
            while texts.count <= id { texts.append(nil) }
            if let other = texts[id], other != token.content {
                throw malformed("shares the id \(id) with \(String(decoding: other, as: UTF8.self))")
            }
            texts[id] = token.content
        }
        return (texts, ids)
    }

    /// The ids that a single text is wrapped in.
    private static func template(
        _ node: JSONNode?,
        vocabularySize: Int,
        place: String
    ) throws -> ([TokenID], [TokenID]) {
        guard let node, !node.isNull else { return ([], []) }
        switch node["type"]?.string {
        case "ByteLevel": return ([], [])
        case "Sequence":
            var result: ([TokenID], [TokenID]) = ([], [])
            for part in node["processors"]?.array ?? [] {
                let (before, after) = try template(part, vocabularySize: vocabularySize, place: place)
                result = (before + result.0, result.1 + after)
            }
            return result
        case "TemplateProcessing":
            var result: ([TokenID], [TokenID]) = ([], [])
            var isAfter = false
            for part in node["single"]?.array ?? [] {
                if part["Sequence"] != nil {
                    isAfter = true
                    continue
                }
                guard let name = part["SpecialToken"]?["id"]?.string,
                    let ids = node["special_tokens"]?[name]?["ids"]?.array?.compactMap(\.integer), !ids.isEmpty,
                    ids.allSatisfy({ (0..<vocabularySize).contains($0) })
                else {
                    throw TokenizationError(
                        .malformed,
                        place: place,
                        "post_processor names a special token that has no ids in the vocabulary"
                    )
                }
                if isAfter { result.1 += ids.map(TokenID.init) } else { result.0 += ids.map(TokenID.init) }
            }
            return result
        case let type:
            throw TokenizationError(
                .unsupported,
                place: place,
                "post_processor \(type ?? "without a type") is not supported; "
                    + "ByteLevel, TemplateProcessing and Sequence are"
            )
        }
    }

    /// Hashes what decides about ids: vocabulary by id, merges by rank, added tokens and the text pipeline.
    private static func fingerprint(_ root: JSONNode, _ pairs: BytePairModel, _ added: [AddedTokens.Token]) -> String {
        var bytes = Array("errata-tokenizer-1\n".utf8)
        for (id, token) in pairs.tokens.enumerated() {
            guard let token else { continue }
            bytes += "\(id) ".utf8
            JSONNode.appendQuoted(token, to: &bytes)
            bytes.append(0x0A)
        }
        for merge in pairs.merges { bytes += "\(merge.left)+\(merge.right)\n".utf8 }
        for token in added.sorted(by: { $0.id < $1.id }) {
            bytes += "\(token.id) \(token.isSpecial) \(token.isNormalized) \(token.isSingleWord) ".utf8
            bytes += "\(token.stripsLeft) \(token.stripsRight) ".utf8
            JSONNode.appendQuoted(token.content, to: &bytes)
            bytes.append(0x0A)
        }
        for key in ["normalizer", "pre_tokenizer", "post_processor", "decoder"] {
            (root[key] ?? .null).appendCanonical(to: &bytes)
            bytes.append(0x0A)
        }
        bytes +=
            "\(pairs.ignoresMerges) \(pairs.fallbackIDs != nil) \(pairs.unknownID ?? -1) \(pairs.fusesUnknown)".utf8
        return Hexadecimal.text(SHA256.hash(bytes))
    }

    var vocabularySize: Int { texts.count }

    func id(_ token: [UInt8]) -> TokenID? { addedIDs.id(token) ?? pairs.vocabulary.id(token) }

    func token(_ id: TokenID) -> [UInt8]? { texts.indices.contains(Int(id)) ? texts[Int(id)] : nil }

    /// The text of an id for decoding; nil for an unknown or a skipped one.
    func text(of id: TokenID, skipSpecialTokens: Bool) -> [UInt8]? {
        if skipSpecialTokens, isSpecial.contains(id) { return nil }
        return token(id)
    }

    /// Whether `id` is an added token, which ends a stretch of text.
    func isAddedToken(_ id: TokenID) -> Bool { token(id).map { addedIDs.id($0) == id } ?? false }

    func isSpecialToken(_ id: TokenID) -> Bool { isSpecial.contains(id) }

    /// Calls `output` with each token of `text` and the range of its UTF-8 bytes.
    ///
    /// - Parameters:
    ///   - text: UTF-8.
    ///   - origin: Where the text stands in a longer one whose other parts are encoded apart; ranges count from there.
    ///   - excluded: Added tokens that stay text where they are spelled out.
    ///   - continues: Whether the text goes on in the middle of a stretch, so that no space is put before it.
    ///   - keepsOffsets: Whether the ranges are wanted.
    ///   - output: Gets each token.
    func encode(
        _ text: UnsafeBufferPointer<UInt8>,
        origin: Int = 0,
        excluding excluded: Set<TokenID> = [],
        continues: Bool = false,
        keepsOffsets: Bool,
        output: (TokenID, Range<Int>) -> Void
    ) {
        var scratch = MergeScratch()
        for piece in rawTokens.split(text, excluding: excluded) {
            if let id = piece.id {
                output(id, origin + piece.range.lowerBound..<origin + piece.range.upperBound)
                continue
            }
            var normalized = NormalizedText(
                UnsafeBufferPointer(rebasing: text[piece.range]),
                origin: origin + piece.range.lowerBound,
                keepsOffsets: keepsOffsets
            )
            let prepends = !continues || piece.range.lowerBound > 0
            normalizer.apply(to: &normalized, prepends: prepends)
            let parts = normalized.bytes.withUnsafeBufferPointer { normalizedTokens.split($0, excluding: excluded) }
            for (index, part) in parts.enumerated() {
                if let id = part.id {
                    output(id, normalized.source(part.range))
                } else {
                    var stretch = parts.count == 1 ? normalized : normalized.slice(part.range)
                    encode(
                        &stretch,
                        prepends: prepends || index > 0,
                        keepsOffsets: keepsOffsets,
                        scratch: &scratch,
                        output: output
                    )
                }
            }
        }
    }

    private func encode(
        _ stretch: inout NormalizedText,
        prepends: Bool,
        keepsOffsets: Bool,
        scratch: inout MergeScratch,
        output: (TokenID, Range<Int>) -> Void
    ) {
        let ends = preTokenizer.words(of: &stretch, prepends: prepends)
        let text = stretch
        text.bytes.withUnsafeBufferPointer { bytes in
            var start = 0
            for end in ends {
                var position = start
                pairs.encode(UnsafeBufferPointer(rebasing: bytes[start..<end]), scratch: &scratch) { id, length in
                    output(id, keepsOffsets ? text.source(position..<position + length) : 0..<0)
                    position += length
                }
                start = end
            }
        }
    }
}
