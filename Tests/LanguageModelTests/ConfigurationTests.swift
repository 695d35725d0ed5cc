import DataSupport
import Foundation
import ModelFiles
import NumericSupport
import Testing

@testable import LanguageModel

private let small = ModelConfiguration(
    modelType: .llama,
    vocabularySize: 512,
    hiddenSize: 32,
    intermediateSize: 56,
    layers: 2,
    heads: 4,
    keyValueHeads: 2,
    ropeTheta: 500_000,
    ropeScaling: .llama3(factor: 8, low: 1, high: 4, originalMaximumPositions: 256),
    tieWordEmbeddings: false,
    maximumPositions: 2048,
    initializerRange: 0.15,
    bosTokenID: 509,
    eosTokenIDs: [511]
)

@Test("both key layouts of config.json give the same configuration", arguments: ["tiny-llama", "tiny-qwen2"])
func layouts(name: String) throws {
    let folder = try Golden.url(name)
    let current = try ModelConfiguration(folder: folder)
    let older = try ModelConfiguration(
        json: Data(contentsOf: folder.appendingPathComponent("config.v4.json")),
        place: "config.v4.json"
    )
    #expect(current == older)
    if name == "tiny-llama" {
        #expect(current == small)
    } else {
        #expect(current.modelType == .qwen2 && current.attentionBias && current.tieWordEmbeddings)
        #expect(current.ropeTheta == 1_000_000 && current.rmsNormEpsilon == 1e-6)
    }
    let generation = try #require(try GenerationConfiguration.load(folder: folder))
    #expect(generation.eosTokenIDs == [511])
}

@Test("a written configuration reads back the same")
func configurationRoundTrip() throws {
    try withTemporaryFolder { folder in
        for type in ModelConfiguration.ModelType.allCases {
            var configuration = small
            configuration.modelType = type
            configuration.attentionBias = type == .qwen2
            configuration.eosTokenIDs = [1, 2]
            try configuration.save(to: folder)
            #expect(try ModelConfiguration(folder: folder) == configuration)
            let generation = GenerationConfiguration(configuration)
            try generation.save(to: folder)
            #expect(try GenerationConfiguration.load(folder: folder) == generation)
        }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).count == 2)
    }
}

@Test("the parameter count is that of the stored weights", arguments: ["tiny-llama", "tiny-qwen2"])
func parameterCount(name: String) throws {
    let folder = try Golden.url(name)
    let weights = try SafetensorsCheckpoint(folder: folder)
    let stored = weights.names.compactMap { weights.entry($0)?.elementCount }.reduce(0, +)
    #expect(try ModelConfiguration(folder: folder).parameterCount == stored)
}

@Test(
    "what is not supported or absurd is refused by name",
    arguments: [
        (#""model_type":"llama""#, #""model_type":"gemma""#, "gemma"),
        (#""hidden_act":"silu""#, #""hidden_act":"gelu""#, "gelu"),
        (#""attention_bias":false"#, #""attention_bias":true"#, "attention_bias"),
        (#""rope_type":"llama3""#, #""rope_type":"yarn""#, "yarn"),
        (#""vocab_size":512"#, #""vocab_size":1000000000000"#, "vocab_size"),
        (#""vocab_size":512"#, #""vocab_size":"512""#, "vocab_size"),
        (#""num_hidden_layers":2"#, #""num_hidden_layers":-2"#, "num_hidden_layers"),
        (#""num_key_value_heads":2"#, #""num_key_value_heads":3"#, "num_key_value_heads"),
        (#""head_dim":8"#, #""head_dim":7"#, "head_dim"),
        (#""rms_norm_eps":1e-05"#, #""rms_norm_eps":1e999"#, "rms_norm_eps"),
        (#""hidden_size":32"#, #""quantization_config":{"quant_method":"gptq"},"hidden_size":32"#, "gptq"),
        (#""hidden_size":32,"#, "", "hidden_size is missing"),
        (#""eos_token_id":511"#, #""eos_token_id":"x""#, "eos_token_id"),
    ]
)
func refusals(original: String, replacement: String, cause: String) throws {
    let file = try Golden.url("tiny-llama/config.v4.json")
    let text = try String(contentsOf: file, encoding: .utf8)
    #expect(text.contains(original))
    let changed = text.replacingOccurrences(of: original, with: replacement)
    let error = #expect(throws: ModelFileError.self) { try ModelConfiguration(json: Data(changed.utf8)) }
    #expect(error?.description.contains(cause) == true, "\(error?.description ?? "")")
}

@Test("a sliding window is refused, for Mistral when set and for Qwen2 when used")
func slidingWindow() throws {
    let text = String(decoding: small.json(), as: UTF8.self)
    let mistral = text.replacingOccurrences(of: #""model_type": "llama""#, with: #""model_type": "mistral""#)
    #expect(try ModelConfiguration(json: Data(mistral.utf8)).modelType == .mistral)
    let windowed = mistral.replacingOccurrences(of: "{\n  \"arch", with: "{\"sliding_window\": 4096,\n  \"arch")
    #expect(throws: ModelFileError.self) { try ModelConfiguration(json: Data(windowed.utf8)) }
    // Left out it stands for 4096, which only a model of longer texts feels.
    let long = mistral.replacingOccurrences(
        of: #"(?<="max_position_embeddings": )\d+"#,
        with: "8192",
        options: .regularExpression
    )
    #expect(long != mistral)
    let error = #expect(throws: ModelFileError.self) { try ModelConfiguration(json: Data(long.utf8)) }
    #expect(error?.description.contains("sliding_window is missing") == true)
    let none = long.replacingOccurrences(of: "{\n  \"arch", with: "{\"sliding_window\": null,\n  \"arch")
    #expect(try ModelConfiguration(json: Data(none.utf8)).maximumPositions == 8192)
}

@Test("mutated configurations are read or refused, never worse")
func mutatedConfigurations() throws {
    let original = Array(small.json())
    var generator = Xorshift(state: 42)
    for _ in 0..<2000 {
        var bytes = original
        for _ in 0..<Int.random(in: 1...3, using: &generator) {
            bytes[Int.random(in: 0..<bytes.count, using: &generator)] = UInt8.random(in: 32...126, using: &generator)
        }
        do {
            _ = try ModelConfiguration(json: Data(bytes)).parameterCount
        } catch is ModelFileError {}
    }
}

/// A small seeded generator for tests.
struct Xorshift: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}
