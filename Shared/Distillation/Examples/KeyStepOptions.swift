public import Reasoning
import TensorEngine
public import Tokenization

/// Which tokens of a pair's chains are key.
public enum KeyTokenChoice: Sendable, Hashable {
    /// What a minimum-edit-distance alignment of the two leaves unmatched (EDIT, equation 5).
    case edit
    /// The control: as many in each chain as ``edit`` finds, at places among that chain's tokens that the seed and the
    /// pair's tokens alone decide.
    case random(seed: UInt64)
}

/// Every choice of KRSL's token weights (EDIT, equations 5 to 7); weights multiply −log p.
public struct KeyStepOptions: Sendable, Hashable {
    /// Weight of the right chain's key tokens.
    public var alpha: Double
    /// Weight of the wrong chain's key tokens, as a magnitude; it is applied with a minus sign.
    public var beta: Double
    /// Weight of the right chain's other tokens, its end-of-text token included; those of the wrong chain weigh 0.
    public var gamma: Double
    /// How ties between alignments are broken.
    public var tieRule: KeyStepAlignment.TieRule
    /// Which tokens are key.
    public var keyTokens: KeyTokenChoice

    /// The weights of the paper (EDIT, section 4.1) and the tie rule of its code unless said otherwise.
    public init(
        alpha: Double = 1,
        beta: Double = 0.025,
        gamma: Double = 0,
        tieRule: KeyStepAlignment.TieRule = .edit,
        keyTokens: KeyTokenChoice = .edit
    ) {
        self.alpha = alpha
        self.beta = beta
        self.gamma = gamma
        self.tieRule = tieRule
        self.keyTokens = keyTokens
    }

    /// A signed weight a token of two chains that are aligned here.
    ///
    /// Arguments:
    ///   - end: so many tokens at the end of both chains, such as end of text, are never drawn at random.
    public func tokenWeights(
        right: [TokenID],
        wrong: [TokenID],
        end: Int = 0
    ) -> (right: [Float], wrong: [Float]) {
        let alignment = KeyStepAlignment.align(right: right, wrong: wrong, tieRule: tieRule)
        return tokenWeights(
            right: right,
            rightKeys: alignment.rightKeys,
            wrong: wrong,
            wrongKeys: alignment.wrongKeys,
            end: end
        )
    }

    /// A signed weight a token of two chains whose key tokens by edit distance are known.
    ///
    /// Arguments:
    ///   - rightKeys, wrongKeys: whether a token is key, one a token.
    ///   - end: so many tokens at the end of both chains, such as end of text, are never drawn at random.
    public func tokenWeights(
        right: [TokenID],
        rightKeys: [Bool],
        wrong: [TokenID],
        wrongKeys: [Bool],
        end: Int = 0
    ) -> (right: [Float], wrong: [Float]) {
        var (rightKeys, wrongKeys) = (rightKeys, wrongKeys)
        if case .random(let seed) = keyTokens {
            let pair = Self.digest(right) &* 31 &+ Self.digest(wrong)
            rightKeys = Self.drawn(rightKeys, end: end, seed: seed, stream: pair)
            wrongKeys = Self.drawn(wrongKeys, end: end, seed: seed, stream: ~pair)
        }
        return (
            rightKeys.map { Float($0 ? alpha : gamma) }, wrongKeys.map { $0 ? -Float(beta) : 0 }
        )
    }

    /// As many keys at other places.
    private static func drawn(_ keys: [Bool], end: Int, seed: UInt64, stream: UInt64) -> [Bool] {
        var generator = SeededGenerator(seed: seed, stream: stream)
        let places = Array(0..<max(0, keys.count - end)).shuffled(using: &generator)
        var result = [Bool](repeating: false, count: keys.count)
        for place in places.prefix(keys.count { $0 }) { result[place] = true }
        return result
    }

    /// FNV-1a over the tokens.
    private static func digest(_ tokens: [TokenID]) -> UInt64 {
        tokens.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64(UInt32(bitPattern: $1))) &* 0x100_0000_01B3 }
    }
}
