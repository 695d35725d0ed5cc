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
        return SupervisedExample(
            tokens: tokens,
            weights: weights.map { $0 * factor },
            // A factor of 0 leaves no weight to count by.
            responseLength: factor == 0 ? countedLength : responseLength
        )
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
    /// A weight a chosen token in the preference; nil for 1 each.
    ///
    /// A weight says how much a token's log-probability counts in the preference; one of 0 is still a token of the
    /// completion, which the likelihood term trains and by which lengths are counted. A mask says which tokens are none.
    public var chosenWeights: [Float]?
    /// A weight a rejected token in the preference; nil for 1 each.
    public var rejectedWeights: [Float]?
    /// Which tokens of the chosen completion the assistant says; nil for all.
    ///
    /// The others, such as a user's turn between two answers, are read and neither trained nor counted: they are in no
    /// loss, length or metric.
    public var chosenMask: [Bool]?
    /// Which tokens of the rejected completion the assistant says; nil for all.
    public var rejectedMask: [Bool]?

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
        rejectedWeights: [Float]? = nil,
        chosenMask: [Bool]? = nil,
        rejectedMask: [Bool]? = nil
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
        self.chosenMask = chosenMask
        self.rejectedMask = rejectedMask
    }
}

extension PreferenceExample {
    /// Tokens of the chosen completion that are trained.
    var chosenCount: Int { chosenMask?.count { $0 } ?? chosen.count }

    /// Checks that the pair can be trained on.
    ///
    /// - Throws: ``TrainingError`` that names the pair.
    func check() throws {
        func fail(_ text: String) -> TrainingError { .invalidExample("pair \(id): \(text)") }
        guard !prompt.isEmpty, !chosen.isEmpty, !rejected.isEmpty else {
            throw fail("prompt, chosen and rejected need at least one token each")
        }
        guard chosenWeights.map({ $0.count == chosen.count }) ?? true,
            rejectedWeights.map({ $0.count == rejected.count }) ?? true
        else {
            throw fail("there must be as many weights as completion tokens")
        }
        guard chosenMask.map({ $0.count == chosen.count }) ?? true,
            rejectedMask.map({ $0.count == rejected.count }) ?? true
        else {
            throw fail("a mask must be as long as its completion")
        }
        guard chosenMask?.contains(true) ?? true, rejectedMask?.contains(true) ?? true else {
            throw fail("a mask leaves no token of a completion")
        }
        for weight in (chosenWeights ?? []) + (rejectedWeights ?? []) where !weight.isFinite {
            throw fail("a weight is not finite")
        }
        guard (referenceChosen == nil) == (referenceRejected == nil) else {
            throw fail("give both reference log-probabilities or none")
        }
        guard (referenceChosen == nil) == (referenceHash == nil) else {
            throw fail("reference log-probabilities and the hash of the reference go together")
        }
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
    /// A checkpoint that does not belong to this run, or is damaged.
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
