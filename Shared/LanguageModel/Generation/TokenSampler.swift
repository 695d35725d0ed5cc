import TensorEngine
import Tokenization

/// Draws the next token of one sequence from its logits.
///
/// The order is that of `transformers`: repetition penalty, temperature, top-k, top-p.
struct TokenSampler {
    let parameters: GenerationParameters
    var generator: SeededGenerator
    private var seen: Set<TokenID> = []

    init(parameters: GenerationParameters, stream: UInt64, prompt: [TokenID]) {
        self.parameters = parameters
        generator = SeededGenerator(seed: parameters.seed, stream: stream)
        if parameters.repetitionPenalty != 1 { seen = Set(prompt) }
    }

    /// The next token; `scratch` has room for one row of logits.
    mutating func next(
        _ logits: UnsafePointer<Float>,
        scratch: UnsafeMutablePointer<Float>,
        vocabulary: Int
    ) -> TokenID {
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
        let token: Int
        if parameters.temperature == 0 || !source[likeliest].isFinite {
            token = likeliest
        } else {
            InferenceKernels.exponentials(
                source,
                into: scratch,
                subtract: source[likeliest],
                factor: Float(1 / parameters.temperature),
                count: vocabulary
            )
            token = draw(scratch, count: vocabulary) ?? likeliest
        }
        if parameters.repetitionPenalty != 1 { seen.insert(TokenID(token)) }
        return TokenID(token)
    }

    private func argmax(_ values: UnsafePointer<Float>, count: Int) -> Int {
        var best = 0
        for index in 1..<max(1, count) where values[index] > values[best] { best = index }
        return best
    }

    /// Draws an index in proportion to `weights`, within top-k and top-p.
    private mutating func draw(_ weights: UnsafePointer<Float>, count: Int) -> Int? {
        let limited = (parameters.topK > 0 && parameters.topK < count) || parameters.topP < 1
        let uniform = generator.nextUniform()
        guard limited else {
            var total = 0.0
            for index in 0..<count { total += Double(weights[index]) }
            var left = uniform * total
            for index in 0..<count {
                left -= Double(weights[index])
                if left < 0 { return index }
            }
            return nil
        }
        var total = 0.0
        for index in 0..<count { total += Double(weights[index]) }
        // Tokens below this floor have less than 1 − topP of the mass together, so top-p drops them all.
        let floor =
            parameters.topK > 0 || parameters.topP >= 1
            ? -1 : Float((1 - parameters.topP) * total / Double(count) * 0.999)
        var candidates = (0..<count).filter { weights[$0] > floor }
        candidates.sort { weights[$0] != weights[$1] ? weights[$0] > weights[$1] : $0 < $1 }
        if parameters.topK > 0, parameters.topK < candidates.count {
            candidates.removeLast(candidates.count - parameters.topK)
            total = candidates.reduce(0) { $0 + Double(weights[$1]) }
        }
        if parameters.topP < 1 {
            var mass = 0.0
            var kept = 0
            while kept < candidates.count, kept == 0 || mass < parameters.topP * total {
                mass += Double(weights[candidates[kept]])
                kept += 1
            }
            candidates.removeLast(candidates.count - kept)
            total = mass
        }
        var left = uniform * total
        for index in candidates {
            left -= Double(weights[index])
            if left < 0 { return index }
        }
        return candidates.last
    }
}
