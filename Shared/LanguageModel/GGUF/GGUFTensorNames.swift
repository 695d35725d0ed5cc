/// The names of a decoder's weights in GGUF and in Hugging Face's files.
enum GGUFTensorNames {
    private static let outer: [(gguf: String, huggingFace: String)] = [
        ("token_embd.weight", "model.embed_tokens.weight"), ("output_norm.weight", "model.norm.weight"),
        ("output.weight", "lm_head.weight"),
    ]
    /// Behind `blk.N.` and `model.layers.N.`.
    private static let inner: [(gguf: String, huggingFace: String)] = [
        ("attn_norm", "input_layernorm"), ("attn_q", "self_attn.q_proj"), ("attn_k", "self_attn.k_proj"),
        ("attn_v", "self_attn.v_proj"), ("attn_output", "self_attn.o_proj"), ("attn_q_norm", "self_attn.q_norm"),
        ("attn_k_norm", "self_attn.k_norm"), ("ffn_norm", "post_attention_layernorm"), ("ffn_gate", "mlp.gate_proj"),
        ("ffn_up", "mlp.up_proj"), ("ffn_down", "mlp.down_proj"),
    ]

    /// The factors that rotary frequencies are divided by.
    static let ropeFactors = "rope_freqs.weight"

    /// The GGUF name of a weight; nil for a name that no decoder has.
    static func gguf(_ name: String) -> String? {
        if let pair = outer.first(where: { $0.huggingFace == name }) { return pair.gguf }
        return translated(name, from: "model.layers.", to: "blk.") { part in
            inner.first { $0.huggingFace == part }?.gguf
        }
    }

    /// The Hugging Face name of a tensor; nil for a name that no decoder has.
    static func huggingFace(_ name: String) -> String? {
        if let pair = outer.first(where: { $0.gguf == name }) { return pair.huggingFace }
        return translated(name, from: "blk.", to: "model.layers.") { part in
            inner.first { $0.gguf == part }?.huggingFace
        }
    }

    /// A name made of a prefix, a layer, a part and `weight` or `bias`, with another prefix and part.
    private static func translated(_ name: String, from: String, to: String, _ part: (String) -> String?) -> String? {
        guard name.hasPrefix(from) else { return nil }
        let pieces = name.dropFirst(from.count).split(separator: ".", omittingEmptySubsequences: false)
        guard pieces.count >= 3, let layer = Int(pieces[0]), "\(layer)" == pieces[0], layer >= 0,
            ["weight", "bias"].contains(pieces[pieces.count - 1]),
            let other = part(pieces[1..<pieces.count - 1].joined(separator: "."))
        else { return nil }
        return "\(to)\(layer).\(other).\(pieces[pieces.count - 1])"
    }
}
