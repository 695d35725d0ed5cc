#!/usr/bin/env python3
"""Checks that what `errata` saves drops into transformers, PEFT and TRL, and that both sides compute the same.

    PYTHON Tests/Parity/transformers_check.py --errata .build/release/errata --work NEW [--only NAME]...

Run by hand and no part of CI: PYTHON needs torch, transformers, peft, trl and datasets (written against torch 2.13,
transformers 5.23, PEFT 0.21 and TRL 1.16; those of Tests/Goldens/requirements.txt do). The tokenizers are those of
Tests/Goldens/tok. NEW is where the models go; they are tiny and random, so nothing is fetched.
Takes a minute or two on two cores. Prints one line a check with its figures; ends with 1 where one failed.

What the program computes is seen through its files: an update with rate 0 must leave every weight as it was, its loss on
one row is the mean log-probability of that row's completion, and greedy text shows the argmax at every position. Each
kind of comparison is also made against a model with one changed weight, where it has to fail.
"""
import argparse
import logging
import math
import os
import pathlib
import shutil
import sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import datasets  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from safetensors.torch import load_file  # noqa: E402
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer, GenerationConfig, PreTrainedTokenizerFast  # noqa: E402
from transformers.trainer_callback import PrinterCallback  # noqa: E402

from support import Checks, Errata, compare_steps, trl_arguments, turn  # noqa: E402

torch.set_num_threads(1)

CHATML = (
    "{% for m in messages %}{{ '<|im_start|>' + m['role'] + '\\n' }}{% if m['role'] == 'assistant' %}{% generation %}"
    "{{ m['content'] + '<|im_end|>' }}{% endgeneration %}{% else %}{{ m['content'] + '<|im_end|>' }}{% endif %}{{ '\\n' }}"
    "{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
)
LLAMA3 = (
    "{{ '<|begin_of_text|>' }}{% for m in messages %}{{ '<|start_header_id|>' + m['role'] + '<|end_header_id|>\\n\\n' + "
    "m['content'] | trim + '<|eot_id|>' }}{% endfor %}"
    "{% if add_generation_prompt %}{{ '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}{% endif %}"
)
LLAMA3_ROPE = {
    "rope_type": "llama3", "rope_theta": 500000.0, "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}  # fmt: skip
TOKENIZERS = pathlib.Path(__file__).resolve().parents[1] / "Goldens" / "tok"
SIZES = dict(
    hidden_size=48, intermediate_size=96, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
    max_position_embeddings=512, initializer_range=0.2, attn_implementation="eager",
)  # fmt: skip
# Name: class, tokenizer, what differs from SIZES, stored type, further arguments of save_pretrained.
MODELS = {
    "llama3-untied": ("Llama", "llama3-4096", dict(rope_parameters=LLAMA3_ROPE, tie_word_embeddings=False), "float32", {}),
    "llama3-tied-bf16": ("Llama", "llama3-4096", dict(rope_parameters=LLAMA3_ROPE, tie_word_embeddings=True), "bfloat16", {}),
    "llama2-mha": ("Llama", "llama2-legacy-4096", dict(num_key_value_heads=4, rms_norm_eps=1e-5), "float32", {}),
    "llama2-head-dim": ("Llama", "llama2-metaspace-4096", dict(head_dim=20), "float16", {}),
    "qwen2": ("Qwen2", "qwen2-512", dict(tie_word_embeddings=True), "float32", {}),
    "qwen2-sharded": ("Qwen2", "qwen2-512", dict(tie_word_embeddings=False), "bfloat16", dict(max_shard_size="40KB")),
    "qwen3": ("Qwen3", "qwen2-512", dict(head_dim=16, tie_word_embeddings=True), "float32", {}),
    "qwen3-untied-fp16": ("Qwen3", "qwen2-512", dict(head_dim=12, tie_word_embeddings=False), "float16", {}),
    "mistral": ("Mistral", "llama2-metaspace-4096", dict(sliding_window=None, head_dim=12), "float32", dict(max_shard_size="300KB")),
}  # fmt: skip
PROMPTS = ["Ana has 3 shells.", "What is 12 + 30?\n", "Über 40 naïve Füchse 🦊", "def f(x):\n    return"]
ROWS = [
    {"prompt": f"Question: what is {a} + {b}?\n", "completion": f"Answer: the sum of {a} and {b} is {a + b}."[: 20 + 3 * a]}
    for a in range(2, 8) for b in (3, 14)
]  # fmt: skip
PAIRS = [
    {"prompt": f"Question: what is {a} + {b}?\n", "chosen": f"It is {a + b}.", "rejected": f"It must be {a * b} or {b - a}!"}
    for a in range(2, 8) for b in (3, 14)
]  # fmt: skip


class Notices(logging.Handler):
    """What transformers and PEFT warn of while something is loaded."""

    def __enter__(self):
        self.messages = []
        for name in ("transformers", "peft"):
            logging.getLogger(name).addHandler(self)
        transformers.logging.set_verbosity_warning()
        return self

    def __exit__(self, *_):
        for name in ("transformers", "peft"):
            logging.getLogger(name).removeHandler(self)
        transformers.logging.set_verbosity_error()

    def emit(self, record):
        self.messages.append(record.getMessage())


def make_tokenizer(root, name):
    special = {
        "qwen2": dict(eos_token="<|im_end|>", pad_token="<|endoftext|>"),
        "llama3": dict(bos_token="<|begin_of_text|>", eos_token="<|end_of_text|>"),
        "llama2": dict(bos_token="<s>", eos_token="</s>", unk_token="<unk>"),
    }[name.split("-")[0]]
    tokenizer = PreTrainedTokenizerFast(tokenizer_file=str(root / name / "tokenizer.json"), **special)
    tokenizer.chat_template = {"qwen2": CHATML, "llama3": LLAMA3}.get(name.split("-")[0])
    return tokenizer


def make_model(name, root, folder):
    kind, tokenizer_name, differences, dtype, saving = MODELS[name]
    tokenizer = make_tokenizer(root, tokenizer_name)
    config = getattr(transformers, kind + "Config")(
        **{
            **SIZES, "vocab_size": len(tokenizer), "bos_token_id": tokenizer.bos_token_id,
            "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id, **differences,
        }
    )  # fmt: skip
    torch.manual_seed(sum(name.encode()))
    model = getattr(transformers, kind + "ForCausalLM")(config)
    with torch.no_grad():
        for parameter_name, parameter in model.named_parameters():
            if parameter.dim() == 1:  # norms and biases that do something
                parameter.add_(torch.randn_like(parameter) * 0.2)
    model.to(getattr(torch, dtype)).save_pretrained(folder, **saving)
    tokenizer.save_pretrained(folder)
    return folder


def load(folder):
    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()


@torch.no_grad()
def greedy(model, tokenizer, prompt, count=24):
    """Greedy text after the prompt, and the smallest lead of the likeliest token over the next."""
    inputs = tokenizer(prompt, return_tensors="pt")
    ids = inputs["input_ids"][0].tolist()
    result = model.generate(
        **inputs, max_new_tokens=count, do_sample=False, return_dict_in_generate=True, output_logits=True
    )
    text = tokenizer.decode(result.sequences[0], skip_special_tokens=True, clean_up_tokenization_spaces=False)
    before = tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False)
    margins = [float(-torch.diff(torch.topk(step[0].float(), 2).values)) for step in result.logits]
    return text[len(before) :], min(margins)


