import DataSupport
import Foundation
import ModelFiles
import NumericSupport
import TensorEngine
import Testing

@testable import LanguageModel

/// A GGUF file of a small model whose metadata and tensors a test may spoil.
private struct Parts {
    var pairs: [(key: String, value: GGUFValue)]
    var items: [GGUFWriter.Item]

    init(_ name: String) throws {
        let file = try GGUFFile(url: GGUFGoldens.url("\(name).gguf"))
        pairs = file.metadata.pairs
        items = try file.entries.map { entry in
            GGUFWriter.Item(name: entry.name, shape: entry.shape, values: try file.floats(entry.name))
        }
    }

    mutating func set(_ key: String, _ value: GGUFValue?) {
        pairs.removeAll { $0.key == key }
        if let value { pairs.append((key, value)) }
    }

    mutating func set(_ name: String, shape: [Int]?) {
        items.removeAll { $0.name == name }
        guard let shape else { return }
        items.append(.init(name: name, shape: shape, values: .init(repeating: 1, count: shape.reduce(1, *))))
    }
}

private func expectRefusal(
    in name: String = "tiny-llama",
    _ cause: String,
    _ code: ModelFileError.Code = .unsupported,
    sourceLocation: SourceLocation = #_sourceLocation,
    _ spoil: (inout Parts) -> Void
) throws {
    try withTemporaryFolder { folder in
        let url = folder.appendingPathComponent("bad.gguf")
        var parts = try Parts(name)
        spoil(&parts)
        try GGUFWriter.write(parts.items, metadata: parts.pairs, to: url)
        let error = #expect(throws: ModelFileError.self, sourceLocation: sourceLocation) {
            try CausalLanguageModel.load(folder: url, context: ComputeContext(threads: 1))
        }
        #expect(error?.message.contains(cause) == true, "\(error?.description ?? "")", sourceLocation: sourceLocation)
        #expect(error?.code == code, sourceLocation: sourceLocation)
        #expect(error?.place == url.path, sourceLocation: sourceLocation)
    }
}

@Suite("Bad models in GGUF")
struct GGUFBadModelTests {
    @Test("a missing, misshapen or unasked-for tensor is refused by its name in the file")
    func tensors() throws {
        try expectRefusal("blk.1.attn_k.weight is missing", .malformed) { $0.set("blk.1.attn_k.weight", shape: nil) }
        try expectRefusal("blk.1.attn_k.weight has shape [4, 4]", .malformed) {
            $0.set("blk.1.attn_k.weight", shape: [4, 4])
        }
        try expectRefusal("blk.1.attn_q.bias") { $0.set("blk.1.attn_q.bias", shape: [32]) }
        try expectRefusal("blk.2.attn_q.weight") { $0.set("blk.2.attn_q.weight", shape: [32, 32]) }
        try expectRefusal("blk.01.attn_q.weight") { $0.set("blk.01.attn_q.weight", shape: [32, 32]) }
        try expectRefusal("holds the weight model.norm.weight") { $0.set("model.norm.weight", shape: [32]) }
        try expectRefusal("blk.0.ffn_gate_inp.weight") { $0.set("blk.0.ffn_gate_inp.weight", shape: [4, 32]) }
        try expectRefusal(in: "tiny-qwen2", "blk.0.attn_v.bias is missing", .malformed) {
            $0.set("blk.0.attn_v.bias", shape: nil)
        }
        try expectRefusal(in: "tiny-qwen3", "blk.0.attn_q_norm.weight is missing", .malformed) {
            $0.set("blk.0.attn_q_norm.weight", shape: nil)
        }
        try expectRefusal("token_embd.weight", .malformed) { $0.set("token_embd.weight", shape: nil) }
        // An output projection makes the model one that is not tied.
        try expectRefusal("output.weight has shape [2, 2]", .malformed) { $0.set("output.weight", shape: [2, 2]) }
    }

    @Test("missing keys and sizes that do not fit together are refused by name")
    func keys() throws {
        for key in [
            "general.architecture", "llama.block_count", "llama.context_length", "llama.embedding_length",
            "llama.feed_forward_length", "llama.attention.head_count", "llama.attention.layer_norm_rms_epsilon",
        ] {
            try expectRefusal("\(key) is missing", .malformed) { $0.set(key, nil) }
        }
        try expectRefusal("llama.block_count is a string", .malformed) { $0.set("llama.block_count", .text("2")) }
        try expectRefusal("llama.block_count is missing", .malformed) {
            $0.set("llama.block_count", nil)
            $0.set("qwen2.block_count", .uint32(2))
        }
        try expectRefusal("head_count (5)", .malformed) { $0.set("llama.attention.head_count", .uint32(5)) }
        try expectRefusal("head_count (0)", .malformed) { $0.set("llama.attention.head_count", .uint32(0)) }
        try expectRefusal("no multiple of num_key_value_heads", .malformed) {
            $0.set("llama.attention.head_count_kv", .uint32(3))
        }
        try expectRefusal("num_hidden_layers is", .malformed) { $0.set("llama.block_count", .uint64(1 << 62)) }
        try expectRefusal("tokenizer.ggml.eos_token_id is 320", .malformed) {
            $0.set("tokenizer.ggml.eos_token_id", .uint32(320))
        }
    }

