"""`errata train` and `errata generate` on a tiny model, without broker or database."""
import json
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import time

import pytest
from conftest import binary


def golden() -> pathlib.Path:
    root = os.environ.get("ERRATA_TEST_DATA")
    if not root:
        pytest.fail("ERRATA_TEST_DATA must name the folder that holds golden/ (Tests/run sets it)")
    return pathlib.Path(root) / "golden"


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> pathlib.Path:
    """A folder with weights of 0.1 million parameters and a tokenizer of 512 tokens with ChatML's marks."""
    folder = tmp_path_factory.mktemp("model")
    for name in ("config.json", "generation_config.json", "model.safetensors"):
        shutil.copy(golden() / "tiny-qwen2" / name, folder / name)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(golden() / "tok/qwen2-512" / name, folder / name)
    return folder


SUMS = [(a, b) for a in range(1, 5) for b in range(1, 5)]


def chat(question: str) -> list:
    return [{"role": "user", "content": question}]


def answer(text: str) -> list:
    return [{"role": "assistant", "content": text}]


ROWS = {
    "sft": [
        {"messages": chat(f"What is {a} + {b}?") + answer(f"The sum is {a + b}.")}
        if a % 2
        else {"prompt": f"{a} + {b} = ", "completion": f"{a + b}"}
        for a, b in SUMS
    ],
    "krsl": [
        {"prompt": f"{a} + {b}?\n", "right": f"The sum is {a + b}.", "wrong": f"The sum is {a + b + 1}."}
        for a, b in SUMS
    ],
    "dpo": [
        {"prompt": chat(f"{a} + {b}?"), "chosen": answer(f"It is {a + b}."), "rejected": answer(f"It is {a - b}.")}
        for a, b in SUMS
    ],
}
OPTIONS = {
    "sft": ["--learning-rate", "3e-3"],
    "krsl": ["--learning-rate", "3e-3", "--gamma", "0.1"],
    "dpo": ["--learning-rate", "1e-3"],
}


def data(folder: pathlib.Path, method: str, extra: str = "") -> pathlib.Path:
    path = folder / f"{method}.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS[method]) + extra)
    return path


def arguments(method: str, file, model, output, *more) -> list[str]:
    return [
        binary("errata"), "train", method, "--data", str(file), "--model", str(model), "--output", str(output),
        "--batch-size", "4", "--threads", "2", *OPTIONS[method], *map(str, more),
    ]  # fmt: skip


def run(command: list[str], stdin: bytes = b"", **more) -> subprocess.CompletedProcess:
    return subprocess.run(command, input=stdin, capture_output=True, timeout=240, **more)


def metrics(output: pathlib.Path) -> list[dict]:
    return [json.loads(line) for line in (output / "metrics.jsonl").read_text().splitlines()]


def tensors(folder: pathlib.Path) -> dict:
    """The tensors of a safetensors file as bytes, without the header's free text."""
    content = (folder / "model.safetensors").read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    header = json.loads(content[8 : 8 + size])
    header.pop("__metadata__", None)
    return {
        name: (entry["shape"], content[8 + size + entry["data_offsets"][0] : 8 + size + entry["data_offsets"][1]])
        for name, entry in header.items()
    }


