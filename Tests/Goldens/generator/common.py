"""What all sections share: where files go, how numbers are written, and figures of a model's parameters."""
import json
import os
import pathlib
import struct

import numpy as np
import torch

HERE = pathlib.Path(__file__).resolve().parents[1]
VOCABULARY = 512
# Ids of the special tokens of tok/qwen2-512, which the models share.
END_OF_TEXT, TURN_BEGIN, TURN_END = 509, 510, 511


class Output:
    """The folder that a run writes to, and which files it wrote."""

    def __init__(self, folder: pathlib.Path):
        self.folder = folder
        self.written: set[str] = set()

    def path(self, name: str) -> pathlib.Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        self.written.add(name)
        return path

    def text(self, name: str, content: str):
        self.path(name).write_text(content, encoding="utf-8", newline="")

    def json(self, name: str, value):
        """Floats with nine significant digits, which give a float32 back exactly."""
        self.text(name, json.dumps(plain(value), ensure_ascii=False, separators=(",", ":")) + "\n")

    def tensors(self, name: str, tensors: dict[str, torch.Tensor]):
        from safetensors.torch import save_file

        save_file({k: v.detach().float().contiguous().clone() for k, v in tensors.items()}, self.path(name))

    def pretrained(self, name: str, model, **more):
        """A folder as `save_pretrained` writes it, without notes for a model's page."""
        folder = self.folder / name
        model.save_pretrained(folder, **more)
        (folder / "README.md").unlink(missing_ok=True)
        for path in sorted(folder.rglob("*")):
            if path.suffix == ".safetensors":
                tidy_header(path)
            self.written.add(str(path.relative_to(self.folder)))


def tidy_header(path: pathlib.Path):
    """Sorts the free text of a header, whose order differs from run to run."""
    content = path.read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + size])
    metadata = header.pop("__metadata__", None)
    ordered = ({"__metadata__": dict(sorted(metadata.items()))} if metadata else {}) | header
    text = json.dumps(ordered, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + content[8 + size :])


def plain(value):
    """Tensors, arrays and numbers as JSON has them."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        value = value.float().numpy() if value.is_floating_point() else value.numpy()
    if isinstance(value, np.ndarray):
        value = value.tolist()
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, (float, np.floating)):
        return float(f"{float(value):.9g}")
    if isinstance(value, np.integer):
        return int(value)
    return value


def parameters(model):
    """(name, parameter) of what trains; a tied output layer is there once, as the embedding."""
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]


def gradient_norms(model) -> dict[str, float]:
    return {name: float(p.grad.norm()) for name, p in parameters(model) if p.grad is not None}


def total_norm(model) -> float:
    return float(torch.sqrt(sum((p.grad.double() ** 2).sum() for _, p in parameters(model) if p.grad is not None)))


def load(output: Output, name: str, dtype=torch.float32):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(output.folder / name, dtype=dtype, attn_implementation="eager")


def token_log_probabilities(logits, labels):
    """[batch, time - 1]: entry t is log p(labels[t + 1]), 0 where that label is -100."""
    targets = labels[:, 1:]
    counted = targets != -100
    values = torch.log_softmax(logits[:, :-1].float(), -1).gather(-1, targets.clamp(min=0).unsqueeze(-1)).squeeze(-1)
    return values * counted


def quiet():
    """Nothing here needs the network, and the libraries have much to say."""
    os.environ.update(
        HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1", TRANSFORMERS_VERBOSITY="error", TOKENIZERS_PARALLELISM="false",
        CUDA_VISIBLE_DEVICES="", TQDM_DISABLE="1", HF_DATASETS_DISABLE_PROGRESS_BARS="1",
        HF_HUB_DISABLE_PROGRESS_BARS="1",
    )  # fmt: skip
    torch.set_num_threads(1)