@torch.no_grad()
def row_losses(model, tokenizer, rows):
    """The mean negative log-probability of each completion, with the end token, given its prompt."""
    losses = []
    for row in rows:
        prompt = tokenizer(row["prompt"])["input_ids"]
        whole = tokenizer(row["prompt"] + row["completion"])["input_ids"] + [tokenizer.eos_token_id]
        assert whole[: len(prompt)] == prompt, "choose rows whose prompt ends at a token's end"
        logits = torch.log_softmax(model(torch.tensor([whole])).logits[0].double(), -1)
        losses.append(-sum(float(logits[t - 1, whole[t]]) for t in range(len(prompt), len(whole))) / (len(whole) - len(prompt)))
    return losses


def read_weights(folder):
    weights = {}
    for file in sorted(folder.glob("*.safetensors")):
        weights.update(load_file(file))
    return weights


def check_tokenizer(check, name, source, output):
    ours, theirs = AutoTokenizer.from_pretrained(output), AutoTokenizer.from_pretrained(source)
    texts = PROMPTS + ["  two  spaces\t\n\n tab", "<|im_end|></s> x", "混ぜ書き e\u0301", ""]
    same = all(ours(text)["input_ids"] == theirs(text)["input_ids"] for text in texts)
    same &= all(ours.decode(theirs(text)["input_ids"]) == theirs.decode(theirs(text)["input_ids"]) for text in texts)
    special = ("bos_token_id", "eos_token_id", "pad_token_id", "unk_token_id", "chat_template")
    same &= all(getattr(ours, key) == getattr(theirs, key) for key in special)
    if theirs.chat_template:
        chat = [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "ho"}]
        same &= ours.apply_chat_template(chat) == theirs.apply_chat_template(chat)
    check(f"{name}: tokenizer and chat template as before", same)
    settings = [GenerationConfig.from_pretrained(folder).to_diff_dict() for folder in (source, output)]
    check(f"{name}: generation_config as before", settings[0] == settings[1], "" if settings[0] == settings[1] else str(settings))


