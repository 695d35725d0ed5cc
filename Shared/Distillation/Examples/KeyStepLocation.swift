public import Reasoning
public import Tokenization

/// The key steps of a dual pair: what a minimum-edit-distance alignment of its tokens leaves unmatched (EDIT, equation 5).
public struct KeyStepLocation: Sendable {
    /// One chain of the pair.
    public struct Side: Sendable {
        /// The text that was aligned.
        public let text: String
        /// The number of its tokens.
        public let tokens: Int
        /// Runs of key tokens.
        public let spans: [Span]
        /// A signed weight a token.
        public let weights: [Float]
    }

    /// A run of adjacent key tokens.
    public struct Span: Sendable, Hashable {
        /// The UTF-8 bytes of the text.
        public let bytes: Range<Int>
        /// The tokens.
        public let tokens: Range<Int>
        /// What the edit does.
        public let kind: EditKind
        /// The step (line) that it begins in, from 0.
        public let step: Int
    }

    /// How texts are cut.
    public enum Tokens: Sendable {
        /// Words, digits and marks; for pairs that no student has asked for yet.
        case words
        /// The student's own tokenizer, as the paper has it.
        case student(Tokenizer)

        /// The name in events.
        public var fingerprint: String {
            switch self {
            case .words: WordTokens.fingerprint
            case .student(let tokenizer): tokenizer.fingerprint
            }
        }

        func encode(_ text: String) -> (ids: [TokenID], ranges: [Range<Int>]) {
            switch self {
            case .words: return WordTokens.tokens(of: text)
            case .student(let tokenizer):
                let tokens = tokenizer.encodeWithOffsets(text)
                return (tokens.map(\.id), tokens.map(\.range))
            }
        }
    }

    /// Insertions, deletions and replacements.
    public let distance: Int
    /// The right chain.
    public let right: Side
    /// The wrong chain.
    public let wrong: Side

    /// Locates the key steps of a pair.
    ///
    /// Arguments:
    ///   - options: the weights and the tie rule; spans and weights are those of the alignment, also where training
    ///     draws its key tokens at random.
    public init(right: String, wrong: String, tokens: Tokens, options: KeyStepOptions) {
        let rightTokens = tokens.encode(right)
        let wrongTokens = tokens.encode(wrong)
        let alignment = KeyStepAlignment.align(right: rightTokens.ids, wrong: wrongTokens.ids, tieRule: options.tieRule)
        let weights = alignment.keyTokenWeights(
            alpha: Float(options.alpha),
            beta: -Float(options.beta),
            gamma: Float(options.gamma)
        )
        distance = alignment.distance
        self.right = Self.side(right, ranges: rightTokens.ranges, weights: weights.right) {
            alignment.rightSpans(steps: $0)
        }
        self.wrong = Self.side(wrong, ranges: wrongTokens.ranges, weights: weights.wrong) {
            alignment.wrongSpans(steps: $0)
        }
    }

    private static func side(
        _ text: String,
        ranges: [Range<Int>],
        weights: [Float],
        spans: ([Int?]) -> [KeySpan]
    ) -> Side {
        let steps = StepMap.stepOfTokens(ranges, steps: StepMap.steps(of: text))
        let located = spans(steps).map { span in
            Span(
                bytes: ranges[span.tokens.lowerBound].lowerBound..<ranges[span.tokens.upperBound - 1].upperBound,
                tokens: span.tokens,
                kind: span.kind,
                step: span.step ?? 0
            )
        }
        return Side(text: text, tokens: ranges.count, spans: located, weights: weights)
    }
}
