"""What the comparisons with other programs share: running Errata, and saying what holds."""
import json
import pathlib
import shutil
import subprocess


class Checks:
    """Counts what holds and what does not."""

    def __init__(self):
        self.failed = []
        self.passed = 0

    def __call__(self, name, holds, figures=""):
        print(f"{'ok  ' if holds else 'FAIL'} {name}{': ' if figures else ''}{figures}", flush=True)
        if holds:
            self.passed += 1
        else:
            self.failed.append(name)

    def close(self, name, mine, theirs, rtol=1e-4, atol=0.0):
        """|mine − theirs| ≤ rtol · |theirs| + atol, one value or many."""
        mine, theirs = [[float(x) for x in (v if isinstance(v, (list, tuple)) else [v])] for v in (mine, theirs)]
        if len(mine) != len(theirs) or not mine:
            return self(name, False, f"{len(mine)} values against {len(theirs)}")
        worst = max(abs(a - b) / max(abs(b), 1e-12) for a, b in zip(mine, theirs))
        holds = all(abs(a - b) <= rtol * abs(b) + atol for a, b in zip(mine, theirs))
        return self(name, holds, f"largest relative difference {worst:.1e}" + ("" if holds else f": {mine} against {theirs}"))


class Errata:
    """The program under test."""

    def __init__(self, program):
        self.program = program

    def run(self, *arguments):
        result = subprocess.run([self.program, *map(str, arguments)], capture_output=True, timeout=300)
        if result.returncode != 0:
            raise RuntimeError(f"errata {' '.join(map(str, arguments))}: {result.stderr.decode()[-600:]}")
        return result.stdout.decode()

    def generate(self, model, prompt, count=24, *more):
        return self.run(
            "generate", "--model", model, "--prompt", prompt, "--max-tokens", count, "--temperature", 0, "--threads", 1, *more
        )[:-1]

    def train(self, method, model, rows, output, *more):
        shutil.rmtree(output, ignore_errors=True)
        file = pathlib.Path(str(output) + ".jsonl")
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
        self.run(
            "train", method, "--data", file, "--model", model, "--output", output, "--threads", 1, "--no-shuffle", *more
        )
        return [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]

    def row_losses(self, model, rows, output):
        """The loss of each row by itself, with no change to the model."""
        steps = self.train("sft", model, rows, output, "--learning-rate", 0, "--batch-size", 1, "--max-steps", len(rows))
        return [step["loss"] for step in steps]


# The bounds of figures that are small differences of large numbers: float32 sums of some tens of log-probabilities.
# The mean of all logits lies near zero, where single logits are of the order of 1.
ABSOLUTE = {
    "rewards/chosen": 2e-5, "rewards/rejected": 2e-5, "rewards/margins": 4e-5, "logits/chosen": 1e-6, "logits/rejected": 1e-6,
}


def compare_steps(check, name, ours, theirs, apart=frozenset()):
    """Each figure that both report, over all steps; and which ones only one of them does."""
    theirs = [entry for entry in theirs if "grad_norm" in entry]
    own, other = set(ours[0]), set(theirs[0])
    for key in sorted((own & other) - {"step"} - apart):
        # Later steps carry the rounding of earlier ones, which Adam's division enlarges.
        check.close(f"{name}: {key}, step 1", ours[0][key], theirs[0][key], 1e-4, ABSOLUTE.get(key, 0))
        check.close(
            f"{name}: {key}, {len(theirs)} steps", [s[key] for s in ours], [s[key] for s in theirs], 2e-3,
            50 * ABSOLUTE.get(key, 0),
        )
    print(f"     only TRL reports {sorted(other - own)}, only errata {sorted(own - other)}")


def turn(text, role):
    return [{"role": role, "content": text.strip()}]


def trl_arguments(folder, batch, steps, **more):
    """What TRL's configurations need for a short training on the processor, a figure a step, in the data's order."""
    return dict(
        output_dir=str(folder), per_device_train_batch_size=batch, max_steps=steps, logging_steps=1, save_strategy="no",
        report_to=[], use_cpu=True, bf16=False, fp16=False, gradient_checkpointing=False, optim="adamw_torch",
        train_sampling_strategy="sequential", max_length=512, disable_tqdm=True, seed=0, **more,
    )  # fmt: skip
