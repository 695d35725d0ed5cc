import DataSupport
import Foundation
import ModelFiles
import NumericSupport
import TensorEngine
import Testing
import Tokenization

@testable import LanguageModel

private func load(_ url: URL, weights: WeightStorage = .float32) throws -> CausalLanguageModel {
    try CausalLanguageModel.load(folder: url, context: ComputeContext(threads: 1), weights: weights)
}

private let names = ["tiny-llama", "tiny-qwen2", "tiny-qwen3"]

@Suite("Models from GGUF")
struct GGUFModelTests {
    private func expectGoldenLogits(
        _ model: CausalLanguageModel,
        _ name: String,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let goldens = try GGUFFile(url: GGUFGoldens.url("logits.gguf"))
        let tokens = try goldens.floats("\(name).tokens").map { TokenID($0) }
        let logits = try model.logits([tokens])[0]
        expectClose(
            logits,
            try goldens.floats("\(name).logits"),
            rtol: 1e-4,
            atol: 1e-5,
            name,
            sourceLocation: sourceLocation
        )
    }

    @Test("logits are those of transformers, rows of llama's queries and keys put back in order", arguments: names)
    func logits(name: String) throws {
        try expectGoldenLogits(load(GGUFGoldens.url("\(name).gguf")), name)
    }

    @Test("unpacked into a folder the model is the same, and its weights stay as they were", arguments: names)
    func unpacked(name: String) throws {
        let file = GGUFGoldens.url("\(name).gguf")
        try withTemporaryFolder { folder in
            try GGUFModelFolder.write(of: file, to: folder, weights: .copy)
            let files = try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted()
            #expect(
                files == [
                    "chat_template.jinja", "config.json", "generation_config.json", "model.gguf", "tokenizer.json",
                    "tokenizer_config.json",
                ]
            )
            #expect(try Data(contentsOf: folder.appendingPathComponent("model.gguf")) == Data(contentsOf: file))
            let model = try load(folder)
            try expectGoldenLogits(model, name)
            let direct = try load(file)
            #expect(model.configuration == direct.configuration)
            #expect(model.contentHash() == direct.contentHash())
            #expect(try Tokenizer(folder: folder).fingerprint == Tokenizer(folder: file).fingerprint)
        }
    }

    @Test("the configuration is what metadata and tensors say")
    func configuration() throws {
        let llama = try ModelConfiguration(folder: GGUFGoldens.url("tiny-llama.gguf"))
        #expect(
            llama
                == ModelConfiguration(
                    modelType: .llama,
                    vocabularySize: 320,
                    hiddenSize: 32,
                    intermediateSize: 32,
                    layers: 2,
                    heads: 4,
                    keyValueHeads: 2,
                    rmsNormEpsilon: 1e-5,
                    tieWordEmbeddings: true,
                    maximumPositions: 256,
                    bosTokenID: 1,
                    eosTokenIDs: [2, 0],
                    padTokenID: 0,
                    torchDtype: "float16"
                )
        )
        let qwen2 = try ModelConfiguration(folder: GGUFGoldens.url("tiny-qwen2.gguf"))
        #expect(qwen2.modelType == .qwen2 && qwen2.attentionBias && !qwen2.tieWordEmbeddings && qwen2.ropeTheta == 1e6)
        let qwen3 = try ModelConfiguration(folder: GGUFGoldens.url("tiny-qwen3.gguf"))
        #expect(qwen3.modelType == .qwen3 && qwen3.headDimension == 16 && qwen3.torchDtype == "float32")
    }

    @Test("bfloat16 weights are used where they lie, those of llama's queries and keys in order and as exactly")
    func storage() throws {
        let qwen2 = try load(GGUFGoldens.url("tiny-qwen2.gguf"), weights: .asStored)
        try expectGoldenLogits(qwen2, "tiny-qwen2")
        for (name, tensor) in qwen2.parameters {
            #expect(tensor.elementType == (tensor.shape.count > 1 ? .bfloat16 : .float32), "\(name)")
        }
        let f16 = try load(GGUFGoldens.url("tiny-llama.gguf"), weights: .asStored)
        #expect(f16.parameters.allSatisfy { $0.tensor.elementType == .float32 })
        let rounded = try load(GGUFGoldens.url("tiny-llama.gguf"), weights: .bfloat16)
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("bf16.gguf")
            let tokenizer = try Tokenizer(folder: GGUFGoldens.url("tiny-llama.gguf"))
            try GGUFExport.write(rounded, tokenizer: tokenizer, name: "x", type: .bfloat16, to: url)
            let again = try load(url, weights: .asStored)
            #expect(
                again.parameters.allSatisfy {
                    $0.tensor.elementType == ($0.tensor.shape.count > 1 ? .bfloat16 : .float32)
                }
            )
            for (mine, theirs) in zip(again.parameters, rounded.parameters) {
                #expect(mine.tensor.values == theirs.tensor.values, "\(mine.name)")
            }
        }
    }
}

