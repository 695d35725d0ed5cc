"""What operators do: dead letters in bulk, one problem's story, what the broker lost, and errors that say what to do."""
import json
import subprocess
import time
import uuid

import psycopg
import pytest
from conftest import binary, cloud_event_headers, eventually, plain_environment, problem

TOPIC = "errata.problems.v1"


def one_line(done: subprocess.CompletedProcess, seconds: float) -> str:
    """What a command that failed said: one line, in time, without the codes of protocols."""
    text = done.stderr.decode()
    assert done.returncode != 0, done.stdout
    assert len(text.strip().splitlines()) == 1, text
    for code in ("SQLSTATE", "42P01", "PostgresError", "_TRANSPORT", "UNKNOWN_TOPIC", "rdkafka", "[thrd:"):
        assert code not in text, text
    assert seconds < 5.5, f"{seconds} s: {text}"
    return text


def run(*arguments: str, **environment: str) -> tuple[subprocess.CompletedProcess, float]:
    began = time.monotonic()
    done = subprocess.run(
        [binary("errata"), *arguments], env=plain_environment() | environment, stdin=subprocess.DEVNULL,
        capture_output=True, timeout=60,
    )
    return done, time.monotonic() - began


def test_dead_letters_are_replayed_and_dropped_by_cause(system):
    producer = system.producer()
    for number in range(3):
        producer.produce(TOPIC, key=f"bulk-{number}", value=b"{", headers=cloud_event_headers(f"bulk-{number}"))
    assert producer.flush(30) == 0
    letters = "SELECT count(*) FROM dead_letters WHERE cause_code = 'malformed-payload'"
    eventually(lambda: system.count(letters) == 3, what="three dead letters")
    choice = ("--cause", "malformed-payload", "--all")

    asked = system.errata("dead-letters", "drop", *choice, "--reason", "test", stdin=b"")
    assert asked.returncode != 0 and b"--yes" in asked.stderr and b"3 dead letters" in asked.stderr, asked.stderr
    assert system.count(letters + " AND jsonb_array_length(headers) > 5") == 0

    done = system.errata("dead-letters", "replay", *choice, "--yes", "--json")
    assert done.returncode == 0, done.stderr
    assert all(json.loads(line)["sent"] for line in done.stdout.splitlines()) and len(done.stdout.splitlines()) == 3
    # They fail again, as letters of their own.
    eventually(lambda: system.count(letters) == 6, what="three more dead letters")
    done = system.errata("dead-letters", "drop", *choice, "--reason", "test", "--erase", "--yes")
    assert done.returncode == 0 and b"erased: 3" in done.stdout, (done.stdout, done.stderr)
    assert system.count(letters + " AND payload IS NULL") == 3
    listed = system.errata("dead-letters", "list", *choice[:2], "--status", "dropped", "--json")
    notes = [json.loads(line)["notes"][-1] for line in listed.stdout.splitlines()]
    assert [(note["action"], note["reason"], note["bytes"]) for note in notes] == [("dropped", "test", 1)] * 3


def test_a_problem_is_traced_and_what_was_published_goes_out_again(system):
    record = problem(70)
    producer = system.producer()
    producer.produce(TOPIC, key=record["id"], value=json.dumps(record), headers=cloud_event_headers("traced-70"))
    assert producer.flush(30) == 0
    eventually(lambda: system.count("SELECT count(*) FROM problems WHERE id = 'test-70' AND state = 'ingested'") == 1)
    eventually(lambda: system.count("SELECT count(*) FROM outbox WHERE published_at IS NULL") == 0, what="an empty outbox")
    told = [json.loads(line) for line in system.errata("trace", "test-70", "--json").stdout.splitlines()]
    assert {"stored", "teacher-call", "trace"} <= {event["event"] for event in told}
    assert [event["at"] for event in told] == sorted(event["at"] for event in told)

    ids = [row[0] for row in system.query("SELECT event_id FROM outbox WHERE topic = 'errata.traces.v1' AND key = 'test-70'")]
    known = system.count("SELECT count(*) FROM inbox WHERE event_id = ANY(%s)", ids)
    dry = system.errata("replay", "--topic", "traces", "--key", "test-70", "--dry-run", "--json")
    assert json.loads(dry.stdout) == {"topic": "errata.traces.v1", "published": len(ids), "stored": 0}
    assert system.errata("replay", "--topic", "traces", "--key", "test-70", "--yes").returncode == 0

    def twice(messages):
        headers = [dict(message.headers() or []) for message in messages]
        return all(sum(h.get("ce_id", b"").decode() == identifier for h in headers) >= 2 for identifier in ids)

    system.read_all("errata.traces.v1", twice)
    assert system.count("SELECT count(*) FROM inbox WHERE event_id = ANY(%s)", ids) == known


