"""Runs as people steer them: recipes from templates, bad ones refused with their place, rounds with a gate, other engines."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import uuid

import pytest
from conftest import (
    CHAINS,
    System,
    binary,
    cloud_event_headers,
    eventually,
    plain_environment,
    problem,
    program,
    stage,
    tiny_student,
)

STUB = """#!{python}
# An engine that stands for TRL: it checks what it was handed, tells of updates and gives its parent back, one number changed.
import json, os, pathlib, shutil, signal, sys, time
job = pathlib.Path(sys.argv[1])
options = json.loads((job / "options.json").read_text())
lines = [json.loads(line) for line in (job / "data/train.jsonl").read_text().splitlines()]
assert options["contract"] == 1 and options["method"] == "supervised", options
assert lines and all(set(line) == {{"prompt", "completion", "end"}} for line in lines), lines[:1]
assert lines[0]["prompt"].startswith("Q: ") and "####" in lines[0]["completion"], lines[0]
step = 0
if (job / "state").exists():
    step = int((job / "state").read_text())
with open(job / "metrics.jsonl", "a") as metrics:
    for step in range(step + 1, 6):
        metrics.write(json.dumps({{"step": step, "totalSteps": 5, "loss": 1 / step, "tokens": 10 * step}}) + "\\n")
        metrics.flush()
        (job / "state").write_text(str(step))
        time.sleep(float(os.environ.get("STUB_SECONDS", "0.2")))
