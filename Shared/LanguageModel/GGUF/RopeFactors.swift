import Foundation

/// Llama 3's scaling of rotary frequencies as GGUF stores it: the factors that the frequencies are divided by.
enum RopeFactors {
    /// The factors of a configuration, [headDimension / 2]; nil where frequencies are not scaled.
    static func factors(_ configuration: ModelConfiguration) -> [Float]? {
        guard configuration.ropeScaling != .default else { return nil }
        var plain = configuration
        plain.ropeScaling = .default
        return zip(plain.inverseFrequencies, configuration.inverseFrequencies).map { $0 / $1 }
    }

    /// The scaling whose factors are `factors`; nil where Llama 3's rule gives no such.
    ///
    /// The rule has four numbers, of which files keep none. Its result is the same when positions and both bounds are
    /// multiplied alike, so `low` may be 1, as it is in all of Llama's models. `factor` is the largest factor. Of
    /// frequencies in between, the rule's share of the plain one is a straight line over the frequency, which gives
    /// the other two.
    /// - Parameters:
    ///   - factors: [headDimension / 2].
    ///   - configuration: The model's, for its base and width of a head.
    /// - Returns: A scaling that gives the factors back, up to rounding in single precision.
    static func scaling(_ factors: [Float], _ configuration: ModelConfiguration) -> ModelConfiguration.RopeScaling? {
        guard factors.count == configuration.headDimension / 2, let factor = factors.max(),
            factors.allSatisfy({ $0.isFinite && $0 > 0 })
        else { return nil }
        var candidate = configuration
        func gives(_ scaling: ModelConfiguration.RopeScaling) -> Bool {
            candidate.ropeScaling = scaling
            let expected = Self.factors(candidate) ?? [Float](repeating: 1, count: factors.count)
            return zip(expected, factors).allSatisfy { abs($0 - $1) <= 1e-5 * $1 }
        }
        if gives(.default) { return .default }
        // Llama's own numbers, with 8192 positions in its models.
        let usual = [8192] + (4...20).map { 1 << $0 }
        let solved = solve(factors, Double(factor), configuration)
        return (usual.map { (high: 4.0, original: $0) } + solved)
            .lazy.map { .llama3(factor: Double(factor), low: 1, high: $0.high, originalMaximumPositions: $0.original) }
            .first(where: gives)
    }

    /// Bound and positions by the line through the outermost frequencies between.
    private static func solve(
        _ factors: [Float],
        _ factor: Double,
        _ configuration: ModelConfiguration
    ) -> [(high: Double, original: Int)] {
        var plain = configuration
        plain.ropeScaling = .default
        let points = zip(plain.inverseFrequencies, factors)
            .filter { Double($1) > 1.0001 && Double($1) < factor * 0.9999 }
            .map { (x: Double($0) / (2 * .pi), share: (1 / Double($1) - 1 / factor) / (1 - 1 / factor)) }
        guard let first = points.first, let last = points.last, first.x > last.x else { return [] }
        // share = (original · x − low) / (high − low), with low = 1.
        let slope = (first.share - last.share) / (first.x - last.x)
        let high = 1 - 1 / (last.share - slope * last.x)
        guard high.isFinite, high > 1, slope > 0, slope * (high - 1) < 1e9 else { return [] }
        return [(high * 1000).rounded() / 1000, high].map { bound in
            (bound, max(1, Int((slope * (bound - 1)).rounded())))
        }
    }
}
