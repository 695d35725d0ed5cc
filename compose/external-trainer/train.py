"""Trains the student of a job folder with TRL. `launch.py` runs it; see README.md for the folder."""

from __future__ import annotations

import ctypes
import json
import math
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import DistributedType, broadcast_object_list
from datasets import Dataset
from peft import LoraConfig
from torch.optim.lr_scheduler import LambdaLR
from transformers import (
    AutoModelForCausalLM,
    GenerationConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    PrinterCallback,
    Trainer,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_utils import get_last_checkpoint
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer
from trl.trainer.sft_trainer import DataCollatorForLanguageModeling

from job import DISK_FULL, STOPPED, TRY_AGAIN, Ended, Job, Training, write_json

SAVE_SECONDS = float(os.environ.get("EXTERNAL_TRAINER_SAVE_SECONDS", "300"))
IGNORED = -100
PR_SET_PDEATHSIG = 1
WAYS = (DistributedType.NO, DistributedType.MULTI_CPU, DistributedType.MULTI_GPU)
# Files of a model folder that hold weights.
WEIGHTS = (".safetensors", ".bin", ".safetensors.index.json", ".bin.index.json")


class Codec:
    """Texts to token ids as Errata does it: prompt and completion apart, nothing added but the end-of-text token."""

    def __init__(self, parent: Path, longest: int | None) -> None:
        # The class that takes tokenizer.json as it is; others rebuild parts of it.
        self.tokenizer = PreTrainedTokenizerFast.from_pretrained(parent)
        self.longest = longest
        if self.tokenizer.eos_token_id is None:
            raise Ended("the parent's tokenizer names no end-of-text token (eos_token)")

    def encode(self, text: str) -> list[int]:
        return self.tokenizer(text, add_special_tokens=False)["input_ids"]

    def completion(self, text: str, end: bool) -> list[int]:
        return self.encode(text) + ([self.tokenizer.eos_token_id] if end else [])

    def check(self, line: int, prompt: list[int], completion: list[int]) -> None:
        """Nothing is cut: what the student cannot take is refused."""
        if not completion:
            raise Ended(f"data/train.jsonl, line {line}: there is no token to learn")
        if self.longest is not None and len(prompt) + len(completion) > self.longest:
            raise Ended(
                f"data/train.jsonl, line {line}: {len(prompt) + len(completion)} tokens, but the student takes "
                f"{self.longest} (max_position_embeddings)"
            )


def supervised_data(job: Job, codec: Codec) -> Dataset:
    """Examples as SFTTrainer takes them when they are prepared already."""
    rows: dict[str, list[Any]] = {"input_ids": [], "labels": [], "weight": []}
    for example in job.examples():
        prompt, completion = codec.encode(example.prompt), codec.completion(example.completion, example.end)
        codec.check(example.line, prompt, completion)
        rows["input_ids"].append(prompt + completion)
        rows["labels"].append([IGNORED] * len(prompt) + completion)
        rows["weight"].append(example.weight)
    return Dataset.from_dict(rows)


def preference_data(job: Job, codec: Codec) -> Dataset:
    """Pairs as DPOTrainer has them after its own preparation."""
    rows: dict[str, list[Any]] = {"prompt_ids": [], "chosen_ids": [], "rejected_ids": []}
    for pair in job.pairs():
        prompt = codec.encode(pair.prompt)
        rows["prompt_ids"].append(prompt)
        for name, text in (("chosen_ids", pair.chosen), ("rejected_ids", pair.rejected)):
            completion = codec.completion(text, pair.end)
            codec.check(pair.line, prompt, completion)
            rows[name].append(completion)
    return Dataset.from_dict(rows)


def tokens_of(data: Dataset) -> int:
    """Tokens of one pass: a pair's prompt counts on both sides, as TRL computes it."""
    times = {"input_ids": 1, "prompt_ids": 2, "chosen_ids": 1, "rejected_ids": 1}
    return sum(times[name] * sum(map(len, data[name])) for name in data.column_names if name in times)


def steps_for_tokens(training: Training, data: Dataset) -> int | None:
    """The updates that compute about `maximumTokens`: TRL plans in updates, so the mean update stands for each."""
    if training.maximum_tokens is None:
        return None
    updates = math.ceil(math.ceil(len(data) / training.batch_sequences) / training.accumulation)
    return math.ceil(training.maximum_tokens * updates / tokens_of(data))


def rate_factor(schedule: str, total: int, warmup: int, epochs: float) -> Callable[[int], float]:
    """The factor on the learning rate of an update, by Errata's schedules; `epochs` is what `total` updates come to."""

    def factor(step: int) -> float:
        if step < warmup:
            return step / warmup
        progress = (step - warmup) / max(1, total - warmup)
        match schedule:
            case "linear":
                return max(0.0, 1 - progress)
            case "cosine":
                return max(0.0, 0.5 * (1 + math.cos(math.pi * progress)))
            case "exponential":
                return 0.01**progress
            case "stepwise":
                return 0.95 ** math.floor(step * epochs / max(1, total) + 1e-9)
            case _:
                return 1.0

    return factor


class ScheduledTrainer(Trainer):
    """A trainer with Errata's schedules."""

    training: Training

    def create_scheduler(self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None) -> LambdaLR:
        if self.lr_scheduler is None:
            warmup = math.ceil(self.training.warmup_ratio * num_training_steps)
            per_epoch = math.ceil(len(self.get_train_dataloader()) / self.training.accumulation)
            epochs = num_training_steps / max(1, per_epoch)
            factor = rate_factor(self.training.schedule, num_training_steps, warmup, epochs)
            self.lr_scheduler = LambdaLR(optimizer or self.optimizer, factor)
            self._created_lr_scheduler = True
        return self.lr_scheduler


class WeightedCollator(DataCollatorForLanguageModeling):
    """TRL's collator, with the examples' weights."""

    def torch_call(self, examples: list[dict[str, Any]]) -> dict[str, Any]:
        batch = super().torch_call(examples)
        batch["weights"] = torch.tensor([[example["weight"]] for example in examples], dtype=torch.float32)
        return batch


class SupervisedTrainer(ScheduledTrainer, SFTTrainer):
    """SFTTrainer, where an example's weight multiplies the loss of its tokens."""

    def compute_loss(self, model: Callable[..., Any], inputs: dict[str, Any], *rest: Any, **named: Any) -> Any:
        weights = inputs.pop("weights")

        def weighted(**arguments: Any) -> Any:
            outputs = model(**arguments)
            outputs.log_probs = outputs.log_probs * weights
            return outputs

        return super().compute_loss(weighted, inputs, *rest, **named)


class PreferenceTrainer(ScheduledTrainer, DPOTrainer):
    """DPOTrainer on pairs that are tokens already; its own preparation would join texts and add an end to each."""

    def _prepare_dataset(self, dataset: Dataset, *_: Any) -> Dataset:
        return dataset


class Progress(TrainerCallback):
    """Tells Errata of each update, saves in good time, and stops when asked to."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.saved = time.monotonic()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        # The first process decides for all, since saving is done by all.
        orders = [self.job.stop.exists(), time.monotonic() - self.saved >= SAVE_SECONDS]
        stop, save = broadcast_object_list(orders)
        if state.global_step < state.max_steps and (stop or save):
            control.should_save = True
            control.should_training_stop = stop

    def on_save(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        self.saved = time.monotonic()

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, float], **_: Any
    ) -> None:
        if "loss" not in logs or not state.is_world_process_zero:
            return
        if not all(math.isfinite(logs[name]) for name in ("loss", "grad_norm")):
            raise Ended(
                f"the training diverged: loss {logs['loss']}, gradient norm {logs['grad_norm']} at step "
                f"{state.global_step} of {state.max_steps}; lower the learning rate"
            )
        line = {
            "step": state.global_step,
            "totalSteps": state.max_steps,
            "loss": logs["loss"],
            "tokens": state.num_input_tokens_seen,
            **figures(logs),
        }
        with self.job.metrics.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


def figures(logs: dict[str, float]) -> dict[str, float]:
    """What TRL tells of an update beside its loss; its counts of tokens, of which one begins anew when it resumes, are
    told as `tokens`."""
    told = {"step", "loss", "num_tokens", "num_input_tokens_seen"}
    return {name: value for name, value in logs.items() if name not in told and math.isfinite(value)}


def load(job: Job) -> PreTrainedModel:
    """The student in float32, with every weight of its own."""
    # Float32 whatever the folder holds: small updates would be lost in bfloat16.
    model, report = AutoModelForCausalLM.from_pretrained(job.parent, dtype=torch.float32, output_loading_info=True)
    if wrong := sorted(map(str, [*report["missing_keys"], *report["mismatched_keys"]])):
        raise Ended(f"the parent's weights do not fit its config.json: {', '.join(wrong[:3])}")
    if lora := job.training.lora:
        layers = {name.rpartition(".")[2] for name, _ in model.named_modules()}
        if unknown := [name for name in lora.targets if name not in layers]:
            raise Ended(f"options.json: training.lora.targets: the student has no {', '.join(unknown)}")
    return model


def arguments(job: Job, data: Dataset) -> dict[str, Any]:
    """The options that both trainers have."""
    training, world = job.training, int(os.environ.get("WORLD_SIZE", "1"))
    if training.batch_sequences % world:
        raise Ended(f"batchSequences is {training.batch_sequences}; {world} processes cannot share them evenly")
    steps = training.maximum_steps or steps_for_tokens(training, data)
    return {
        "output_dir": str(job.state),
        "learning_rate": training.learning_rate,
        "num_train_epochs": training.epochs,
        "max_steps": steps or -1,
        "per_device_train_batch_size": training.batch_sequences // world,
        "gradient_accumulation_steps": training.accumulation,
        "weight_decay": training.weight_decay,
        "max_grad_norm": training.maximum_gradient_norm,
        "seed": job.seed % 2**32,
        "max_length": None,
        # Products in bfloat16 where a GPU has them; weights, gradients and optimiser stay in float32.
        "bf16": torch.cuda.is_available() and torch.cuda.is_bf16_supported(),
        "remove_unused_columns": False,
        "logging_steps": 1,
        "logging_nan_inf_filter": False,
        "include_num_input_tokens_seen": "non_padding",
        "save_strategy": "no",
        "save_total_limit": 1,
        "disable_tqdm": True,
        "report_to": "none",
    }


def make_trainer(job: Job) -> Trainer:
    """The trainer of the job's method, ready to train."""
    model = load(job)
    codec = Codec(job.parent, getattr(model.config, "max_position_embeddings", None))
    lora = job.training.lora
    adapter = lora and LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=lora.targets,
        task_type="CAUSAL_LM",
    )
    common = {"model": model, "processing_class": codec.tokenizer, "peft_config": adapter, "callbacks": [Progress(job)]}
    if job.method == "supervised":
        data = supervised_data(job, codec)
        trainer = SupervisedTrainer(
            args=SFTConfig(**arguments(job, data)),
            train_dataset=data,
            # Padding is masked, so any token does.
            data_collator=WeightedCollator(codec.tokenizer.eos_token_id),
            **common,
        )
    else:
        # The reference is the parent: TRL loads the folder once more, or switches the adapter off.
        data = preference_data(job, codec)
        config = DPOConfig(
            loss_type=[job.preferences.loss],
            beta=job.preferences.beta,
            label_smoothing=job.preferences.label_smoothing,
            # It would take the adapter's dropout too.
            disable_dropout=lora is None or lora.dropout == 0,
            **arguments(job, data),
        )
        trainer = PreferenceTrainer(args=config, train_dataset=data, **common)
    trainer.training = job.training
    trainer.remove_callback(PrinterCallback)
    return trainer