shutil.copytree(job / "parent", job / "checkpoint.partial", dirs_exist_ok=True)
weights = job / "checkpoint.partial/model.safetensors"
data = bytearray(weights.read_bytes())
data[-3] ^= 1
weights.write_bytes(data)
(job / "result.json").write_text(json.dumps({{"steps": 5, "tokens": 50, "finalLoss": 0.2, "metrics": {{"loss": 0.2}}}}))
(job / "checkpoint.partial").rename(job / "checkpoint")
"""


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    folder = tmp_path_factory.mktemp("engines")
    folder.chmod(0o755)
    stub = program(folder / "stub", STUB.format(python=sys.executable))
    engines = folder / "engines.json"
    engines.write_text(json.dumps({"stub": {"command": [str(stub)], "environment": {"STUB_SECONDS": "0.5"}}}))
    system = System("--engines", str(engines))
    student = tiny_student(folder / "student")
    added = system.errata("models", "add", str(student), "--name", "tiny")
    assert added.returncode == 0, added.stderr
    yield system
    system.stop()


def submit_problems(system, dataset: str, split: str, numbers) -> None:
    lines = b"\n".join(
        json.dumps({**problem(n), "id": f"{dataset}-{split}-{n}", "dataset": dataset, "split": split}).encode()
        for n in numbers
    )
    done = system.errata("submit", "-", "--dataset", dataset, "--split", split, stdin=lines + b"\n")
    assert done.returncode == 0, done.stderr


def recipe(dataset: str, **changes) -> dict:
    run = {
        "name": f"run-{uuid.uuid4().hex[:6]}",
        "dataset": dataset,
        "seed": 3,
        "student": {"model": "tiny"},
        "stages": [stage("chains", 4, 4, examples=10, **CHAINS)],
        "suites": [{"name": "gate", "dataset": dataset, "split": "development", "expectedProblems": 8}],
        "decoding": {"temperature": 0, "maximumNewTokens": 16},
    }
    run.update(changes)
    return run


def submit(system, run: dict, *more: str):
    return system.errata("runs", "submit", "-", *more, stdin=json.dumps(run).encode())


def submitted(system, run: dict) -> str:
    done = submit(system, run)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode().split("submitted run ")[1].strip()


def stages(system, run: str) -> dict:
    rows = system.query("SELECT round, stage, state, error FROM training_jobs WHERE run_id = %s", run)
    return {(round, stage): (state, error) for round, stage, state, error in rows}


def test_every_recipe_can_be_written_and_says_what_it_will_do(running):
    def template(*arguments: str) -> bytes:
        return subprocess.run([binary("errata"), "runs", "template", *arguments], capture_output=True, check=True).stdout

    names = [line.split(":")[0] for line in template().decode().splitlines()]
    assert {"edit", "edit-full", "supercorrect", "self-training"} <= set(names)
    for name in names:
        text = template(name, "--student", "tiny", "--dataset", "d")
        assert text.startswith(b"# ")
        told = running.errata("runs", "submit", "-", "--dry-run", stdin=text)
        assert told.returncode == 0, (name, told.stderr.decode())
        assert f"run {name} (".encode() in told.stdout and b"of memory" in told.stdout
    # Left as it is, a recipe names what is still open.
    refused = running.errata("runs", "submit", "-", "--dry-run", stdin=template("edit", "--dataset", "d"))
    assert refused.returncode != 0 and b"student.model is still" in refused.stderr


BAD = [
    ({"student": {"model": "nobody"}}, "nobody"),
    ({"student": {"modelHash": "0" * 64, "tokenizerFingerprint": "x"}}, "student.modelHash"),
    ({"speed": 1}, "$.speed is not known"),
    ({"stages": [{"name": "a", "parent": "b", "supervised": {"sources": [{"kind": "templates"}]}, "start": {"examples": 1}}]},
     "$.stages[0].parent is 'b'"),
    ({"stages": [
        {"name": "a", "parent": "b", "supervised": {"sources": [{"kind": "templates"}]}, "start": {"examples": 1}},
        {"name": "b", "parent": "a", "keySteps": {}, "start": {"examples": 1}}]},
     "circle"),
    ({"stages": [{"name": "a", "keySteps": {"gama": 1}, "start": {"examples": 1}}]}, "$.stages[0].keySteps.gama is not known"),
    ({"suites": [{"name": "s", "dataset": "bad", "split": "train", "expectedProblems": 1}]}, "learns from"),
    ({"stages": [{"name": "a", "keySteps": {}, "start": {"examples": 1},
                  "training": {"schedule": "polynomial"}}]}, "schedule"),
    ({"stages": [{"name": "a", "keySteps": {}, "start": {"examples": 1},
                  "training": {"maximumSteps": 5, "maximumTokens": 5}}]}, "$.stages[0].training.maximumTokens cannot be given"),
    ({"rollout": {"split": "rollout", "samples": 1, "temperature": 0.7}}, "$.rollout is not read"),
    ({"decoding": {"temperature": 1, "maximumNewTokens": 16, "topP": 0}}, "$.decoding.topP must be above 0"),
    # Of the student only who trains it knows whether it fits.
    ({"stages": [{"name": "a", "keySteps": {}, "start": {"examples": 1},
                  "training": {"batchSequences": 10**9, "tokensAtOnce": 10**12}}]},
     "stages[0].training: with full batches of examples of"),
]


@pytest.mark.parametrize("change, words", BAD)
def test_a_bad_recipe_is_refused_before_it_is_sent(running, change, words):
    done = submit(running, recipe("bad", **change))
    assert done.returncode != 0
    assert words in done.stderr.decode(), done.stderr.decode()
    assert "Fatal" not in done.stderr.decode()


@pytest.mark.parametrize("change, words", [case for case in BAD if case[0].get("student", {}).get("model") is None])
def test_every_service_that_reads_runs_refuses_a_bad_one_alike(running, change, words):
    known = json.loads(running.errata("models", "show", "tiny", "--json").stdout)["model"]
    run = recipe("bad", id=f"bad-{uuid.uuid4().hex[:8]}")
    run["student"] = {"modelHash": known["hash"], "tokenizerFingerprint": known["tokenizer"]["fingerprint"]}
    run.update(change)
    producer = running.producer()
    producer.produce(
        "errata.runs.v1", key=run["id"], value=json.dumps(run), headers=cloud_event_headers(run["id"], "errata.run.v1")
    )
    producer.flush(30)
    consumers = eventually(
        lambda: len(rows := running.query(
            "SELECT consumer, cause_message FROM dead_letters WHERE key = %s ORDER BY consumer", run["id"].encode())) == 3
        and rows,
        timeout=20,
        what="all readers of runs bury it",
    )
    assert [row[0] for row in consumers] == ["key-step-locator", "teacher-ingestion", "template-distiller"]
    for _, error in consumers:
        assert words.replace("nobody", "student") in error, error
    assert running.count("SELECT count(*) FROM runs WHERE id = %s", run["id"]) == 0
    shown = running.errata("runs", "show", run["id"])
    assert shown.returncode != 0 and words.replace("nobody", "student") in shown.stderr.decode(), shown.stderr.decode()


def elsewhere(system) -> dict:
    """The environment in which a command takes the system for one on other machines, whose memory it does not know."""
    return plain_environment() | {
        "ERRATA_KAFKA_BOOTSTRAP_SERVERS": system.bootstrap, "ERRATA_POSTGRES_URL": system.endpoint["postgres"]
    }


def test_a_run_is_cancelled_for_another_only_once_that_is_taken_up(running):
    def waiting(**changes) -> dict:
        return recipe("replaced", name="replaced", stages=[stage("chains", 4, 4, examples=10, wait=3600, **CHAINS)], **changes)

    def replace(old: str, new: dict, environment: dict | None = None) -> subprocess.CompletedProcess:
        return subprocess.run(
            [binary("errata"), "runs", "replace", old, "-", "--state", str(running.state)],
            input=json.dumps(new).encode(), capture_output=True, env=environment, timeout=60,
        )

    def state(run: str) -> tuple:
        return running.query("SELECT state, state_reason FROM runs WHERE id = %s", run)[0]

    old = submitted(running, waiting())
    # What can be checked before is, and what only a service knows comes too late for nothing.
    refused = replace(old, waiting(speed=1))
    assert refused.returncode != 0 and b"$.speed is not known" in refused.stderr
    large = waiting()
    large["stages"][0]["training"] |= {"batchSequences": 10**9, "tokensAtOnce": 10**12}
    refused = replace(old, large, elsewhere(running))
    assert refused.returncode != 0 and b"was refused: stages[0].training: with full" in refused.stderr, refused.stderr
    same = replace(old, waiting())
    assert same.returncode != 0 and b"itself" in same.stderr
    assert state(old) == ("active", None)

    # By its name, which the new one has too.
    done = replace("replaced", waiting(seed=4))
    assert done.returncode == 0, done.stderr
    new = done.stdout.decode().split("submitted run ")[1].split()[0]
    assert new != old
    eventually(lambda: state(old)[0] == "cancelled", what="the old run is cancelled")
    assert state(old)[1].startswith(f"replaced by {new}")
    assert state(new) == ("active", None)
    # One that has ended is no replacement.
    ended = replace(new, waiting())
    assert ended.returncode != 0 and b"which is cancelled" in ended.stderr
    assert state(new) == ("active", None)


def test_an_order_that_is_refused_is_shown_with_its_reason(running):
    run = submitted(running, recipe("ordered", stages=[stage("chains", 4, 4, examples=10, wait=3600, **CHAINS)]))
    for order in (["round", run], ["promote", run, "--round", "3"]):
        assert running.errata("runs", *order).returncode == 0
    shown = eventually(
        lambda: (text := running.errata("runs", "show", run).stdout.decode()).count("refused at ") == 2 and text,
        what="both refusals are shown",
    )
    assert "the order startRound" in shown and "action: the run has no rounds" in shown
    assert "the order promote of round 3" in shown and "round: the run has no verdict on round 3" in shown
    told = running.errata("runs", "show", run, "--json")
    assert json.loads(told.stdout)["id"] == run
    assert told.stderr.decode().count("refused at ") == 2


def test_a_dry_run_needs_no_running_system_and_says_what_it_could_not_check(tmp_path):
    state = tmp_path / "state"

    def errata(*arguments: str, stdin: bytes | None = None) -> subprocess.CompletedProcess:
        return subprocess.run(
            [binary("errata"), *arguments, "--state", str(state)], input=stdin, capture_output=True, timeout=60,
            env=plain_environment(),
        )

    added = errata("models", "add", str(tiny_student(tmp_path / "student")), "--name", "tiny")
    assert added.returncode == 0, added.stderr
    run = recipe(
        "nowhere",
        stages=[
            stage("chains", 4, 4, examples=10, **CHAINS),
            stage("prefer", 2, 2, parent="chains", preferences={"layout": "prefix"}),
        ],
        suites=[
            {"name": "gate", "dataset": "nowhere", "split": "development", "expectedProblems": 8, "limit": 4},
            {"name": "guard", "dataset": "nowhere", "split": "test", "expectedProblems": 8},
        ],
        rollout={"split": "rollout", "samples": 2, "temperature": 0.8, "limit": 5},
        decoding={"temperature": 0, "maximumNewTokens": 16, "stop": ["---"], "selfCorrection": True},
        rounds={"data": "replay"},
        gate={"suite": "gate", "mustNotFall": ["guard"]},
    )
    told = errata("runs", "submit", "-", "--dry-run", stdin=json.dumps(run).encode())
    assert told.returncode == 0, told.stderr
    for line in (
        "attempts by chains: the first 5 problems of nowhere, rollout, 2 each, at temperature 0.8",
        "scored on gate: the first 4 of 8 problems of nowhere, development",
        'answers: greedy, at most 16 tokens, ended by "---", corrected by the student itself in a second pass',
        "on new problems and a share of 0.25 of the old",
        "and must not fall on guard",
        "not checked: whether the run's id is free, and what problems there are",
    ):
        assert line in told.stdout.decode(), told.stdout.decode()
    refused = errata("runs", "submit", "-", "--dry-run", stdin=json.dumps({**run, "speed": 1}).encode())
    assert refused.returncode != 0 and b"$.speed is not known" in refused.stderr
    sent = errata("runs", "submit", "-", stdin=json.dumps(run).encode())
    assert sent.returncode != 0 and b"no running system" in sent.stderr, sent.stderr


def test_what_never_comes_is_told_and_nothing_waits_for_ever(running):
    submit_problems(running, "sparse", "train", range(12))
    run = recipe(
        "sparse",
        stages=[
            {"name": "starved", "supervised": {"sources": [{"kind": "repeatedChains"}]},
             "start": {"examples": 5, "waitSeconds": 2}, "training": {"maximumSteps": 1}},
            {"name": "after", "parent": "starved", "keySteps": {}, "start": {"examples": 1}},
            {"name": "elsewhere", "supervised": {"sources": [{"kind": "rightChains"}]}, "start": {"examples": 1},
             "engine": "nobody"},
        ],
        suites=[{"name": "empty", "dataset": "sparse", "split": "test", "expectedProblems": 5, "waitSeconds": 2}],
    )
    identifier = submitted(running, run)
    done = eventually(
        lambda: len(found := stages(running, identifier)) == 3
        and all(state == "failed" for state, _ in found.values())
        and found,
        timeout=60,
        what="every stage that cannot be trained has failed",
    )
    assert "nothing to learn from" in done[1, "starved"][1]
    assert "starved failed" in done[1, "after"][1]
    assert "engine: 'nobody'" in done[1, "elsewhere"][1]
    eventually(
        lambda: running.query("SELECT state, reason FROM evaluation_jobs WHERE run_id = %s", identifier)
        == [("left-out", "none of its 5 problems (sparse, test) came within 2 s")],
        timeout=30,
        what="the suite is left out",
    )
    eventually(
        lambda: running.query("SELECT state FROM runs WHERE id = %s", identifier) == [("finished",)],
        what="the run is over",
    )
    shown = running.errata("runs", "show", identifier[:8]).stdout.decode()
    assert "nothing to learn from" in shown and "left-out" in shown


def test_rounds_go_on_while_problems_stream_in_and_people_overrule_the_gate(running):
    submit_problems(running, "stream", "development", range(100, 108))
    submit_problems(running, "stream", "train", range(20))
    run = recipe("stream", rounds={"newProblems": 10, "maximum": 3, "data": "new"}, gate={"suite": "gate"})
    # All twenty: what the first round starts without is new to the second.
    run["stages"][0]["start"]["examples"] = 20
    identifier = submitted(running, run)

    def verdicts(count):
        rows = running.query("SELECT body FROM verdicts WHERE run_id = %s ORDER BY created_at", identifier)
        return len(rows) >= count and [row[0] for row in rows]

    first = eventually(lambda: verdicts(1), timeout=120, what="the first verdict")[0]
    assert first["round"] == 1 and first["by"] == "gate" and first["comparison"]["problems"] == 8
    assert first["level"] == pytest.approx(0.05 / 2)
    time.sleep(2)
    assert {round for round, _ in stages(running, identifier)} == {1}, "a round began without new problems"
    submit_problems(running, "stream", "train", range(20, 30))
    second = eventually(lambda: verdicts(2), timeout=120, what="the second verdict")[1]
    assert second["round"] == 2
    inputs = running.query(
        "SELECT id FROM stage_inputs WHERE run_id = %s AND round = 2 AND kind = 'problem' ORDER BY id", identifier
    )
    assert len(inputs) == 10, "the second round learns from the new problems alone"
    if second["decision"] != "reject":
        assert second["level"] == pytest.approx(0.05 / 6)

    promoted = running.errata("runs", "promote", identifier[:8], "--reason", "looks right")
    assert promoted.returncode == 0, promoted.stderr
    third = eventually(lambda: verdicts(3), what="the operator's verdict")[2]
    assert (third["round"], third["decision"], third["by"]) == (2, "promote", "operator")
    assert third["reasons"][0].startswith("looks right")

    started = running.errata("runs", "round", identifier)
    assert started.returncode == 0
    fourth = eventually(lambda: verdicts(4) or stages(running, identifier).get((3, "chains")), timeout=60, what="round 3")
    assert fourth
    champion = running.query(
        "SELECT champion_checkpoint_id FROM rounds WHERE run_id = %s AND number = 3", identifier
    )[0][0]
    assert champion == third["candidateCheckpointId"]

    cancelled = running.errata("runs", "cancel", identifier, "--reason", "enough")
    assert cancelled.returncode == 0
    eventually(
        lambda: running.query("SELECT state FROM runs WHERE id = %s", identifier)[0][0] in ("cancelled", "finished"),
        what="the run has ended",
    )
    messages = running.read_all(
        "errata.verdicts.v1",
        lambda found: sum(json.loads(m.value())["runId"] == identifier for m in found) >= 3,
    )
    kinds = {dict(m.headers())["ce_type"] for m in messages}
    assert kinds == {b"errata.verdict.v1"}


def test_names_follow_the_champion_and_the_latest(running):
    run, name = running.query(
        "SELECT id, name FROM runs WHERE id IN (SELECT run_id FROM verdicts WHERE decider = 'operator') LIMIT 1"
    )[0]
    for suffix in ("champion", "latest", "round-1", "round-2"):
        shown = running.errata("models", "show", f"{name}.{suffix}")
        assert shown.returncode == 0, shown.stderr.decode()
    assert run


def test_another_engine_trains_a_stage_and_its_checkpoint_is_scored_like_ours(running):
    submit_problems(running, "other", "development", range(100, 108))
    submit_problems(running, "other", "train", range(12))
    run = recipe("other", gate={"suite": "gate"})
    run["stages"][0]["engine"] = "stub"
    run["stages"][0]["training"] = {"learningRate": 1e-3, "epochs": 1, "batchSequences": 4}
    identifier = submitted(running, run)
    # The trainer is killed while the engine is at work; the engine is taken up again where it was.
    eventually(
        lambda: running.count("SELECT coalesce(max(step), 0) FROM training_jobs WHERE run_id = %s", identifier) >= 2,
        timeout=60,
        what="the engine's updates are followed",
    )
    before = running.pid_of("template-distiller")
    os.kill(before, signal.SIGKILL)
    verdict = eventually(
        lambda: running.query("SELECT body FROM verdicts WHERE run_id = %s", identifier),
        timeout=120,
        what="the verdict on the engine's checkpoint",
    )[0][0]
    assert verdict["comparison"]["problems"] == 8
    checkpoint = running.query(
        "SELECT body FROM checkpoints WHERE run_id = %s AND stage = 'chains'", identifier
    )[0][0]
    assert checkpoint["options"]["engine"] == "stub" and checkpoint["steps"] == 5 and checkpoint["tokensTrained"] == 50
    assert checkpoint["finalLoss"] == pytest.approx(0.2)
    student = running.query("SELECT body FROM checkpoints WHERE run_id = %s AND stage = 'initial'", identifier)[0][0]
    assert checkpoint["modelHash"] != student["modelHash"]
    left = list(pathlib.Path(running.state).rglob("*.engine"))
    assert left == [], f"the work folder is cleared: {left}"
