"""`errata models` on tiny models: what comes in, what is shown, what goes out, and what is refused."""
import json
import os
import pathlib
import shutil
import subprocess

import pytest
from conftest import binary
from test_train import arguments, chat, data, model  # noqa: F401  (model is a fixture)


def run(*command, state: pathlib.Path, **more) -> subprocess.CompletedProcess:
    return subprocess.run(
        [binary("errata"), *map(str, command), "--state", str(state)], capture_output=True, timeout=120, **more
    )


def good(*command, state: pathlib.Path, **more) -> str:
    result = run(*command, state=state, **more)
    assert result.returncode == 0, result.stderr.decode()
    return result.stdout.decode()


def refused(*command, state: pathlib.Path) -> str:
    result = run(*command, state=state)
    assert result.returncode != 0 and not result.stdout, result.stdout
    return result.stderr.decode()


def shown(name: str, state: pathlib.Path) -> dict:
    return json.loads(good("models", "show", name, "--json", state=state))


@pytest.fixture
def folder(model, tmp_path) -> pathlib.Path:  # noqa: F811
    """A copy of the tiny model with files beside it that are no part of it."""
    copy = tmp_path / "a tiny model"
    shutil.copytree(model, copy)
    (copy / "README.md").write_text("read me")
    (copy / "special_tokens_map.json").write_text("{}")
    return copy


def test_a_model_comes_in_once_and_is_found_by_its_names_and_its_hash(folder, tmp_path):
    state = tmp_path / "state"
    added = run("models", "add", folder, state=state)
    assert added.returncode == 0, added.stderr.decode()
    assert b"left out: README.md" in added.stderr
    digest, name = added.stdout.decode().split()
    assert name == "a-tiny-model" and len(digest) == 64
    assert good("models", "add", folder, "--name", "tiny", state=state).split() == [digest, "a-tiny-model,", "tiny"]
    assert good("models", "add", digest, "--name", "third", state=state).split()[0] == digest
    assert len(list((state / "models").glob("[0-9a-f]*"))) == 1, "adding a model twice is adding it once"
    for reference in ("tiny", digest, digest[:12]):
        assert shown(reference, state)["model"]["hash"] == digest
    facts = shown("tiny", state)
    assert facts["names"] == ["a-tiny-model", "third", "tiny"]
    assert facts["model"]["family"] == "qwen2" and facts["model"]["chat_template"] == "chat_template.jinja"
    assert facts["model"]["end_tokens"] == ["<|im_end|>"] and facts["model"]["tokenizer"]["tokens"] == 512
    assert all(need["bytes"] > 1e6 for need in facts["model"]["memory"])
    text = good("models", "show", "tiny", state=state)
    assert digest in text and facts["model"]["tokenizer"]["fingerprint"] in text and "memory to train" in text
    assert "tiny" in good("models", "list", state=state)
    good("models", "rename", "tiny", "small", state=state)
    assert "small" in refused("models", "show", "tiny", state=state)
    other = run("models", "add", folder, "--name", "../x", state=state)
    assert other.returncode != 0


# Writes down which files and folders a program brings to disk, and what it renames.
RECORDER = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void note(const char *what, const char *path) {
    char line[8192];
    int length = snprintf(line, sizeof line, "%s %s\n", what, path);
    int log = open(getenv("RECORDED"), O_WRONLY | O_APPEND | O_CREAT, 0644);
    if (write(log, line, length) != length) abort();
    close(log);
}

int fsync(int descriptor) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(link, path, sizeof path - 1);
    path[length < 0 ? 0 : length] = 0;
    note("fsync", path);
    return ((int (*)(int))dlsym(RTLD_NEXT, "fsync"))(descriptor);
}

int rename(const char *from, const char *to) {
    note("rename", to);
    return ((int (*)(const char *, const char *))dlsym(RTLD_NEXT, "rename"))(from, to);
}

