"""GSM8K through the running system: counts in PostgreSQL and on the topics agree, and nothing is lost."""
import json
import os
import pathlib

import pytest
from conftest import System, eventually

LIMIT = 500


@pytest.fixture()
def own_system():
    running = System()
    yield running
    running.stop()


def test_500_problems_of_gsm8k_are_ingested(own_system):
    system = own_system
    data = os.environ.get("ERRATA_TEST_DATA")
    assert data, "ERRATA_TEST_DATA must name the folder of test data"
    file = pathlib.Path(data) / "gsm8k" / "train.jsonl"
    assert file.exists(), f"{file} is missing"
    submitted = system.errata("submit", str(file), "--limit", str(LIMIT), "--dataset", "gsm8k")
    assert submitted.returncode == 0, submitted.stderr

    def ingested():
        return system.count("SELECT count(*) FROM problems WHERE dataset = 'gsm8k' AND state = 'ingested'") == LIMIT

    eventually(ingested, timeout=180, what=f"{LIMIT} problems ingested")
    templates = system.count("SELECT count(*) FROM traces WHERE kind = 'template' AND verified")
    duals = system.count("SELECT count(*) FROM traces WHERE kind = 'dual' AND verified")
    print(f"\nverified templates {templates}/{LIMIT}, verified dual pairs {duals}/{LIMIT}")
    assert templates >= 0.8 * LIMIT
    assert duals >= 0.7 * LIMIT
    eventually(
        lambda: system.count("SELECT count(*) FROM key_steps") == duals, timeout=60, what="key steps of each pair"
    )
    eventually(lambda: system.count("SELECT count(*) FROM outbox WHERE published_at IS NULL") == 0)

    rows = system.count("SELECT count(*) FROM traces")
    ids: set[bytes] = set()
    seen: list = []

    def complete(messages):
        ids.update(dict(m.headers())["ce_id"] for m in messages[len(seen) :])
        seen.extend(messages[len(seen) :])
        return len(ids) >= rows

    traces = system.read_all("errata.traces.v1", complete)
    on_topic = {json.loads(m.value())["id"] for m in traces}
    assert on_topic == {row[0] for row in system.query("SELECT id FROM traces")}
    failures = system.query("SELECT kind, failure FROM traces WHERE NOT verified")
    assert all(reason for _, reason in failures), "every failure says why"
