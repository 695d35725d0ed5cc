"""TRL's preference losses and their gradients, and a run of its DPOTrainer."""
import copy
import json
import pathlib
import tempfile

import torch

from .common import Output, gradient_norms, load, parameters, token_log_probabilities, total_norm

PAIRS = [
    {"prompt": "Question: What is 12 + 30?\nAnswer:", "chosen": " The sum is 42.", "rejected": " I do not know, maybe 45?"},
    {"prompt": "Show that $a^2 \\ge 0$.", "chosen": " A real number times itself is never negative.", "rejected": " Of course."},
    {"prompt": "How many steps has the ladder?", "chosen": " It has 22 steps.",
     "rejected": " The ladder stands in the garden, and nobody has ever counted all of its steps."},
    {"prompt": "Ünïcode 数学 please:", "chosen": " 三加四等于七", "rejected": " n/a"},
]  # fmt: skip
VARIANTS = {
    "sigmoid": dict(loss_type=["sigmoid"]),
    "sigmoid_beta0.5": dict(loss_type=["sigmoid"], beta=0.5),
    "hinge": dict(loss_type=["hinge"]),
    "ipo": dict(loss_type=["ipo"]),
    "robust_ls0.1": dict(loss_type=["robust"], label_smoothing=0.1),
    "sigmoid+sft (rpo, weights 1 and 0.5)": dict(loss_type=["sigmoid", "sft"], loss_weights=[1.0, 0.5]),
}
# What TRL's earlier releases had and later ones dropped: label smoothing inside the sigmoid loss, and rpo_alpha.
EARLIER_VARIANTS = {
    "sigmoid": dict(loss_type="sigmoid"),
    "sigmoid_label_smoothing0.1 (cDPO)": dict(loss_type="sigmoid", label_smoothing=0.1),
    "robust_ls0.1": dict(loss_type="robust", label_smoothing=0.1),
    "hinge": dict(loss_type="hinge"),
    "ipo": dict(loss_type="ipo"),
    "sigmoid_rpo_alpha1.0": dict(loss_type="sigmoid", rpo_alpha=1.0),
    "sigmoid_rpo_alpha0.5": dict(loss_type="sigmoid", rpo_alpha=0.5),
    "cDPO0.1_rpo_alpha0.5": dict(loss_type="sigmoid", label_smoothing=0.1, rpo_alpha=0.5),
}
FIGURES = ("rewards/", "logps/")


def arguments(**more) -> dict:
    return dict(
        output_dir=tempfile.gettempdir(), report_to=[], use_cpu=True, bf16=False, gradient_checkpointing=False,
        save_strategy="no", **more,
    )  # fmt: skip


def tokenizer(output: Output):
    from transformers import PreTrainedTokenizerFast

    return PreTrainedTokenizerFast(
        tokenizer_file=str(output.folder / "tok/qwen2-512/tokenizer.json"),
        eos_token="<|im_end|>", pad_token="<|endoftext|>",
    )  # fmt: skip


def trainer(output: Output, model, reference, **more):
    from datasets import Dataset
    from trl import DPOConfig, DPOTrainer

    settings = dict(
        disable_tqdm=True, logging_strategy="steps", logging_steps=1, dataloader_pin_memory=False, seed=0,
        per_device_train_batch_size=4,
    )  # fmt: skip
    return DPOTrainer(
        model=model, ref_model=reference, args=DPOConfig(**arguments(**{**settings, **more})),
        train_dataset=Dataset.from_list(PAIRS), processing_class=tokenizer(output),
    )  # fmt: skip


def collate(found):
    rows = [
        {key: found.train_dataset[index][key] for key in ("prompt_ids", "chosen_ids", "rejected_ids")}
        for index in range(len(PAIRS))
    ]
    return rows, found.data_collator(rows)


def log_probabilities(model, batch):
    labels = batch["input_ids"].masked_fill(batch["completion_mask"] == 0, -100)
    return token_log_probabilities(model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits, labels)


