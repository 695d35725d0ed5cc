import ArgumentParser
import Foundation
import LanguageModel
import TensorEngine
import Tokenization

/// Draws from the logits of a large vocabulary, without a model.
struct Sampling: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Draws one token from a row of logits: all of them, by top-k and by top-p."
    )

    /// What the logits look like.
    enum Shape: String, ExpressibleByArgument, CaseIterable {
        /// A few tokens have most of the mass, as a language model's rows.
        case peaked
        /// Normal, so that thousands of tokens share the mass.
        case normal
        /// Nearly alike.
        case flat
    }

    @Option(help: "Tokens.") var vocabulary = 151_936
    @Option(help: "peaked, normal or flat; all of them unless given.") var shape: Shape?
    @Option(help: "Temperature.") var temperature = 0.7
    @Option(help: "Timed draws.") var iterations = 200
    @Option(help: "Draws before them.") var warmup = 20

    func validate() throws {
        guard vocabulary > 0, iterations > 0, warmup >= 0 else {
            throw ValidationError("--vocabulary and --iterations must be positive, --warmup not negative")
        }
    }

    func run() throws {
        let context = ComputeContext(threads: 1)
        for shape in self.shape.map({ [$0] }) ?? Shape.allCases {
            let logits = logits(shape)
            for (topK, topP) in [(0, 1.0), (20, 1), (50, 1), (0, 0.8), (0, 0.95), (20, 0.8)] {
                let parameters = GenerationParameters(temperature: temperature, topK: topK, topP: topP, seed: 1)
                var sampler = TokenSampler(parameters: parameters, stream: 0, prompt: [])
                var scratch = logits
                let timer = StepTimer(warmup: warmup)
                timer.start()
                for _ in 0..<warmup + iterations {
                    _ = sampler.next(logits, scratch: &scratch, vocabulary: vocabulary, context: context)
                    timer.lap()
                }
                timer.report(
                    "sampling \(vocabulary) \(shape.rawValue) top-k \(topK) top-p \(topP)",
                    ["milliseconds": timer.median * 1e3]
                )
            }
        }
    }

    private func logits(_ shape: Shape) -> [Float] {
        var generator = SeededGenerator(seed: 1)
        return (0..<vocabulary).map { _ in
            let normal = generator.nextNormal()
            switch shape {
            case .peaked: return Float(generator.next() % 5_000 == 0 ? 15 + 2 * normal : 2 * normal)
            case .normal: return Float(2 * normal)
            case .flat: return Float(0.01 * normal)
            }
        }
    }
}
