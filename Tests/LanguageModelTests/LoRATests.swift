import DataSupport
import Foundation
import ModelFiles
import NumericSupport
import TensorEngine
import Testing
import Tokenization

@testable import LanguageModel

@Suite("LoRA adapters")
struct LoRATests {
    private func small(_ type: ModelConfiguration.ModelType = .llama) throws -> CausalLanguageModel {
        try CausalLanguageModel(
            configuration: ModelConfiguration(
                modelType: type,
                vocabularySize: 43,
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

    private func adapter(
        _ configuration: LoRAConfiguration,
        for model: CausalLanguageModel
    ) throws -> LoRAAdapter {
        let adapter = try LoRAAdapter(configuration: configuration, for: model, seed: 7)
        var generator = SeededGenerator(seed: 8)
        for (name, tensor) in adapter.parameters where name.contains("lora_B") {
            tensor.withMutableValues { values in
                for index in values.indices { values[index] = Float(generator.nextNormal() * 0.1) }
            }
        }
        return adapter
    }

    private let sequences: [[TokenID]] = [[1, 2, 3, 4, 5, 6, 7], [9], [40, 41, 42, 0]]

    @Test("the goldens' adapter merges into PEFT's weights and logits")
    func mergedGolden() throws {
        let folder = try Golden.url("lora")
        let model = try Golden.model("tiny-qwen2")
        let plain = try model.logits(sequences)
        try model.attach(LoRAAdapter.load(folder: folder.appendingPathComponent("adapter"), for: model))
        let adapted = try model.logits(sequences)
        let expected = try CausalLanguageModel.load(folder: folder.appendingPathComponent("merged"))
        let merged = model.merged()
        for ((name, mine), theirs) in zip(merged.parameters, expected.parameters) {
            expectClose(mine.values, theirs.tensor.values, rtol: 1e-6, atol: 1e-7, name)
        }
        for (index, logits) in try expected.logits(sequences).enumerated() {
            expectClose(adapted[index], logits, "logits with the adapter")
            expectClose(try merged.logits(sequences)[index], logits, "logits of the merged model")
            #expect(zip(plain[index], logits).contains { abs($0 - $1) > 0.01 }, "the adapter changes something")
        }
        #expect(try model.withoutAdapter.logits(sequences) == plain)
        model.detachAdapter()
        #expect(try model.logits(sequences) == plain)
    }

    @Test("a saved adapter reads back the same bits and the same settings", arguments: [true, false])
    func saveAndLoad(stabilized: Bool) throws {
        try withTemporaryFolder { folder in
            let model = try small()
            let configuration = LoRAConfiguration(
                rank: 3,
                alpha: 4.5,
                dropout: 0.05,
                targets: [.down, .query],
                isRankStabilized: stabilized,
                baseModel: "a \"base\""
            )
            let first = try adapter(configuration, for: model)
            try first.save(to: folder)
            let second = try LoRAAdapter.load(folder: folder, for: model)
            #expect(second.configuration == configuration)
            #expect(second.configuration.scaling == (stabilized ? 4.5 / 3.0.squareRoot() : 1.5))
            #expect(second.parameters.map { $0.name } == first.parameters.map { $0.name })
            #expect(second.parameters.map { $0.tensor.values } == first.parameters.map { $0.tensor.values })
            #expect(first.parameters[0].name == "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight")
            #expect(
                try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
                    == ["adapter_config.json", "adapter_model.safetensors"]
            )
        }
    }

    @Test("a golden adapter written again holds the same bytes of every tensor")
    func goldenRoundTrip() throws {
        try withTemporaryFolder { folder in
            let source = try Golden.url("lora/adapter_after3")
            let model = try Golden.model("tiny-qwen2")
            try LoRAAdapter.load(folder: source, for: model).save(to: folder)
            let file = "adapter_model.safetensors"
            let before = try SafetensorsFile(url: source.appendingPathComponent(file))
            let after = try SafetensorsFile(url: folder.appendingPathComponent(file))
            #expect(Set(before.entries.map(\.name)) == Set(after.entries.map(\.name)))
            for entry in before.entries {
                let values = try before.floats(entry.name)
                #expect(try values == after.floats(entry.name))
            }
        }
    }

    @Test("generation with an adapter is that of the merged model, and a model saved with one is merged")
    func generation() throws {
        let model = try small(.qwen2)
        let before = model.parameters.map { $0.tensor.values }
        try model.attach(adapter(LoRAConfiguration(rank: 4, alpha: 8, targets: [.key, .gate, .output]), for: model))
        let merged = model.merged()
        let parameters = GenerationParameters(maximumNewTokens: 12)
        let mine = try model.generate(prompts: sequences, parameters: parameters)
        #expect(try mine == merged.generate(prompts: sequences, parameters: parameters))
        #expect(try mine != model.withoutAdapter.generate(prompts: sequences, parameters: parameters))
        // The path through B · A and the merged weights differ by rounding only.
        for (adapted, other) in zip(try model.logits(sequences), try merged.logits(sequences)) {
            expectClose(adapted, other)
        }
        for (result, prompt) in zip(mine, sequences) {
            let scores = try model.logProbabilities([prompt + result.tokens])[0].suffix(result.tokens.count)
            expectClose(result.logProbabilities, Array(scores))
        }
        try withTemporaryFolder { folder in
            try model.save(to: folder)
            let loaded = try CausalLanguageModel.load(folder: folder)
            #expect(loaded.parameters.map { $0.tensor.values } == merged.parameters.map { $0.tensor.values })
        }
        #expect(model.parameters.map { $0.tensor.values } == before)
        #expect(model.adapter != nil)
    }

    @Test("a fresh adapter changes nothing, and a copy shares nothing")
    func fresh() throws {
        let model = try small()
        let plain = try model.logits(sequences)
        try model.attach(LoRAAdapter(configuration: LoRAConfiguration(rank: 2), for: model, seed: 1))
        #expect(try model.logits(sequences) == plain)
        let copy = model.copy()
        let mine = try #require(model.adapter)
        let theirs = try #require(copy.adapter)
        mine.parameters[1].tensor.withMutableValues { $0[0] = 1 }
        #expect(theirs.parameters[1].tensor.values[0] == 0)
        #expect(try copy.logits(sequences) == plain)
        #expect(try model.logits(sequences) != plain)
    }

    @Test("an adapter for another shape or context is refused")
    func mismatches() throws {
        let model = try small()
        let other = try small()
        #expect(throws: ModelFileError.self) {
            try other.attach(LoRAAdapter(configuration: LoRAConfiguration(), for: model, seed: 1))
        }
        let golden = try Golden.url("lora/adapter")
        let error = #expect(throws: ModelFileError.self) { try LoRAAdapter.load(folder: golden, for: model) }
        #expect(error?.description.contains("has shape") == true)
    }

    @Test(
        "what is not supported is refused by name before any weight is read",
        arguments: [
            (#""use_dora": false"#, #""use_dora": true"#, "DoRA"),
            (#""bias": "none""#, #""bias": "lora_only""#, "bias lora_only"),
            (#""modules_to_save": null"#, #""modules_to_save": ["lm_head"]"#, "modules_to_save"),
            (#""q_proj""#, #""lm_head""#, "lm_head"),
            (#""q_proj""#, #""model.layers.0.self_attn.q_proj""#, "q_proj in 1 of 2 layers"),
            (#""rank_pattern": {}"#, #""rank_pattern": {"q_proj": 4}"#, "rank_pattern"),
            (#""layers_to_transform": null"#, #""layers_to_transform": [0]"#, "layers_to_transform"),
            (#""init_lora_weights": true"#, #""init_lora_weights": "pissa""#, "pissa"),
            (#""peft_type": "LORA""#, #""peft_type": "IA3""#, "IA3"),
            (#""task_type": "CAUSAL_LM""#, #""task_type": "SEQ_CLS""#, "SEQ_CLS"),
            (#""fan_in_fan_out": false"#, #""fan_in_fan_out": true"#, "fan_in_fan_out"),
            (#""use_rslora": false"#, #""use_rslora": false, "use_next_year": 1"#, "use_next_year"),
            (#""r": 8"#, #""r": 0"#, "r is 0"),
            (#""r": 8"#, #""r": 100000000000"#, "r is 100000000000"),
            (#""r": 8"#, #""r": "8""#, "r is"),
            (#""lora_dropout": 0.0"#, #""lora_dropout": 1.0"#, "lora_dropout"),
            (#""lora_alpha": 16"#, #""lora_alpha": -1"#, "lora_alpha"),
        ]
    )
    func refusals(original: String, replacement: String, cause: String) throws {
        let source = try Golden.url("lora/adapter/adapter_config.json")
        let text = try String(contentsOf: source, encoding: .utf8)
        #expect(text.contains(original))
        try withTemporaryFolder { folder in
            // No weight file lies there: a refusal that came after it is opened would name that instead.
            try text.replacingOccurrences(of: original, with: replacement)
                .write(to: folder.appendingPathComponent("adapter_config.json"), atomically: true, encoding: .utf8)
            let model = try small()
            let error = #expect(throws: ModelFileError.self) { try LoRAAdapter.load(folder: folder, for: model) }
            #expect(error?.description.contains(cause) == true, "\(error?.description ?? "")")
        }
    }

    @Test("the targets may be given as all-linear")
    func allLinear() throws {
        let text = #"{"peft_type": "LORA", "r": 4, "lora_alpha": 8, "target_modules": "all-linear"}"#
        #expect(try LoRAConfiguration(json: Data(text.utf8)).targets == LoRAConfiguration.Target.allCases)
        let pattern = text.replacingOccurrences(of: "all-linear", with: ".*proj")
        #expect(throws: ModelFileError.self) { try LoRAConfiguration(json: Data(pattern.utf8)) }
        #expect(try LoRAConfiguration.targets(named: ["mlp.up_proj", "q_proj"]) == [.query, .up])
    }

    @Test("targets may be paths in all layers, as PEFT writes all-linear of a small model; in some they are refused")
    func paths() throws {
        let paths = (0..<3).flatMap { layer in
            ["self_attn.v_proj", "mlp.down_proj"].map { "model.layers.\(layer).\($0)" }
        }
        #expect(try LoRAConfiguration.targets(named: paths.reversed()) == [.value, .down])
        #expect(try LoRAConfiguration.targets(named: paths + ["q_proj"]) == [.query, .value, .down])
        let error = #expect(throws: ModelFileError.self) {
            try LoRAConfiguration.targets(named: Array(paths.dropFirst()))
        }
        #expect(error?.description.contains("v_proj in 2 of 3 layers") == true)
        for path in ["layers.x.mlp.up_proj", "layers.0.mlp.q_proj", "layers.-1.mlp.up_proj", "lm_head"] {
            let name = "model.\(path)"
            #expect(throws: ModelFileError.self) { try LoRAConfiguration.targets(named: [name]) }
        }
        try withTemporaryFolder { folder in
            let model = try small()
            let adapter = try adapter(LoRAConfiguration(rank: 2, targets: [.value]), for: model)
            try adapter.save(to: folder)
            let file = folder.appendingPathComponent("adapter_config.json")
            let text = try String(contentsOf: file, encoding: .utf8)
            func load(layers: Int) throws -> LoRAAdapter {
                let names = (0..<layers).map { #""model.layers.\#($0).self_attn.v_proj""# }
                let changed = text.replacingOccurrences(of: #"["v_proj"]"#, with: "[\(names.joined(separator: ", "))]")
                #expect(changed != text)
                try changed.write(to: file, atomically: true, encoding: .utf8)
                return try LoRAAdapter.load(folder: folder, for: model)
            }
            #expect(try load(layers: 2).parameters.map(\.tensor.values) == adapter.parameters.map(\.tensor.values))
            let error = #expect(throws: ModelFileError.self) { try load(layers: 1) }
            #expect(error?.description.contains("v_proj in 1 of 2 layers") == true)
        }
    }

    @Test("missing and unasked-for weights are refused by name")
    func weights() throws {
        try withTemporaryFolder { folder in
            let model = try small()
            let adapter = try adapter(LoRAConfiguration(rank: 2, targets: [.query]), for: model)
            try adapter.save(to: folder)
            let items = adapter.parameters.map { name, tensor in
                SafetensorsWriter.Item(name: name, shape: tensor.shape, values: tensor.values)
            }
            let file = folder.appendingPathComponent("adapter_model.safetensors")
            let extra = SafetensorsWriter.Item(
                name: "base_model.model.model.layers.0.self_attn.q_proj.lora_magnitude_vector",
                shape: [1],
                values: [1]
            )
            for (content, cause) in [(Array(items.dropLast()), "is missing"), (items + [extra], "magnitude_vector")] {
                try SafetensorsWriter.write(content, to: file)
                let error = #expect(throws: ModelFileError.self) { try LoRAAdapter.load(folder: folder, for: model) }
                #expect(error?.description.contains(cause) == true, "\(error?.description ?? "")")
            }
        }
    }
}
