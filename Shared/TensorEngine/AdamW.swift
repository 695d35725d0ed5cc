import CTensorKernels
import Foundation

/// AdamW with decoupled weight decay (Loshchilov and Hutter 2019, algorithm 2), one pass over each parameter.
public final class AdamW {
    /// A parameter and whether weight decay applies to it.
    public struct Parameter {
        /// The parameter's name, as in the checkpoint.
        public let name: String
        /// Its values and gradient.
        public let tensor: Tensor
        /// Whether weight decay applies.
        public let decays: Bool

        /// Names a parameter.
        public init(name: String, tensor: Tensor, decays: Bool) {
            self.name = name
            self.tensor = tensor
            self.decays = decays
        }
    }

    /// The parameters, in the order given.
    public let parameters: [Parameter]
    /// Exponential decay of the first moment.
    public var beta1: Double
    /// Exponential decay of the second moment.
    public var beta2: Double
    /// Added to the root of the second moment.
    public var epsilon: Double
    /// Decoupled weight decay.
    public var weightDecay: Double
    /// Updates made so far.
    public private(set) var updates = 0
    /// Whether the parameters and moments that the last update changed are all finite.
    public private(set) var isFinite = true

    private var moments: [(first: Tensor, second: Tensor)]

    /// Starts with moments of zero.
    public init(
        parameters: [Parameter],
        beta1: Double = 0.9,
        beta2: Double = 0.999,
        epsilon: Double = 1e-8,
        weightDecay: Double = 0
    ) {
        self.parameters = parameters
        self.beta1 = beta1
        self.beta2 = beta2
        self.epsilon = epsilon
        self.weightDecay = weightDecay
        moments = parameters.map {
            (
                Tensor(zeros: $0.tensor.shape, context: $0.tensor.context),
                Tensor(zeros: $0.tensor.shape, context: $0.tensor.context)
            )
        }
    }

    /// The L2 norm of all gradients together, in double precision and a fixed order.
    public func gradientNorm() -> Double {
        var total = 0.0
        for parameter in parameters {
            guard let gradient = parameter.tensor.gradientBuffer else { continue }
            let count = parameter.tensor.count
            // Parts of a fixed size, so that the sum does not depend on the thread count.
            let part = 1 << 18
            var sums = [Double](repeating: 0, count: (count + part - 1) / part)
            sums.withUnsafeMutableBufferPointer { sums in
                nonisolated(unsafe) let sums = sums
                parameter.tensor.context.parallel(sums.count) { index, _ in
                    let first = index * part
                    sums[index] = ctk_sum_of_squares(gradient.pointer + first, min(part, count - first))
                }
            }
            total += sums.reduce(0, +)
        }
        return total.squareRoot()
    }

    /// Clips by the global norm, updates the parameters and clears their gradients.
    ///
    /// - Parameters:
    ///   - learningRate: The rate of this update.
    ///   - maximumNorm: Gradients with a larger global norm are scaled down to it; nil or 0 does not clip.
    ///   - norm: ``gradientNorm()``, when it is known already.
    /// - Returns: The global norm before clipping.
    @discardableResult
    public func step(learningRate: Double, maximumNorm: Double? = nil, norm: Double? = nil) -> Double {
        let norm = norm ?? gradientNorm()
        var scale = 1.0
        if let maximumNorm, maximumNorm > 0 { scale = min(1, maximumNorm / (norm + 1e-6)) }
        updates += 1
        let correction1 = 1 - pow(beta1, Double(updates))
        let correction2 = 1 - pow(beta2, Double(updates))
        isFinite = true
        for (parameter, moment) in zip(parameters, moments) {
            let tensor = parameter.tensor
            guard let gradient = tensor.gradientBuffer else { continue }
            let decay = parameter.decays ? 1 - learningRate * weightDecay : 1
            let context = tensor.context
            let values = tensor.pointer
            let pieces = context.threads == 1 ? 1 : max(1, min(context.threads * 4, tensor.count >> 14))
            // A flag a piece, so that no worker writes where another does.
            var areFinite = [Int32](repeating: 1, count: pieces)
            areFinite.withUnsafeMutableBufferPointer { flags in
                nonisolated(unsafe) let flags = flags
                context.parallel(pieces) { piece, _ in
                    let first = tensor.count * piece / pieces
                    context.kernels.pointee.adamw(
                        values + first,
                        gradient.pointer + first,
                        moment.first.pointer + first,
                        moment.second.pointer + first,
                        tensor.count * (piece + 1) / pieces - first,
                        Float(scale),
                        Float(decay),
                        Float(beta1),
                        Float(beta2),
                        Float(learningRate / correction1),
                        Float(1 / correction2.squareRoot()),
                        Float(epsilon),
                        flags.baseAddress.map { $0 + piece }
                    )
                }
            }
            if areFinite.contains(0) { isFinite = false }
            tensor.clearGradient()
        }
        return norm
    }

    /// The moments under the parameters' names, for a checkpoint.
    public var state: [(name: String, first: Tensor, second: Tensor)] {
        zip(parameters, moments).map { ($0.name, $1.first, $1.second) }
    }

    /// Continues after `updates` updates, once the tensors of ``state`` hold the stored moments.
    public func resume(updates: Int) { self.updates = updates }
}
