public import Tokenization

/// How tokens are drawn and when a generation ends.
public struct GenerationParameters: Sendable, Codable, Hashable {
    /// Most tokens of one generation.
    public var maximumNewTokens: Int
    /// Softmax temperature; 0 takes the likeliest token.
    public var temperature: Double
    /// How many of the likeliest tokens may be drawn; 0 for all.
    public var topK: Int
    /// Probability mass that may be drawn from; 1 for all.
    public var topP: Double
    /// Divides positive and multiplies negative logits of tokens seen in the prompt or output; 1 for none.
    public var repetitionPenalty: Double
    /// Tokens that end a generation; they are not part of its tokens.
    public var stopTokens: [TokenID]
    /// Texts that end a generation once its output contains one; needs a decoding function.
    public var stopStrings: [String]
    /// Seed of the draws; each prompt has a stream of its own.
    public var seed: UInt64

    /// Greedy decoding of at most 256 tokens unless said otherwise.
    public init(
        maximumNewTokens: Int = 256,
        temperature: Double = 0,
        topK: Int = 0,
        topP: Double = 1,
        repetitionPenalty: Double = 1,
        stopTokens: [TokenID] = [],
        stopStrings: [String] = [],
        seed: UInt64 = 0
    ) {
        self.maximumNewTokens = maximumNewTokens
        self.temperature = temperature
        self.topK = topK
        self.topP = topP
        self.repetitionPenalty = repetitionPenalty
        self.stopTokens = stopTokens
        self.stopStrings = stopStrings
        self.seed = seed
    }

    func validate() throws {
        guard maximumNewTokens >= 0 else {
            throw GenerationError.invalidParameter("maximumNewTokens is \(maximumNewTokens); it must not be negative")
        }
        guard temperature.isFinite, temperature >= 0 else {
            throw GenerationError.invalidParameter("temperature is \(temperature); it must be finite and not negative")
        }
        guard topK >= 0 else { throw GenerationError.invalidParameter("topK is \(topK); it must not be negative") }
        guard topP > 0, topP <= 1 else {
            throw GenerationError.invalidParameter("topP is \(topP); it must lie in (0, 1]")
        }
        guard repetitionPenalty.isFinite, repetitionPenalty > 0 else {
            throw GenerationError.invalidParameter("repetitionPenalty is \(repetitionPenalty); it must be positive")
        }
    }
}

/// What came of one prompt.
public struct Generation: Sendable, Hashable, Codable {
    /// Why a generation ended.
    public enum FinishReason: String, Sendable, Codable {
        /// A stop token or stop string.
        case stop
        /// The limit of new tokens or of the model's positions.
        case length
    }

    /// The new tokens, without prompt and stop token.
    public var tokens: [TokenID]
    /// Why it ended.
    public var finishReason: FinishReason
    /// log p of each new token under the model itself (no temperature, no penalty).
    public var logProbabilities: [Float]
    /// The stop token that ended it, if one did.
    public var stopToken: TokenID?
}

/// Why nothing can be generated or scored.
public enum GenerationError: Error, Sendable, CustomStringConvertible {
    /// A parameter outside its range.
    case invalidParameter(String)
    /// A prompt that cannot be continued.
    case invalidPrompt(String)
    /// A model whose logits are NaN or infinite, so that no token follows from them.
    case notFinite(String)

    /// Names the parameter, prompt or model and what is wrong.
    public var description: String {
        switch self {
        case .invalidParameter(let text): "Generation parameters: \(text)"
        case .invalidPrompt(let text): "Generation prompt: \(text)"
        case .notFinite(let text): "Generation: \(text)"
        }
    }
}
