/// llama.cpp's names of a decoder's weights.
enum GGUFNames {
    private static let top = [
        "model.embed_tokens.weight": "token_embd.weight", "model.norm.weight": "output_norm.weight",
        "lm_head.weight": "output.weight",
    ]

    private static let layer = [
        "input_layernorm.weight": "attn_norm.weight", "self_attn.q_proj.weight": "attn_q.weight",
        "self_attn.k_proj.weight": "attn_k.weight", "self_attn.v_proj.weight": "attn_v.weight",
        "self_attn.q_proj.bias": "attn_q.bias", "self_attn.k_proj.bias": "attn_k.bias",
        "self_attn.v_proj.bias": "attn_v.bias", "self_attn.o_proj.weight": "attn_output.weight",
        "self_attn.q_norm.weight": "attn_q_norm.weight", "self_attn.k_norm.weight": "attn_k_norm.weight",
        "post_attention_layernorm.weight": "ffn_norm.weight", "mlp.gate_proj.weight": "ffn_gate.weight",
        "mlp.up_proj.weight": "ffn_up.weight", "mlp.down_proj.weight": "ffn_down.weight",
    ]

    /// llama.cpp's name of a weight; nil for one that it has no name for.
    static func gguf(_ name: String) -> String? {
        if let known = top[name] { return known }
        let parts = name.split(separator: ".", maxSplits: 3)
        guard parts.count == 4, parts[0] == "model", parts[1] == "layers", let known = layer[String(parts[3])] else {
            return nil
        }
        return "blk.\(parts[2]).\(known)"
    }

    private static let topBack = Dictionary(uniqueKeysWithValues: top.map { ($1, $0) })
    private static let layerBack = Dictionary(uniqueKeysWithValues: layer.map { ($1, $0) })

    /// Hugging Face's name of a weight; the name itself for one that it has no name for.
    static func huggingFace(_ name: String) -> String {
        if let known = topBack[name] { return known }
        let parts = name.split(separator: ".", maxSplits: 2)
        guard parts.count == 3, parts[0] == "blk", let known = layerBack[String(parts[2])] else { return name }
        return "model.layers.\(parts[1]).\(known)"
    }
}