@Suite("Models to GGUF")
struct GGUFExportTests {
    @Test("a model comes back as it was, within what the type holds", arguments: names, GGUFExport.elementTypes)
    func roundTrip(name: String, type: GGUFElementType) throws {
        let file = GGUFGoldens.url("\(name).gguf")
        let model = try load(file)
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("out.gguf")
            try GGUFExport.write(folder: file, to: url, type: type, name: "A tiny model")
            let metadata = try GGUFFile(url: url).metadata
            #expect(try metadata.string("general.name") == "A tiny model")
            #expect(
                try metadata.integer("general.file_type") == [.float32: 0, .float16: 1, .q80: 7, .bfloat16: 32][type]
            )
            let again = try load(url)
            var (mine, theirs) = (again.configuration, model.configuration)
            (mine.torchDtype, theirs.torchDtype) = ("", "")
            #expect(mine == theirs)
            #expect(try Tokenizer(folder: url).fingerprint == Tokenizer(folder: file).fingerprint)
            for (mine, theirs) in zip(again.parameters, model.parameters) {
                #expect(mine.name == theirs.name)
                let isMatrix = theirs.tensor.shape.count > 1
                let bound: (Float) -> Float =
                    switch type {
                    case _ where !isMatrix: { _ in 0 }
                    case .float16: { max(abs($0) * 0x1p-11, 0x1p-25) }
                    case .bfloat16: { abs($0) * 0x1p-8 }
                    case .q80: { _ in (theirs.tensor.values.map(abs).max() ?? 0) / 127 * 0.57 }
                    default: { _ in 0 }
                    }
                let differs = zip(mine.tensor.values, theirs.tensor.values).contains { abs($0 - $1) > bound($1) }
                #expect(!differs, "\(mine.name)")
            }
        }
    }

    @Test(
        "what is stored in a type already is written without loss",
        arguments: [
            ("tiny-llama", GGUFElementType.float16), ("tiny-qwen2", .bfloat16), ("tiny-qwen3", .q80),
        ]
    )
    func lossless(name: String, type: GGUFElementType) throws {
        let file = try GGUFFile(url: GGUFGoldens.url("\(name).gguf"))
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("out.gguf")
            try GGUFExport.write(folder: file.url, to: url, type: type)
            let again = try GGUFFile(url: url)
            #expect(Set(again.entries.map(\.name)) == Set(file.entries.map(\.name)))
            for entry in file.entries {
                #expect(again.entry(entry.name)?.elementType == entry.elementType)
                #expect(again.entry(entry.name)?.shape == entry.shape)
                #expect(try again.floats(entry.name) == file.floats(entry.name), "\(entry.name)")
            }
        }
    }

    @Test("a matrix whose rows are no multiple of 32 is F16 in a Q8_0 file, and values beyond F16 are refused by name")
    func types() throws {
        let model = try CausalLanguageModel(
            configuration: ModelConfiguration(
                vocabularySize: 320,
                hiddenSize: 48,
                intermediateSize: 64,
                layers: 1,
                heads: 4
            ),
            seed: 3
        )
        let tokenizer = try Tokenizer(folder: GGUFGoldens.url("gpt-2.gguf"))
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("out.gguf")
            try GGUFExport.write(model, tokenizer: tokenizer, name: "x", type: .q80, to: url)
            let file = try GGUFFile(url: url)
            #expect(file.entry("blk.0.ffn_down.weight")?.elementType == .q80)
            #expect(file.entry("blk.0.ffn_up.weight")?.elementType == .float16)
            #expect(file.entry("blk.0.attn_norm.weight")?.elementType == .float32)
            model.parameters[2].tensor.withMutableValues { $0[5] = 1e6 }
            let error = #expect(throws: ModelFileError.self) {
                try GGUFExport.write(model, tokenizer: tokenizer, name: "x", type: .float16, to: url)
            }
            #expect(error?.message.contains("tensor blk.0.attn_q.weight") == true, "\(error?.message ?? "")")
            #expect(throws: ModelFileError.self) {
                try GGUFExport.write(model, tokenizer: tokenizer, name: "x", type: .q4K, to: url)
            }
        }
    }

    @Test("with an adapter attached, the weights are written with it merged in")
    func adapter() throws {
        let file = GGUFGoldens.url("tiny-llama.gguf")
        let model = try load(file)
        let adapter = try LoRAAdapter(configuration: LoRAConfiguration(rank: 2), for: model, seed: 1)
        for (_, tensor) in adapter.parameters {
            tensor.withMutableValues { values in for index in values.indices { values[index] = Float(index % 5) * 0.1 }
            }
        }
        try model.attach(adapter)
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("out.gguf")
            try GGUFExport.write(model, tokenizer: Tokenizer(folder: file), name: "x", type: .float32, to: url)
            let merged = model.merged()
            for (mine, theirs) in zip(try load(url).parameters, merged.parameters) {
                #expect(mine.tensor.values == theirs.tensor.values, "\(mine.name)")
            }
        }
    }
}
