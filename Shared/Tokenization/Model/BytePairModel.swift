import ModelFiles

/// Byte-pair encoding of single words: vocabulary, merges by rank, and what happens to characters outside both.
struct BytePairModel: Sendable {
    /// Largest id that a file may use.
    static let maximumID = 4_000_000

    /// Ids by the text that the file gives (spelled in the byte alphabet for byte-level models).
    let vocabulary: ByteTable
    /// Text of each id, nil where the vocabulary has a hole.
    let tokens: [[UInt8]?]
    /// The merges in order of rank.
    let merges: [(left: TokenID, right: TokenID, result: TokenID)]
    let isByteLevel: Bool
    let ignoresMerges: Bool
    let unknownID: TokenID?
    let fusesUnknown: Bool
    /// Ids of `<0x00>` to `<0xFF>`; nil without byte fallback.
    let fallbackIDs: [TokenID?]?
    private let ranks: PairTable
    private let byteIDs: [TokenID?]

    init(_ node: JSONNode?, isByteLevel: Bool, place: String) throws {
        func malformed(_ message: String) -> TokenizationError { TokenizationError(.malformed, place: place, message) }
        guard let node, node.object != nil else { throw malformed("has no model") }
        if let type = node["type"]?.string, type != "BPE" {
            throw TokenizationError(.unsupported, place: place, "model \(type) is not supported; BPE is")
        }
        for key in ["continuing_subword_prefix", "end_of_word_suffix"] where node[key]?.bytes?.isEmpty == false {
            throw TokenizationError(.unsupported, place: place, "\(key) is not supported")
        }
        if let dropout = node["dropout"]?.double, dropout != 0 {
            throw TokenizationError(.unsupported, place: place, "dropout \(dropout) is not supported")
        }
        self.isByteLevel = isByteLevel
        (vocabulary, tokens) = try Self.readVocabulary(node["vocab"], place: place)
        (merges, ranks) = try Self.readMerges(node["merges"], vocabulary, place: place)
        ignoresMerges = node["ignore_merges"]?.bool ?? false
        fusesUnknown = node["fuse_unk"]?.bool ?? false
        if let token = node["unk_token"]?.bytes {
            guard let id = vocabulary.id(token) else {
                throw malformed("unk_token \(String(decoding: token, as: UTF8.self)) is not in the vocabulary")
            }
            unknownID = id
        } else {
            unknownID = nil
        }
        let table = vocabulary
        if node["byte_fallback"]?.bool == true {
            fallbackIDs = (0..<256).map { table.id(Array(Self.fallbackSpelling(UInt8($0)).utf8)) }
        } else {
            fallbackIDs = nil
        }
        byteIDs = ByteAlphabet.spellings.map { table.id($0) }
    }

    static func fallbackSpelling(_ byte: UInt8) -> String {
        let digits = String(byte, radix: 16, uppercase: true)
        return "<0x\(digits.utf8.count == 1 ? "0" : "")\(digits)>"
    }

    private static func readVocabulary(_ node: JSONNode?, place: String) throws -> (ByteTable, [[UInt8]?]) {
        func malformed(_ message: String) -> TokenizationError { TokenizationError(.malformed, place: place, message) }
        guard let members = node?.object else { throw malformed("model has no vocab object") }
        var table = ByteTable()
        var tokens: [[UInt8]?] = []
        for member in members {
            let name = String(decoding: member.key, as: UTF8.self)
            guard let id = member.value.integer, id >= 0, id <= maximumID else {
                throw malformed("token \(name) has an id that is no integer in 0...\(maximumID)")
            }
            guard table.insert(member.key, TokenID(id)) else { throw malformed("token \(name) is listed twice") }
            while tokens.count <= id { tokens.append(nil) }
            if let other = tokens[id] {
                throw malformed("tokens \(String(decoding: other, as: UTF8.self)) and \(name) share the id \(id)")
            }
            tokens[id] = member.key
        }
        guard table.count > 0 else { throw malformed("the vocabulary is empty") }
        return (table, tokens)
    }

