"""Logits, losses, gradients, AdamW's steps and greedy decoding of the tiny models."""
import numpy as np
import torch

from .common import END_OF_TEXT, Output, load, parameters, token_log_probabilities, total_norm

MODELS = ["tiny-qwen2", "tiny-llama"]
RATE, DECAY, STEPS = 1e-3, 0.01, 3


def batch():
    """Four rows with 24 columns, padded on the right; labels leave out the padding and the prompts of two rows."""
    random = np.random.RandomState(7)
    lengths, columns = [24, 17, 24, 9], 24
    ids = np.full((4, columns), END_OF_TEXT, dtype=np.int64)
    mask = np.zeros((4, columns), dtype=np.int64)
    labels = np.full((4, columns), -100, dtype=np.int64)
    for row, length in enumerate(lengths):
        ids[row, :length] = random.randint(1, END_OF_TEXT, size=length)
        mask[row, :length] = 1
        labels[row, :length] = ids[row, :length]
    labels[2:, :5] = -100
    return torch.tensor(ids), torch.tensor(mask), torch.tensor(labels)


def adamw(model, groups, clip=None):
    """Losses before each step, gradient norms before clipping, and the parameters after each step."""
    ids, mask, labels = batch()
    optimizer = torch.optim.AdamW(groups, lr=RATE, betas=(0.9, 0.999), eps=1e-8)
    losses, norms, snapshots = [], [], {}
    for step in range(1, STEPS + 1):
        optimizer.zero_grad()
        loss = model(input_ids=ids, attention_mask=mask, labels=labels, use_cache=False).loss
        loss.backward()
        norms.append(total_norm(model))
        if clip is not None:
            torch.nn.utils.clip_grad_norm_([p for _, p in parameters(model)], clip)
        optimizer.step()
        losses.append(loss.item())
        snapshots[step] = {name: p.detach().clone() for name, p in parameters(model)}
    return losses, norms, snapshots


def trainer_groups(model):
    """The groups of transformers' Trainer: no decay on biases and norms."""
    decay, none = [], []
    for name, parameter in parameters(model):
        (none if name.endswith("bias") or "norm" in name else decay).append(parameter)
    return [{"params": decay, "weight_decay": DECAY}, {"params": none, "weight_decay": 0.0}]


def make_forward(output: Output, name: str):
    ids, mask, labels = batch()
    model = load(output, name).train()
    found = model(input_ids=ids, attention_mask=mask, labels=labels, use_cache=False)
    output.json(f"{name}.forward.json", {
        "input_ids": ids, "attention_mask": mask, "labels": labels, "inv_freq": model.model.rotary_emb.inv_freq,
        "logprobs": token_log_probabilities(found.logits.detach(), labels), "loss": found.loss,
    })  # fmt: skip
    output.tensors(f"{name}.logits.safetensors", {
        f"sequence.{row}": found.logits[row, : int(mask[row].sum())] for row in range(len(ids))
    })  # fmt: skip
    model.zero_grad()
    found.loss.backward()
    output.tensors(f"{name}.grads.safetensors", {n: p.grad for n, p in parameters(model)})


def make_adamw(output: Output, name: str):
    model = load(output, name).train()
    every = [{"params": [p for _, p in parameters(model)], "weight_decay": DECAY}]
    losses, norms, snapshots = adamw(model, every)
    for step in (1, 3):
        output.tensors(f"{name}.adamw_step{step}.safetensors", snapshots[step])
    model = load(output, name).train()
    clipped_losses, clipped_norms, clipped = adamw(model, trainer_groups(model), clip=1.0)
    output.tensors(f"{name}.adamw_hf_step3.safetensors", clipped[3])
    output.json(f"{name}.adamw.json", {
        "lr": RATE, "weight_decay": DECAY,
        "all_decay": {"losses_before_step": losses, "total_grad_norms": norms},
        "hf_trainer_style": {
            "losses_before_step": clipped_losses, "total_grad_norms_before_clip": clipped_norms, "max_grad_norm": 1.0,
        },
    })  # fmt: skip


def make_generation(output: Output, name: str):
    from transformers import GenerationConfig

    random = np.random.RandomState(11)
    prompts = [random.randint(1, END_OF_TEXT, size=length).tolist() for length in (12, 5, 9)]
    settings = GenerationConfig(
        max_new_tokens=32, do_sample=False, eos_token_id=None, pad_token_id=END_OF_TEXT, use_cache=True
    )
    model = load(output, name).eval()
    model.generation_config = settings
    single = []
    with torch.no_grad():
        for prompt in prompts:
            ids = torch.tensor([prompt])
            new = model.generate(ids, attention_mask=torch.ones_like(ids), generation_config=settings)
            new = new[0, len(prompt) :].tolist()
            # The same without a cache: the lead of each token must be no rounding.
            logits = model(torch.tensor([prompt + new]), use_cache=False).logits[0, len(prompt) - 1 : -1]
            best = logits.topk(2, -1)
            assert best.indices[:, 0].tolist() == new, "decoding with and without a cache differs"
            lead = float((best.values[:, 0] - best.values[:, 1]).min())
            assert lead > 1e-3, f"{name}: a token leads by {lead} only"
            chosen = torch.log_softmax(logits, -1).gather(-1, torch.tensor(new)[:, None])[:, 0]
            single.append({"prompt": prompt, "new_tokens": new, "logprobs": chosen})
        columns = max(map(len, prompts))
        ids = torch.tensor([[END_OF_TEXT] * (columns - len(p)) + p for p in prompts])
        mask = torch.tensor([[0] * (columns - len(p)) + [1] * len(p) for p in prompts])
        padded = model.generate(ids, attention_mask=mask, generation_config=settings)[:, columns:]
    output.json(f"{name}.generate.json", {
        "single": single, "batch_left_padded": {"input_ids": ids, "attention_mask": mask, "new_tokens": padded},
    })  # fmt: skip


def make(output: Output):
    for name in MODELS:
        make_forward(output, name)
        make_adamw(output, name)
        make_generation(output, name)