def check_saved(check, errata, name, source, work):
    """An update with rate 0: what is saved is what was read."""
    output = work / f"{name}.saved"
    losses = errata.row_losses(source, ROWS, output)
    with Notices() as notices:
        model, info = AutoModelForCausalLM.from_pretrained(
            output, dtype=torch.float32, attn_implementation="eager", output_loading_info=True
        )
        AutoModelForCausalLM.from_pretrained(output)
    faults = {key: list(value) for key, value in info.items() if value}
    check(f"{name}: loads without a missing or unexpected weight", not faults and not notices.messages, f"{faults or ''} {notices.messages or ''}".strip())
    before, after = read_weights(source), read_weights(output)
    tied = AutoConfig.from_pretrained(source).tie_word_embeddings
    same = {k for k in before if not (tied and k == "lm_head.weight")} == set(after) and all(
        torch.equal(before[k].float(), after[k].float()) for k in after
    )
    check(f"{name}: every weight bit for bit", same, f"{len(after)} tensors")
    first, second = (AutoConfig.from_pretrained(folder).to_dict() for folder in (source, output))
    # Qwen2 takes the head's size from the others where it is not said.
    first["head_dim"] = first.get("head_dim") or first["hidden_size"] // first["num_attention_heads"]
    # Left out: where it came from, and how it is stored, which is float32.
    unlike = {
        key: (first.get(key), second.get(key)) for key in first.keys() | second.keys()
        if first.get(key) != second.get(key) and key not in ("_name_or_path", "dtype", "transformers_version")
    }  # fmt: skip
    check(f"{name}: config.json says the same", not unlike, str(unlike or ""))
    check_tokenizer(check, name, source, output)
    tokenizer = AutoTokenizer.from_pretrained(output)
    original = load(source)
    check.close(f"{name}: loss of {len(ROWS)} rows", losses, row_losses(original, tokenizer, ROWS), rtol=2e-5)
    check_generation(check, errata, name, output, model, tokenizer)

    # The comparisons can fail: one weight of the last layer is changed.
    with torch.no_grad():
        original.model.norm.weight[:3] *= -1
    changed = row_losses(original, tokenizer, ROWS)
    check(f"{name}: a changed weight shows", max(abs(a - b) / b for a, b in zip(losses, changed)) > 1e-3)
    check(
        f"{name}: a changed weight shows in text",
        any(errata.generate(output, p) != greedy(original, tokenizer, p)[0] for p in PROMPTS),
    )


def check_generation(check, errata, name, folder, model, tokenizer, *more):
    equal, margins = 0, []
    for prompt in PROMPTS:
        mine = errata.generate(folder, prompt, 24, *more)
        theirs, margin = greedy(model.eval(), tokenizer, prompt)
        margins.append(margin)
        # Bytes that are no UTF-8: transformers replaces a whole run of byte tokens, a stream has shown its beginning.
        end = theirs.find("\ufffd") if "\ufffd" in theirs else None
        same = mine == theirs if end is None else mine[:end] == theirs[:end] and "\ufffd" in mine
        equal += same
        if not same:
            print(f"     {prompt!r}: {mine!r} against {theirs!r}")
    check(f"{name}: greedy text equals transformers'", equal == len(PROMPTS), f"{equal}/{len(PROMPTS)}, smallest lead {min(margins):.1e}")


# MARK: Training


TRAINING = dict(learning_rate=2e-3, weight_decay=0.1, max_grad_norm=1.0)
STEPS, BATCH = 6, 4


def our_arguments(schedule):
    return [
        "--batch-size", BATCH, "--max-steps", STEPS, "--schedule", schedule, "--warmup-ratio", 2 / STEPS,
        "--learning-rate", TRAINING["learning_rate"], "--weight-decay", TRAINING["weight_decay"],
        "--max-gradient-norm", TRAINING["max_grad_norm"],
    ]  # fmt: skip