    private static func readMerges(
        _ node: JSONNode?,
        _ vocabulary: ByteTable,
        place: String
    ) throws -> ([(left: TokenID, right: TokenID, result: TokenID)], PairTable) {
        func malformed(_ message: String) -> TokenizationError { TokenizationError(.malformed, place: place, message) }
        guard let nodes = node?.array else { throw malformed("model has no merges array") }
        var merges: [(left: TokenID, right: TokenID, result: TokenID)] = []
        merges.reserveCapacity(nodes.count)
        var ranks = PairTable(capacity: nodes.count)
        for (rank, node) in nodes.enumerated() {
            let parts =
                node.array?.compactMap(\.bytes) ?? node.bytes.map { text in
                    text.split(separator: 0x20, omittingEmptySubsequences: false).map { Array($0) }
                } ?? []
            guard parts.count == 2, node.array.map({ $0.count == 2 }) ?? true else {
                throw malformed("merge \(rank) is not a pair of tokens")
            }
            func id(_ bytes: [UInt8]) throws -> TokenID {
                guard let id = vocabulary.id(bytes) else {
                    throw malformed(
                        "merge \(rank) needs the token \(String(decoding: bytes, as: UTF8.self)), "
                            + "which is not in the vocabulary"
                    )
                }
                return id
            }
            guard !parts[0].isEmpty, !parts[1].isEmpty else {
                throw malformed("merge \(rank) is a cycle: it joins a token with the empty token")
            }
            let merge = (left: try id(parts[0]), right: try id(parts[1]), result: try id(parts[0] + parts[1]))
            if let earlier = ranks.insert(merge.left, merge.right, rank: Int32(truncatingIfNeeded: rank)) {
                throw malformed("merge \(rank) repeats merge \(earlier)")
            }
            merges.append(merge)
        }
        return (merges, ranks)
    }

    /// Encodes one word; `output` gets each token with the count of the word's bytes that it covers.
    func encode(
        _ word: UnsafeBufferPointer<UInt8>,
        scratch: inout MergeScratch,
        output: (TokenID, Int) -> Void
    ) {
        if ignoresMerges, let id = wholeWordID(word) { return output(id, word.count) }
        merge(word, scratch: &scratch, output: output)
    }

    /// Encodes one word by merges alone.
    private func merge(
        _ word: UnsafeBufferPointer<UInt8>,
        scratch: inout MergeScratch,
        output: (TokenID, Int) -> Void
    ) {
        scratch.reset()
        if isByteLevel { addBytes(word, to: &scratch) } else { addCharacters(word, to: &scratch) }
        scratch.merge(ranks: ranks, merges: merges)
        scratch.forEach(output)
    }

    /// Whether merges make each token of its own text, so that ``ignoresMerges`` changes nothing.
    var mergesMakeEveryToken: Bool {
        var scratch = MergeScratch()
        for (id, token) in tokens.enumerated() {
            guard let token, let word = isByteLevel ? ByteAlphabet.decode(token) : token else { continue }
            var ids: [TokenID] = []
            word.withUnsafeBufferPointer { merge($0, scratch: &scratch) { id, _ in ids.append(id) } }
            guard ids == [TokenID(id)] else { return false }
        }
        return true
    }

    private func wholeWordID(_ word: UnsafeBufferPointer<UInt8>) -> TokenID? {
        isByteLevel ? vocabulary.id(ByteAlphabet.encode(word)) : vocabulary.id(word)
    }

    private func addBytes(_ word: UnsafeBufferPointer<UInt8>, to scratch: inout MergeScratch) {
        var unknown = 0
        for byte in word {
            if let id = byteIDs[Int(byte)] {
                flush(&unknown, to: &scratch)
                scratch.append(id, length: 1)
            } else {
                addUnknown(1, &unknown, to: &scratch)
            }
        }
        flush(&unknown, to: &scratch)
    }

    private func addCharacters(_ word: UnsafeBufferPointer<UInt8>, to scratch: inout MergeScratch) {
        let cursor = ScalarCursor(bytes: word)
        var unknown = 0
        var position = 0
        while position < word.count {
            let length = max(1, cursor.scalar(at: position).length)
            let character = UnsafeBufferPointer(rebasing: word[position..<position + length])
            position += length
            if let id = vocabulary.id(character) {
                flush(&unknown, to: &scratch)
                scratch.append(id, length: length)
            } else if let fallbackIDs, character.allSatisfy({ fallbackIDs[Int($0)] != nil }) {
                for byte in character { scratch.append(fallbackIDs[Int(byte)] ?? 0, length: 1) }
            } else {
                addUnknown(length, &unknown, to: &scratch)
            }
        }
        flush(&unknown, to: &scratch)
    }

    /// Notes unknown bytes; without an unknown token they are dropped, as the reference implementation does.
    private func addUnknown(_ length: Int, _ pending: inout Int, to scratch: inout MergeScratch) {
        guard unknownID != nil else { return scratch.extendLast(by: length) }
        if !fusesUnknown { flush(&pending, to: &scratch) }
        pending += length
    }

    private func flush(_ pending: inout Int, to scratch: inout MergeScratch) {
        guard pending > 0, let unknownID else { return }
        scratch.append(unknownID, length: pending)
        pending = 0
    }
}
