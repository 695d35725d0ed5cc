public import Tokenization

/// One sequence with a signed weight a token.
public struct SupervisedExample: Sendable, Codable, Hashable {
    /// The whole sequence: prompt and response.
    public var tokens: [TokenID]
    /// The signed weight of each token's negative log-likelihood.
    ///
    /// `weights[t]` multiplies −log p(tokens[t] | tokens before t): 0 ignores a token, a negative weight (the wrong side
    /// of KRSL) pushes it away. The first token has nothing before it and is always ignored.
    public var weights: [Float]
    /// The response length that normalisation divides by; nil counts the weights that are not 0.
    ///
    /// KRSL with gamma 0
    /// ignores most of a response and needs it said.
    public var responseLength: Int?

    /// An example from its parts.
    public init(tokens: [TokenID], weights: [Float], responseLength: Int? = nil) {
        self.tokens = tokens
        self.weights = weights
        self.responseLength = responseLength
    }

    /// An example whose response tokens weigh 1 and whose prompt is ignored.
    public init(prompt: [TokenID], response: [TokenID]) {
        self.init(
            tokens: prompt + response,
            weights: [Float](repeating: 0, count: prompt.count) + [Float](repeating: 1, count: response.count)
        )
    }

    /// The example with all its weights multiplied; the length that normalisation divides by stays.
    public func weighted(by factor: Float) -> SupervisedExample {
        guard factor != 1 else { return self }
        return SupervisedExample(tokens: tokens, weights: weights.map { $0 * factor }, responseLength: responseLength)
    }

    var countedLength: Int { max(1, responseLength ?? weights.dropFirst().count { $0 != 0 }) }
}

/// A chosen and a rejected completion of one prompt.
public struct PreferenceExample: Sendable, Codable, Hashable {
    /// The pair's name.
    public var id: String
    /// What both completions continue: problem and verified prefix.
    public var prompt: [TokenID]
    /// The completion to prefer.
    public var chosen: [TokenID]
    /// The completion to avoid.
    public var rejected: [TokenID]
    /// Σ weight · log p of the chosen completion under the reference, in nats; computed when nil.
    public var referenceChosen: Float?
    /// Σ weight · log p of the rejected completion under the reference, in nats; computed when nil.
    public var referenceRejected: Float?
    /// The content hash of the model that the two values were computed with; they are refused under any other.
    public var referenceHash: String?
    /// A weight a chosen token; nil for 1 each.
    public var chosenWeights: [Float]?
    /// A weight a rejected token; nil for 1 each.
    public var rejectedWeights: [Float]?

    /// A pair from its parts.
    public init(
        id: String,
        prompt: [TokenID],
        chosen: [TokenID],
        rejected: [TokenID],
        referenceChosen: Float? = nil,
        referenceRejected: Float? = nil,
        referenceHash: String? = nil,
        chosenWeights: [Float]? = nil,
        rejectedWeights: [Float]? = nil
    ) {
        self.id = id
        self.prompt = prompt
        self.chosen = chosen
        self.rejected = rejected
        self.referenceChosen = referenceChosen
        self.referenceRejected = referenceRejected
        self.referenceHash = referenceHash
        self.chosenWeights = chosenWeights
        self.rejectedWeights = rejectedWeights
    }
}

/// What can be wrong with a training run.
public enum TrainingError: Error, Sendable, CustomStringConvertible {
    /// An option outside its range, or two that do not go together.
    case invalidOption(String)
    /// An example that cannot be trained on.
    case invalidExample(String)
    /// The loss or the gradient became infinite or undefined.
    case diverged(String)
    /// A checkpoint that does not belong to this run.
    case invalidCheckpoint(String)
    /// The training would need more memory than there is.
    case insufficientMemory(String)

    /// Names what is wrong and where.
    public var description: String {
        switch self {
        case .invalidOption(let text): "Training options: \(text)"
        case .invalidExample(let text): "Training example: \(text)"
        case .diverged(let text): "Training diverged: \(text)"
        case .invalidCheckpoint(let text): "Training checkpoint: \(text)"
        case .insufficientMemory(let text): "Training memory: \(text)"
        }
    }
}
