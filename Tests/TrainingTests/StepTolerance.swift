import Foundation
import LanguageModel
import ModelFiles
import NumericSupport
import Testing

/// How near parameters must be to PyTorch's after some AdamW steps: rtol 1e-4 plus 1e-5 of the largest magnitude, as for
/// gradients, wherever the gradient is more than rounding noise.
///
/// AdamW divides a gradient by its own size, so an element whose first gradient is near 0 takes a step of about the
/// learning rate in a direction that rounding decides. Float32 gradients agree to about 1e-6 of the largest of their
/// tensor; below `noise` of it only the length of the path is held, for at most 2 % of a tensor's elements. With a noise
/// of 2e-4 the others were measured within 0.1 of the tolerance.
struct StepTolerance {
    /// Gradients below this part of the largest of their tensor are taken for noise.
    static let noise: Float = 5e-5

    let gradients: SafetensorsFile
    let learningRate: Double
    let steps: Int

    init(model: String, learningRate: Double, steps: Int) throws {
        gradients = try SafetensorsFile(url: Golden.url("\(model).grads.safetensors"))
        self.learningRate = learningRate
        self.steps = steps
    }

    func expectClose(
        _ actual: [Float],
        _ expected: [Float],
        _ label: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let gradient = try gradients.floats(label)
        guard actual.count == expected.count, gradient.count == expected.count else {
            Issue.record("\(label): \(actual.count) values, expected \(expected.count)", sourceLocation: sourceLocation)
            return
        }
        let scale = expected.map { abs($0) }.max() ?? 0
        let floor = Self.noise * (gradient.map { abs($0) }.max() ?? 0)
        var loose = 0
        for index in actual.indices {
            let difference = abs(actual[index] - expected[index])
            let limit: Float
            // A gradient of exactly 0 is no noise: an embedding that no token looked up. A key bias shifts all scores of
            // a query nearly alike, so its whole gradient is small beside its noise: measured 2e-2 of the largest value.
            let isNoise = gradient[index] != 0 && abs(gradient[index]) <= floor
            if isNoise || label.hasSuffix("k_proj.bias") {
                loose += 1
                limit = 2 * Float(learningRate) * Float(steps)
            } else {
                limit = 1e-5 * scale + 1e-4 * abs(expected[index])
            }
            if !(difference <= limit) {
                Issue.record(
                    "\(label)[\(index)]: \(actual[index]), expected \(expected[index]), gradient \(gradient[index])",
                    sourceLocation: sourceLocation
                )
                return
            }
        }
        #expect(
            label.hasSuffix("k_proj.bias") || loose * 50 <= actual.count,
            "\(label): \(loose) of \(actual.count) are noise",
            sourceLocation: sourceLocation
        )
    }
}