@pytest.mark.parametrize("method", ["sft", "krsl", "dpo"])
def test_training_lowers_the_loss_and_writes_a_model_that_generates(method, model, tmp_path):
    output = tmp_path / "out"
    result = run(arguments(method, data(tmp_path, method), model, output, "--max-steps", 24))
    assert result.returncode == 0, result.stderr.decode()
    steps = metrics(output)
    assert [step["step"] for step in steps] == list(range(1, 25))
    first = sum(step["loss"] for step in steps[:4])
    last = sum(step["loss"] for step in steps[-4:])
    assert last < 0.8 * first, (first, last)
    wanted = {"loss", "grad_norm", "learning_rate", "num_tokens", "epoch"}
    if method == "dpo":
        wanted |= {f"rewards/{name}" for name in ("chosen", "rejected", "accuracies", "margins")}
        wanted |= {"logps/chosen", "logps/rejected"}
        assert steps[-1]["rewards/accuracies"] == 1
    assert all(wanted <= step.keys() for step in steps)
    names = {path.name for path in output.iterdir()}
    assert {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"} <= names
    assert "training-state.safetensors" not in names
    assert (output / "tokenizer.json").read_bytes() == (model / "tokenizer.json").read_bytes()
    assert (output / "generation_config.json").read_bytes() == (model / "generation_config.json").read_bytes()
    assert tensors(output).keys() == tensors(model).keys()
    assert tensors(output) != tensors(model)
    assert "24/24" in result.stderr.decode()

    command = [binary("errata"), "generate", "--model", str(output), "--max-tokens", "8"]
    texts = []
    for prompt in ("2 + 2 = ", "Tom has", "Prove that"):
        generated = run([*command, "--prompt", prompt])
        assert generated.returncode == 0, generated.stderr.decode()
        assert run(command, stdin=prompt.encode() + b"\n").stdout == generated.stdout
        texts.append(generated.stdout.decode())
    # A model may end at once after one prompt, but not after all of them.
    assert any(text.strip() for text in texts), texts


def test_stored_references_and_recomputed_activations_change_no_bit(model, tmp_path):
    file, store = data(tmp_path, "dpo"), tmp_path / "reference.jsonl"
    results = []
    for number, more in enumerate([[], ["--reference-store", store], ["--reference-store", store], ["--recompute-activations"]]):
        output = tmp_path / f"out-{number}"
        result = run(arguments("dpo", file, model, output, "--max-steps", 6, *more))
        assert result.returncode == 0, result.stderr.decode()
        results.append(tensors(output))
    assert len(store.read_text().splitlines()) == len(ROWS["dpo"])
    assert all(result == results[0] for result in results)
    # A value that is not the reference's shows: the second run did read the file.
    rows = [json.loads(line) for line in store.read_text().splitlines()]
    store.write_text("".join(json.dumps({**row, "chosen": row["chosen"] - 9}) + "\n" for row in rows))
    output = tmp_path / "other"
    assert run(arguments("dpo", file, model, output, "--max-steps", 6, "--reference-store", store)).returncode == 0
    assert tensors(output) != results[0]


def test_an_adapter_trains_alone_and_is_written_merged_and_apart(model, tmp_path):
    output = tmp_path / "out"
    file = data(tmp_path, "dpo")
    more = ["--max-steps", 30, "--learning-rate", "1e-2", "--lora-rank", 4, "--lora-targets", "q_proj,v_proj"]
    result = run(arguments("dpo", file, model, output, *more))
    assert result.returncode == 0, result.stderr.decode()
    steps = metrics(output)
    assert steps[0]["loss"] == pytest.approx(0.693147, abs=1e-5)
    assert steps[-1]["loss"] < 0.9 * steps[0]["loss"]
    before, after = tensors(model), tensors(output)
    changed = {name for name in before if before[name] != after[name]}
    assert changed == {
        f"model.layers.{layer}.self_attn.{target}.weight" for layer in (0, 1) for target in ("q_proj", "v_proj")
    }
    adapter = output / "adapter"
    assert json.loads((adapter / "adapter_config.json").read_text())["r"] == 4
    said = [
        run([binary("errata"), "generate", "--prompt", "Tom has", "--max-tokens", "16", "--model", *map(str, folders)])
        for folders in ([output], [model, "--adapter", adapter], [model])
    ]
    assert said[0].stdout == said[1].stdout, said[1].stderr.decode()
    again = tmp_path / "again"
    assert run(arguments("dpo", file, model, again, *more)).returncode == 0
    assert tensors(again) == after


def test_what_was_learned_is_said(model, tmp_path):
    output = tmp_path / "out"
    result = run(arguments("sft", data(tmp_path, "sft"), model, output, "--max-steps", 150))
    assert result.returncode == 0, result.stderr.decode()
    said = run([binary("errata"), "generate", "--model", str(output), "--chat", "--prompt", "What is 1 + 2?"])
    assert said.stdout.decode().startswith("The sum is "), said.stdout
    stopped = run(
        [binary("errata"), "generate", "--model", str(output), "--chat", "--prompt", "What is 1 + 2?", "--stop", "sum"]
    )
    assert stopped.stdout == b"The \n"


@pytest.mark.parametrize("method", ["sft", "krsl", "dpo"])
def test_a_training_that_was_interrupted_goes_on_to_the_same_bits(method, model, tmp_path):
    file = data(tmp_path, method)
    more = ["--max-steps", 400, "--checkpoint-every", 7, "--schedule", "linear", "--warmup-ratio", "0.1"]
    whole = tmp_path / "whole"
    assert run(arguments(method, file, model, whole, *more)).returncode == 0
    for number, code in [(signal.SIGINT, 130), (signal.SIGKILL, -signal.SIGKILL)]:
        output = tmp_path / f"stopped-{number}"
        process = subprocess.Popen(
            arguments(method, file, model, output, *more), stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        deadline = time.monotonic() + 120
        while not (output / "training-state.safetensors").exists():
            assert process.poll() is None and time.monotonic() < deadline, process.communicate()
            time.sleep(0.005)
        process.send_signal(number)
        _, errors = process.communicate(timeout=120)
        assert process.returncode == code, errors.decode()
        assert not (output / "model.safetensors").exists()
        if number == signal.SIGINT:
            assert "--resume goes on" in errors.decode()
        again = run(arguments(method, file, model, output, *more))
        assert again.returncode != 0 and b"--resume" in again.stderr
        other = run(arguments(method, file, model, output, *more, "--weight-decay", "0.5", "--resume"))
        assert other.returncode != 0 and b"other options" in other.stderr
        resumed = run(arguments(method, file, model, output, *more, "--resume"))
        assert resumed.returncode == 0, resumed.stderr.decode()
        assert tensors(output) == tensors(whole)
        assert [step["loss"] for step in metrics(output)] == [step["loss"] for step in metrics(whole)]


def test_bad_lines_are_told_and_the_rest_is_trained_on(model, tmp_path):
    file = data(tmp_path, "sft", extra='{"prompt": 1}\nnonsense\n' + json.dumps({"prompt": "x " * 600, "completion": "y"}))
    result = run(arguments("sft", file, model, tmp_path / "out", "--max-steps", 1))
    assert result.returncode == 0, result.stderr.decode()
    errors = result.stderr.decode()
    for number, reason in [(17, "give one of these"), (18, "not valid JSON"), (19, "raise the maximum length")]:
        assert any(f":{number}: " in line and reason in line for line in errors.splitlines()), errors
    assert "3 lines were left out" in errors
    file.write_text("nonsense\n")
    empty = run(arguments("sft", file, model, tmp_path / "none", "--max-steps", 1))
    assert empty.returncode != 0 and b"no line that can be used" in empty.stderr


def test_an_output_folder_in_use_is_kept_unless_it_may_be_replaced(model, tmp_path):
    output = tmp_path / "out"
    output.mkdir()
    (output / "notes.txt").write_text("mine")
    (output / "model.safetensors.index.json").write_text("{}")
    (output / "chat_template.jinja").write_text("another model's")
    (output / "adapter").mkdir()
    (output / "adapter" / "adapter_config.json").write_text("{}")
    file = data(tmp_path, "sft")
    refused = run(arguments("sft", file, model, output, "--max-steps", 1))
    assert refused.returncode != 0 and b"--overwrite" in refused.stderr
    assert (output / "model.safetensors.index.json").exists()
    resumed = run(arguments("sft", file, model, output, "--max-steps", 1, "--resume"))
    assert resumed.returncode != 0 and b"no training-state.safetensors" in resumed.stderr
    own = run(arguments("sft", file, model, model, "--max-steps", 1, "--overwrite"))
    assert own.returncode != 0 and b"own folder" in own.stderr
    replaced = run(arguments("sft", file, model, output, "--max-steps", 1, "--overwrite"))
    assert replaced.returncode == 0, replaced.stderr.decode()
    assert (output / "notes.txt").read_text() == "mine"
    for name in ("model.safetensors.index.json", "chat_template.jinja", "adapter"):
        assert not (output / name).exists(), name


def test_sampling_is_seeded_and_the_kinds_of_generate_exclude_each_other(model):
    command = [binary("errata"), "generate", "--model", str(model), "--prompt", "Prove that", "--max-tokens", "24"]
    greedy = run(command)
    assert greedy.returncode == 0, greedy.stderr.decode()
    assert run(command).stdout == greedy.stdout

    def draw(seed):
        return run([*command, "--temperature", "1.2", "--top-k", "50", "--seed", str(seed)]).stdout

    assert draw(1) == draw(1)
    assert len({draw(seed) for seed in range(4)}) > 1
    mixed = run([*command, "--count", "3"])
    assert mixed.returncode != 0 and b"--count" in mixed.stderr
    problems = run([binary("errata"), "generate", "--count", "3"])
    assert len(problems.stdout.splitlines()) == 3
    unknown = run([binary("errata"), "generate", "--model", "/no/such/folder", "--prompt", "x"])
    assert unknown.returncode != 0 and b"/no/such/folder" in unknown.stderr


def test_text_is_streamed_as_it_comes(model):
    process = subprocess.Popen(
        [binary("errata"), "generate", "--model", str(model), "--prompt", "Prove", "--max-tokens", "400",
         "--temperature", "1"],
        stdout=subprocess.PIPE,
    )  # fmt: skip
    pieces = []
    while piece := os.read(process.stdout.fileno(), 1 << 16):
        pieces.append(piece)
    assert process.wait(60) == 0
    assert len(pieces) > 10, "the text came in one piece"
    for piece in pieces:
        piece.decode()
