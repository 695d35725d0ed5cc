#!/usr/bin/env python3
"""Runs the engine and the other side in turn, on this machine in one run, and prints the ratios of time and peak memory.

    Tests/Benchmarks/compare.py --other DIR --python PYTHON [--case NAME]... [--rounds 3]

DIR holds the scripts of the other side (bench_train.py, bench_decode.py), PYTHON is an interpreter with torch,
transformers, trl and peft. Each case runs both sides alternately, --rounds times; a ratio is of the medians over rounds.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]

SMOL, QWEN = "smollm2-135m", "qwen2-0.5b"
# Case: our arguments, and the other side's by name.
CASES = {
    "lm": (
        ["train", "--model", "smollm2-135m", "--task", "lm", "--batch", "4", "--sequence", "256"],
        {
            "pytorch fp32": ["bench_train.py", "--model", SMOL, "--task", "lm", "--batch", "4", "--seq", "256"],
            "pytorch bf16": [
                "bench_train.py", "--model", SMOL, "--task", "lm", "--batch", "4", "--seq", "256", "--dtype", "bf16",
            ],
        },
    ),
    "dpo": (
        ["train", "--model", "smollm2-135m", "--task", "dpo", "--batch", "2", "--sequence", "256", "--prompt", "128"],
        {
            f"{name} {dtype}": [
                "bench_train.py", "--model", SMOL, "--task", task, "--batch", "2", "--seq", "256", "--prompt", "128",
                "--dtype", dtype,
            ]
            for name, task in (("pytorch", "dpo"), ("trl", "dpo_trl")) for dtype in ("fp32", "bf16")
        },
    ),
    "decode": (
        ["decode", "--model", "smollm2-135m", "--prompt", "64", "--new", "128"],
        {
            f"transformers {dtype}": [
                "bench_decode.py", "--model", SMOL, "--batch", "1", "--prompt", "64", "--new", "128", "--dtype", dtype,
            ]
            for dtype in ("fp32", "bf16")
        },
    ),
    "decode-batch": (
        ["decode", "--model", "smollm2-135m", "--prompt", "64", "--new", "128", "--batch", "8"],
        {
            f"transformers {dtype}": [
                "bench_decode.py", "--model", SMOL, "--batch", "8", "--prompt", "64", "--new", "128", "--dtype", dtype,
            ]
            for dtype in ("fp32", "bf16")
        },
    ),
}


def environment() -> dict[str, str]:
    """OpenBLAS chooses its kernels itself; the other side names the case by nothing that is set here."""
    return {k: v for k, v in os.environ.items() if k not in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")}


def ours(arguments: list[str], program: str, iterations: int) -> dict:
    out = subprocess.run(
        [program, *arguments, "--iterations", str(iterations)], env=environment(), check=True, stdout=subprocess.PIPE,
    ).stdout
    line = json.loads(out.splitlines()[-1])
    return {"seconds": line["median"], "rss": line["rss_peak_mib"]}


def theirs(arguments: list[str], folder: pathlib.Path, python: str, iterations: int) -> dict:
    with tempfile.TemporaryDirectory() as temporary:
        results = pathlib.Path(temporary) / "results.jsonl"
        subprocess.run(
            [python, str(folder / arguments[0]), *arguments[1:], "--iters", str(iterations)],
            env=environment() | {"RESULTS": str(results)}, check=True, stdout=subprocess.DEVNULL,
        )
        line = json.loads(results.read_text().splitlines()[-1])
    return {"seconds": line["timing"]["wall"]["median"], "rss": line["rss_peak_mib"]}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--other", type=pathlib.Path, required=True)
    parser.add_argument("--python", required=True)
    parser.add_argument("--program", default=str(ROOT / ".build/release/EngineBenchmark"))
    parser.add_argument("--case", action="append", choices=sorted(CASES))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=5)
    options = parser.parse_args()
    for name in options.case or CASES:
        mine, others = CASES[name]
        measured: dict[str, list[dict]] = {"errata fp32": []} | {other: [] for other in others}
        for _ in range(options.rounds):
            measured["errata fp32"].append(ours(mine, options.program, options.iterations))
            for other, arguments in others.items():
                measured[other].append(theirs(arguments, options.other, options.python, options.iterations))
        medians = {
            side: {key: statistics.median(run[key] for run in runs) for key in ("seconds", "rss")}
            for side, runs in measured.items()
        }
        base = medians["errata fp32"]
        print(f"\n{name}")
        for side, found in medians.items():
            print(
                f"  {side:20} {found['seconds']:9.3f} s  {found['rss']:7.0f} MiB"
                f"   errata/this: time {base['seconds'] / found['seconds']:.2f}, memory {base['rss'] / found['rss']:.2f}"
            )
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
