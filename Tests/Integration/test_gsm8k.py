"""Problems in GSM8K's layout through the running system: counts in PostgreSQL and on the topics agree, nothing is lost."""
import json
import pathlib
import subprocess

import pytest
from conftest import ROOT, System, binary, eventually


@pytest.fixture()
def own_system():
    running = System()
    yield running
    running.stop()


def ingest(system: System, file: pathlib.Path, count: int, dataset: str):
    submitted = system.errata("submit", str(file), "--limit", str(count), "--dataset", dataset)
    assert submitted.returncode == 0, submitted.stderr

    def ingested():
        query = "SELECT count(*) FROM problems WHERE dataset = %s AND state = 'ingested'"
        return system.count(query, dataset) == count

    eventually(ingested, timeout=180, what=f"{count} problems ingested")
    templates = system.count("SELECT count(*) FROM traces WHERE kind = 'template' AND verified")
    duals = system.count("SELECT count(*) FROM traces WHERE kind = 'dual' AND verified")
    print(f"\nverified templates {templates}/{count}, verified dual pairs {duals}/{count}")
    assert templates >= 0.8 * count
    assert duals >= 0.7 * count
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


def test_written_and_generated_problems_are_ingested(own_system, tmp_path):
    written = (ROOT / "Tests" / "Data" / "word_problems.jsonl").read_text(encoding="utf-8").splitlines()
    generate = [binary("errata"), "generate", "--count", "60", "--seed", "31"]
    generated = subprocess.run(generate, capture_output=True, check=True, text=True).stdout.splitlines()
    assert (len(written), len(generated)) == (48, 60)
    file = tmp_path / "problems.jsonl"
    file.write_text("\n".join(written + generated) + "\n", encoding="utf-8")
    ingest(own_system, file, len(written) + len(generated), "own")


def test_500_problems_of_gsm8k_are_ingested(external, own_system):
    ingest(own_system, external("gsm8k/train.jsonl"), 500, "gsm8k")
