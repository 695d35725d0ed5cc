"""What the services of a running system say at /metrics and /ready, read as Prometheus reads it."""
import contextlib
import json
import os
import signal
import urllib.error
import urllib.request

import psycopg
import pytest
from conftest import System, cloud_event_headers, eventually, problem
from prometheus_client.parser import text_string_to_metric_families
from test_metric_names import METRICS

SERVICES = ["teacher-ingestion", "key-step-locator", "template-distiller", "dpo-trainer", "evaluator"]
# What every service serves, whether it has worked or not.
COMMON = {
    "errata_outbox_unpublished_events", "errata_outbox_oldest_unpublished_age_seconds", "errata_database_pool_connections",
    "errata_database_pool_connections_in_use", "errata_database_pool_connection_limit",
    "errata_database_pool_waiting_tasks", "errata_kafka_brokers_up", "errata_producer_queued_messages",
    "errata_producer_queued_bytes", "errata_metrics_source_up", "errata_metrics_dropped_series_total",
    "process_resident_memory_bytes",
}
OF_CONSUMERS = {
    "errata_consumer_lag_messages", "errata_consumer_buffered_messages", "errata_consumer_buffered_bytes",
    "errata_consumer_held_back", "errata_consumer_rebalances_total", "errata_messages_oldest_unfinished_age_seconds",
}
OWN = {
    "teacher-ingestion": OF_CONSUMERS | {
        "errata_messages_total", "errata_traces_total", "errata_teacher_calls_total", "errata_teacher_tokens_total",
        "errata_teacher_answer_seconds_count", "errata_teacher_ledger_calls_total", "errata_teacher_ledger_tokens_total",
        "errata_teacher_ledger_cost_total", "errata_teacher_pauses", "errata_teacher_oldest_pause_age_seconds",
    },
    "key-step-locator": OF_CONSUMERS | {"errata_messages_total", "errata_key_steps_total"},
    "template-distiller": OF_CONSUMERS | {"errata_training_jobs", "errata_training_oldest_waiting_job_age_seconds"},
    "dpo-trainer": set(),
    "evaluator": OF_CONSUMERS | {"errata_evaluation_jobs", "errata_evaluation_oldest_job_age_seconds"},
}
# The key of the advisory lock under which one relay at a time publishes ("errata" in ASCII).
RELAY_LOCK = 0x657272617461


@pytest.fixture(scope="module")
def system():
    with System() as running:
        producer = running.producer()
        for number in range(12):
            body = problem(number)
            producer.produce("errata.problems.v1", json.dumps(body).encode(), key=body["id"].encode(),
                             headers=cloud_event_headers(f"metrics-{number}"))
        assert producer.flush(30) == 0
        eventually(lambda: running.count("SELECT count(*) FROM problems WHERE state = 'ingested'") == 12,
                   what="the problems are ingested")
        eventually(lambda: running.count("SELECT count(*) FROM key_steps") > 0, what="key steps are located")
        yield running


