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
    private func smallModel(positions: Int = 2048) throws -> CausalLanguageModel {
        try CausalLanguageModel(
            configuration: ModelConfiguration(
                vocabularySize: 53,
                hiddenSize: 24,
                intermediateSize: 40,
                layers: 2,
                heads: 4,
                keyValueHeads: 2,
                maximumPositions: positions,
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

    @Test("what prompts have in common is computed once, and changes no bit", arguments: [3, 8, 9, 40, 2100])
    func commonBeginning(length: Int) throws {
        let model = try smallModel(positions: 4096)
        var generator = SeededGenerator(seed: 6)
        let common = (0..<length).map { _ in TokenID(generator.next() % 53) }
        // One prompt is the common part itself, of which its last token is its own.
        let prompts =
            [common] + (0..<5).map { index in common + (0..<index * 3).map { TokenID(($0 + index * 11) % 53) } }
        let parameters = GenerationParameters(maximumNewTokens: 9, temperature: 0.9, seed: 8)
        let together = try model.generate(prompts: prompts, parameters: parameters, batchSize: 2)
        for (index, prompt) in prompts.enumerated() {
            let alone = try model.generate(prompts: [prompt], parameters: parameters, streams: [UInt64(index)])
            #expect(alone[0] == together[index])
        }
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

    @Test("a generation ends at the positions of the model, however large the limit")
    func positions() throws {
        let model = try smallModel(positions: 24)
        let prompts: [[TokenID]] = [[1, 2, 3], [TokenID](repeating: 4, count: 23), [5]]
        let results = try model.generate(prompts: prompts, parameters: GenerationParameters(maximumNewTokens: .max))
        #expect(results.map(\.tokens.count) == [21, 1, 23])
        #expect(results.allSatisfy { $0.finishReason == .length })
        let short = try model.generate(prompts: prompts, parameters: GenerationParameters(maximumNewTokens: 2))
        #expect(short.map(\.tokens.count) == [2, 1, 2])
        let full = [TokenID](repeating: 4, count: 24)
        let error = #expect(throws: GenerationError.self) {
            try model.generate(prompts: [[1], full], parameters: GenerationParameters(maximumNewTokens: 5))
        }
        #expect(error.map { "\($0)".contains("prompt 1 has 24 tokens") } == true)
        #expect(try model.score([full])[0].count == 23)
        let long = #expect(throws: GenerationError.self) { try model.score([[1], full + [4]]) }
        #expect(long.map { "\($0)".contains("sequence 1 has 25 tokens") } == true)
    }

    @Test(
        "a model whose logits are no numbers is an error of generation and of scores, not an answer",
        arguments: [
            (Float.nan, "model.norm.weight"), (.infinity, "model.norm.weight"),
            (.nan, "model.layers.1.mlp.down_proj.weight"),
            (-.infinity, "model.layers.1.mlp.down_proj.weight"), (.nan, "model.embed_tokens.weight"),
        ]
    )
    func damagedModel(value: Float, name: String) throws {
        let model = try smallModel()
        let tensor = try #require(model.parameters.first { $0.name == name }).tensor
        // Of the embedding, which is the head as well, a token that no prompt has: one logit of each row is damaged.
        tensor.withMutableValues { $0[name.contains("embed") ? 52 * 24 + 3 : 7] = value }
        let prompts: [[TokenID]] = [[1, 2, 3], [4, 5]]
        for temperature in [0, 1.0] {
            let parameters = GenerationParameters(maximumNewTokens: 5, temperature: temperature, topK: 3)
            var told: [TokenID] = []
            let error = #expect(throws: GenerationError.self) {
                try model.generate(
                    prompts: prompts,
                    parameters: parameters,
                    onToken: { _, token in told.append(token) }
                )
            }
            let text = error.map { "\($0)" } ?? ""
            #expect(text.contains("the llama model (2 layers, hidden size 24) after position 2 of prompt 0"), "\(text)")
            #expect(told.isEmpty)
        }
        let error = #expect(throws: GenerationError.self) { try model.score(prompts) }
        #expect(error.map { "\($0)".contains("after position 0 of sequence 0") } == true)
    }
}
