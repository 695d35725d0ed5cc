#!/usr/bin/env python3
"""Makes tiny models and tokenizers as GGUF files, and what transformers and tokenizers compute with them.

    python3 -m venv venv
    venv/bin/pip install gguf==0.19.0 torch==2.13.0 transformers==5.24.0 tokenizers==0.23.3 [llama-cpp-python==0.3.36]
    venv/bin/python Tests/Goldens/gguf/make_models.py

Everything is drawn from fixed seeds and trained on sentences made here. The files:

- tiny-llama.gguf (F16, tokenizer smollm), tiny-qwen2.gguf (BF16, tokenizer qwen2), tiny-qwen3.gguf (Q8_0, tokenizer
  llama-bpe): models of two layers, laid out as llama.cpp's converter does it: rows of llama's q and k in pairs.
- logits.gguf: tokens and logits of each. The logits are those of the model that was written, and the script itself checks
  that transformers gives the same for the GGUF file.
- gpt-2.gguf, spm.gguf, spm-no-prefix.gguf: tokenizers alone.
- ids.json: texts with their ids by the tokenizers library. Where llama-cpp-python is installed, the script checks that
  llama.cpp cuts them alike, but for Qwen's texts that are not composed, which llama.cpp does not normalise.
- rope_factors.json: factors by Llama 3's rule, computed in single precision as llama.cpp's converter computes them.
"""
import json
import math
import os
import pathlib
import tempfile

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import gguf  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
from gguf import GGMLQuantizationType as Type  # noqa: E402
from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers  # noqa: E402
from transformers import AutoModelForCausalLM, LlamaConfig, Qwen2Config, Qwen3Config  # noqa: E402
from transformers.tokenization_utils_base import generate_merges  # noqa: E402

HERE = pathlib.Path(__file__).parent
VOCABULARY = 320
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+"
    r"|\s+(?!\S)|\s+"
)
QWEN2 = LLAMA3.replace(r"\p{N}{1,3}", r"\p{N}")
CHATML = "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] }}{% endfor %}"
TEXTS = [
    "", " ", "  two  spaces ", "The shells are on the sand.", "It's 1234567 and we're done, isn't IT?", "12 34  567\n\n8\t9",
    "naïve café", "cafe\u0301 A\u030A \u212B", "Über 40 Füchse 🦊🦊", "你好，世界", "가각 \u1100\u1161\u11A8", "x\r\n\r\ny \n z",
    "<|im_start|>user\nHow many?<|im_end|>", "a<|im_end|>b", "a <tool>b</tool> c", "<s>the sand</s>", "...!!??--__",
    "\u00a0\u2003wide\u3000space", "٣٤ ½ Ⅷ ²", "def f(x):\n    return x ** 2  # square", "\U000E0041\u0301", "\x00\x07",
    "they'll WE'VE I'M", "the the  the   the",
]  # fmt: skip


def sentences():
    rng = np.random.default_rng(12)
    names, things = ["Ana", "Tom", "Mia", "Über", "the fox"], ["shells", "apples", "cards", "naïve foxes", "sand", "世界"]
    for _ in range(400):
        a, b = rng.integers(1, 2000, 2)
        name, thing = names[rng.integers(len(names))], things[rng.integers(len(things))]
        yield f"{name} has {a} {thing} and finds {b} more on the sand.\nHow many {thing} are there? There're {a + b}!\n\n"
        yield f"It's {a} - {b}, isn't it?  they'll see:\n    return x ** {b}"


def byte_level(kind):
    tokenizer = Tokenizer(models.BPE(ignore_merges=kind == "llama-bpe"))
    plain = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    if kind == "smollm":
        cut = pre_tokenizers.Digits(individual_digits=True)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([cut, pre_tokenizers.ByteLevel(add_prefix_space=False)])
    elif kind == "gpt-2":
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    else:
        pattern = Regex(LLAMA3 if kind == "llama-bpe" else QWEN2)
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Split(pattern, "isolated"), plain])
    if kind == "qwen2":
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.decoder = decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    # SmolLM2's vocabulary begins with its special tokens, the others' have them behind.
    first = special if kind == "smollm" else []
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY - (5 if kind != "smollm" else 2), special_tokens=first, show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
    )  # fmt: skip
    tokenizer.train_from_iterator(sentences(), trainer)
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in special])
    tokenizer.add_tokens([AddedToken(token, normalized=False) for token in ["<tool>", "</tool>"]])
    if kind == "llama-bpe":
        bos = tokenizer.token_to_id("<|im_start|>")
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<|im_start|> $A", special_tokens=[("<|im_start|>", bos)]
        )
    return tokenizer


