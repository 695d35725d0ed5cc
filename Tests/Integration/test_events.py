"""An independent client produces a problem, sees its trace come out, and validates every event it reads."""
import json
import subprocess

import jsonschema
import pytest
from conftest import binary, cloud_event_headers, eventually, problem


def schemas() -> dict:
    """The schemas as `errata schema` prints them, by event type."""
    listing = subprocess.run([binary("errata"), "schema", "--list"], capture_output=True, check=True, text=True)
    result = {}
    for kind in listing.stdout.split():
        printed = subprocess.run([binary("errata"), "schema", kind], capture_output=True, check=True, text=True)
        result[kind] = json.loads(printed.stdout)
    return result


def validate(message, by_type: dict) -> dict:
    headers = {name: value.decode() for name, value in message.headers() or []}
    for required in ("ce_specversion", "ce_id", "ce_source", "ce_type"):
        assert headers.get(required), f"{required} is missing"
    assert headers["ce_specversion"] == "1.0"
    assert headers["content-type"] == "application/json"
    body = json.loads(message.value())
    schema = by_type[headers["ce_type"]]
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(schema).validate(body)
    return body


def test_a_problem_from_python_comes_out_as_traces_and_key_steps(system):
    by_type = schemas()
    assert len(by_type) == 14
    record = problem(11)
    producer = system.producer()
    producer.produce(
        "errata.problems.v1", key=record["id"], value=json.dumps(record), headers=cloud_event_headers("python-11")
    )
    assert producer.flush(30) == 0

    def of_problem(messages):
        return [m for m in messages if m.key() == record["id"].encode()]

    def kinds(messages):
        return {json.loads(m.value())["kind"] for m in of_problem(messages)}

    traces = system.read_all("errata.traces.v1", lambda m: {"chain-of-thought", "template", "dual"} <= kinds(m))
    for message in of_problem(traces):
        body = validate(message, by_type)
        assert body["problemId"] == record["id"]
    key_steps = system.read_all("errata.key-steps.v1", lambda m: len(of_problem(m)) >= 1)
    body = validate(of_problem(key_steps)[0], by_type)
    assert body["distance"] > 0


def test_the_same_event_twice_has_one_effect(system):
    record = problem(12)
    producer = system.producer()
    for _ in range(3):
        producer.produce(
            "errata.problems.v1", key=record["id"], value=json.dumps(record), headers=cloud_event_headers("python-12")
        )
    assert producer.flush(30) == 0
    eventually(lambda: system.count("SELECT count(*) FROM problems WHERE id = %s", record["id"]) == 1)
    eventually(
        lambda: system.count(
            "SELECT count(*) FROM traces WHERE problem_id = %s AND kind = 'chain-of-thought'", record["id"]
        )
        == 1
    )
    assert system.count("SELECT count(*) FROM inbox WHERE event_id = 'python-12'") == 1


def test_a_planted_wrong_event_fails_the_schema(system):
    by_type = schemas()
    broken = problem(13)
    del broken["question"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(by_type["errata.problem.v1"]).validate(broken)


def test_dead_letters_can_be_listed_and_replayed_with_a_mended_body(system):
    record = problem(14, question="")
    producer = system.producer()
    producer.produce(
        "errata.problems.v1", key=record["id"], value=json.dumps(record), headers=cloud_event_headers("python-14")
    )
    assert producer.flush(30) == 0
    eventually(lambda: system.count("SELECT count(*) FROM dead_letters WHERE convert_from(key, 'UTF8') = 'test-14'"))
    listed = system.errata("dead-letters", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    entries = [json.loads(line) for line in listed.stdout.splitlines()]
    entry = next(e for e in entries if e["cause"]["code"] == "invalid-payload")
    mended = json.dumps(problem(14)).encode()
    replayed = system.errata("dead-letters", "replay", entry["id"], "--body", "-", stdin=mended)
    assert replayed.returncode == 0, replayed.stderr
    eventually(
        lambda: system.count("SELECT count(*) FROM problems WHERE id = 'test-14' AND state = 'ingested'") == 1
    )
