"""PEFT's LoRA adapters: gradients, AdamW's steps, merged weights, and DPO with the adapter off as the reference."""
import json

import torch
import torch.nn.functional as F

from . import forward, preferences
from .common import Output, gradient_norms, load, parameters, tidy_header, total_norm

TARGETS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]


def base(output: Output):
    model = load(output, "tiny-qwen2")
    model.name_or_path = model.config._name_or_path = "tiny-qwen2"  # what the adapter's configuration names
    return model


def adapted(output: Output, name: str):
    from peft import PeftModel

    return PeftModel.from_pretrained(base(output), output.folder / "lora" / name, is_trainable=True).train()


def save(output: Output, name: str, model):
    folder = output.folder / "lora" / name
    model.save_pretrained(folder)
    (folder / "README.md").unlink(missing_ok=True)
    file = folder / "adapter_config.json"
    settings = json.loads(file.read_text())
    settings["target_modules"] = sorted(settings["target_modules"])  # PEFT writes a set
    output.text(f"lora/{name}/adapter_config.json", json.dumps(settings, indent=2, sort_keys=True))
    tidy_header(output.path(f"lora/{name}/adapter_model.safetensors"))


def make_adapters(output: Output):
    from peft import LoraConfig, get_peft_model

    torch.manual_seed(2024)
    settings = LoraConfig(
        r=8, lora_alpha=16, lora_dropout=0.0, bias="none", target_modules=TARGETS, task_type="CAUSAL_LM"
    )
    model = get_peft_model(base(output), settings)
    save(output, "adapter_default_init", model)  # B is 0: how training begins
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():  # values for B, so that A has gradients and merging changes something
        for name, parameter in model.named_parameters():
            if "lora_B" in name:
                parameter.copy_(0.05 * torch.randn(parameter.shape, generator=generator))
    save(output, "adapter", model)


def make_runs(output: Output) -> dict:
    ids, mask, labels = forward.batch()
    runs = {}
    for name in ("adapter", "adapter_default_init"):
        model = adapted(output, name)
        loss = model(input_ids=ids, attention_mask=mask, labels=labels, use_cache=False).loss
        loss.backward()
        runs[name] = {"loss": loss, "total_grad_norm": total_norm(model)}
        if name == "adapter":
            output.tensors("lora/grads.safetensors", {n: p.grad for n, p in parameters(model)})
        model = adapted(output, name)
        every = [{"params": [p for _, p in parameters(model)], "weight_decay": forward.DECAY}]
        losses, norms, snapshots = forward.adamw(model, every)
        file = f"lora/{name}.adamw_step3.safetensors"
        output.tensors(file, snapshots[3])
        runs[name]["adamw"] = {
            "lr": forward.RATE, "weight_decay": forward.DECAY, "losses_before_step": losses, "total_grad_norms": norms,
            "file": file,
        }  # fmt: skip
        if name == "adapter":
            save(output, "adapter_after3", model)
    return runs


def make_preferences(output: Output) -> dict:
    """TRL takes a frozen copy of an adapter that exists as the reference, so its loss begins at log 2."""
    run = preferences.trainer(output, adapted(output, "adapter"), None, loss_type=["sigmoid"])
    _, batch = preferences.collate(run)
    run.model.train()
    run.model.zero_grad()
    loss = run.compute_loss(run.model, batch)
    loss.backward()
    found = {"dpo_trl": {"loss": loss, "total_grad_norm": total_norm(run.model), "grad_norms": gradient_norms(run.model)}}
    # With the bare model as the reference, by the same formula.
    model = adapted(output, "adapter")
    count = len(preferences.PAIRS)
    own = preferences.log_probabilities(model, batch).sum(1)
    with torch.no_grad(), model.disable_adapter():
        others = preferences.log_probabilities(model, batch).sum(1)
    losses = -F.logsigmoid(0.1 * ((own[:count] - others[:count]) - (own[count:] - others[count:])))
    losses.mean().backward()
    found["dpo_base_as_ref"] = {
        "loss": losses.mean(), "per_pair_losses": losses, "policy_chosen": own[:count], "policy_rejected": own[count:],
        "ref_chosen": others[:count], "ref_rejected": others[count:], "total_grad_norm": total_norm(model),
        "grad_norms": gradient_norms(model),
    }  # fmt: skip
    return found


def make(output: Output):
    make_adapters(output)
    runs = make_runs(output)
    output.pretrained("lora/merged", adapted(output, "adapter").eval().merge_and_unload())
    output.json("lora/lora.json", {"runs": runs} | make_preferences(output))