def sentence_piece(adds_space):
    """A vocabulary as SentencePiece makes it: scores fall with the ids, and merges follow from them."""
    bpe = Tokenizer(models.BPE())
    bpe.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    bpe.pre_tokenizer = pre_tokenizers.Split(Regex("▁+[^▁]*"), "isolated")
    bpe.train_from_iterator(sentences(), trainers.BpeTrainer(vocab_size=220, show_progress=False))
    learned = sorted(bpe.get_vocab().items(), key=lambda item: item[1])
    letters = [token for token, _ in learned if len(token) == 1]
    pieces = [token for token, _ in learned if len(token) > 1 and "\n" not in token]
    tokens = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)] + pieces + letters
    scores = [0.0] * 259 + [-float(index) for index in range(len(pieces) + len(letters))]
    kinds = [2, 3, 3] + [6] * 256 + [1] * (len(tokens) - 259)
    ordinary = {token: index for index, token in enumerate(tokens) if index >= 259}
    merges = generate_merges(ordinary, {token: scores[index] for token, index in ordinary.items()})
    tokenizer = Tokenizer(models.BPE(
        {token: index for index, token in enumerate(tokens)}, merges, unk_token="<unk>", fuse_unk=True, byte_fallback=True
    ))  # fmt: skip
    steps = [normalizers.Prepend("▁")] if adds_space else []
    tokenizer.normalizer = normalizers.Sequence(steps + [normalizers.Replace(" ", "▁")])
    strip = [decoders.Strip(" ", 1, 0)] if adds_space else []
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()] + strip
    )
    tokenizer.add_special_tokens([AddedToken(token, special=True) for token in tokens[:3]])
    tokenizer.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return tokenizer, tokens, scores, kinds


def add_byte_level(writer, kind, tokenizer):
    spec = json.loads(tokenizer.to_str())
    special = {token["content"]: token["special"] for token in spec["added_tokens"]}
    vocabulary = {index: token for token, index in tokenizer.get_vocab(with_added_tokens=True).items()}
    tokens = [vocabulary.get(index, f"[PAD{index}]") for index in range(VOCABULARY)]
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(kind)
    writer.add_token_list(tokens)
    writer.add_token_types(
        [5 if i not in vocabulary else 1 if t not in special else 3 if special[t] else 4 for i, t in enumerate(tokens)]
    )
    writer.add_token_merges([" ".join(merge) for merge in spec["model"]["merges"]])
    writer.add_bos_token_id(tokens.index("<|im_start|>"))
    writer.add_eos_token_id(tokens.index("<|im_end|>"))
    writer.add_eot_token_id(tokens.index("<|endoftext|>"))
    writer.add_pad_token_id(tokens.index("<|endoftext|>"))
    writer.add_add_bos_token(kind == "llama-bpe")
    writer.add_chat_template(CHATML)


def add_sentence_piece(writer, tokens, scores, kinds, adds_space):
    writer.add_tokenizer_model("llama")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(tokens)
    writer.add_token_scores(scores)
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    if not adds_space:
        writer.add_add_space_prefix(False)


NAMES = {
    "input_layernorm": "attn_norm", "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm", "self_attn.k_norm": "attn_k_norm",
    "post_attention_layernorm": "ffn_norm", "mlp.gate_proj": "ffn_gate", "mlp.up_proj": "ffn_up", "mlp.down_proj": "ffn_down",
    "model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output",
}  # fmt: skip


def gguf_name(name):
    name, ending = name.rsplit(".", 1)
    if name.startswith("model.layers."):
        _, _, layer, part = name.split(".", 3)
        return f"blk.{layer}.{NAMES[part]}.{ending}"
    return f"{NAMES[name]}.{ending}"


