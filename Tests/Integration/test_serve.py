"""Models served by OpenAI's API, as its own client sees them, and students that the evaluator asks through such a server."""
import json
import signal
import socket
import subprocess
import sys

import openai
import pytest
from conftest import CHAINS, System, binary, eventually, program, stage, tiny_student
from test_runs import recipe, submit_problems, submitted

LOAD = """#!{python}
import pathlib, sys
folder, model = sys.argv[2:]
assert (pathlib.Path(folder) / "config.json").exists()
with open(sys.argv[1], "a") as log:
    log.write(model + "\\n")
"""


class Server:
    """`errata serve` on a port of its own."""

    def __init__(self, *arguments: str):
        self.process = subprocess.Popen(
            [binary("errata"), "serve", *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
        )
        line = self.process.stdout.readline()
        assert line.startswith("listening on http://127.0.0.1:"), line
        self.url = line.split()[-1]
        self.client = openai.OpenAI(base_url=self.url, api_key="none", max_retries=0)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0


@pytest.fixture(scope="module")
def student(tmp_path_factory):
    folder = tmp_path_factory.mktemp("served")
    folder.chmod(0o755)
    return tiny_student(folder / "student")


@pytest.fixture(scope="module")
def server(student):
    server = Server(str(student), "--port", "0")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def model(student):
    return str(student)


def test_openais_client_completes_text(server, model):
    assert [m.id for m in server.client.models.list()] == [model]
    answer = server.client.completions.create(model=model, prompt="Ana has 3 shells.", max_tokens=8, temperature=0)
    assert answer.usage.completion_tokens == 8 and answer.choices[0].finish_reason == "length"
    generated = subprocess.run(
        [binary("errata"), "generate", "--model", model, "--prompt", "Ana has 3 shells.", "--max-tokens", "8",
         "--temperature", "0", "--json"],
        capture_output=True, check=True,
    )
    assert answer.choices[0].text == json.loads(generated.stdout)["text"]
    both = server.client.completions.create(
        model=model, prompt=["Ana has 3 shells.", "Ben"], max_tokens=8, temperature=0
    )
    assert [c.index for c in both.choices] == [0, 1] and both.choices[0].text == answer.choices[0].text
    # The same seed gives the same draws, another one others.
    def drawn(seed):
        some = server.client.completions.create(model=model, prompt="Ana", max_tokens=12, temperature=1, n=3, seed=seed)
        return [c.text for c in some.choices]

    assert drawn(1) == drawn(1) != drawn(2) and len(set(drawn(1))) == 3


def test_openais_client_streams(server, model):
    whole = server.client.completions.create(model=model, prompt="Ana has", max_tokens=20, temperature=0)
    parts = list(server.client.completions.create(
        model=model, prompt="Ana has", max_tokens=20, temperature=0, stream=True, stream_options={"include_usage": True}
    ))
    assert "".join(c.text for part in parts for c in part.choices) == whole.choices[0].text
    assert parts[-1].usage.completion_tokens == 20 and parts[-2].choices[0].finish_reason == "length"


def test_openais_client_chats(server, model):
    messages = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "What is 2 + 2?"}]
    whole = server.client.chat.completions.create(model=model, messages=messages, max_tokens=12, temperature=0)
    assert whole.choices[0].message.role == "assistant" and whole.usage.prompt_tokens > 10
    parts = list(server.client.chat.completions.create(
        model=model, messages=messages, max_tokens=12, temperature=0, stream=True
    ))
    assert parts[0].choices[0].delta.role == "assistant"
    assert "".join(p.choices[0].delta.content or "" for p in parts) == whole.choices[0].message.content
    cut = whole.choices[0].message.content[4:6]
    stopped = server.client.chat.completions.create(
        model=model, messages=messages, max_tokens=12, temperature=0, stop=[cut]
    )
    assert stopped.choices[0].finish_reason == "stop" and cut not in stopped.choices[0].message.content


BAD = [
    ({"model": "other"}, 404, "is not served here"),
    ({"prompt": []}, 400, "prompt"),
    ({"prompt": [10**9]}, 400, "vocabulary"),
    ({"prompt": "a " * 100_000}, 400, "at most"),
    ({"temperature": -1}, 400, "temperature"),
    ({"max_tokens": 0}, 400, "max_tokens"),
    ({"echo": True}, 400, "echo"),
    ({"extra_body": {"colour": "red"}}, 400, "colour"),
    ({"n": 2, "stream": True}, 400, "stream"),
]