def make_losses(output: Output, base, reference):
    found = {"pairs": PAIRS, "variants": {}}
    count = len(PAIRS)
    for name, extra in VARIANTS.items():
        run = trainer(output, copy.deepcopy(base), copy.deepcopy(reference), **extra)
        rows, batch = collate(run)
        if "batch" not in found:
            with torch.no_grad():
                own, others = log_probabilities(base, batch), log_probabilities(reference, batch)
                fused = torch.cat(run.compute_ref_log_probs(run.ref_model, batch))
            assert torch.allclose(fused, others.sum(1), atol=1e-3), "TRL's log-probabilities are other ones"
            found |= {
                "tokenized": rows, "batch": {"completion_mask": batch["completion_mask"]}, "policy_token_logps": own,
                "logps": {"ref_chosen": others.sum(1)[:count], "ref_rejected": others.sum(1)[count:]},
            }  # fmt: skip
        run.model.train()
        run.model.zero_grad()
        loss = run.compute_loss(run.model, batch)
        loss.backward()
        beta = extra.get("beta", 0.1)
        ratios = own.sum(1) - others.sum(1)
        found["variants"][name] = {
            "loss": loss, "chosen_rewards": beta * ratios[:count], "rejected_rewards": beta * ratios[count:],
            "metrics": {k: v[-1] for k, v in run._metrics["train"].items() if v and k.startswith(FIGURES)},
            "total_grad_norm": total_norm(run.model), "grad_norms": gradient_norms(run.model),
        }  # fmt: skip
        if name == "sigmoid":
            output.tensors("dpo.sigmoid_grads.safetensors", {n: p.grad for n, p in parameters(run.model)})
    output.json("dpo.json", found)


def make_training(output: Output, base, reference):
    """Two pairs a step, in order, two epochs: four steps, the rate falling from 1e-3."""
    run = trainer(
        output, copy.deepcopy(base), copy.deepcopy(reference), loss_type=["sigmoid"], per_device_train_batch_size=2,
        num_train_epochs=2, learning_rate=1e-3, weight_decay=0.01, max_grad_norm=1.0, warmup_steps=0,
        lr_scheduler_type="linear", train_sampling_strategy="sequential", optim="adamw_torch",
    )  # fmt: skip
    run.train()
    wanted = ("loss", "grad_norm", "learning_rate")
    output.json("dpo_train.json", {
        "log": [{key: entry[key] for key in wanted} for entry in run.state.log_history if "grad_norm" in entry],
    })  # fmt: skip
    output.tensors("dpo_train.final.safetensors", dict(parameters(run.model)))


def make(output: Output):
    base, reference = load(output, "tiny-qwen2"), load(output, "tiny-qwen2-ref").eval()
    make_losses(output, base, reference)
    make_training(output, base, reference)


def make_earlier(output: Output):
    """Runs under TRL 0.19.1 and transformers 4.53.3, on the models and the pairs that `make` has written."""
    from datasets import Dataset
    from transformers import AutoConfig, AutoModelForCausalLM
    from trl import DPOConfig, DPOTrainer

    def load4(name: str):
        # transformers 4 would not see `rope_parameters`: both models have the policy's older configuration.
        settings = AutoConfig.from_pretrained(output.folder / "tiny-qwen2/config.v4.json")
        return AutoModelForCausalLM.from_pretrained(
            output.folder / name, config=settings, torch_dtype=torch.float32, attn_implementation="eager"
        )

    tokenized = json.loads(pathlib.Path(output.folder / "dpo.json").read_text(encoding="utf-8"))["tokenized"]
    found = {}
    for name, extra in EARLIER_VARIANTS.items():
        run = DPOTrainer(
            model=load4("tiny-qwen2"), ref_model=load4("tiny-qwen2-ref"),
            args=DPOConfig(**arguments(per_device_train_batch_size=4, beta=0.1, **extra)),
            train_dataset=Dataset.from_list(PAIRS), processing_class=tokenizer(output),
        )  # fmt: skip
        batch = run.data_collator([
            {"prompt_input_ids": row["prompt_ids"], "chosen_input_ids": row["chosen_ids"],
             "rejected_input_ids": row["rejected_ids"]} for row in tokenized
        ])  # fmt: skip
        run.model.train()
        run.model.zero_grad()
        loss, metrics = run.get_batch_loss_metrics(run.model, batch)
        loss.backward()
        with torch.no_grad():
            own = run.concatenated_forward(run.model, batch)
            _, chosen, rejected = run.dpo_loss(own["chosen_logps"], own["rejected_logps"], *run.compute_ref_log_probs(batch))
        found[name] = {
            "loss": loss, "chosen_rewards": chosen, "rejected_rewards": rejected,
            "metrics": {key: float(value) for key, value in metrics.items() if key.startswith(FIGURES)},
            "total_grad_norm": total_norm(run.model), "grad_norms": gradient_norms(run.model),
        }  # fmt: skip
    output.json("dpo_legacy.json", {"variants": found})