def test_what_is_old_is_collected_and_what_comes_again_then_has_no_second_effect(system):
    record = problem(71)

    def send():
        producer = system.producer()
        producer.produce(TOPIC, key=record["id"], value=json.dumps(record), headers=cloud_event_headers("collected-71"))
        assert producer.flush(30) == 0

    def effects():
        return (
            system.query("SELECT id, state, taught FROM problems WHERE id = 'test-71'"),
            system.count("SELECT count(*) FROM teacher_calls WHERE problem_id = 'test-71'"),
            system.query("SELECT id, md5(body::text) FROM traces WHERE problem_id = 'test-71' ORDER BY id"),
            system.query("SELECT event_id FROM outbox WHERE key = 'test-71' ORDER BY sequence"),
        )

    seen = "SELECT count(*) FROM inbox WHERE event_id = 'collected-71' AND consumer = 'teacher-ingestion'"
    waiting = "SELECT count(*) FROM outbox WHERE published_at IS NULL"
    send()
    eventually(lambda: system.count(seen) == 1, what="the problem")
    # What the traces bring about is there, too.
    unread = """SELECT count(*) FROM outbox WHERE key = 'test-71' AND topic = 'errata.traces.v1' AND NOT EXISTS (
                SELECT FROM inbox WHERE consumer = 'key-step-locator' AND inbox.event_id = outbox.event_id)"""
    eventually(lambda: system.count(unread) == 0, what="the traces read")
    eventually(lambda: system.count(waiting) == 0, what="an empty outbox")
    before = effects()
    assert before[1] > 0 and before[3], before

    nothing = json.loads(system.errata("gc", "--dry-run", "--json").stdout)
    assert (nothing["inboxRows"], nothing["outboxBodies"]) == (0, 0), nothing
    system.query("UPDATE inbox SET received_at = now() - interval '201 days' WHERE event_id = 'collected-71' RETURNING 1")
    system.query("UPDATE outbox SET published_at = now() - interval '181 days' WHERE key = 'test-71' RETURNING 1")
    found = json.loads(system.errata("gc", "--dry-run", "--json").stdout)
    assert (found["inboxRows"], found["outboxBodies"]) == (1, len(before[3])), found
    asked = system.errata("gc", stdin=b"")
    assert asked.returncode != 0 and b"--yes" in asked.stderr, asked.stderr
    assert system.count(seen) == 1, "nothing is taken away unasked"
    done = system.errata("gc", "--yes")
    assert done.returncode == 0, done.stderr
    assert system.count(seen) == 0
    assert system.count("SELECT count(*) FROM outbox WHERE key = 'test-71' AND payload <> ''") == 0
    assert effects() == before

    send()
    eventually(lambda: system.count(seen) == 1, what="the problem again")
    assert effects() == before, "it is worked on again, and nothing is paid, written or sent twice"
    assert system.count("SELECT count(*) FROM dead_letters WHERE topic = %s AND key = 'test-71'", TOPIC) == 0


NEEDS_DATABASE = [
    ("status",), ("runs",), ("traces",), ("problems",), ("costs",), ("export",), ("regrade",), ("dead-letters",),
    ("dead-letters", "show", "x"), ("trace", "x"), ("lineage", "x"), ("replay", "--dry-run"), ("migrate",),
    ("gc", "--dry-run"),
]


@pytest.mark.parametrize("command", NEEDS_DATABASE, ids=" ".join)
def test_a_database_that_is_away_is_told_at_once(command):
    done, seconds = run(
        *command, ERRATA_POSTGRES_URL="postgresql://nobody@127.0.0.1:1/none", ERRATA_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1"
    )
    assert "ERRATA_POSTGRES_URL" in one_line(done, seconds)


@pytest.mark.parametrize("command", [c for c in NEEDS_DATABASE if c != ("migrate",)], ids=" ".join)
def test_a_database_without_tables_names_migrate(system, command):
    name = f"empty_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(system.endpoint["postgres"], autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        folder, port = connection.info.host, connection.info.port
        url = f"postgresql:///{name}?host={folder}&port={port}&user={connection.info.user}"
    try:
        done, seconds = run(*command, ERRATA_POSTGRES_URL=url, ERRATA_KAFKA_BOOTSTRAP_SERVERS=system.bootstrap)
        assert "errata migrate" in one_line(done, seconds)
    finally:
        with psycopg.connect(system.endpoint["postgres"], autocommit=True) as connection:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("command", [("submit", "-"), ("import", "-"), ("watch", "problems", "--once")], ids=" ".join)
def test_a_broker_that_is_away_or_lacks_the_topic_is_told_at_once(system, command):
    done, seconds = run(*command, ERRATA_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
    assert "ERRATA_KAFKA_BOOTSTRAP_SERVERS" in one_line(done, seconds)
    if command[0] == "watch":
        done, seconds = run("watch", "no-such-topic", "--once", ERRATA_KAFKA_BOOTSTRAP_SERVERS=system.bootstrap)
        assert "no-such-topic" in one_line(done, seconds)