def in_pairs(weight, heads):
    """Row i of a head's first half beside row i of its second."""
    rows, columns = weight.shape
    return np.ascontiguousarray(weight.reshape(heads, 2, rows // heads // 2, columns).transpose(0, 2, 1, 3).reshape(rows, columns))


def write_model(name, config, kind, stored, context):
    torch.manual_seed(len(name))
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    writer = gguf.GGUFWriter(HERE / f"{name}.gguf", config.model_type)
    writer.add_name(name)
    writer.add_context_length(context)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    if config.model_type == "qwen3":
        writer.add_key_length(config.head_dim)
        writer.add_value_length(config.head_dim)
    writer.add_rope_freq_base(config.rope_parameters["rope_theta"])
    writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    tokenizer = byte_level(kind)
    add_byte_level(writer, kind, tokenizer)
    with torch.no_grad():
        for key, weight in model.state_dict().items():
            if key == "lm_head.weight" and config.tie_word_embeddings:
                continue
            weight.normal_(1.0 if "norm" in key else 0.0, 0.2)
            values = weight.float().numpy()
            if config.model_type == "llama" and key.endswith(("q_proj.weight", "k_proj.weight")):
                values = in_pairs(values, config.num_attention_heads if "q_proj" in key else config.num_key_value_heads)
            if values.ndim == 1:
                writer.add_tensor(gguf_name(key), values)
                continue
            data = gguf.quants.quantize(values, stored)
            writer.add_tensor(gguf_name(key), data, raw_dtype=stored)
            values = gguf.quants.dequantize(data, stored)
            if config.model_type == "llama" and key.endswith(("q_proj.weight", "k_proj.weight")):
                heads = config.num_attention_heads if "q_proj" in key else config.num_key_value_heads
                rows, columns = values.shape
                values = values.reshape(heads, rows // heads // 2, 2, columns).transpose(0, 2, 1, 3).reshape(rows, columns)
            weight.copy_(torch.from_numpy(np.array(values)))
        finish(writer)
        ids = torch.tensor([[5, 200, 17, 33, 310, 4, 99, 120]])
        logits = model(ids).logits[0]
        again = AutoModelForCausalLM.from_pretrained(
            HERE, gguf_file=f"{name}.gguf", config=config, dtype=torch.float32, attn_implementation="eager"
        ).eval()(ids).logits[0]  # fmt: skip
    assert torch.allclose(logits, again, rtol=1e-5, atol=1e-5), (name, (logits - again).abs().max())
    return ids[0].numpy().astype(np.float32), logits.numpy(), tokenizer


def finish(writer):
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def ids_by_llama_cpp(path, texts):
    import llama_cpp

    model = llama_cpp.Llama(str(path), vocab_only=True, verbose=False)
    return [model.tokenize(text.encode("utf-8"), add_bos=False, special=True) for text in texts]


def check_llama_cpp(name, expected):
    try:
        found = ids_by_llama_cpp(HERE / f"{name}.gguf", TEXTS)
    except ImportError:
        return print(f"{name}: llama-cpp-python is not installed, so llama.cpp was not asked")
    different = [text for text, mine, theirs in zip(TEXTS, found, expected) if mine != theirs]
    print(f"{name}: llama.cpp cuts {len(TEXTS) - len(different)} of {len(TEXTS)} texts alike; not {different}")


def rope_factors(base, dim, factor, low, high, original):
    freqs = 1.0 / (base ** (torch.arange(0, dim, 2, dtype=torch.float32) / dim))
    result = []
    for freq in freqs:
        wavelength = 2 * math.pi / freq
        if wavelength < original / high:
            result.append(1.0)
        elif wavelength > original / low:
            result.append(factor)
        else:
            share = (original / wavelength - low) / (high - low)
            result.append(float(1 / ((1 - share) / factor + share)))
    numbers = [float(np.float32(value)) for value in result]
    return dict(base=base, dimension=dim, factor=factor, low=low, high=high, original=original, factors=numbers)


def main():
    sizes = dict(
        vocab_size=VOCABULARY, hidden_size=32, intermediate_size=32, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, max_position_embeddings=256, rms_norm_eps=1e-5,
    )  # fmt: skip
    rope = lambda theta: dict(rope_type="default", rope_theta=theta)  # noqa: E731
    specs = {
        "tiny-llama": (LlamaConfig(**sizes, tie_word_embeddings=True, rope_parameters=rope(10000.0)), "smollm", Type.F16),
        "tiny-qwen2": (Qwen2Config(**sizes, tie_word_embeddings=False, rope_parameters=rope(1e6)), "qwen2", Type.BF16),
        "tiny-qwen3": (
            Qwen3Config(**sizes, head_dim=16, tie_word_embeddings=True, rope_parameters=rope(1e6)), "llama-bpe", Type.Q8_0
        ),
    }  # fmt: skip
    ids = {}
    logits = gguf.GGUFWriter(HERE / "logits.gguf", "logits")
    for name, (config, kind, stored) in specs.items():
        tokens, values, tokenizer = write_model(name, config, kind, stored, sizes["max_position_embeddings"])
        logits.add_tensor(f"{name}.tokens", tokens)
        logits.add_tensor(f"{name}.logits", values)
        ids[name] = [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS]
    finish(logits)
    writer = gguf.GGUFWriter(HERE / "gpt-2.gguf", "llama")
    tokenizer = byte_level("gpt-2")
    add_byte_level(writer, "gpt-2", tokenizer)
    finish(writer)
    ids["gpt-2"] = [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS]
    for name, adds_space in [("spm", True), ("spm-no-prefix", False)]:
        writer = gguf.GGUFWriter(HERE / f"{name}.gguf", "llama")
        tokenizer, tokens, scores, kinds = sentence_piece(adds_space)
        add_sentence_piece(writer, tokens, scores, kinds, adds_space)
        finish(writer)
        ids[name] = [tokenizer.encode(text, add_special_tokens=False).ids for text in TEXTS]
    for name, expected in ids.items():
        check_llama_cpp(name, expected)
    lists = ",\n".join(f'    "{name}": [\n      ' + ",\n      ".join(map(json.dumps, values)) + "\n    ]" for name, values in ids.items())
    texts = ",\n    ".join(map(json.dumps, TEXTS))
    (HERE / "ids.json").write_text(f'{{\n  "texts": [\n    {texts}\n  ],\n  "ids": {{\n{lists}\n  }}\n}}\n')
    factors = [
        rope_factors(500000.0, 128, 8.0, 1.0, 4.0, 8192), rope_factors(500000.0, 64, 32.0, 1.0, 4.0, 8192),
        rope_factors(10000.0, 8, 8.0, 1.0, 4.0, 64), rope_factors(10000.0, 96, 4.0, 2.0, 6.0, 5000),
        rope_factors(1000000.0, 64, 2.5, 1.0, 3.5, 3000),
    ]  # fmt: skip
    (HERE / "rope_factors.json").write_text("[\n  " + ",\n  ".join(map(json.dumps, factors)) + "\n]\n")


if __name__ == "__main__":
    main()
