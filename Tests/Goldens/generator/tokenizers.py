"""Tokenizers of the kinds that published models have, trained on the project's own texts, and what they make of strings."""
import json

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from .common import HERE, Output
from .strings import strings

WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|"
REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
QWEN2_WORDS = WORDS + r"\p{N}" + REST
LLAMA3_WORDS = WORDS + r"\p{N}{1,3}" + REST
CHATML = (
    "{% for m in messages %}{{'<|im_start|>' + m['role'] + '\\n' + m['content'] + '<|im_end|>' + '\\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)


def corpus() -> list[str]:
    """The prose once, and the lines of other scripts often enough to have merges."""
    prose, scripts = ((HERE / "tok" / name).read_text(encoding="utf-8") for name in ("corpus.txt", "scripts.txt"))
    return (prose + scripts * 12).splitlines(keepends=True)


def special(names):
    return [AddedToken(name, normalized=False, special=True) for name in names]


def byte_level(size: int, pretokenizer, specials, composes=False, specials_first=False) -> Tokenizer:
    """BPE over bytes: 256 letters and the merges, with the special tokens before or after them."""
    tokenizer = Tokenizer(models.BPE())
    if composes:
        tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pretokenizer
    tokenizer.decoder = decoders.ByteLevel()
    first = list(specials) if specials_first else []
    trainer = trainers.BpeTrainer(
        vocab_size=size - (0 if specials_first else len(specials)), special_tokens=special(first),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False,
    )  # fmt: skip
    tokenizer.train_from_iterator(corpus(), trainer)
    if not specials_first:
        tokenizer.add_special_tokens(special(specials))
    return tokenizer


def split(pattern: str):
    return pre_tokenizers.Sequence([
        pre_tokenizers.Split(Regex(pattern), "isolated", invert=False),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
    ])  # fmt: skip


def qwen2(size: int) -> Tokenizer:
    tokenizer = byte_level(size, split(QWEN2_WORDS), ["<|endoftext|>", "<|im_start|>", "<|im_end|>"], composes=True)
    tokenizer.post_processor = processors.ByteLevel(add_prefix_space=False, use_regex=False, trim_offsets=False)
    assert tokenizer.token_to_id("<|im_end|>") == size - 1
    return tokenizer


def llama3(size: int) -> Tokenizer:
    names = ["<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"]
    tokenizer = byte_level(size, split(LLAMA3_WORDS), names)
    whole = json.loads(tokenizer.to_str())
    whole["model"]["ignore_merges"] = True
    tokenizer = Tokenizer.from_str(json.dumps(whole))
    begin = names[0]
    tokenizer.post_processor = processors.Sequence([
        processors.ByteLevel(add_prefix_space=True, use_regex=True, trim_offsets=False),
        processors.TemplateProcessing(
            single=f"{begin} $A", pair=f"{begin} $A {begin}:1 $B:1",
            special_tokens=[(begin, tokenizer.token_to_id(begin))],
        ),
    ])  # fmt: skip
    return tokenizer


def smollm2(size: int) -> Tokenizer:
    """Every digit alone, then GPT-2's words; the special tokens are the first of the vocabulary."""
    pretokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
    ])  # fmt: skip
    names = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "<file_sep>"]
    return byte_level(size, pretokenizer, names, specials_first=True)


def llama2(size: int) -> dict[str, Tokenizer]:
    """Pieces of words after ▁ and a byte each for what no piece has; by a normalizer, and by Metaspace."""
    learned = Tokenizer(models.BPE(unk_token="<unk>"))
    learned.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="always", split=True)
    front = ["<unk>", "<s>", "</s>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    learned.train_from_iterator(corpus(), trainers.BpeTrainer(
        vocab_size=size - len(front), special_tokens=[], show_progress=False, max_token_length=16,
    ))  # fmt: skip
    model = json.loads(learned.to_str())["model"]
    pieces = [piece for piece, _ in sorted(model["vocab"].items(), key=lambda item: item[1])]
    # As SentencePiece orders them: single characters come last.
    ordered = front + [p for p in pieces if len(p) > 1] + [p for p in pieces if len(p) == 1]
    found = {}
    for style in ("legacy", "metaspace"):
        tokenizer = Tokenizer(models.BPE(
            vocab={piece: index for index, piece in enumerate(ordered)}, merges=[tuple(m) for m in model["merges"]],
            unk_token="<unk>", fuse_unk=True, byte_fallback=True,
        ))  # fmt: skip
        if style == "legacy":
            tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        else:
            tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(replacement="▁", prepend_scheme="first", split=False)
        tokenizer.decoder = decoders.Sequence([
            decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0),
        ])  # fmt: skip
        tokenizer.add_special_tokens(special(front[:3]))
        tokenizer.post_processor = processors.TemplateProcessing(
            single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)]
        )
        found[style] = tokenizer
    return found


def write(output: Output, name: str, tokenizer: Tokenizer, texts: list[str]):
    """The file, and for each text the ids; what is as one would expect is left out (see the README)."""
    output.text(f"tok/{name}/tokenizer.json", tokenizer.to_str(pretty=False))
    items = []
    for text in texts:
        ids = tokenizer.encode(text, add_special_tokens=False).ids
        item = {"ids": ids}
        with_special = tokenizer.encode(text, add_special_tokens=True).ids
        if with_special != ids:
            item["ids_special"] = with_special
        decoded = tokenizer.decode(ids, skip_special_tokens=False)
        if decoded != text:
            item["decoded"] = decoded
        skipped = tokenizer.decode(ids, skip_special_tokens=True)
        if skipped != decoded:
            item["decoded_skip_special"] = skipped
        items.append(item)
    output.json(f"tok/{name}.ids.json", {"vocab_size": tokenizer.get_vocab_size(), "items": items})


def make(output: Output):
    texts = strings()
    output.json("tok/strings.json", texts)
    found = {"qwen2-512": qwen2(512), "qwen2-4096": qwen2(4096), "llama3-4096": llama3(4096), "smollm2-2048": smollm2(2048)}
    found |= {f"llama2-{style}-4096": tokenizer for style, tokenizer in llama2(4096).items()}
    for name, tokenizer in found.items():
        size = int(name.rsplit("-", 1)[1])
        assert tokenizer.get_vocab_size() == size, (name, tokenizer.get_vocab_size())
        write(output, name, tokenizer, texts)
    for name in ("qwen2-512", "qwen2-4096"):
        output.json(f"tok/{name}/tokenizer_config.json", {
            "tokenizer_class": "Qwen2Tokenizer", "eos_token": "<|im_end|>", "pad_token": "<|endoftext|>",
            "bos_token": None, "add_prefix_space": False, "model_max_length": 512, "chat_template": CHATML,
        })  # fmt: skip
