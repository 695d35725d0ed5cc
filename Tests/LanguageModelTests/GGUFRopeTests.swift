import DataSupport
import Foundation
import ModelFiles
import NumericSupport
import Testing
import Tokenization

@testable import LanguageModel

private struct Factors: Decodable {
    let base: Double
    let dimension: Int
    let factor: Double
    let low: Double
    let high: Double
    let original: Int
    let factors: [Float]

    static func load() throws -> [Factors] {
        try JSONDecoder().decode([Factors].self, from: Data(contentsOf: GGUFGoldens.url("rope_factors.json")))
    }

    var configuration: ModelConfiguration {
        ModelConfiguration(
            vocabularySize: 320,
            hiddenSize: dimension,
            intermediateSize: 32,
            layers: 1,
            heads: 1,
            ropeTheta: base,
            ropeScaling: .llama3(factor: factor, low: low, high: high, originalMaximumPositions: original)
        )
    }
}

@Suite("Llama 3's rope scaling in GGUF")
struct GGUFRopeTests {
    @Test("factors are those of llama.cpp's converter, and the scaling that they tell has the same frequencies")
    func factors() throws {
        let goldens = try Factors.load()
        #expect(goldens.count == 5)
        for golden in goldens {
            let configuration = golden.configuration
            expectClose(try #require(RopeFactors.factors(configuration)), golden.factors, rtol: 3e-6, atol: 0)
            var recovered = configuration
            recovered.ropeScaling = .default
            recovered.ropeScaling = try #require(RopeFactors.scaling(golden.factors, recovered), "\(golden)")
            expectClose(recovered.inverseFrequencies, configuration.inverseFrequencies, rtol: 1e-5, atol: 0)
            // Llama's own numbers come back as they are.
            if golden.low == 1, golden.high == 4 { #expect(recovered.ropeScaling == configuration.ropeScaling) }
            try recovered.validate()
        }
    }

    @Test("no factors mean no scaling, factors of 1 too, and others than Llama 3's are refused")
    func others() throws {
        var configuration = try Factors.load()[0].configuration
        configuration.ropeScaling = .default
        #expect(RopeFactors.factors(configuration) == nil)
        #expect(RopeFactors.scaling([Float](repeating: 1, count: 64), configuration) == .default)
        let yarn = (0..<64).map { 1 + Float($0 * $0) / 500 }
        let lists: [[Float]] = [
            yarn, yarn.reversed(), .init(repeating: 0, count: 64), [.nan] + yarn.dropFirst(), [2, 2],
        ]
        for factors in lists {
            #expect(RopeFactors.scaling(factors, configuration) == nil)
        }
    }

    @Test("a scaled model goes through GGUF with the same logits")
    func model() throws {
        var configuration = ModelConfiguration(
            vocabularySize: 320,
            hiddenSize: 32,
            intermediateSize: 32,
            layers: 2,
            heads: 2,
            ropeScaling: .llama3(factor: 8, low: 1, high: 4, originalMaximumPositions: 64),
            initializerRange: 0.3
        )
        configuration.eosTokenIDs = [2]
        let model = try CausalLanguageModel(configuration: configuration, seed: 5)
        let tokens = (0..<40).map { TokenID($0 * 7 % 320) }
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("rope.gguf")
            let tokenizer = try Tokenizer(
                json: GGUFTokenizer(GGUFFile(url: GGUFGoldens.url("tiny-llama.gguf")).metadata).json
            )
            try GGUFExport.write(model, tokenizer: tokenizer, name: "x", type: .float32, to: url)
            let again = try CausalLanguageModel.load(folder: url)
            #expect(again.configuration.ropeScaling == configuration.ropeScaling)
            #expect(try again.logits([tokens]) == model.logits([tokens]))
            var plain = configuration
            plain.ropeScaling = .default
            #expect(try CausalLanguageModel(configuration: plain, seed: 5).logits([tokens]) != model.logits([tokens]))
        }
    }
}