    @Test("what is computed in another way is refused by name")
    func features() throws {
        try expectRefusal("architecture gemma is not supported") { $0.set("general.architecture", .text("gemma")) }
        try expectRefusal("llama.expert_count 8") { $0.set("llama.expert_count", .uint32(8)) }
        try expectRefusal("llama.attention.sliding_window 128") {
            $0.set("llama.attention.sliding_window", .uint32(128))
        }
        try expectRefusal("llama.rope.dimension_count 4") { $0.set("llama.rope.dimension_count", .uint32(4)) }
        try expectRefusal("llama.attention.value_length 16") { $0.set("llama.attention.value_length", .uint32(16)) }
        try expectRefusal("llama.attention.causal false") { $0.set("llama.attention.causal", .bool(false)) }
        try expectRefusal("llama.logit_scale 0.5") { $0.set("llama.logit_scale", .float32(0.5)) }
        try expectRefusal("rope scaling of type yarn") { $0.set("llama.rope.scaling.type", .text("yarn")) }
        try expectRefusal("rope scaling of type linear with factor 4.0") {
            $0.set("llama.rope.scaling.type", .text("linear"))
            $0.set("llama.rope.scaling.factor", .float32(4))
        }
        try expectRefusal("rope scaling of type linear with factor 2.0") {
            $0.set("llama.rope.scale_linear", .float32(2))
        }
        try expectRefusal("rope_freqs.weight has shape [3]", .malformed) { $0.set("rope_freqs.weight", shape: [3]) }
        try expectRefusal("the factors of rope_freqs.weight") { parts in
            parts.items.append(.init(name: "rope_freqs.weight", shape: [4], values: [1, 9, 2, 5]))
        }
    }

    @Test("what changes nothing is read")
    func harmless() throws {
        var parts = try Parts("tiny-llama")
        parts.set("llama.expert_count", .uint32(0))
        parts.set("llama.attention.sliding_window", .uint32(256))
        parts.set("llama.rope.dimension_count", .uint32(8))
        parts.set("llama.rope.scaling.type", .text("none"))
        parts.set("llama.rope.scaling.factor", .float32(4))
        parts.set("rope_freqs.weight", shape: [4])
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("good.gguf")
            try GGUFWriter.write(parts.items, metadata: parts.pairs, to: url)
            let model = try CausalLanguageModel.load(folder: url)
            #expect(model.configuration.ropeScaling == .default)
        }
    }

    @Test("a folder whose config.json speaks of other heads than its model.gguf is refused")
    func heads() throws {
        try withTemporaryFolder { folder in
            try GGUFModelFolder.write(of: GGUFGoldens.url("tiny-llama.gguf"), to: folder, weights: .copy)
            var configuration = try ModelConfiguration(folder: folder)
            configuration.keyValueHeads = 1
            try configuration.save(to: folder)
            let error = #expect(throws: ModelFileError.self) { try CausalLanguageModel.load(folder: folder) }
            #expect(
                error?.message.contains("the configuration says llama, 4, 1 and 8") == true,
                "\(error?.message ?? "")"
            )
            configuration.keyValueHeads = 2
            configuration.eosTokenIDs = [5]
            try configuration.save(to: folder)
            #expect(try CausalLanguageModel.load(folder: folder).configuration.eosTokenIDs == [5])
        }
    }

    @Test("a file without a tokenizer's merges is not unpacked")
    func unpacking() throws {
        try withTemporaryFolder { folder in
            let url = folder.appendingPathComponent("bad.gguf")
            var parts = try Parts("tiny-llama")
            parts.set("tokenizer.ggml.merges", nil)
            try GGUFWriter.write(parts.items, metadata: parts.pairs, to: url)
            let target = folder.appendingPathComponent("out")
            #expect(throws: (any Error).self) { try GGUFModelFolder.write(of: url, to: target, weights: .copy) }
            #expect(!FileManager.default.fileExists(atPath: target.path))
        }
    }
}
