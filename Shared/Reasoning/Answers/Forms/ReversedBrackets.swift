/// Brackets that are turned outwards, as France writes open intervals: `]0, 1[` for `(0, 1)`.
enum ReversedBrackets {
    /// The tokens with such brackets turned into round ones; as they are where the brackets do not come out even.
    static func turned(_ tokens: [MathToken]) -> [MathToken] {
        guard tokens.contains(where: { $0.kind == .open(.square) || $0.kind == .close(.square) }) else { return tokens }
        var result = tokens
        var open: [Bracket] = []
        for index in tokens.indices {
            switch tokens[index].kind {
            case .close(.square) where open.isEmpty:
                result[index].kind = .open(.round)
                open.append(.square)
            case .open(.square) where open.last == .square && endsInterval(tokens, at: index):
                result[index].kind = .close(.round)
                open.removeLast()
            case .open(let bracket): open.append(bracket)
            case .close:
                guard open.popLast() != nil else { return tokens }
            default: break
            }
        }
        return open.isEmpty ? result : tokens
    }

    /// Whether a value stands before an index and nothing, or what may follow an interval, behind it.
    private static func endsInterval(_ tokens: [MathToken], at index: Int) -> Bool {
        guard index > 0 else { return false }
        switch tokens[index - 1].kind {
        case .number, .letters, .symbol, .constant, .close: break
        default: return false
        }
        guard index + 1 < tokens.count else { return true }
        switch tokens[index + 1].kind {
        case .union, .intersection, .without, .comma, .semicolon, .conjunction, .letters("U"), .period: return true
        default: return false
        }
    }
}
