"""Bad messages on the problems topic end in the dead letters with their cause; the good ones between come through."""
import json

from conftest import cloud_event_headers, eventually, problem

TOPIC = "errata.problems.v1"


def test_bad_messages_end_in_the_dead_letters_and_good_ones_come_through(system):
    producer = system.producer(**{"message.max.bytes": 4 << 20})
    pids = {name: entry["pid"] for name, entry in system.endpoint["services"].items()}

    def send(key, value, headers):
        producer.produce(TOPIC, key=key, value=value, headers=headers)

    def good(number):
        record = problem(number)
        send(record["id"], json.dumps(record), cloud_event_headers(f"good-{number}"))

    good(1)
    send("malformed", b'{"id": "x", "question": ', cloud_event_headers("malformed-1"))
    good(2)
    send("version", json.dumps(problem(90)), cloud_event_headers("version-1", kind="errata.problem.v9"))
    good(3)
    huge = problem(91, question="How many? " * 210_000)
    send("huge", json.dumps(huge), cloud_event_headers("huge-1"))
    good(4)
    send("tombstone", None, cloud_event_headers("tombstone-1"))
    good(5)
    send("empty", json.dumps(problem(92, question="")), cloud_event_headers("empty-1"))
    good(6)
    send("nul", json.dumps(problem(93, question="What is \u0000 plus 2?")), cloud_event_headers("nul-1"))
    good(7)
    assert producer.flush(30) == 0

    eventually(
        lambda: system.count("SELECT count(*) FROM dead_letters WHERE consumer = 'teacher-ingestion'") == 6,
        what="six dead letters",
    )
    eventually(
        lambda: system.count("SELECT count(*) FROM problems WHERE state = 'ingested' AND dataset = 'integration'") == 7,
        what="seven good problems",
    )
    rows = system.query(
        "SELECT convert_from(key, 'UTF8'), cause_code, cause_message, octet_length(payload) FROM dead_letters"
    )
    causes = {key: code for key, code, _, _ in rows}
    assert causes["malformed"] == "malformed-payload"
    assert causes["version"] == "unknown-type"
    assert causes["huge"] == "too-large"
    assert causes["tombstone"] == "tombstone"
    assert causes["empty"] == "invalid-payload"
    assert causes["nul"] in ("invalid-payload", "rejected-by-database")
    for key, _, message, size in rows:
        assert message, f"{key} has no cause"
        if key == "huge":
            assert size == len(json.dumps(huge)), "the original bytes are kept"
    for name, pid in pids.items():
        assert system.pid_of(name) == pid, f"{name} was restarted"

    letters = system.read_all("errata.dead-letters.v1", lambda messages: len(messages) >= 6)
    codes = sorted(json.loads(m.value())["cause"]["code"] for m in letters)
    assert codes == sorted(causes.values())