@pytest.mark.parametrize("change, status, words", BAD)
def test_what_cannot_be_done_is_refused_by_name(server, model, change, status, words):
    with pytest.raises(openai.APIStatusError) as refusal:
        server.client.completions.create(**({"model": model, "prompt": "a", "max_tokens": 4} | change))
    assert refusal.value.status_code == status and words in refusal.value.body["message"]


@pytest.fixture(scope="module")
def running(student, tmp_path_factory):
    folder = tmp_path_factory.mktemp("students")
    folder.chmod(0o755)
    load = program(folder / "load", LOAD.format(python=sys.executable))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    (folder / "students.json").write_text(
        json.dumps({
            "served": {
                "url": f"http://127.0.0.1:{port}/v1",
                "load": [str(load), str(folder / "loaded")],
                "concurrency": 3,
            }
        })
    )
    system = System("--students", str(folder / "students.json"))
    added = system.errata("models", "add", str(student), "--name", "tiny")
    assert added.returncode == 0, added.stderr
    system.folder, system.served_port = folder, str(port)
    yield system
    system.stop()


def outputs(system, run: str) -> dict:
    rows = system.query(
        """SELECT checkpoints.stage, result.problem_id, result.output, result.correct, result.truncated, result.tokens
           FROM evaluation_results AS result JOIN evaluation_jobs AS job ON job.id = result.evaluation_id
           JOIN checkpoints ON checkpoints.id = job.checkpoint_id WHERE job.run_id = %s""",
        run,
    )
    return {row[:2]: row[2:] for row in rows}


def test_a_student_behind_a_server_is_scored_as_by_our_own_engine(running):
    submit_problems(running, "served", "train", range(20, 40))
    submit_problems(running, "served", "development", range(40, 52))
    submit_problems(running, "served", "rollout", range(60, 66))
    stages = [
        stage("chains", 4, 4, examples=18, **CHAINS),
        stage("prefer", 2, 2, rate=1e-4, parent="chains", preferences={"layout": "prefix"}),
    ]
    common = {
        "stages": stages,
        "suites": [{"name": "gate", "dataset": "served", "split": "development", "expectedProblems": 12}],
        "rollout": {"split": "rollout", "samples": 2, "temperature": 0.8},
    }

    def decoding(**more):
        return {"decoding": {"temperature": 0, "maximumNewTokens": 24, "stop": ["7"], **more}}

    own = submitted(running, recipe("served", **common, **decoding()))
    eventually(lambda: len(outputs(running, own)) >= 24, timeout=120, what="scores by our own engine")
    remote = submitted(running, recipe("served", **common, **decoding(endpoint="served")))
    # The server is not there yet: that is told, and nothing is lost.
    eventually(
        lambda: b"no answer from" in running.errata("runs", "show", remote).stdout, timeout=60, what="the reason is shown"
    )
    server = Server("--state", str(running.state), "--port", running.served_port)
    try:
        eventually(lambda: len(outputs(running, remote)) >= 24, timeout=120, what="scores by the server")
        local = outputs(running, own)
        served = outputs(running, remote)
        for key in local.keys() & served.keys():
            assert served[key] == local[key], key
        assert {stage for stage, _ in local.keys() & served.keys()} >= {"initial", "chains"}
        attempts = "SELECT count(*) FROM attempts WHERE run_id = %s"
        eventually(lambda: running.count(attempts, remote) == 12, timeout=60, what="the roll-out by the server")
        drawn = running.query("SELECT body ->> 'output' FROM attempts WHERE run_id = %s", remote)
        assert len({text for text, in drawn}) > 6
        assert b"no answer from" not in running.errata("runs", "show", remote).stdout
        loaded = (running.folder / "loaded").read_text().split()
        hashes = {row[0] for row in running.query("SELECT body ->> 'modelHash' FROM checkpoints WHERE run_id = %s", remote)}
        assert set(loaded) <= hashes and len(set(loaded)) >= 2
    finally:
        server.stop()


def test_a_server_that_nobody_configured_is_named(running):
    run = submitted(
        running, recipe("served", decoding={"temperature": 0, "maximumNewTokens": 8, "endpoint": "elsewhere"})
    )
    words = b"decoding.endpoint: 'elsewhere' is not among the servers of this evaluator's ERRATA_STUDENTS: served"
    eventually(lambda: words in running.errata("runs", "show", run).stdout, timeout=60, what="the reason is shown")
