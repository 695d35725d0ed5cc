#!/usr/bin/env python3
"""Figures of TRL for preference pairs whose completions are several turns long, with the user's turns masked.

    pip install torch==2.13.0 transformers==5.24.0 trl==1.16.0 datasets accelerate
    python Tests/Goldens/masked_preferences/make_masked_preferences.py

writes masked_preferences.json beside this file. Weights are a formula that the test repeats; losses, metrics and gradients
are DPOTrainer's own on a batch with a completion mask that has gaps. SimPO, which DPOTrainer lacks, is written out: equation
6 of Meng et al. 2024 on means over the tokens that the mask leaves.
"""
import json
import math
import os
import pathlib
import tempfile

for name, value in {
    "HF_HUB_OFFLINE": "1", "CUDA_VISIBLE_DEVICES": "", "TQDM_DISABLE": "1", "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}.items():
    os.environ.setdefault(name, value)

import datasets
import tokenizers
import torch
import torch.nn.functional as F
import transformers
import trl

VOCABULARY = 29
BETA = 0.3
# Prompt, chosen, rejected, and the masks of both: 0 is a token of a user's turn.
PAIRS = [
    ([3, 17, 22], [5, 9, 11, 12, 13, 8, 2], [5, 7, 2], [1, 1, 0, 0, 0, 1, 1], [1, 1, 1]),
    ([8], [4, 4, 19, 6], [20, 21, 22, 23, 24, 25], [1, 0, 0, 1], [1, 0, 1, 1, 0, 1]),
    ([1, 14], [10, 11, 15, 16, 2], [10, 11, 15, 18, 26, 27, 2], [1, 0, 1, 1, 1], [0, 0, 1, 1, 0, 1, 1]),
]
VARIANTS = {
    "sigmoid": dict(loss_type=["sigmoid"]),
    "hinge": dict(loss_type=["hinge"]),
    "ipo": dict(loss_type=["ipo"]),
    "sigmoid and likelihood": dict(loss_type=["sigmoid", "sft"], loss_weights=[1.0, 0.5]),
    "ipo and likelihood": dict(loss_type=["ipo", "sft"], loss_weights=[1.0, 0.5]),
}


def model(amplitude: float, frequency: float, modulus: int, shift: float) -> torch.nn.Module:
    """A Llama whose k-th tensor by name has the weights amplitude · sin(frequency · i + (i² mod modulus) + shift · k)."""
    config = transformers.LlamaConfig(
        vocab_size=VOCABULARY, hidden_size=12, intermediate_size=18, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=4, rms_norm_eps=1e-6, rope_theta=1e4, tie_word_embeddings=False,
        max_position_embeddings=64, attn_implementation="eager", pad_token_id=0,
    )
    network = transformers.LlamaForCausalLM(config)
    for k, (_, tensor) in enumerate(sorted(network.named_parameters())):
        i = torch.arange(tensor.numel(), dtype=torch.float64)
        values = amplitude * torch.sin(frequency * i + (i * i) % modulus + shift * k)
        with torch.no_grad():
            tensor.copy_((values + (1 if tensor.dim() == 1 else 0)).reshape(tensor.shape))
    return network


def policy() -> torch.nn.Module:
    return model(0.35, 1.7, 11, 3)


def reference() -> torch.nn.Module:
    return model(0.3, 1.3, 7, 2)


def batch() -> dict[str, torch.Tensor]:
    """Chosen sequences, then rejected ones, padded on the right."""
    rows = [(p + c, [0] * len(p) + m) for p, c, _, m, _ in PAIRS] + [(p + r, [0] * len(p) + m) for p, _, r, _, m in PAIRS]
    width = max(len(ids) for ids, _ in rows)

    def padded(lists: list[list[int]]) -> torch.Tensor:
        return torch.tensor([values + [0] * (width - len(values)) for values in lists])

    return {
        "input_ids": padded([ids for ids, _ in rows]),
        "attention_mask": padded([[1] * len(ids) for ids, _ in rows]),
        "completion_mask": padded([mask for _, mask in rows]),
    }


def trainer(network: torch.nn.Module, options: dict, folder: str) -> trl.DPOTrainer:
    vocabulary = {f"t{i}": i for i in range(VOCABULARY)}
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="t1"))
    words.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    processing = transformers.PreTrainedTokenizerFast(tokenizer_object=words, pad_token="t0", eos_token="t2")
    config = trl.DPOConfig(
        output_dir=folder, beta=BETA, per_device_train_batch_size=3, report_to=[], use_cpu=True, bf16=False,
        gradient_checkpointing=False, save_strategy="no", disable_tqdm=True, dataloader_pin_memory=False, **options,
    )
    # The texts are not used: the batch is made by hand, for its masks.
    texts = datasets.Dataset.from_list([{"prompt": "t3", "chosen": "t4", "rejected": "t5"}] * 3)
    return trl.DPOTrainer(
        model=network, ref_model=reference(), args=config, train_dataset=texts, processing_class=processing,
    )


def gradients(network: torch.nn.Module) -> dict[str, list[float]]:
    return {name: tensor.grad.flatten().tolist() for name, tensor in sorted(network.named_parameters())}


def simpo(margin: float) -> dict:
    network, inputs = policy(), batch()
    logits = network(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).logits
    values = F.log_softmax(logits[:, :-1], -1).gather(2, inputs["input_ids"][:, 1:, None])[:, :, 0]
    mask = inputs["completion_mask"][:, 1:]
    chosen, rejected = ((values * mask).sum(1) / mask.sum(1)).chunk(2)
    loss = -F.logsigmoid(BETA * (chosen - rejected) - margin).mean()
    loss.backward()
    return {"loss": loss.item(), "metrics": {}, "gradients": gradients(network)}


def main() -> None:
    variants = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, options in VARIANTS.items():
            network = policy()
            run = trainer(network, options, folder)
            run.model.train()
            loss = run.compute_loss(run.model, batch())
            loss.backward()
            metrics = {key: values[-1] for key, values in run._metrics["train"].items() if key != "num_tokens"}
            variants[name] = {"loss": loss.item(), "metrics": metrics, "gradients": gradients(network)}
    variants["simpo"] = simpo(0.4)
    result = {
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__, "trl": trl.__version__},
        "beta": BETA,
        "pairs": [
            {"prompt": p, "chosen": c, "rejected": r, "chosenMask": cm, "rejectedMask": rm} for p, c, r, cm, rm in PAIRS
        ],
        # Of each tensor's gradient the norm, and its product with cos(i), which tells a permutation.
        "variants": {
            name: variant | {
                "gradients": {
                    tensor: [
                        math.sqrt(sum(v * v for v in values)), sum(v * math.cos(i) for i, v in enumerate(values))
                    ]
                    for tensor, values in variant["gradients"].items()
                }
            }
            for name, variant in variants.items()
        },
    }
    path = pathlib.Path(__file__).with_name("masked_preferences.json")
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