int renameat2(int from, const char *a, int to, const char *b, unsigned flags) {
    note("rename", b);
    return ((int (*)(int, const char *, int, const char *, unsigned))dlsym(RTLD_NEXT, "renameat2"))(from, a, to, b, flags);
}
"""


def test_what_came_into_the_store_is_there_after_a_power_cut(folder, tmp_path):
    library, record = tmp_path / "recorder.so", tmp_path / "record"
    (tmp_path / "recorder.c").write_text(RECORDER)
    subprocess.run(
        ["gcc", "-O1", "-Wall", "-shared", "-fPIC", "-o", library, tmp_path / "recorder.c", "-ldl"], check=True
    )
    state = tmp_path / "state"
    environment = os.environ | {"LD_PRELOAD": str(library), "RECORDED": str(record)}
    digest = good("models", "add", folder, "--name", "tiny", state=state, env=environment).split()[0]
    done = record.read_text().splitlines()
    models = state / "models"

    def place(what: str) -> int:
        assert what in done, f"{what} is not in {done}"
        return len(done) - 1 - done[::-1].index(what)

    # A file is found again once its folder's list of names is on disk, after it got its name.
    for name in (models / digest, models / "names/tiny", models / f"records/{digest}.json"):
        assert place(f"rename {name}") < place(f"fsync {name.parent}"), name
    moved = place(f"rename {models / digest}")
    files = [line for line in done[:moved] if line.startswith(f"fsync {models}/.adding-") and line.endswith(".safetensors")]
    assert files, "its files are on disk before it has its name"
    # And so are the folders that were made for it.
    for made in (models, models / "names", models / "records"):
        assert f"fsync {made.parent}" in done, made


def test_a_stored_model_is_used_by_its_name(folder, tmp_path):
    state = tmp_path / "state"
    good("models", "add", folder, "--name", "tiny", state=state)
    said = good("generate", "--model", "tiny", "--chat", "--prompt", "Hi", "--max-tokens", "4", state=state)
    path = good("generate", "--model", folder, "--chat", "--prompt", "Hi", "--max-tokens", "4", state=state)
    assert said == path
    output = tmp_path / "trained"
    command = arguments("sft", data(tmp_path, "sft"), "tiny", output, "--max-steps", 1, "--state", state)
    trained = subprocess.run(command, capture_output=True, timeout=120)
    assert trained.returncode == 0, trained.stderr.decode()
    kept = ("chat_template.jinja", "special_tokens_map.json", "tokenizer_config.json", "generation_config.json")
    for name in kept:
        assert (output / name).read_bytes() == (folder / name).read_bytes(), name
    unknown = refused("generate", "--model", "tinny", "--prompt", "x", state=state)
    assert "tinny is no folder or file" in unknown and "tiny" in unknown and "errata models list" in unknown


def test_what_goes_out_comes_in_again_as_the_same_model(folder, tmp_path):
    state = tmp_path / "state"
    digest = good("models", "add", folder, "--name", "tiny", state=state).split()[0]
    out = tmp_path / "out"
    good("models", "export", "tiny", out, state=state)
    assert not (out / "README.md").exists() and (out / "chat_template.jinja").exists()
    assert good("models", "add", out, state=state).split()[0] == digest
    assert "exists already" in refused("models", "export", "tiny", out, state=state)
    half = tmp_path / "half"
    good("models", "export", "tiny", half, "--dtype", "bfloat16", state=state)
    assert (half / "model.safetensors").stat().st_size < (out / "model.safetensors").stat().st_size * 0.6
    assert json.loads((half / "config.json").read_text())["torch_dtype"] == "bfloat16"
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(".")], "nothing half-written is left"


def test_gguf_comes_in_and_goes_out(folder, tmp_path):
    state = tmp_path / "state"
    good("models", "add", folder, "--name", "tiny", state=state)
    file = tmp_path / "tiny-f16.gguf"
    good("models", "export", "tiny", file, "--dtype", "float16", state=state)
    digest = good("models", "add", file, state=state).split()[0]
    assert good("models", "add", file, state=state).split()[0] == digest
    facts = shown("tiny-f16", state)["model"]
    assert facts["family"] == "qwen2" and "GGUF" in facts["format"]
    assert facts["tokenizer"]["tokens"] == 512
    ask = ("--chat", "--prompt", "What is 2 + 2?", "--max-tokens", "8", "--temperature", "0")
    assert good("generate", "--model", "tiny-f16", *ask, state=state) == good("generate", "--model", file, *ask, state=state)
    request = tmp_path / "messages.json"
    request.write_text(json.dumps({"messages": chat("What is 2 + 2?"), "add_generation_prompt": True}))
    both = [good("models", "render", name, "--messages", request, "--ids", state=state) for name in ("tiny", "tiny-f16")]
    assert both[0] == both[1]


def test_what_cannot_be_used_is_refused_with_the_reason(folder, tmp_path):
    state = tmp_path / "state"
    assert "holds no models" in refused("models", "show", "x", state=state)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "has no config.json" in refused("models", "add", empty, state=state)
    (folder / "config.json").write_text(json.dumps({**json.loads((folder / "config.json").read_text()), "model_type": "gemma"}))
    assert "gemma" in refused("models", "add", folder, state=state)
    bad = tmp_path / "bad.gguf"
    bad.write_bytes(b"GGUF\x03\x00\x00\x00" + b"\xff" * 16)
    assert "bad.gguf" in refused("models", "add", bad, state=state)
    assert "a letter or a digit" in refused("models", "add", folder, "--name", "../x", state=state)
    assert not list((state / "models").glob("*")), "nothing of it is stored"


def test_conversations_are_printed_as_the_model_sees_them(folder, tmp_path):
    state = tmp_path / "state"
    request = tmp_path / "messages.json"
    request.write_text(json.dumps({"messages": chat("Hi"), "add_generation_prompt": True}))
    text = "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n"
    assert good("models", "render", folder, "--messages", request, state=state) == text
    template = tmp_path / "own.jinja"
    template.write_text("{{ greeting }} {{ messages[0].content }}{{ raise_exception('no') if stop else '' }}")
    lines = tmp_path / "messages.jsonl"
    rows = [{"messages": chat("a"), "greeting": "Dear"}, {"messages": chat("b\n"), "chat_template_kwargs": {"greeting": "é"}}]
    lines.write_text("\n".join(map(json.dumps, rows)) + "\n")
    assert [json.loads(line) for line in good("models", "render", template, "--messages", lines, state=state).splitlines()] == [
        "Dear a",
        "é b\n",
    ]
    ids = json.loads(good("models", "render", folder, "--messages", request, "--ids", state=state))
    assert ids[0] == 510 and len(ids) > 5
    assert "whole conversations" in refused("models", "render", folder, "--messages", request, "--labels", state=state)
    request.write_text(json.dumps({"messages": chat("Hi") + [{"role": "assistant", "content": "Ho"}]}))
    ids, labels = (
        json.loads(good("models", "render", folder, "--messages", request, kind, state=state)) for kind in ("--ids", "--labels")
    )
    learned = [index for index, label in enumerate(labels) if label != -100]
    assert learned == list(range(learned[0], len(ids))) and 2 < len(learned) < len(ids) - 5, "the answer, to the end of its turn"
    assert [labels[index] for index in learned] == ids[learned[0] :] and 511 in labels
    request.write_text(json.dumps({"messages": chat("Hi"), "stop": True}))
    assert "refuses the conversation: no" in refused("models", "render", template, "--messages", request, state=state)
    assert "without a tokenizer" in refused("models", "render", template, "--messages", request, "--ids", state=state)


def test_a_model_stays_while_something_needs_it(folder, tmp_path):
    state = tmp_path / "state"
    digest = good("models", "add", folder, "--name", "tiny", state=state).split()[0]
    good("models", "add", digest, "--name", "again", state=state)
    assert "stays as tiny" in good("models", "remove", "again", state=state)
    child = "f" * 64
    (state / "models" / child).mkdir()
    (state / "models" / "records").mkdir(exist_ok=True)
    record = {"addedAt": "2026-01-01T00:00:00Z", "origins": [{"source": "training x", "parent": digest}]}
    (state / "models" / "records" / f"{child}.json").write_text(json.dumps(record))
    assert "is what ffffffffffff was trained from" in refused("models", "remove", "tiny", state=state)
    shutil.rmtree(state / "models" / child)
    assert digest in good("models", "remove", "tiny", state=state)
    assert not (state / "models" / digest).exists()
    assert "holds no model" in refused("models", "show", "tiny", state=state)
