"""kill -9 of each service in turn while 300 problems come and are taught: at the end nothing is lost and nothing doubled.

No run is submitted, so that the services that train and score are killed while they wait for work; test_round_kills kills
them in the middle of it.
"""
import json
import os
import signal
import time

import pytest
from conftest import System, eventually, generated

SERVICES = ["teacher-ingestion", "key-step-locator", "template-distiller", "dpo-trainer", "evaluator"]
PROBLEMS = 300


@pytest.fixture()
def own_system():
    running = System()
    yield running
    running.stop()


def test_each_service_is_killed_in_turn_and_nothing_is_lost_or_doubled(own_system):
    system = own_system
    lines = generated(PROBLEMS, "train", seed=77)
    share = PROBLEMS // len(SERVICES)
    for index, service in enumerate(SERVICES):
        part = b"\n".join(lines[index * share : (index + 1) * share]) + b"\n"
        submitted = system.errata("submit", "-", "--dataset", "kill", stdin=part)
        assert submitted.returncode == 0, submitted.stderr
        before = system.pid_of(service)
        # In the middle of the work, wherever that is by now.
        time.sleep(0.3)
        os.kill(before, signal.SIGKILL)
        eventually(lambda: system.pid_of(service) != before, what=f"{service} is restarted")

    eventually(
        lambda: system.count("SELECT count(*) FROM problems WHERE dataset = 'kill' AND state = 'ingested'") == PROBLEMS,
        timeout=180,
        what="all problems ingested",
    )
    duals = system.count("SELECT count(*) FROM traces WHERE kind = 'dual' AND verified")
    assert duals > 0.9 * PROBLEMS
    eventually(
        lambda: system.count("SELECT count(*) FROM key_steps WHERE tokenizer = 'errata-words-v1'") == duals,
        timeout=120,
        what="key steps of every verified dual pair",
    )
    # Nothing doubled: one chain of thought, one dual outcome and one template outcome a problem.
    for kind in ("chain-of-thought", "dual", "template"):
        counts = system.query(
            "SELECT problem_id, count(*) FROM traces WHERE kind = %s GROUP BY problem_id HAVING count(*) <> 1", kind
        )
        assert counts == [], f"{kind}: {counts[:3]}"
        assert system.count("SELECT count(DISTINCT problem_id) FROM traces WHERE kind = %s", kind) == PROBLEMS
    # Every event under one id, whatever was sent how often, has one content; and the topics have what the tables have.
    eventually(
        lambda: system.count("SELECT count(*) FROM outbox WHERE published_at IS NULL") == 0, what="the outbox is empty"
    )
    for topic, table in (("errata.traces.v1", "traces"), ("errata.key-steps.v1", "key_steps")):
        rows = system.count(f"SELECT count(*) FROM {table}")
        by_id: dict[str, bytes] = {}

        def complete(messages):
            for message in messages[len(seen) :]:
                seen.append(message)
                identifier = dict(message.headers())["ce_id"].decode()
                value = message.value()
                assert by_id.setdefault(identifier, value) == value, f"two different events under {identifier}"
            return len(by_id) >= rows

        seen: list = []
        system.read_all(topic, complete)
        ids = {row[0] for row in system.query(f"SELECT id FROM {table}")}
        assert {json.loads(value)["id"] for value in by_id.values()} == ids
    assert system.count("SELECT count(*) FROM dead_letters") == 0
