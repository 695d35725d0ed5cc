#!/usr/bin/env python3
"""Runs the engine and the other side in turn, on this machine in one run, and prints the ratios of time and peak memory.

    Tests/Benchmarks/compare.py --other DIR --python PYTHON [--gguf DIR] [--preload LIB] [--case NAME]... [--rounds 3]

DIR holds the scripts of the other side (bench_train.py, bench_decode.py, bench_llamacpp.py), PYTHON is an interpreter
with torch, transformers, trl and peft, and llama-cpp-python where --gguf is given. Each case runs both sides alternately,
--rounds times; a ratio is of the medians over rounds. The case `products` compares with OpenBLAS in one process.
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
OUR_NAME = {SMOL: "smollm2-135m", QWEN: "qwen2.5-0.5b"}
HALF = ["--precision", "bfloat16"]


def train(task: str, model: str, batch: int, prompt: int = 64, lora: int = 0) -> tuple[dict, dict]:
    """Both sides of a training step; ours in float32 and with bfloat16 products (a frozen base also stored so)."""
    mine = ["train", "--model", OUR_NAME[model], "--task", task, "--batch", str(batch), "--sequence", "256"]
    other = ["bench_train.py", "--model", model, "--batch", str(batch), "--seq", "256"]
    half = HALF
    if task == "dpo":
        mine += ["--prompt", str(prompt)]
        other += ["--prompt", str(prompt)]
    if lora:
        mine += ["--lora", str(lora), "--unshared"]
        other += ["--lora", str(lora)]
        half = [*HALF, "--weights", "bfloat16"]
    tasks = {"pytorch": task} | ({"trl": "dpo_trl"} if task == "dpo" and not lora else {})
    return (
        {"errata fp32": mine, "errata bf16": mine + half},
        {
            f"{name} {dtype}": [*other, "--task", theirs, "--dtype", dtype]
            for name, theirs in tasks.items() for dtype in ("fp32", "bf16")
        },
    )


def decode(model: str, batch: int) -> tuple[dict, dict]:
    """Both sides of greedy decoding, 64 + 128 tokens."""
    mine = ["decode", "--model", OUR_NAME[model], "--batch", str(batch), "--prompt", "64", "--new", "128"]
    other = ["bench_decode.py", "--model", model, "--batch", str(batch), "--prompt", "64", "--new", "128"]
    llama = {"llama.cpp bf16": ["bench_llamacpp.py", f"{model}-bf16.gguf", model]} if batch == 1 else {}
    return (
        {"errata fp32": mine, "errata bf16": [*mine, "--weights", "bfloat16"]},
        {f"transformers {dtype}": [*other, "--dtype", dtype] for dtype in ("fp32", "bf16")} | llama,
    )


# Case: our arguments and the other side's, each by name.
CASES = {
    "lm": train("lm", SMOL, 4),
    "dpo": train("dpo", SMOL, 2, prompt=128),
    "lora": train("dpo", QWEN, 1, lora=16),
    "decode": decode(SMOL, 1),
    "decode-qwen": decode(QWEN, 1),
    "decode-batch": decode(SMOL, 8),
    "decode-batch-qwen": decode(QWEN, 8),
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


def theirs(arguments: list[str], options: argparse.Namespace) -> dict:
    script, *rest = arguments
    if script == "bench_llamacpp.py":
        rest[0] = str(options.gguf / rest[0])
    else:
        rest += ["--iters", str(options.iterations)]
    shim = {"LD_PRELOAD": str(options.preload)} if options.preload else {}
    with tempfile.TemporaryDirectory() as temporary:
        results = pathlib.Path(temporary) / "results.jsonl"
        subprocess.run(
            [options.python, str(options.other / script), *rest],
            env=environment() | shim | {"RESULTS": str(results)}, check=True, stdout=subprocess.DEVNULL,
        )
        line = json.loads(results.read_text().splitlines()[-1])
    return {"seconds": line["timing"]["wall"]["median"], "rss": line["rss_peak_mib"]}


def products(program: str, rounds: int) -> None:
    """Ours against OpenBLAS in one process, medians over processes, and what memory allows."""

    def lines(*arguments) -> list[dict]:
        out = subprocess.run([program, *map(str, arguments)], env=environment(), check=True, stdout=subprocess.PIPE, text=True)
        return [json.loads(line) for line in out.stdout.splitlines()]

    shapes = [(2048, 2048, 2048, 1), (1024, 1024, 1024, 1), (256, 896, 4864, 1), (1024, 576, 1536, 1),
              (1, 896, 4864, 40), (1, 576, 1536, 100)]
    for m, k, n, copies in shapes:
        case = ["product", "--m", m, "--k", k, "--n", n, "--copies", copies, "--iterations", 15]
        for side in zip(*(lines(*case) for _ in range(rounds))):
            speed, bandwidth, ratio = (
                statistics.median(line[key] for line in side)
                for key in ("gflops", "weight_gb_per_second", "speed_to_openblas")
            )
            print(
                f"  {side[0]['case']:36} {speed:7.0f} GFLOP/s  weights {bandwidth:5.1f} GB/s"
                f"   speed against openblas {ratio:.2f}"
            )
    print(f"  memory read {statistics.median(lines('bandwidth')[0]['gb_per_second'] for _ in range(rounds)):.1f} GB/s")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--other", type=pathlib.Path, required=True)
    parser.add_argument("--python", required=True)
    parser.add_argument("--gguf", type=pathlib.Path, help="folder of MODEL-bf16.gguf files, for llama.cpp")
    parser.add_argument("--preload", type=pathlib.Path, help="a library to preload for the other side")
    parser.add_argument("--program", default=str(ROOT / ".build/release/EngineBenchmark"))
    parser.add_argument("--case", action="append", choices=[*sorted(CASES), "products"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--iterations", type=int, default=5)
    options = parser.parse_args()
    for name in options.case or [*CASES, "products"]:
        print(f"\n{name}")
        if name == "products":
            products(options.program, options.rounds)
            continue
        mine, others = CASES[name]
        if not options.gguf:
            others = {side: arguments for side, arguments in others.items() if "llama.cpp" not in side}
        measured: dict[str, list[dict]] = {side: [] for side in (*mine, *others)}
        for _ in range(options.rounds):
            for side, arguments in mine.items():
                measured[side].append(ours(arguments, options.program, options.iterations))
            for side, arguments in others.items():
                measured[side].append(theirs(arguments, options))
        medians = {
            side: {key: statistics.median(run[key] for run in runs) for key in ("seconds", "rss")}
            for side, runs in measured.items()
        }
        for side, found in medians.items():
            ratios = "".join(
                f"   {base}/this: time {medians[base]['seconds'] / found['seconds']:.2f},"
                f" memory {medians[base]['rss'] / found['rss']:.2f}"
                for base in mine
            )
            print(f"  {side:18} {found['seconds']:8.3f} s {found['rss']:6.0f} MiB{ratios}")
        sys.stdout.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