def get(system: System, service: str, path: str) -> tuple[int, str]:
    address = system.endpoint["services"][service]["http"]
    try:
        with urllib.request.urlopen(f"{address}/{path}", timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def families(system: System, service: str) -> list:
    status, text = get(system, service, "metrics")
    assert status == 200
    return list(text_string_to_metric_families(text))


def samples(system: System, service: str, name: str) -> dict:
    """The values of a metric by their labels."""
    return {
        tuple(sorted(sample.labels.items())): sample.value
        for family in families(system, service) for sample in family.samples if sample.name == name
    }


def lag(system: System) -> float:
    return sum(samples(system, "teacher-ingestion", "errata_consumer_lag_messages").values())


def outbox(system: System) -> tuple[float, float]:
    found = [samples(system, "evaluator", name)
             for name in ("errata_outbox_unpublished_events", "errata_outbox_oldest_unpublished_age_seconds")]
    return found[0][()], found[1][()]


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_serves_the_metrics_of_the_list(system, service):
    def present():
        names = {sample.name for family in families(system, service) for sample in family.samples}
        return COMMON | OWN[service] <= names

    try:
        eventually(present, timeout=30, what="all metrics are there")
    except AssertionError:
        names = {sample.name for family in families(system, service) for sample in family.samples}
        pytest.fail(f"not served: {sorted((COMMON | OWN[service]) - names)}")
    seen = set()
    for family in families(system, service):
        name = family.name + ("_total" if family.type == "counter" else "")
        assert name in METRICS, name
        assert family.type == METRICS[name]["type"], name
        assert family.documentation, name
        assert name not in seen, f"{name} comes twice"
        seen.add(name)
        series = [(sample.name, tuple(sorted(sample.labels.items()))) for sample in family.samples]
        assert len(set(series)) == len(series), name
        for sample in family.samples:
            labels = METRICS[name]["labels"] | ({"le"} if sample.name.endswith("_bucket") else set())
            assert set(sample.labels) == labels, sample
    assert set(samples(system, service, "errata_metrics_source_up").values()) == {1.0}


def test_a_message_that_is_tried_again_and_again_has_an_age_until_it_is_finished(system):
    def age() -> float:
        found = samples(system, "key-step-locator", "errata_messages_oldest_unfinished_age_seconds")
        return found[("consumer", "key-step-locator"),]

    eventually(lambda: age() == 0, what="nothing in work")
    # A pair of a problem that is not there yet.
    body, problem_id = system.query("SELECT body::text, problem_id FROM traces WHERE kind = 'dual' AND verified LIMIT 1")[0]
    pair = json.loads(body) | {"id": "early", "problemId": "late"}
    producer = system.producer()
    producer.produce("errata.traces.v1", json.dumps(pair).encode(), key=b"late",
                     headers=cloud_event_headers("early", "errata.trace.v1"))
    assert producer.flush(30) == 0
    eventually(lambda: age() > 2, what="an age that grows")
    system.query(
        """
        WITH problem AS (
            INSERT INTO problems SELECT (jsonb_populate_record(problems, '{"id": "late"}')).* FROM problems WHERE id = %s
            RETURNING id
        )
        INSERT INTO traces SELECT (jsonb_populate_record(traces, %s)).* FROM traces, problem
        WHERE kind = 'dual' AND problem_id = %s RETURNING id
        """,
        problem_id, json.dumps({"id": "early", "problem_id": "late", "body": pair}), problem_id,
    )
    eventually(lambda: age() == 0, what="the pair is located")
    assert system.count("SELECT count(*) FROM key_steps WHERE problem_id = 'late'") > 0


def test_a_histogram_is_whole(system):
    family = next(f for f in families(system, "teacher-ingestion") if f.name == "errata_teacher_answer_seconds")
    for role in {sample.labels["role"] for sample in family.samples}:
        of_role = [sample for sample in family.samples if sample.labels["role"] == role]
        buckets = [sample.value for sample in of_role if sample.name.endswith("_bucket")]
        assert buckets == sorted(buckets)
        last = next(sample for sample in of_role if sample.labels.get("le") == "+Inf")
        count = next(sample.value for sample in of_role if sample.name.endswith("_count"))
        assert last.value == count > 0
        assert any(sample.name.endswith("_sum") for sample in of_role)


def test_counters_are_what_the_tables_say(system):
    calls = system.count("SELECT count(*) FROM teacher_calls")
    tokens = system.count("SELECT sum(prompt_tokens + completion_tokens) FROM teacher_calls")
    eventually(lambda: samples(system, "teacher-ingestion", "errata_teacher_ledger_calls_total")[()] == calls,
               timeout=30, what="the calls of the ledger")
    assert samples(system, "teacher-ingestion", "errata_teacher_ledger_tokens_total")[()] == tokens
    assert sum(samples(system, "teacher-ingestion", "errata_teacher_tokens_total").values()) == tokens
    processed = sum(
        value for labels, value in samples(system, "teacher-ingestion", "errata_messages_total").items()
        if ("outcome", "processed") in labels and ("topic", "errata.problems.v1") in labels
    )
    assert processed == 12


@contextlib.contextmanager
def held(system: System, statement: str, *parameters):
    """A lock on the database for the time of the block."""
    with psycopg.connect(system.endpoint["postgres"]) as connection:
        connection.execute(statement, parameters)
        yield
        connection.rollback()


def test_lag_grows_while_nothing_can_be_finished_and_comes_back_to_nothing(system):
    eventually(lambda: lag(system) == 0, timeout=30, what="no lag")
    producer = system.producer()
    # A problem leaves its topic when it is stored.
    with held(system, "LOCK TABLE parked_messages IN EXCLUSIVE MODE"):
        for number in range(100, 105):
            body = problem(number)
            producer.produce("errata.problems.v1", json.dumps(body).encode(), key=body["id"].encode(),
                             headers=cloud_event_headers(f"lag-{number}"))
        assert producer.flush(30) == 0
        eventually(lambda: lag(system) == 5, timeout=30, what="the lag of what waits")
    eventually(lambda: lag(system) == 0, timeout=60, what="no lag any more")


def test_the_outbox_is_seen_to_fill_and_to_empty(system):
    eventually(lambda: outbox(system) == (0, 0), timeout=30, what="an empty outbox")
    producer = system.producer()
    with held(system, "SELECT pg_advisory_lock(%s)", RELAY_LOCK):
        body = problem(200)
        producer.produce("errata.problems.v1", json.dumps(body).encode(), key=body["id"].encode(),
                         headers=cloud_event_headers("outbox-200"))
        assert producer.flush(30) == 0

        def is_filled():
            depth, age = outbox(system)
            return depth > 0 and age > 0

        eventually(is_filled, timeout=60, what="events that wait")
    eventually(lambda: outbox(system) == (0, 0), timeout=60, what="an empty outbox again")


def checks(body: str) -> dict:
    return {check["name"]: check for check in json.loads(body)["checks"]}


def test_ready_names_what_is_missing_while_the_broker_is_gone(system):
    for service in SERVICES:
        status, body = get(system, service, "ready")
        assert status == 200, body
        assert {"broker", "topics", "database", "schema"} <= set(checks(body))
    # The broker lives in the process of `errata up`, which is stopped for a while; the services and the database are not.
    os.kill(system.process.pid, signal.SIGSTOP)
    try:
        for service in SERVICES:
            eventually(lambda: get(system, service, "ready")[0] == 503, timeout=60, what=f"{service} is not ready")
            found = checks(get(system, service, "ready")[1])
            assert not found["broker"]["ready"] and system.bootstrap in found["broker"]["detail"]
            assert not found["topics"]["ready"]
            assert found["database"]["ready"] and found["schema"]["ready"]
            # It lives, and its metrics are there.
            assert get(system, service, "health")[0] == 200
            assert families(system, service)
    finally:
        os.kill(system.process.pid, signal.SIGCONT)
    for service in SERVICES:
        eventually(lambda: get(system, service, "ready")[0] == 200, timeout=60, what=f"{service} is ready again")


def test_ready_names_the_migration_that_is_missing(system):
    last = system.count("SELECT max(version) FROM errata_migrations")
    with psycopg.connect(system.endpoint["postgres"], autocommit=True) as connection:
        connection.execute("UPDATE errata_migrations SET version = -version WHERE version = %s", (last,))
        try:
            status, body = get(system, "evaluator", "ready")
            assert status == 503
            assert "errata migrate" in checks(body)["schema"]["detail"]
        finally:
            connection.execute("UPDATE errata_migrations SET version = -version WHERE version = %s", (-last,))
    assert get(system, "evaluator", "ready")[0] == 200
