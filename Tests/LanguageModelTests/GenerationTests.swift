import Foundation
import LanguageModel
import NumericSupport
import TensorEngine
import Testing
import Tokenization

private struct GenerateGolden: Decodable {
    struct Single: Decodable {
        let prompt: [Int32]
        let newTokens: [Int32]
        let logprobs: [Float]
    }
    let single: [Single]
}

@Suite("Generation")
struct GenerationTests {
    private func smallModel() throws -> CausalLanguageModel {
        try CausalLanguageModel(
            configuration: ModelConfiguration(
                vocabularySize: 53,
                hiddenSize: 24,
                intermediateSize: 40,
                layers: 2,
                heads: 4,
                keyValueHeads: 2,
                initializerRange: 0.3
            ),
            seed: 3,
            context: ComputeContext(threads: 2)
        )
    }

    private func prompts(_ count: Int) -> [[TokenID]] {
        var generator = SeededGenerator(seed: 4)
        return (0..<count).map { index in
            (0..<1 + index * 7 % 23).map { _ in TokenID(generator.next() % 53) }
        }
    }

    @Test("greedy tokens equal PyTorch's and their log-probabilities agree", arguments: ["tiny-qwen2", "tiny-llama"])
    func golden(name: String) throws {
        let golden = try Golden.json("\(name).generate.json", as: GenerateGolden.self)
        let model = try Golden.model(name)
        let results = try model.generate(
            prompts: golden.single.map { $0.prompt },
            parameters: GenerationParameters(maximumNewTokens: 32),
            batchSize: 2
        )
        for (result, expected) in zip(results, golden.single) {
            #expect(result.tokens == expected.newTokens)
            #expect(result.finishReason == .length)
            expectClose(result.logProbabilities, expected.logprobs, "log-probabilities")
        }
    }

    @Test(
        "a prompt's result is the same bits alone and in any batch",
        arguments: [
            GenerationParameters(maximumNewTokens: 20),
            GenerationParameters(maximumNewTokens: 20, temperature: 0.9, seed: 8),
            GenerationParameters(maximumNewTokens: 20, temperature: 1.3, topK: 9, topP: 0.8, seed: 8),
            GenerationParameters(maximumNewTokens: 20, temperature: 1, topP: 0.7, repetitionPenalty: 1.3, seed: 8),
        ]
    )
    func independence(parameters: GenerationParameters) throws {
        let model = try smallModel()
        let prompts = prompts(23)
        let together = try model.generate(prompts: prompts, parameters: parameters, batchSize: 64)
        let few = try model.generate(prompts: prompts, parameters: parameters, batchSize: 3)
        #expect(together == few)
        let alone = try model.generate(prompts: [prompts[17]], parameters: parameters, streams: [17])
        #expect(alone[0] == together[17])
    }

    @Test("cached decoding agrees with a full forward pass")
    func cacheAgreement() throws {
        let model = try smallModel()
        let prompt = prompts(5)[4]
        let result = try model.generate(prompts: [prompt], parameters: GenerationParameters(maximumNewTokens: 12))[0]
        let full = try model.logProbabilities([prompt + result.tokens])[0].suffix(12)
        expectClose(result.logProbabilities, Array(full), "log-probabilities")
    }

    @Test("a stop token ends a generation and is not part of it; a stop string is")
    func stops() throws {
        let model = try smallModel()
        let prompt = prompts(6)[5]
        let free = try model.generate(prompts: [prompt], parameters: GenerationParameters(maximumNewTokens: 10))[0]
        let stop = free.tokens[4]
        let first = try #require(free.tokens.firstIndex(of: stop))
        let stopped = try model.generate(
            prompts: [prompt],
            parameters: GenerationParameters(maximumNewTokens: 10, stopTokens: [stop])
        )[0]
        #expect(stopped.tokens == Array(free.tokens[..<first]))
        #expect(stopped.stopToken == stop)
        #expect(stopped.finishReason == .stop)
        let byString = try model.generate(
            prompts: [prompt],
            parameters: GenerationParameters(maximumNewTokens: 10, stopStrings: ["<\(stop)>"]),
            decode: { $0.map { "<\($0)>" }.joined() }
        )[0]
        #expect(byString.tokens == Array(free.tokens[...first]))
        #expect(byString.finishReason == .stop)
    }

    @Test("top-k 1 and a tiny top-p are greedy, and a sampled distribution has the right frequencies")
    func sampling() throws {
        let model = try smallModel()
        let prompts = prompts(4)
        let greedy = try model.generate(prompts: prompts, parameters: GenerationParameters(maximumNewTokens: 9))
        for parameters in [
            GenerationParameters(maximumNewTokens: 9, temperature: 1, topK: 1, seed: 1),
            GenerationParameters(maximumNewTokens: 9, temperature: 1, topP: 1e-6, seed: 1),
        ] {
            let sampled = try model.generate(prompts: prompts, parameters: parameters)
            #expect(sampled.map { $0.tokens } == greedy.map { $0.tokens })
        }
        let draws = try model.generate(
            prompts: [[TokenID]](repeating: prompts[3], count: 4000),
            parameters: GenerationParameters(maximumNewTokens: 1, temperature: 1, seed: 2),
            batchSize: 512
        )
        var counts: [TokenID: Int] = [:]
        for draw in draws { counts[draw.tokens[0], default: 0] += 1 }
        let logits = try model.logits([prompts[3]])[0].suffix(53)
        let total = logits.reduce(0.0) { $0 + exp(Double($1)) }
        for (token, logit) in logits.enumerated() {
            let expected = 4000 * exp(Double(logit)) / total
            let deviation = abs(Double(counts[TokenID(token)] ?? 0) - expected)
            #expect(deviation <= 5 * expected.squareRoot() + 3, "token \(token)")
        }
    }

    @Test("bad prompts and parameters are refused by name")
    func refusals() throws {
        let model = try smallModel()
        for prompt in [[], [TokenID(53)], [-1]] {
            #expect(throws: GenerationError.self) {
                try model.generate(prompts: [prompt], parameters: GenerationParameters())
            }
        }
        for parameters in [
            GenerationParameters(temperature: -1), GenerationParameters(topP: 0),
            GenerationParameters(repetitionPenalty: 0), GenerationParameters(stopStrings: ["x"]),
        ] {
            #expect(throws: GenerationError.self) { try model.generate(prompts: [[1]], parameters: parameters) }
        }
    }
}
