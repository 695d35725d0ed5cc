import ModelFiles

/// Tokens that are found in the text before anything else happens to it, special ones among them.
struct AddedTokens: Sendable {
    struct Token: Sendable {
        let id: TokenID
        let content: [UInt8]
        let isSpecial: Bool
        let isNormalized: Bool
        let isSingleWord: Bool
        let stripsLeft: Bool
        let stripsRight: Bool
    }

    /// A piece of text: an added token, or what lies between two.
    struct Piece {
        let range: Range<Int>
        let id: TokenID?
    }

    let tokens: [Token]
    private var trie: [UInt64: Int32] = [:]
    private var accepting: [Int32] = [-1]
    private var startsToken = [Bool](repeating: false, count: 256)

    /// A matcher for `tokens`, each to be found in the form that `spelling` gives it.
    init(_ tokens: [Token], spelling: (Token) -> [UInt8]) {
        self.tokens = tokens
        for (index, token) in tokens.enumerated() {
            let content = spelling(token)
            guard let first = content.first else { continue }
            startsToken[Int(first)] = true
            var node: Int32 = 0
            for byte in content {
                let key = UInt64(node) << 8 | UInt64(byte)
                if let child = trie[key] {
                    node = child
                } else {
                    let child = Int32(truncatingIfNeeded: accepting.count)
                    accepting.append(-1)
                    trie[key] = child
                    node = child
                }
            }
            accepting[Int(node)] = Int32(truncatingIfNeeded: index)
        }
    }

    static func read(_ node: JSONNode?, place: String) throws -> [Token] {
        guard let node, !node.isNull else { return [] }
        guard let nodes = node.array else {
            throw TokenizationError(.malformed, place: place, "added_tokens is \(node.kind), not an array")
        }
        return try nodes.enumerated().map { index, node in
            guard let content = node["content"]?.bytes, !content.isEmpty, let id = node["id"]?.integer, id >= 0,
                id <= BytePairModel.maximumID
            else {
                throw TokenizationError(
                    .malformed,
                    place: place,
                    "added token \(index) has no content or no id in 0...\(BytePairModel.maximumID)"
                )
            }
            let isSpecial = node["special"]?.bool ?? false
            return Token(
                id: TokenID(id),
                content: content,
                isSpecial: isSpecial,
                isNormalized: node["normalized"]?.bool ?? !isSpecial,
                isSingleWord: node["single_word"]?.bool ?? false,
                stripsLeft: node["lstrip"]?.bool ?? false,
                stripsRight: node["rstrip"]?.bool ?? false
            )
        }
    }

    /// Cuts `text` at the added tokens: the leftmost match counts, and the longest of those.
    ///
    /// - Parameters:
    ///   - text: UTF-8.
    ///   - excluded: Tokens that are not looked for.
    /// - Returns: All of the text, in order.
    func split(_ text: UnsafeBufferPointer<UInt8>, excluding excluded: Set<TokenID> = []) -> [Piece] {
        var pieces: [Piece] = []
        var pending = 0
        var position = 0
        while position < text.count {
            guard startsToken[Int(text[position])], let match = match(text, at: position, excluded) else {
                position += 1
                continue
            }
            var start = position
            var end = match.end
            position = end
            let token = tokens[match.index]
            if token.isSingleWord, touchesWord(text, start..<end) { continue }
            if token.stripsLeft {
                while start > pending, let space = spaceBefore(text, start), start - space >= pending { start -= space }
            }
            if token.stripsRight {
                let cursor = ScalarCursor(bytes: text)
                while case let scalar = cursor.scalar(at: end), scalar.length > 0,
                    CharacterClass.of(scalar.code) == .space
                {
                    end += scalar.length
                }
                position = end
            }
            if pending < start { pieces.append(Piece(range: pending..<start, id: nil)) }
            pieces.append(Piece(range: start..<end, id: token.id))
            pending = end
        }
        if pending < text.count { pieces.append(Piece(range: pending..<text.count, id: nil)) }
        return pieces
    }

    private func match(
        _ text: UnsafeBufferPointer<UInt8>,
        at start: Int,
        _ excluded: Set<TokenID>
    ) -> (index: Int, end: Int)? {
        var node: Int32 = 0
        var result: (index: Int, end: Int)?
        var position = start
        while position < text.count, let child = trie[UInt64(node) << 8 | UInt64(text[position])] {
            node = child
            position += 1
            let index = Int(accepting[Int(node)])
            if index >= 0, excluded.isEmpty || !excluded.contains(tokens[index].id) { result = (index, position) }
        }
        return result
    }

    private func lastScalar(_ text: UnsafeBufferPointer<UInt8>, before end: Int) -> (code: UInt32, length: Int)? {
        guard end > 0 else { return nil }
        var start = end - 1
        while start > 0, text[start] & 0xC0 == 0x80 { start -= 1 }
        return ScalarCursor(bytes: text).scalar(at: start)
    }

    private func spaceBefore(_ text: UnsafeBufferPointer<UInt8>, _ end: Int) -> Int? {
        guard let scalar = lastScalar(text, before: end), CharacterClass.of(scalar.code) == .space else { return nil }
        return scalar.length
    }

    private func touchesWord(_ text: UnsafeBufferPointer<UInt8>, _ range: Range<Int>) -> Bool {
        func isWord(_ code: UInt32) -> Bool {
            guard let scalar = Unicode.Scalar(code) else { return false }
            if scalar.properties.isAlphabetic { return true }
            switch scalar.properties.generalCategory {
            case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: return true
            default: return false
            }
        }
        if let before = lastScalar(text, before: range.lowerBound), isWord(before.code) { return true }
        let after = ScalarCursor(bytes: text).scalar(at: range.upperBound)
        return after.length > 0 && isWord(after.code)
    }
}
