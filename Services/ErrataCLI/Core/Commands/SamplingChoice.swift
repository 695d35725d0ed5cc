import LanguageModel
import Tokenization

/// What somebody said of how tokens are drawn.
struct SamplingChoice {
    var maximumTokens: Int?
    var temperature: Double?
    var topK: Int?
    var topP: Double?
    var repetitionPenalty: Double?

    /// The choice, with the model's own sampling where nothing was said.
    func parameters(
        defaults: GenerationConfiguration?,
        stopTokens: [TokenID],
        stopStrings: [String] = [],
        room: Int,
        seed: UInt64
    ) -> GenerationParameters {
        // Who asks for top-k or top-p wants to draw.
        let samples = defaults?.doSample == true || topK != nil || topP != nil
        return GenerationParameters(
            maximumNewTokens: min(maximumTokens ?? defaults?.maximumNewTokens ?? 256, room),
            temperature: temperature ?? (samples ? defaults?.temperature ?? 1 : 0),
            topK: topK ?? (samples ? defaults?.topK ?? 0 : 0),
            topP: topP ?? (samples ? defaults?.topP ?? 1 : 1),
            repetitionPenalty: repetitionPenalty ?? defaults?.repetitionPenalty ?? 1,
            stopTokens: Array(Set(stopTokens)).sorted(),
            stopStrings: stopStrings,
            seed: seed
        )
    }
}

extension TextOptions {
    /// What the options say of it.
    var sampling: SamplingChoice {
        SamplingChoice(
            maximumTokens: maxTokens,
            temperature: temperature,
            topK: topK,
            topP: topP,
            repetitionPenalty: repetitionPenalty
        )
    }
}