def compare_weights(check, name, output, trained):
    mine, theirs = load(output).state_dict(), trained.state_dict()
    worst = max(float((mine[k] - theirs[k]).abs().max() / theirs[k].abs().max()) for k in theirs)
    check(f"{name}: weights after {STEPS} updates", mine.keys() == theirs.keys() and worst < 2e-3, f"largest difference {worst:.1e} of a tensor's largest")


def check_sft(check, errata, name, source, work):
    from trl import SFTConfig, SFTTrainer

    kinds = {"text": (ROWS, dict(completion_only_loss=True))}
    if "<|im_end|>" in (AutoTokenizer.from_pretrained(source).chat_template or ""):
        # With a prompt and a completion TRL also learns the line feed that ChatML puts after the turn's end.
        rows = [{"messages": turn(row["prompt"], "user") + turn(row["completion"], "assistant")} for row in ROWS]
        kinds["messages"] = (rows, dict(assistant_only_loss=True))
    elif AutoTokenizer.from_pretrained(source).chat_template:
        rows = [{"prompt": turn(row["prompt"], "user"), "completion": turn(row["completion"], "assistant")} for row in ROWS]
        kinds["chat"] = (rows, dict(completion_only_loss=True))
    for kind, (rows, settings) in kinds.items():
        tokenizer = AutoTokenizer.from_pretrained(source)
        trainer = SFTTrainer(
            model=load(source),
            args=SFTConfig(**trl_arguments(work / "trl", BATCH, STEPS, warmup_steps=2, **TRAINING, lr_scheduler_type="cosine", packing=False, **settings)),
            train_dataset=datasets.Dataset.from_list(rows), processing_class=tokenizer,
        )  # fmt: skip
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        output = work / f"{name}.sft-{kind}"
        ours = errata.train("sft", source, rows, output, *our_arguments("cosine"))
        # Of messages errata leaves out what follows the last turn that is learned, TRL counts it.
        compare_steps(check, f"{name}: sft {kind}", ours, trainer.state.log_history, {"num_tokens"} if kind == "messages" else set())
        compare_weights(check, f"{name}: sft {kind}", output, trainer.model)
        check_generation(check, errata, f"{name}: sft {kind}", output, load(output), tokenizer)


def check_dpo(check, errata, name, source, work):
    from trl import DPOConfig, DPOTrainer

    reference = work / f"{name}.reference"
    shutil.rmtree(reference, ignore_errors=True)
    shutil.copytree(source, reference)
    model = load(source)
    torch.manual_seed(5)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.01)
    model.save_pretrained(reference)
    runs = [("sigmoid", 0, PAIRS, ""), ("hinge", 0, PAIRS, ""), ("ipo", 0, PAIRS, ""), ("robust", 0.1, PAIRS, "")]
    if name.startswith("llama3"):  # with ChatML TRL counts the line feed after the turn's end as well
        chats = [
            {key: turn(pair[key], "user" if key == "prompt" else "assistant") for key in ("prompt", "chosen", "rejected")}
            for pair in PAIRS
        ]
        runs.append(("sigmoid", 0, chats, " chat"))
    for loss, noise, pairs, kind in runs:
        tokenizer = AutoTokenizer.from_pretrained(source)
        trainer = DPOTrainer(
            model=load(source), ref_model=load(reference),
            args=DPOConfig(**trl_arguments(work / "trl", BATCH, STEPS, warmup_steps=2, **TRAINING, lr_scheduler_type="linear", loss_type=[loss], beta=0.2, label_smoothing=noise)),
            train_dataset=datasets.Dataset.from_list(pairs), processing_class=tokenizer,
        )  # fmt: skip
        trainer.remove_callback(PrinterCallback)
        trainer.train()
        output = work / f"{name}.dpo-{loss}{kind.strip()}"
        more = ["--label-smoothing", noise] if noise else []
        ours = errata.train(
            "dpo", source, pairs, output, *our_arguments("linear"), "--loss", loss, "--beta", 0.2, "--reference", reference, *more
        )
        compare_steps(check, f"{name}: dpo {loss}{kind}", ours, trainer.state.log_history)
        compare_weights(check, f"{name}: dpo {loss}{kind}", output, trainer.model)


