"""`errata train` and `errata generate` on a tiny model, without broker or database."""
import json
import math
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import time

import pytest
from conftest import ROOT, binary


GOLDENS = ROOT / "Tests" / "Goldens"


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> pathlib.Path:
    """A folder with weights of 34,000 parameters and a tokenizer of 512 tokens with ChatML's marks."""
    folder = tmp_path_factory.mktemp("model")
    for name in ("config.json", "generation_config.json", "model.safetensors"):
        shutil.copy(GOLDENS / "tiny-qwen2" / name, folder / name)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(GOLDENS / "tok/qwen2-512" / name, folder / name)
    (folder / "chat_template.jinja").write_text(
        "{% for message in messages %}{{ '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' }}"
        "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}"
    )
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


def header(folder: pathlib.Path) -> dict:
    """What model.safetensors says of its tensors."""
    content = (folder / "model.safetensors").read_bytes()
    found = json.loads(content[8 : 8 + struct.unpack("<Q", content[:8])[0]])
    found.pop("__metadata__", None)
    return found


def dtypes(folder: pathlib.Path) -> set[str]:
    return {entry["dtype"] for entry in header(folder).values()}


def tensors(folder: pathlib.Path) -> dict:
    """The tensors of a safetensors file as bytes, without the header's free text."""
    content = (folder / "model.safetensors").read_bytes()
    size = struct.unpack("<Q", content[:8])[0]
    return {
        name: (entry["shape"], content[8 + size + entry["data_offsets"][0] : 8 + size + entry["data_offsets"][1]])
        for name, entry in header(folder).items()
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
    wanted = {"loss", "grad_norm", "learning_rate", "num_tokens", "epoch", "entropy", "mean_token_accuracy"}
    if method == "dpo":
        wanted |= {f"rewards/{name}" for name in ("chosen", "rejected", "accuracies", "margins")}
        wanted |= {"logps/chosen", "logps/rejected", "logits/chosen", "logits/rejected"}
        assert steps[-1]["rewards/accuracies"] == 1
    assert all(wanted <= step.keys() for step in steps)
    assert all(0 <= step["entropy"] <= math.log(512) and 0 <= step["mean_token_accuracy"] <= 1 for step in steps)
    if method == "sft":
        assert steps[-1]["mean_token_accuracy"] > steps[0]["mean_token_accuracy"]
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
    more += ["--eval-data", file, "--eval-steps", 50]
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
        assert other.returncode != 0 and b"another run: weightDecay is 0.0 there and 0.5 here" in other.stderr
        resumed = run(arguments(method, file, model, output, *more, "--resume"))
        assert resumed.returncode == 0, resumed.stderr.decode()
        assert tensors(output) == tensors(whole)

        def losses(folder):
            return [(row["step"], row.get("loss"), row.get("eval_loss")) for row in metrics(folder)]

        assert losses(output) == losses(whole)
        assert len(losses(whole)) == 400 + 400 // 50


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


def test_what_is_cut_is_counted_before_the_first_step(model, tmp_path):
    long = [{"prompt": "Tom has", "completion": " 1" * count} for count in (40, 50)]
    file = data(tmp_path, "sft", extra="".join(json.dumps(row) + "\n" for row in long[:1]))
    held = tmp_path / "held.jsonl"
    held.write_text("".join(json.dumps(row) + "\n" for row in long))
    more = ["--max-steps", 1, "--max-length", 60, "--eval-data", held]
    result = run(arguments("sft", file, model, tmp_path / "out", *more))
    assert result.returncode == 0, result.stderr.decode()
    told = result.stderr.decode().splitlines()
    assert told[:2] == [f"{file}: 1 line was cut to 60 tokens", f"{held}: 2 lines were cut to 60 tokens"]
    assert told[2].startswith("needs about ") and "optimizer" in told[2]


def test_an_output_folder_in_use_is_kept_unless_it_may_be_replaced(model, tmp_path):
    output = tmp_path / "out"
    output.mkdir()
    (output / "notes.txt").write_text("mine")
    (output / "model.safetensors.index.json").write_text("{}")
    (output / "special_tokens_map.json").write_text("another model's")
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
    for name in ("model.safetensors.index.json", "special_tokens_map.json", "adapter"):
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
    # A pipe that gives back each write by itself, however late it is read.
    reading, writing = os.pipe2(os.O_DIRECT | os.O_CLOEXEC)
    process = subprocess.Popen(
        [binary("errata"), "generate", "--model", str(model), "--prompt", "Prove", "--max-tokens", "400",
         "--temperature", "1", "--seed", "4"],
        stdout=writing,
    )  # fmt: skip
    os.close(writing)
    pieces = []
    with open(reading, "rb", buffering=0) as stream:
        while piece := stream.read(1 << 16):
            pieces.append(piece)
    assert process.wait(60) == 0
    assert len(pieces) > 100, "the text came in a few pieces"
    for piece in pieces:
        piece.decode()


def lines(result: subprocess.CompletedProcess) -> list[dict]:
    assert result.returncode == 0, result.stderr.decode()
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_prompts_of_a_file_are_continued_in_order_and_alone_or_together_alike(model, tmp_path):
    rows = [
        {"id": "a", "prompt": "Prove that"},
        {"prompt": "2 + 2 = ", "answer": "not read"},
        {"messages": chat("What is 1 + 1?")},
        {"prompt": [{"role": "system", "content": "Be brief."}] + chat("What is 2 + 1?")},
    ]
    file = tmp_path / "prompts.jsonl"
    file.write_text("\n\n".join(json.dumps(row) for row in rows) + "\n")
    command = [binary("errata"), "generate", "--model", str(model), "--max-tokens", "24"]
    drawn = [*command, "--prompts", str(file), "--temperature", "1", "--seed", "5", "--samples", "3"]
    found = lines(run(drawn))
    assert [(row["line"], row["sample"]) for row in found] == [(n, k) for n in (1, 3, 5, 7) for k in range(3)]
    assert [row.get("id") for row in found] == ["a"] * 3 + [None] * 9
    assert len({row["text"] for row in found[:3]}) > 1, "samples are drawn apart"
    for row in found:
        assert row["finish_reason"] in ("stop", "length")
        assert (row["completion_tokens"] == 24) == (row["finish_reason"] == "length") or row["completion_tokens"] < 24
        assert row["logprob"] < 0 or row["completion_tokens"] == 0
    # The conversation with a system message is the longer one; each is longer than its bare text.
    assert found[9]["prompt_tokens"] > found[6]["prompt_tokens"] > found[0]["prompt_tokens"]
    assert lines(run([*drawn, "--batch-size", "1"])) == found
    assert lines(run([*command, "--prompts", "-", *drawn[-6:]], stdin=file.read_bytes())) == found
    assert lines(run([*drawn[:-4], "--seed", "6", "--samples", "3"])) != found

    alone = run([*command, "--prompt", "Prove that"]).stdout.decode()
    (one,) = lines(run([*command, "--prompt", "Prove that", "--json"]))
    assert one["text"] + "\n" == alone and "line" not in one and one["sample"] == 0
    greedy = lines(run([*command, "--prompts", str(file)]))
    assert greedy[0]["text"] == one["text"] and greedy[0]["logprob"] == one["logprob"]
    stop = one["text"].strip()[3:5]
    (cut,) = lines(run([*command, "--prompt", "Prove that", "--json", "--stop", stop]))
    assert cut["finish_reason"] == "stop" and cut["text"] == one["text"].split(stop)[0]


def test_prompts_that_cannot_be_continued_are_told_before_anything_is(model, tmp_path):
    file = tmp_path / "prompts.jsonl"
    command = [binary("errata"), "generate", "--model", str(model), "--max-tokens", "2", "--prompts", str(file)]
    for row, more, reason in [
        ("nonsense", [], "not valid JSON"),
        ('{"text": "x"}', [], 'give "prompt" or "messages"'),
        ('{"prompt": "x", "messages": []}', [], "one of them only"),
        ('{"prompt": ""}', [], "is empty"),
        (json.dumps({"prompt": "x " * 3000}), [], "shorten it"),
        ('{"prompt": "x"}', ["--system", "y"], "--system has no effect"),
        (json.dumps({"messages": chat("x") + answer("y")}), [], "assistant's already"),
        (
            json.dumps({"messages": [{"role": "system", "content": "x"}] + chat("y")}),
            ["--system", "z"],
            "system message already",
        ),
    ]:
        file.write_text('{"prompt": "good"}\n' * (1 if not more else 0) + row + "\n")
        result = run([*command, *more])
        assert result.returncode != 0 and not result.stdout, row
        number = 1 if more else 2
        assert f"{file}:{number}: " in result.stderr.decode() and reason in result.stderr.decode(), result.stderr
    file.write_text('{"prompt": "x"}\n')
    same = run([*command, "--samples", "2"])
    assert same.returncode != 0 and b"--temperature" in same.stderr
    thoughts = run([*command, "--chat", "--no-thinking"])
    assert thoughts.returncode != 0 and b"enable_thinking" in thoughts.stderr
    missing = run([*command, "--chat", "--chat-template", str(tmp_path / "none.jinja")])
    assert missing.returncode != 0 and b"none.jinja" in missing.stderr
    template = tmp_path / "own.jinja"
    template.write_text("{{ raise_exception('no ' + messages[0].content) }}")
    refused = run([*command, "--chat", "--chat-template", str(template)])
    assert refused.returncode != 0 and b"refuses the conversation: no x" in refused.stderr


@pytest.mark.parametrize(
    ("method", "more"),
    [
        ("sft", []),
        ("sft", ["--normalization", "perSequence"]),
        ("sft", ["--lora-rank", "4", "--lora-dropout", "0.5"]),
        ("krsl", []),
        ("dpo", ["--nll-weight", "0.3"]),
        ("dpo", ["--loss", "simpo", "--beta", "2"]),
    ],
)
def test_what_is_measured_is_what_a_step_would_tell(method, more, model, tmp_path):
    file = data(tmp_path, method)
    output = tmp_path / "out"
    command = arguments(method, file, model, output, "--max-steps", 3, "--eval-data", file, "--eval-steps", 2, *more)
    size = command.index("--batch-size")
    # All in one batch; a line of KRSL is two examples.
    command[size + 1] = str(2 * len(ROWS[method]))
    command[command.index("--learning-rate") + 1] = "0"
    result = run(command)
    assert result.returncode == 0, result.stderr.decode()
    rows = metrics(output)
    # After the second step, and at the end.
    assert [("eval_loss" in row, row["step"]) for row in rows] == [(False, 1), (False, 2), (True, 2), (False, 3), (True, 3)]
    step, measured = rows[1], rows[2]
    assert all(row["eval_loss"] == measured["eval_loss"] for row in rows if "eval_loss" in row)
    assert f"eval loss {measured['eval_loss']:.4f}" in result.stdout.decode()
    assert len(measured) >= 3
    if "--lora-dropout" in more:
        # The model as it is: without what training leaves out.
        assert measured["eval_loss"] == pytest.approx(step["loss"], rel=1e-5)
        return
    for name, value in measured.items():
        if name.startswith("eval_"):
            assert value == pytest.approx(step[name.removeprefix("eval_")], rel=1e-4, abs=1e-5), name


def test_wrong_tokens_cost_what_is_asked_for(model, tmp_path):
    file, steps = data(tmp_path, "krsl"), {}
    # Only wrong key tokens have a weight.
    only = ["--alpha", "0", "--gamma", "0", "--beta", "1", "--max-steps", "8"]
    forms = {
        "likelihood": [],
        "unlikelihood": ["--wrong-tokens", "unlikelihood"],
        "all": ["--nll-threshold", "100"],
        "none": ["--nll-threshold", "0.000001"],
    }
    for name, more in forms.items():
        command = arguments("krsl", file, model, tmp_path / name, *only, "--eval-data", file, *more)
        command[command.index("--batch-size") + 1] = str(2 * len(ROWS["krsl"]))
        result = run(command)
        assert result.returncode == 0, result.stderr.decode()
        steps[name] = metrics(tmp_path / name)
    key = "mean_token_log_probability/negative"
    first, last = steps["likelihood"][0], steps["likelihood"][7]
    assert last["loss"] < first["loss"] < 0 and last[key] < first[key]
    assert all(row["loss"] >= 0 for row in steps["unlikelihood"] if "loss" in row)
    assert steps["unlikelihood"][0][key] == first[key]
    assert [row["loss"] for row in steps["all"][:8]] == [row["loss"] for row in steps["likelihood"][:8]]
    assert all(row["ignored_share/negative"] == 0 for row in steps["all"][:8])
    assert all(row["ignored_share/negative"] == 1 and row["loss"] == row["grad_norm"] == 0 for row in steps["none"][:8])
    assert tensors(tmp_path / "none") == tensors(model)

    # What no weight says anything of is measured on right chains, where there are some.
    result = run(arguments("krsl", file, model, tmp_path / "right", "--gamma", "0", "--max-steps", "2", "--eval-data", file))
    assert result.returncode == 0, result.stderr.decode()
    assert metrics(tmp_path / "right")[-1]["eval_mean_token_log_probability/unweighted"] < 0


def test_krsl_has_a_random_control_and_mixes_examples_in(model, tmp_path):
    file, written, seen = data(tmp_path, "krsl"), {}, {}
    supervised = data(tmp_path, "sft")
    variants = {
        "edit": [],
        "canonical": ["--tie-rule", "canonical"],
        "random": ["--key-tokens", "random"],
        "again": ["--key-tokens", "random"],
        "mixed": ["--supervised-data", supervised, "--supervised-weight", "0.5"],
    }
    for name, more in variants.items():
        result = run(arguments("krsl", file, model, tmp_path / name, "--epochs", 1, *more))
        assert result.returncode == 0, result.stderr.decode()
        written[name] = tensors(tmp_path / name)
        seen[name] = metrics(tmp_path / name)[-1]["num_tokens"]
    assert written["random"] == written["again"] != written["edit"]
    assert written["mixed"] != written["edit"]
    plain = run(arguments("sft", supervised, model, tmp_path / "sft", "--epochs", 1))
    assert plain.returncode == 0, plain.stderr.decode()
    assert seen["mixed"] == seen["edit"] + metrics(tmp_path / "sft")[-1]["num_tokens"]
    for more, name in [
        (["--wrong-tokens", "no"], b"unlikelihood"),
        (["--key-tokens", "no"], b"random"),
        (["--tie-rule", "no"], b"canonical"),
        (["--nll-threshold", "0"], b"--nll-threshold"),
        (["--supervised-weight", "1"], b"--supervised-data"),
    ]:
        refused = run(arguments("krsl", file, model, tmp_path / "refused", *more))
        assert refused.returncode != 0 and name in refused.stderr, refused.stderr.decode()


def test_measuring_changes_no_bit_of_a_training(model, tmp_path):
    file = data(tmp_path, "dpo")
    plain, measured = tmp_path / "plain", tmp_path / "measured"
    assert run(arguments("dpo", file, model, plain, "--max-steps", 6)).returncode == 0
    result = run(arguments("dpo", file, model, measured, "--max-steps", 6, "--eval-data", file, "--eval-steps", 1))
    assert result.returncode == 0, result.stderr.decode()
    assert tensors(plain) == tensors(measured)
    losses = [row["eval_loss"] for row in metrics(measured) if "eval_loss" in row]
    assert len(losses) == 6 and losses[-1] < losses[0] < 0.693148


def test_a_batch_of_tokens_holds_as_many_examples_as_fit(model, tmp_path):
    file = data(tmp_path, "sft")

    def epoch(name, *more):
        command = arguments("sft", file, model, tmp_path / name, *more)
        size = command.index("--batch-size")
        result = run(command[:size] + command[size + 2 :])
        assert result.returncode == 0, result.stderr.decode()
        return metrics(tmp_path / name)

    small, large = epoch("small", "--batch-tokens", 60), epoch("large", "--batch-tokens", 240)
    assert len(small) > len(large) > 1
    assert small[-1]["num_tokens"] == large[-1]["num_tokens"]
    counts = [row["num_tokens"] for row in small]
    assert max(b - a for a, b in zip([0] + counts, counts)) <= 60


@pytest.mark.parametrize("method", ["sft", "krsl", "dpo"])
def test_products_in_bfloat16_train_as_well(method, model, tmp_path):
    file, losses, written = data(tmp_path, method), {}, {}
    for name, more in [("plain", []), ("bf16", ["--bf16"]), ("again", ["--bf16"])]:
        output = tmp_path / name
        result = run(arguments(method, file, model, output, "--max-steps", 12, "--eval-data", file, *more))
        assert result.returncode == 0, result.stderr.decode()
        flags = pathlib.Path("/proc/cpuinfo").read_text()
        assert (b"does not multiply bfloat16" in result.stderr) == (bool(more) and "avx512_bf16" not in flags)
        losses[name] = metrics(output)[-1]["eval_loss"]
        written[name] = tensors(output)
    assert losses["bf16"] == pytest.approx(losses["plain"], rel=0.03) and losses["bf16"] != losses["plain"]
    assert written["again"] == written["bf16"] != written["plain"]


def test_weights_are_written_and_kept_in_the_type_that_is_asked_for(model, tmp_path):
    file, first = data(tmp_path, "sft"), tmp_path / "first"
    result = run(arguments("sft", file, model, first, "--max-steps", 2, "--save-dtype", "bfloat16"))
    assert result.returncode == 0, result.stderr.decode()
    assert dtypes(first) == {"BF16"}
    assert json.loads((first / "config.json").read_text())["torch_dtype"] == "bfloat16"
    for name, method, more, wanted in [
        ("default", "sft", [], "F32"),
        ("auto", "sft", ["--save-dtype", "auto"], "BF16"),
        ("half", "sft", ["--save-dtype", "float16"], "F16"),
        ("adapter", "dpo", ["--lora-rank", 2], "F32"),
        ("adapter-auto", "dpo", ["--lora-rank", 2, "--save-dtype", "auto"], "BF16"),
    ]:
        output = tmp_path / name
        result = run(arguments(method, data(tmp_path, method), first, output, "--max-steps", 2, *more))
        assert result.returncode == 0, result.stderr.decode()
        assert dtypes(output) == {wanted}, name
        if method == "dpo":
            assert metrics(output)[0]["loss"] == pytest.approx(math.log(2), abs=1e-7)
    # A reference that is the model itself costs no second one and is exactly it.
    output = tmp_path / "own"
    command = arguments("dpo", data(tmp_path, "dpo"), first, output, "--max-steps", 1, "--reference", first)
    assert run(command).returncode == 0
    assert metrics(output)[0]["rewards/margins"] == 0
    command = [binary("errata"), "generate", "--model", str(first), "--prompt", "Prove", "--max-tokens", "24", "--json"]
    said = [lines(run([*command, *more])) for more in ([], ["--dtype", "auto"], ["--dtype", "float32"])]
    assert said[0] == said[1] == said[2]
    exact = [*command[:3], str(tmp_path / "default"), *command[4:]]
    assert lines(run([*exact, "--dtype", "bfloat16"]))[0]["logprob"] != lines(run(exact))[0]["logprob"]
    unknown = run([*command, "--dtype", "int8"])
    assert unknown.returncode != 0 and b"--dtype" in unknown.stderr
    idle = run([binary("errata"), "generate", "--count", "1", "--dtype", "float32"])
    assert idle.returncode != 0 and b"--dtype needs --model" in idle.stderr
