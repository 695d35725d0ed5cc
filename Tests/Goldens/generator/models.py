"""Tiny random models as folders of transformers, and variants of them for the loaders."""
import torch

from .common import END_OF_TEXT, TURN_END, VOCABULARY, Output, load

SIZES = dict(
    hidden_size=32, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2, intermediate_size=56,
    vocab_size=VOCABULARY, initializer_range=0.15, attention_dropout=0.0, eos_token_id=TURN_END, pad_token_id=None,
)  # fmt: skip
# Heads have 8 dimensions, so 4 frequencies: with these figures one is kept, one is blended and two are scaled.
LLAMA3_ROPE = {
    "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 256,
}  # fmt: skip


def build(kind: str, seed: int):
    from transformers import LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM

    torch.manual_seed(seed)
    if kind == "qwen2":
        model = Qwen2ForCausalLM(
            Qwen2Config(
                **SIZES, tie_word_embeddings=True, max_position_embeddings=512, rms_norm_eps=1e-6, bos_token_id=None,
                rope_parameters={"rope_type": "default", "rope_theta": 1e6},
            )
        )  # fmt: skip
    else:
        model = LlamaForCausalLM(
            LlamaConfig(
                **SIZES, tie_word_embeddings=False, max_position_embeddings=2048, rms_norm_eps=1e-5,
                bos_token_id=END_OF_TEXT, rope_parameters=LLAMA3_ROPE,
            )
        )  # fmt: skip
    # Norms are made as 1 and biases as 0, which would hide errors: give them values.
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "norm" in name:
                parameter.copy_(1.0 + 0.1 * torch.randn(parameter.shape, generator=generator))
            elif name.endswith(".bias"):
                parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    return model.float()


def older_configuration(configuration) -> dict:
    """config.json as transformers 4 wrote it, and as most published checkpoints have it."""
    found = configuration.to_dict()
    rope = dict(found.pop("rope_parameters"))
    found["rope_theta"] = rope.pop("rope_theta")
    kind = rope.pop("rope_type")
    found["rope_scaling"] = None if kind == "default" else {"rope_type": kind, **rope}
    found["torch_dtype"] = "float32"
    for key in ("dtype", "layer_types", "_name_or_path"):
        found.pop(key, None)
    found["transformers_version"] = "4.53.3"
    return found


def make(output: Output):
    for name, kind, seed in [("tiny-qwen2", "qwen2", 21), ("tiny-llama", "llama", 41)]:
        model = build(kind, seed)
        output.pretrained(name, model)
        output.json(f"{name}/config.v4.json", older_configuration(model.config))
    output.pretrained("tiny-qwen2-bf16", load(output, "tiny-qwen2").to(torch.bfloat16))
    output.pretrained("tiny-llama-sharded", load(output, "tiny-llama"), max_shard_size="80KB")
    # The reference of DPO: the policy with a little noise on every weight.
    reference = load(output, "tiny-qwen2")
    generator = torch.Generator().manual_seed(99)
    with torch.no_grad():
        for _, parameter in reference.named_parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))
    output.pretrained("tiny-qwen2-ref", reference)
