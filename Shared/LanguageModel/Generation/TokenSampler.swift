package import TensorEngine
package import Tokenization

/// Draws the next token of one sequence from its logits.
///
/// The order is that of `transformers`: repetition penalty, temperature, top-k, top-p.
package struct TokenSampler {
    let parameters: GenerationParameters
    var generator: SeededGenerator
    private var seen: Set<TokenID> = []

    package init(parameters: GenerationParameters, stream: UInt64, prompt: [TokenID]) {
        self.parameters = parameters
        generator = SeededGenerator(seed: parameters.seed, stream: stream)
        if parameters.repetitionPenalty != 1 { seen = Set(prompt) }
    }

    /// The next token; `scratch` has room for one row of logits.
    ///
    /// - Returns: The token, or nil where the largest logit that may be drawn is no finite number.
    package mutating func next(
        _ logits: UnsafePointer<Float>,
        scratch: UnsafeMutablePointer<Float>,
        vocabulary: Int,
        context: ComputeContext
    ) -> TokenID? {
        var source = logits
        if parameters.repetitionPenalty != 1 {
            scratch.update(from: logits, count: vocabulary)
            let penalty = Float(parameters.repetitionPenalty)
            for token in seen where token >= 0 && Int(token) < vocabulary {
                let value = scratch[Int(token)]
                scratch[Int(token)] = value > 0 ? value / penalty : value * penalty
            }
            source = UnsafePointer(scratch)
        }
        let likeliest = argmax(source, count: vocabulary)
        guard source[likeliest].isFinite else { return nil }
        var token = likeliest
        if parameters.temperature > 0 {
            InferenceKernels.exponentials(
                context: context,
                source,
                into: scratch,
                subtract: source[likeliest],
                factor: Float(1 / parameters.temperature),
                count: vocabulary
            )
            token = draw(UnsafeBufferPointer(start: scratch, count: vocabulary)) ?? likeliest
        }
        if parameters.repetitionPenalty != 1 { seen.insert(TokenID(token)) }
        return TokenID(token)
    }

    /// The first of the largest values; NaN is passed over, except where it comes first.
    private func argmax(_ values: UnsafePointer<Float>, count: Int) -> Int {
        var best = 0
        for index in 1..<max(1, count) where values[index] > values[best] { best = index }
        return best
    }

    /// Draws an index in proportion to `weights`, within top-k and top-p.
    private mutating func draw(_ weights: UnsafeBufferPointer<Float>) -> Int? {
        let uniform = generator.nextUniform()
        let limitsCount = parameters.topK > 0 && parameters.topK < weights.count
        guard limitsCount || parameters.topP < 1 else {
            var left = uniform * Self.sum(weights)
            for (index, weight) in weights.enumerated() {
                left -= Double(weight)
                if left < 0 { return index }
            }
            return nil
        }
        var ranked: RankedTokens
        var total = 0.0
        if limitsCount {
            ranked = RankedTokens(heaviest: parameters.topK, of: weights)
            for rank in 0..<ranked.count { total += Double(ranked.weight(rank)) }
        } else {
            total = Self.sum(weights)
            // Tokens below this floor have less than 1 − topP of the mass together, so top-p drops them all.
            let floor = Float((1 - parameters.topP) * total / Double(weights.count) * 0.999)
            ranked = RankedTokens(covering: parameters.topP * total, of: weights, above: floor)
        }
        var kept = ranked.count
        if parameters.topP < 1 {
            (kept, total) = prefix(of: ranked, mass: parameters.topP * total)
        }
        var left = uniform * total
        for rank in 0..<kept {
            left -= Double(ranked.weight(rank))
            if left < 0 { return ranked.token(rank) }
        }
        return kept > 0 ? ranked.token(kept - 1) : nil
    }

    private static func sum(_ weights: UnsafeBufferPointer<Float>) -> Double {
        weights.reduce(0) { $0 + Double($1) }
    }

    /// How many of the heaviest tokens are needed for a mass, at least one, and the mass that they have.
    private func prefix(of ranked: RankedTokens, mass wanted: Double) -> (count: Int, mass: Double) {
        var mass = 0.0
        var kept = 0
        while kept < ranked.count, kept == 0 || mass < wanted {
            mass += Double(ranked.weight(kept))
            kept += 1
        }
        return (kept, mass)
    }
}
