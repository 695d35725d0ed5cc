import Foundation

/// The losses of the DPO family.
public enum PreferenceLoss: String, Sendable, Codable, CaseIterable {
    /// −log σ(β x) (Rafailov et al. 2023, eq. 7); with label smoothing the conservative form (cDPO).
    case sigmoid
    /// max(0, 1 − β x) (SLiC-HF).
    case hinge
    /// (x − 1/(2β))² on length-normalised log-probabilities (Azar et al. 2023, as TRL computes it).
    case ipo
    /// The unbiased loss under label noise (Chowdhury et al. 2024, eq. 9).
    case robust
    /// −log σ(β (mean chosen − mean rejected) − γ), without a reference (Meng et al. 2024, eq. 6).
    case simpo

    /// Whether log-probabilities are divided by completion length.
    var isLengthNormalized: Bool { self == .ipo || self == .simpo }
    /// Whether a reference model takes part.
    var usesReference: Bool { self != .simpo }
}

/// The settings of preference training.
public struct PreferenceOptions: Sendable, Codable, Hashable {
    /// Which loss.
    public var loss: PreferenceLoss
    /// Strength of the tie to the reference (or scale of the margin).
    public var beta: Double
    /// Probability that a pair is labelled the wrong way round; sigmoid, robust and SimPO only.
    public var labelSmoothing: Double
    /// Weight of the mean negative log-likelihood of the chosen completions, added to the loss.
    public var nllWeight: Double
    /// Weight of the mean negative log-likelihood a token of supervised examples that are mixed in.
    ///
    /// They keep the policy at what it knew (the PPO-ptx term of Ouyang et al. 2022, on fine-tuning data).
    public var supervisedWeight: Double
    /// Target margin γ of SimPO.
    public var simpoMargin: Double
    /// Whether the prompt, and the tokens that both completions begin with, are computed once for both sides of a pair.
    ///
    /// The same loss and gradients but for rounding.
    public var sharesPrefixes: Bool

    /// Settings; plain DPO with beta 0.1 unless said otherwise.
    public init(
        loss: PreferenceLoss = .sigmoid,
        beta: Double = 0.1,
        labelSmoothing: Double = 0,
        nllWeight: Double = 0,
        supervisedWeight: Double = 0,
        simpoMargin: Double = 0,
        sharesPrefixes: Bool = true
    ) {
        self.loss = loss
        self.beta = beta
        self.labelSmoothing = labelSmoothing
        self.nllWeight = nllWeight
        self.supervisedWeight = supervisedWeight
        self.simpoMargin = simpoMargin
        self.sharesPrefixes = sharesPrefixes
    }

    /// Checks ranges and that no option is set that the loss does not use.
    ///
    /// - Throws: ``TrainingError`` that names the option.
    public func validate() throws {
        guard beta.isFinite, beta > 0 else { throw TrainingError.invalidOption("beta is \(beta); it must be positive") }
        guard (0..<0.5).contains(labelSmoothing) else {
            throw TrainingError.invalidOption("labelSmoothing is \(labelSmoothing); it must lie in 0..<0.5")
        }
        guard labelSmoothing == 0 || loss == .sigmoid || loss == .robust || loss == .simpo else {
            throw TrainingError.invalidOption("labelSmoothing has no effect on the loss \(loss.rawValue); set it to 0")
        }
        guard nllWeight.isFinite, nllWeight >= 0 else {
            throw TrainingError.invalidOption("nllWeight is \(nllWeight); it must not be negative")
        }
        guard supervisedWeight.isFinite, supervisedWeight >= 0 else {
            throw TrainingError.invalidOption("supervisedWeight is \(supervisedWeight); it must not be negative")
        }
        guard simpoMargin == 0 || loss == .simpo else {
            throw TrainingError.invalidOption("simpoMargin has no effect on the loss \(loss.rawValue); set it to 0")
        }
        guard simpoMargin.isFinite else { throw TrainingError.invalidOption("simpoMargin is not finite") }
    }

    /// The loss of one pair and its derivative by the difference of log-ratios x.
    package func value(_ x: Double) -> (loss: Double, derivative: Double) {
        func softplus(_ z: Double) -> Double { z > 0 ? z + log1p(exp(-z)) : log1p(exp(z)) }
        func sigmoid(_ z: Double) -> Double { z >= 0 ? 1 / (1 + exp(-z)) : exp(z) / (1 + exp(z)) }
        let noise = labelSmoothing
        switch loss {
        case .sigmoid, .simpo:
            let z = beta * x - (loss == .simpo ? simpoMargin : 0)
            let value = (1 - noise) * softplus(-z) + noise * softplus(z)
            return (value, beta * (-(1 - noise) * sigmoid(-z) + noise * sigmoid(z)))
        case .robust:
            let z = beta * x
            let scale = 1 / (1 - 2 * noise)
            let value = ((1 - noise) * softplus(-z) - noise * softplus(z)) * scale
            return (value, beta * (-(1 - noise) * sigmoid(-z) - noise * sigmoid(z)) * scale)
        case .hinge:
            let margin = 1 - beta * x
            // A comparison with NaN is false, which is no reason to call the pair learned.
            return margin <= 0 ? (0, 0) : (margin, -beta)
        case .ipo:
            let distance = x - 1 / (2 * beta)
            return (distance * distance, 2 * distance)
        }
    }
}