def export(job: Job, trainer: Trainer) -> None:
    """Writes the trained student and the result, and last gives the folder its name."""
    model = trainer.accelerator.unwrap_model(trainer.model)
    if job.training.lora:
        model = model.merge_and_unload()
    if not all(bool(parameter.isfinite().all()) for parameter in model.parameters()):
        raise Ended("the trained weights are not finite; lower the learning rate")
    # Everything but the weights is the parent's; TRL has changed token ids in these two.
    model.generation_config = GenerationConfig()
    model.save_pretrained(job.partial, max_shard_size="1TB")
    (job.partial / "generation_config.json").unlink()
    for file in job.partial.glob("*.safetensors"):
        file.chmod(0o644)
    for file in job.parent.iterdir():
        if file.is_file() and not file.name.endswith(WEIGHTS):
            shutil.copyfile(file, job.partial / file.name)
    config = json.loads((job.parent / "config.json").read_text(encoding="utf-8"))
    config.pop("torch_dtype", None)
    write_json(job.partial / "config.json", {**config, "dtype": "float32"})

    steps = [entry for entry in trainer.state.log_history if "loss" in entry]
    last = steps[-max(1, len(steps) // 10) :]
    result = {
        "steps": trainer.state.global_step,
        "tokens": trainer.state.num_input_tokens_seen,
        "finalLoss": sum(entry["loss"] for entry in last) / len(last),
        "metrics": figures(steps[-1]),
    }
    write_json(job.result, result)
    job.partial.rename(job.checkpoint)


def run(job: Job) -> None:
    trainer = make_trainer(job)
    if trainer.accelerator.distributed_type not in WAYS:
        raise Ended("this engine trains on one device, or on several of one machine that each hold the whole student")
    trainer.train(resume_from_checkpoint=get_last_checkpoint(str(job.state)))
    if trainer.state.global_step < trainer.state.max_steps:
        raise Ended(f"stopped after step {trainer.state.global_step} of {trainer.state.max_steps}", STOPPED)
    if trainer.is_world_process_zero():
        export(job, trainer)


def why(error: Exception, job: Job) -> Ended:
    """An error as the end of a job."""
    if isinstance(error, Ended):
        return error
    if isinstance(error, torch.OutOfMemoryError):
        return Ended("out of the device's memory; lower batchSequences and raise accumulation")
    # Torch and safetensors have no error of their own for it.
    if job.disk_is_full or "No space left" in str(error):
        return Ended(DISK_FULL, TRY_AGAIN)
    return Ended(" ".join(f"{type(error).__name__}: {error}".split()))


def main() -> int:
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    job = Job.read(Path(sys.argv[1]))
    job.started.touch()
    try:
        run(job)
    except Exception as error:
        ended = why(error, job)
        if ended is not error:
            traceback.print_exc()
        job.say(ended)
        return ended.status
    return 0


if __name__ == "__main__":
    sys.exit(main())
