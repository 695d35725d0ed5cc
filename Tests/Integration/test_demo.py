"""The main job from end to end, in its short form: every stage of both methods runs through the services."""
import json
import os
import pathlib
import signal
import subprocess
import tempfile

import pytest

import servers
from conftest import binary

ROWS = ["untrained", "plain chain of thought", "thought templates (HSFT)", "+ key steps (KRSL)", "+ cross-model DPO"]


@pytest.fixture()
def options():
    """The servers that run already, where the environment names some."""
    given = servers.options()
    yield given
    servers.drop(given)


def test_the_short_demonstration_runs_every_stage(options):
    with tempfile.TemporaryDirectory(prefix="errata-demo-") as folder:
        os.chmod(folder, 0o755)
        environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_CORETYPE"}
        done = subprocess.run(
            [binary("errata"), "up", "--demo", "--quick", "--seed", "5", "--state", f"{folder}/state", *options],
            capture_output=True,
            text=True,
            timeout=900,
            env=environment,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        for row in ROWS:
            assert any(line.startswith(row) for line in done.stdout.splitlines()), f"no row '{row}'"
        assert "McNemar p" in done.stdout
        events = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"')]
        scores = [event for event in events if "accuracy" in event]
        assert {event["stage"] for event in scores} == {"initial", "plain", "hsft", "krsl", "dpo"}
        assert all(event["problems"] == 200 for event in scores)
        # The problems that stream in after the first round lead to a second candidate and its verdict.
        verdicts = [event for event in events if "decision" in event]
        assert [event["round"] for event in verdicts] == [1, 2]
        assert all(event["comparison"]["problems"] == 60 and event["by"] == "gate" for event in verdicts)
        model = next(line for line in done.stdout.splitlines() if line.startswith("The trained student: "))
        student = pathlib.Path(model.removeprefix("The trained student: "))
        assert {"config.json", "model.safetensors", "tokenizer.json"} <= {f.name for f in student.iterdir()}


def test_an_interrupted_start_leaves_nothing_running(options):
    with tempfile.TemporaryDirectory(prefix="errata-demo-") as folder:
        os.chmod(folder, 0o755)
        process = subprocess.Popen(
            [binary("errata"), "up", "--demo", "--quick", "--state", f"{folder}/state", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for line in process.stdout:
            if "training problems" in line:
                break
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 130
        left = subprocess.run(["pgrep", "-f", folder], capture_output=True, text=True).stdout.split()
        assert left == [], f"still running: {left}"
