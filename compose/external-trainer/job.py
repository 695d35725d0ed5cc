"""A job folder as Errata's trainer service writes it, and the files an engine leaves there. Needs the standard library
only, so that a job that cannot be done is refused before anything large is loaded."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

CONTRACT = 1
# Exit statuses of an engine, beside 0.
FAILED, TRY_AGAIN, STOPPED = 1, 75, 143
DISK_FULL = "no space is left where the job folder is"


class Ended(Exception):
    """Why a job ends without a checkpoint: an exit status and a sentence."""

    def __init__(self, reason: str, status: int = FAILED) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status


@dataclass(frozen=True)
class LoRA:
    rank: int
    alpha: float
    dropout: float
    targets: list[str]


@dataclass(frozen=True)
class Training:
    learning_rate: float
    epochs: float
    maximum_steps: int | None
    maximum_tokens: int | None
    batch_sequences: int
    accumulation: int
    schedule: str
    warmup_ratio: float
    weight_decay: float
    maximum_gradient_norm: float
    lora: LoRA | None


@dataclass(frozen=True)
class Preferences:
    loss: str
    beta: float
    label_smoothing: float


@dataclass(frozen=True)
class Example:
    """A line of supervised data."""

    line: int
    prompt: str
    completion: str
    weight: float
    end: bool


@dataclass(frozen=True)
class Pair:
    """A line of preference data."""

    line: int
    prompt: str
    chosen: str
    rejected: str
    end: bool


class Members:
    """The members of a JSON object, taken one by one; one that nobody takes was not understood and is refused."""

    def __init__(self, value: Any, place: str) -> None:
        if not isinstance(value, dict):
            raise Ended(f"{place} is no JSON object")
        self.left = {name: member for name, member in value.items() if member is not None}
        self.place = place

    def take(
        self,
        name: str,
        kind: type,
        rule: str = "",
        holds: Callable[[Any], bool] = lambda _: True,
        *,
        needed: bool = True,
    ) -> Any:
        """A member of a kind for which `holds` is true, as `rule` says in words; None when it may be missing and is."""
        if name not in self.left:
            if needed:
                raise Ended(f"{self.place}: {name} is missing")
            return None
        value = self.left.pop(name)
        if kind is float and type(value) is int:
            value = float(value)
        if type(value) is not kind or (kind is float and not math.isfinite(value)) or not holds(value):
            raise Ended(f"{self.place}: {name} is {json.dumps(value)}; this engine takes {rule or kind.__name__}")
        return value

    def end(self) -> None:
        if self.left:
            raise Ended(f"{self.place}: this engine does not know {', '.join(sorted(self.left))}")


def _one_of(*words: str) -> tuple[str, Callable[[Any], bool]]:
    return "one of " + ", ".join(words), lambda value: value in words


_POSITIVE = ("a number above 0", lambda value: value > 0)
_NOT_NEGATIVE = ("a number of at least 0", lambda value: value >= 0)
_SHARE = ("a number from 0 to 1", lambda value: 0 <= value <= 1)
_COUNT = ("a whole number of at least 1", lambda value: value >= 1)


def _lora(value: Any, place: str) -> LoRA:
    members = Members(value, place)
    lora = LoRA(
        rank=members.take("rank", int, *_COUNT),
        alpha=members.take("alpha", float, *_POSITIVE),
        dropout=members.take("dropout", float, "a number from 0, below 1", lambda value: 0 <= value < 1),
        targets=members.take(
            "targets",
            list,
            "a list of layer names",
            lambda value: value and all(isinstance(name, str) and name for name in value),
        ),
    )
    members.end()
    return lora


def _training(value: Any) -> Training:
    members = Members(value, "options.json: training")
    lora = members.take("lora", dict, needed=False)
    training = Training(
        learning_rate=members.take("learningRate", float, *_NOT_NEGATIVE),
        epochs=members.take("epochs", float, *_POSITIVE),
        maximum_steps=members.take("maximumSteps", int, *_COUNT, needed=False),
        maximum_tokens=members.take("maximumTokens", int, *_COUNT, needed=False),
        batch_sequences=members.take("batchSequences", int, *_COUNT),
        accumulation=members.take("accumulation", int, *_COUNT),
        schedule=members.take("schedule", str, *_one_of("constant", "linear", "cosine", "exponential", "stepwise")),
        warmup_ratio=members.take("warmupRatio", float, *_SHARE),
        weight_decay=members.take("weightDecay", float, *_NOT_NEGATIVE),
        maximum_gradient_norm=members.take("maximumGradientNorm", float, *_NOT_NEGATIVE),
        lora=None if lora is None else _lora(lora, "options.json: training.lora"),
    )
    members.end()
    if training.maximum_steps is not None and training.maximum_tokens is not None:
        raise Ended("options.json: training has maximumSteps and maximumTokens; this engine takes one of them")
    return training


def _preferences(value: Any) -> Preferences:
    members = Members(value, "options.json: preferences")
    preferences = Preferences(
        loss=members.take("loss", str, *_one_of("sigmoid", "hinge", "ipo", "robust")),
        beta=members.take("beta", float, *_POSITIVE),
        label_smoothing=members.take(
            "labelSmoothing", float, "a number from 0, below 0.5", lambda value: 0 <= value < 0.5, needed=False
        )
        or 0.0,
    )
    members.end()
    # TRL's DPOTrainer reads its label_smoothing in the loss `robust` only.
    if preferences.label_smoothing > 0 and preferences.loss != "robust":
        raise Ended(
            f"options.json: preferences: labelSmoothing is {preferences.label_smoothing}; "
            f"this engine has it for the loss robust only, not for {preferences.loss}"
        )
    return preferences


@dataclass(frozen=True)
class Job:
    """A job folder and its options."""

    folder: Path
    method: str
    seed: int
    training: Training
    preferences: Preferences | None

    @property
    def parent(self) -> Path:
        return self.folder / "parent"

    @property
    def data(self) -> Path:
        return self.folder / "data" / "train.jsonl"

    @property
    def metrics(self) -> Path:
        return self.folder / "metrics.jsonl"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def stop(self) -> Path:
        """There while the engine is asked to save and stop."""
        return self.state / "stop"

    @property
    def started(self) -> Path:
        """There once the training process runs."""
        return self.state / "started"

    @property
    def outcome(self) -> Path:
        """Why the training process ended without a checkpoint, where it could still say so."""
        return self.state / "outcome.json"

    @property
    def result(self) -> Path:
        return self.folder / "result.json"

    @property
    def partial(self) -> Path:
        return self.folder / "checkpoint.partial"

    @property
    def checkpoint(self) -> Path:
        return self.folder / "checkpoint"

    @classmethod
    def read(cls, folder: Path) -> Job:
        """Reads and checks the options."""
        if not (folder / "parent" / "config.json").is_file():
            raise Ended(f"{folder} is no job folder: it has no parent/config.json")
        try:
            content = json.loads((folder / "options.json").read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise Ended(f"options.json cannot be read: {error}") from error
        members = Members(content, "options.json")
        members.take("contract", int, f"contract {CONTRACT}", lambda value: value == CONTRACT)
        for name, kind in (("run", str), ("stage", str), ("round", int)):
            members.take(name, kind, needed=False)
        method = members.take("method", str, *_one_of("supervised", "preferences"))
        preferences = members.take("preferences", dict, needed=method == "preferences")
        if method == "supervised" and preferences is not None:
            raise Ended("options.json: preferences says nothing about the method supervised")
        job = cls(
            folder=folder.resolve(),
            method=method,
            seed=members.take("seed", int, *_NOT_NEGATIVE),
            training=_training(members.take("training", dict)),
            preferences=None if preferences is None else _preferences(preferences),
        )
        members.end()
        return job

    def _lines(self) -> Iterator[tuple[int, Members]]:
        try:
            with self.data.open(encoding="utf-8") as file:
                for number, line in enumerate(file, start=1):
                    place = f"data/train.jsonl, line {number}"
                    try:
                        value = json.loads(line)
                    except ValueError as error:
                        raise Ended(f"{place}: {error}") from error
                    yield number, Members(value, place)
        except (OSError, UnicodeDecodeError) as error:
            raise Ended(f"data/train.jsonl cannot be read: {error}") from error

    def examples(self) -> Iterator[Example]:
        """The lines of supervised data."""
        for number, members in self._lines():
            members.take("id", str, needed=False)
            weight = members.take("weight", float, *_POSITIVE, needed=False)
            end = members.take("end", bool, needed=False)
            yield Example(
                line=number,
                prompt=members.take("prompt", str),
                completion=members.take("completion", str),
                weight=1.0 if weight is None else weight,
                end=end is not False,
            )
            members.end()

    def pairs(self) -> Iterator[Pair]:
        """The lines of preference data."""
        for number, members in self._lines():
            members.take("id", str, needed=False)
            end = members.take("end", bool, needed=False)
            yield Pair(
                line=number,
                prompt=members.take("prompt", str),
                chosen=members.take("chosen", str),
                rejected=members.take("rejected", str),
                end=end is not False,
            )
            members.end()

    def check_data(self) -> None:
        """Reads every line of the data."""
        if sum(1 for _ in (self.examples() if self.method == "supervised" else self.pairs())) == 0:
            raise Ended("data/train.jsonl is empty")

    @property
    def disk_is_full(self) -> bool:
        return shutil.disk_usage(self.folder).free < 1 << 20

    def say(self, ended: Ended) -> None:
        """Leaves word of why the training process ends; the first word stands."""
        if not self.outcome.exists():
            write_json(self.outcome, {"status": ended.status, "reason": ended.reason})

    def said(self) -> Ended | None:
        """What the training process said."""
        if not self.outcome.exists():
            return None
        word = json.loads(self.outcome.read_text(encoding="utf-8"))
        return Ended(word["reason"], word["status"])


def write_json(path: Path, value: Any) -> None:
    """Writes a whole file or none."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
    partial.replace(path)
