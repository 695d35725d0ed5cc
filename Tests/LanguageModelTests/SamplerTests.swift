import Foundation
import NumericSupport
import TensorEngine
import Testing
import Tokenization

@testable import LanguageModel

@Suite("Scores and draws")
struct SamplerTests {
    private func prompts(_ count: Int) -> [[TokenID]] {
        var generator = SeededGenerator(seed: 6)
        return (0..<count).map { index in (0..<1 + index * 5 % 29).map { _ in TokenID(generator.next() % 512) } }
    }

    @Test("a score is the same bits alone, in any batch, and as the generation told it")
    func scores() throws {
        let model = try Golden.model("tiny-qwen2")
        let prompts = prompts(13)
        let generations = try model.generate(
            prompts: prompts,
            parameters: GenerationParameters(maximumNewTokens: 11, temperature: 1, seed: 3)
        )
        let sequences = zip(prompts, generations).map { $0 + $1.tokens }
        let together = try model.score(sequences)
        for rows in [1, 7, 1000] { #expect(try model.score(sequences, rowsAtOnce: rows) == together) }
        for (index, sequence) in sequences.enumerated() {
            #expect(try model.score([sequence])[0] == together[index])
            #expect(Array(together[index].suffix(11)) == generations[index].logProbabilities)
        }
        for (score, full) in zip(together, try model.logProbabilities(sequences)) {
            expectClose(score, full, "log-probabilities")
        }
        #expect(try model.score([[5]]) == [[]])
        #expect(throws: GenerationError.self) { try model.score([[]]) }
        #expect(throws: GenerationError.self) { try model.score([[512]]) }
    }

    /// How often each token is drawn from the logits.
    private func frequencies(_ logits: [Float], _ parameters: GenerationParameters, prompt: [TokenID] = []) -> [Double]
    {
        let draws = 20_000
        let context = ComputeContext(threads: 1)
        var counts = [Double](repeating: 0, count: logits.count)
        var scratch = logits
        for stream in 0..<draws {
            var sampler = TokenSampler(parameters: parameters, stream: UInt64(stream), prompt: prompt)
            let token = logits.withUnsafeBufferPointer { logits in
                scratch.withUnsafeMutableBufferPointer { scratch -> TokenID in
                    guard let logits = logits.baseAddress, let scratch = scratch.baseAddress else { return 0 }
                    return sampler.next(logits, scratch: scratch, vocabulary: counts.count, context: context) ?? -1
                }
            }
            counts[Int(token)] += 1
        }
        return counts.map { $0 / Double(draws) }
    }

    @Test(
        "draws have the probabilities of transformers' order: penalty, temperature, top-k, top-p",
        arguments: [
            // softmax of the logits ln 1, ln 2, ln 4, ln 8, ln 1
            (GenerationParameters(temperature: 1), [], [1, 2, 4, 8, 1]),
            // squared by temperature 1/2
            (GenerationParameters(temperature: 0.5), [], [1, 4, 16, 64, 1]),
            (GenerationParameters(temperature: 1, topK: 2), [], [0, 0, 4, 8, 0]),
            // 8/16 is not enough for 0.6, with 4/16 it is
            (GenerationParameters(temperature: 1, topP: 0.6), [], [0, 0, 4, 8, 0]),
            // of the three that top-k leaves, 8/14 + 4/14 reach 0.8
            (GenerationParameters(temperature: 1, topK: 3, topP: 0.8), [], [0, 0, 4, 8, 0]),
            // ln 8 / 3 is ln 2; ln 4 / 3 is the cube root of 4
            (GenerationParameters(temperature: 1, repetitionPenalty: 3), [2, 3], [1, 2, 1.5874, 2, 1]),
        ] as [(GenerationParameters, [TokenID], [Double])]
    )
    func distribution(parameters: GenerationParameters, prompt: [TokenID], weights: [Double]) {
        var parameters = parameters
        parameters.seed = 9
        let logits: [Float] = [0, 0.693_147_18, 1.386_294_36, 2.079_441_54, 0]
        let total = weights.reduce(0, +)
        for (token, share) in frequencies(logits, parameters, prompt: prompt).enumerated() {
            let expected = weights[token] / total
            #expect(abs(share - expected) <= 4 * (expected * (1 - expected) / 20_000).squareRoot(), "token \(token)")
        }
    }

    @Test("a penalty makes a negative logit smaller, not larger")
    func negativePenalty() {
        let shares = frequencies([-1, -1], GenerationParameters(temperature: 1, repetitionPenalty: 2), prompt: [0])
        // exp(−2) / (exp(−2) + exp(−1))
        #expect(abs(shares[0] - 0.268_941) < 0.015)
    }

    @Test("each prompt has a stream of its own, and its seed decides what is drawn")
    func streams() throws {
        let model = try Golden.model("tiny-qwen2")
        func draw(_ seed: UInt64, _ streams: [UInt64]? = nil) throws -> [[TokenID]] {
            try model.generate(
                prompts: [[3, 4], [3, 4], [3, 4]],
                parameters: GenerationParameters(maximumNewTokens: 16, temperature: 1.5, seed: seed),
                streams: streams
            ).map(\.tokens)
        }
        let first = try draw(1)
        #expect(Set(first).count == 3)
        #expect(try draw(1) == first)
        #expect(try draw(2) != first)
        #expect(try draw(1, [2, 1, 0]) == first.reversed())
        #expect(Set(try draw(1, [5, 5, 5])).count == 1)
    }
}
