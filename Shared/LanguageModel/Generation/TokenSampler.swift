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
        let row = UnsafeBufferPointer(start: source, count: vocabulary)
        let segments = SegmentMaxima(of: row, context: context)
        var token = segments.firstLargest(in: row)
        guard row[token].isFinite else { return nil }
        if parameters.temperature > 0 {
            let softmax = Softmax(largest: row[token], factor: Float(1 / parameters.temperature), context: context)
            let drawn =
                (1..<vocabulary).contains(parameters.topK)
                ? draw(from: RankedTokens(largest: parameters.topK, of: row, segments: segments), softmax)
                : draw(from: row, scratch: scratch, softmax)
            token = drawn ?? token
        }
        if parameters.repetitionPenalty != 1 { seen.insert(TokenID(token)) }
        return TokenID(token)
    }

    /// How logits become weights: exp((logit − largest) / temperature).
    private struct Softmax {
        let largest: Float
        let factor: Float
        let context: ComputeContext

        func apply(to logits: UnsafePointer<Float>, into weights: UnsafeMutablePointer<Float>, count: Int) {
            InferenceKernels.exponentials(
                context: context,
                logits,
                into: weights,
                subtract: largest,
                factor: factor,
                count: count
            )
        }
    }

    /// Draws one of some tokens in proportion to the weights of their logits, within top-p.
    private mutating func draw(from tokens: RankedTokens, _ softmax: Softmax) -> Int? {
        var weights = (0..<tokens.count).map(tokens.value)
        weights.withUnsafeMutableBufferPointer { weights in
            guard let start = weights.baseAddress else { return }
            softmax.apply(to: start, into: start, count: weights.count)
        }
        var (kept, total) = (weights.count, weights.reduce(0) { $0 + Double($1) })
        if parameters.topP < 1 { (kept, total) = prefix(of: kept, mass: parameters.topP * total) { weights[$0] } }
        return pick(of: kept, total: total) { weights[$0] }.map(tokens.token)
    }

    /// Draws one of all tokens in proportion to the weights of their logits, within top-p.
    private mutating func draw(
        from row: UnsafeBufferPointer<Float>,
        scratch: UnsafeMutablePointer<Float>,
        _ softmax: Softmax
    ) -> Int? {
        guard let logits = row.baseAddress else { return nil }
        softmax.apply(to: logits, into: scratch, count: row.count)
        let weights = UnsafeBufferPointer(start: UnsafePointer(scratch), count: row.count)
        let total = Self.sum(weights)
        guard parameters.topP < 1 else {
            var left = generator.nextUniform() * total
            for (index, weight) in weights.enumerated() {
                left -= Double(weight)
                if left < 0 { return index }
            }
            return nil
        }
        // Tokens below this floor have less than 1 − topP of the mass together, so top-p drops them all.
        let floor = Float((1 - parameters.topP) * total / Double(weights.count) * 0.999)
        let tokens = RankedTokens(covering: parameters.topP * total, of: weights, above: floor)
        let (kept, mass) = prefix(of: tokens.count, mass: parameters.topP * total, tokens.value)
        return pick(of: kept, total: mass, tokens.value).map(tokens.token)
    }

    /// A rank in proportion to the weights of the first `count`, which sum to `total`.
    private mutating func pick(of count: Int, total: Double, _ weight: (Int) -> Float) -> Int? {
        var left = generator.nextUniform() * total
        for rank in 0..<count {
            left -= Double(weight(rank))
            if left < 0 { return rank }
        }
        return count > 0 ? count - 1 : nil
    }

    /// The sum of all weights, four at a time, for additions in one line wait for each other.
    private static func sum(_ weights: UnsafeBufferPointer<Float>) -> Double {
        var sums = SIMD4<Double>()
        let whole = weights.count & ~3
        for index in stride(from: 0, to: whole, by: 4) {
            sums += SIMD4(SIMD4<Float>(weights[index], weights[index + 1], weights[index + 2], weights[index + 3]))
        }
        return weights[whole...].reduce(sums.sum()) { $0 + Double($1) }
    }

    /// How many of the heaviest tokens are needed for a mass, at least one, and the mass that they have.
    private func prefix(of count: Int, mass wanted: Double, _ weight: (Int) -> Float) -> (count: Int, mass: Double) {
        var mass = 0.0
        var kept = 0
        while kept < count, kept == 0 || mass < wanted {
            mass += Double(weight(kept))
            kept += 1
        }
        return (kept, mass)
    }
}