def check_adapters(check, errata, name, source, work):
    from peft import LoraConfig, PeftModel, get_peft_model

    tokenizer = AutoTokenizer.from_pretrained(source)
    for method, rows, more in (
        ("sft", ROWS, ["--lora-rank", 4, "--lora-alpha", 6]),
        ("dpo", PAIRS, ["--lora-rank", 3, "--lora-targets", "q_proj,v_proj,down_proj", "--lora-dropout", 0.1]),
    ):
        output = work / f"{name}.lora-{method}"
        steps = errata.train(method, source, rows, output, *our_arguments("linear"), *more)
        if method == "dpo":
            check.close(f"{name}: dpo with an adapter begins at log 2", steps[0]["loss"], math.log(2), 1e-6)
        with Notices() as notices:
            adapted = PeftModel.from_pretrained(load(source), output / "adapter").eval()
        check(f"{name}: PEFT loads the adapter of {method} without a notice", not notices.messages, str(notices.messages or ""))
        merged = load(output)
        ids = torch.tensor([tokenizer("".join(PROMPTS))["input_ids"]])
        with torch.no_grad():
            a, b, base = adapted(ids).logits, merged(ids).logits, load(source)(ids).logits
        scale = float(a.abs().max())
        check(f"{name}: adapter of {method} equals the merged model", float((a - b).abs().max()) < 2e-5 * scale, f"largest difference {float((a - b).abs().max()) / scale:.1e} of the largest logit")
        check(f"{name}: adapter of {method} changes the model", float((a - base).abs().max()) > 1e-3 * scale)
        check_generation(check, errata, f"{name}: base and adapter of {method}", source, adapted, tokenizer, "--adapter", output / "adapter")
        check_generation(check, errata, f"{name}: merged adapter of {method}", output, merged, tokenizer)
        # PEFT's own merge, taken up by errata.
        losses = errata.row_losses(output, ROWS, work / f"{name}.lora-{method}-row")
        check.close(f"{name}: loss of PEFT's merge of {method}", losses, row_losses(adapted.merge_and_unload(), tokenizer, ROWS), 2e-5)
    for label, settings in {
        "all-linear": dict(r=4, lora_alpha=16, target_modules="all-linear", lora_dropout=0.1),
        "q and v, rsLoRA": dict(r=4, lora_alpha=4, target_modules=["q_proj", "v_proj"], use_rslora=True),
        "gaussian": dict(r=2, lora_alpha=8, target_modules=["gate_proj", "o_proj"], init_lora_weights="gaussian"),
        "without task": dict(r=2, lora_alpha=8, target_modules=["up_proj", "k_proj"], task_type=None),
    }.items():
        torch.manual_seed(3)
        adapted = get_peft_model(load(source), LoraConfig(**{"task_type": "CAUSAL_LM", **settings}))
        with torch.no_grad():
            for parameter_name, parameter in adapted.named_parameters():
                if "lora_B" in parameter_name:
                    parameter.copy_(torch.randn_like(parameter) * 0.1)
        folder = work / f"{name}.peft"
        shutil.rmtree(folder, ignore_errors=True)
        adapted.save_pretrained(folder)
        check_generation(check, errata, f"{name}: PEFT's adapter, {label}", source, adapted, tokenizer, "--adapter", folder)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--errata", required=True, type=lambda p: str(pathlib.Path(p).resolve()))
    parser.add_argument("--work", required=True, type=pathlib.Path)
    parser.add_argument("--only", action="append", choices=sorted(MODELS), help="only these models; may be repeated")
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True, exist_ok=True)
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    datasets.disable_progress_bars()
    check, errata = Checks(), Errata(arguments.errata)
    parts = {
        "saved": (check_saved, set(MODELS)),
        "sft": (check_sft, {"llama3-untied", "llama2-mha", "llama2-head-dim", "qwen2", "qwen3"}),
        "dpo": (check_dpo, {"llama3-tied-bf16", "qwen2", "qwen3"}),
        "adapters": (check_adapters, {"llama3-untied", "qwen2", "qwen3", "mistral"}),
    }
    for name in arguments.only or MODELS:
        source = arguments.work / name
        shutil.rmtree(source, ignore_errors=True)
        make_model(name, TOKENIZERS, source)
        for part, (function, models) in parts.items():
            if name not in models:
                continue
            try:
                function(check, errata, name, source, arguments.work)
            except Exception as error:  # one part's error must not hide the others' results
                check(f"{name}: {part}", False, f"{type(error).__name__}: {error}")
    print(f"{check.passed} checks hold, {len(check.failed)} do not")
    for name in check.failed:
        print(f"  {name}")
    sys.exit(1 if check.failed else 0)


if __name__ == "__main__":
    main()
