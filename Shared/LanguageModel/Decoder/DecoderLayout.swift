/// Which weights a decoder of some configuration has: their names, shapes and places.
///
/// Generic over what stands for a weight, so that a folder's headers can be checked against it before any memory is
/// asked for.
struct DecoderLayout<Weight> {
    /// The weights of one layer.
    struct Layer {
        let inputNorm: Weight
        let query: Weight
        let queryBias: Weight?
        let key: Weight
        let keyBias: Weight?
        let value: Weight
        let valueBias: Weight?
        let queryNorm: Weight?
        let keyNorm: Weight?
        let output: Weight
        let postAttentionNorm: Weight
        let gate: Weight
        let up: Weight
        let down: Weight
    }

    let embedding: Weight
    let layers: [Layer]
    let finalNorm: Weight
    let outputProjection: Weight?

    /// Calls `make` with the name and shape of every weight, in a fixed order.
    init(
        _ configuration: ModelConfiguration,
        make: (_ name: String, _ shape: [Int]) throws -> Weight
    ) rethrows {
        let hidden = configuration.hiddenSize
        let inner = configuration.intermediateSize
        embedding = try make("model.embed_tokens.weight", [configuration.vocabularySize, hidden])
        let queryWidth = configuration.heads * configuration.headDimension
        let keyWidth = configuration.keyValueHeads * configuration.headDimension
        layers = try (0..<configuration.layers).map { index in
            let prefix = "model.layers.\(index)."
            func bias(_ name: String, _ width: Int) throws -> Weight? {
                configuration.attentionBias ? try make(prefix + "self_attn.\(name)_proj.bias", [width]) : nil
            }
            func headNorm(_ name: String) throws -> Weight? {
                configuration.modelType.normsHeads
                    ? try make(prefix + "self_attn.\(name)_norm.weight", [configuration.headDimension]) : nil
            }
            func weight(_ name: String, _ rows: Int, _ columns: Int) throws -> Weight {
                try make(prefix + name + ".weight", [rows, columns])
            }
            return try Layer(
                inputNorm: make(prefix + "input_layernorm.weight", [hidden]),
                query: weight("self_attn.q_proj", queryWidth, hidden),
                queryBias: bias("q", queryWidth),
                key: weight("self_attn.k_proj", keyWidth, hidden),
                keyBias: bias("k", keyWidth),
                value: weight("self_attn.v_proj", keyWidth, hidden),
                valueBias: bias("v", keyWidth),
                queryNorm: headNorm("q"),
                keyNorm: headNorm("k"),
                output: weight("self_attn.o_proj", hidden, queryWidth),
                postAttentionNorm: make(prefix + "post_attention_layernorm.weight", [hidden]),
                gate: weight("mlp.gate_proj", inner, hidden),
                up: weight("mlp.up_proj", inner, hidden),
                down: weight("mlp.down_proj", hidden, inner)
            )
        }
        finalNorm = try make("model.norm.weight", [hidden])
        outputProjection =
            configuration.tieWordEmbeddings ? nil : try make("lm_head.weight", [configuration.vocabularySize, hidden])
    }
}
