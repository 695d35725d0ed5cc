"""Three rounds over 600 streamed problems, once undisturbed and once with every service killed in every round: the same
verdicts and the same weights."""
import json
import os
import pathlib
import signal
import time

from conftest import CHAINS, System, eventually, generated, stage, tiny_student

SERVICES = ["teacher-ingestion", "key-step-locator", "template-distiller", "dpo-trainer", "evaluator"]
ROUNDS, SHARE = 3, 200

# Pairs whose wrong chain is the teacher's own: what it is shown when it corrupts a right one depends on the time.
RECIPE = {
    "id": "rounds-under-kills",
    "name": "rounds",
    "dataset": "rounds",
    "seed": 11,
    "student": {"model": "tiny"},
    "stages": [
        stage("chains", 60, 8, examples=SHARE, wait=40, **CHAINS),
        stage(
            "keys", 40, 8, examples=10, wait=20, parent="chains", keySteps={"form": "chains", "gamma": 0.1},
            data={"pairs": "rectified"},
        ),
        stage(
            "preferences", 30, 4, rate=1e-4, examples=10, wait=20, parent="keys", preferences={"layout": "duals"},
            data={"pairs": "rectified"},
        ),
    ],
    "suites": [{"name": "gate", "dataset": "rounds", "split": "development", "expectedProblems": 80}],
    "decoding": {"temperature": 0, "maximumNewTokens": 24},
    "rounds": {"newProblems": SHARE, "maximum": ROUNDS, "data": "replay", "replayShare": 0.25},
    "gate": {"suite": "gate"},
}


def kill(system: System, service: str) -> None:
    before = system.pid_of(service)
    os.kill(before, signal.SIGKILL)
    eventually(lambda: system.pid_of(service) != before, what=f"{service} is restarted")


def run(folder: pathlib.Path, kills: bool) -> dict:
    system = System("--seed", "4")
    try:
        student = tiny_student(folder / "student")
        assert system.errata("models", "add", str(student), "--name", "tiny").returncode == 0

        def stream(lines, split):
            done = system.errata("submit", "-", "--dataset", "rounds", "--split", split, stdin=b"\n".join(lines) + b"\n")
            assert done.returncode == 0, done.stderr

        stream(generated(80, "development"), "development")
        submitted = system.errata("runs", "submit", "-", stdin=json.dumps(RECIPE).encode())
        assert submitted.returncode == 0, submitted.stderr
        training = generated(ROUNDS * SHARE, "train")
        for number in range(1, ROUNDS + 1):
            stream(training[(number - 1) * SHARE : number * SHARE], "train")
            if kills:
                # One after the other, wherever each is by then: some teach, some train, some score.
                for index, service in enumerate(SERVICES):
                    time.sleep(0.4 + 0.5 * ((number + index) % 3))
                    kill(system, service)
            eventually(
                lambda: system.count("SELECT count(*) FROM verdicts WHERE round = %s", number) == 1,
                timeout=240,
                what=f"the verdict on round {number}",
            )
        eventually(
            lambda: system.query("SELECT state FROM runs") == [("finished",)], timeout=120, what="the run has finished"
        )
        eventually(
            lambda: system.count("SELECT count(*) FROM outbox WHERE published_at IS NULL") == 0, what="the outbox is empty"
        )
        assert system.count("SELECT count(*) FROM dead_letters") == 0
        return {
            "verdicts": [row[0] for row in system.query("SELECT body FROM verdicts ORDER BY round")],
            "checkpoints": system.query("SELECT round, stage, model_hash, tokens_trained FROM checkpoints ORDER BY round, stage"),
            "inputs": system.query("SELECT round, stage, count(*) FROM stage_inputs GROUP BY 1, 2 ORDER BY 1, 2"),
            "scores": system.query("SELECT round, stage, suite, problems, correct FROM evaluations ORDER BY 1, 2, 3"),
            "outputs": system.query(
                "SELECT evaluation_id, problem_id, output FROM evaluation_results ORDER BY evaluation_id, problem_id"
            ),
        }
    finally:
        system.stop()


def test_rounds_under_kills_come_to_the_same_verdicts_and_weights(tmp_path):
    calm = run(tmp_path, kills=False)
    assert [verdict["round"] for verdict in calm["verdicts"]] == [1, 2, 3]
    assert len(calm["checkpoints"]) == 1 + 3 * ROUNDS
    assert len({row[2] for row in calm["checkpoints"]}) == 1 + 3 * ROUNDS, "each stage of each round has weights of its own"
    first = {row[1]: row[2] for row in calm["inputs"] if row[0] == 1}
    second = {row[1]: row[2] for row in calm["inputs"] if row[0] == 2}
    assert first["chains"] == SHARE and SHARE + 20 < second["chains"] < SHARE + 90, (first, second)
    disturbed = run(tmp_path, kills=True)
    for part in calm:
        assert disturbed[part] == calm[part], part
