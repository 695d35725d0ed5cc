"""`errata up` over a broker and a database that run already, as ERRATA_TEST_KAFKA and ERRATA_TEST_POSTGRES have all tests do."""
import contextlib
import json
import pathlib
import re
import subprocess

import psycopg
import pytest
import yaml

import servers
from conftest import ROOT, System, binary, eventually, plain_environment, problem

PROBLEMS = "errata.problems.v1"


@contextlib.contextmanager
def running_broker(folder: pathlib.Path, topics: list[str]):
    """A broker of another process, which cannot make or delete topics itself."""
    program = folder / "broker"
    source = ROOT / "Tests/Compose/broker.c"
    subprocess.run(["gcc", "-O1", "-Wall", "-o", program, source, "-lrdkafka"], check=True)
    running = subprocess.Popen([program, "0", *topics], stdout=subprocess.PIPE, text=True)
    try:
        yield re.search(r"127\.0\.0\.1:\d+", running.stdout.readline()).group()
    finally:
        running.kill()
        running.wait()


def own_topics() -> list[str]:
    told = subprocess.run([binary("errata"), "schema", "asyncapi"], capture_output=True, check=True).stdout
    return [channel["address"] for channel in yaml.safe_load(told)["channels"].values()]


@pytest.fixture()
def broker(tmp_path):
    """A broker with Errata's topics."""
    with running_broker(tmp_path, [f"{topic}:4" for topic in own_topics()]) as address:
        yield address


def test_a_system_uses_the_servers_that_it_is_given_and_leaves_them_running(system, broker, monkeypatch):
    given = system.endpoint["postgres"]
    monkeypatch.setattr(servers, "KAFKA", broker)
    monkeypatch.setattr(servers, "POSTGRES", given)

    def databases() -> set:
        with psycopg.connect(given) as connection:
            return {row[0] for row in connection.execute("SELECT datname FROM pg_database")}

    before = databases()
    with System() as other:
        assert other.bootstrap == broker
        assert not (other.state / "postgres").exists()
        assert len(databases() - before) == 1
        lines = "\n".join(json.dumps(problem(number)) for number in range(12)).encode()
        done = other.errata("submit", "-", "--dataset", "given", "--split", "train", stdin=lines)
        assert done.returncode == 0, done.stderr
        count = "SELECT count(*) FROM problems WHERE state = 'ingested'"
        eventually(lambda: other.count(count) == 12, what="what the teacher gives")
        assert system.count("SELECT count(*) FROM problems WHERE dataset = 'given'") == 0
        assert len(other.read_all(PROBLEMS, lambda messages: len(messages) >= 12)) == 12
    assert databases() == before
    assert any(servers.ends(broker, {PROBLEMS: range(4)})[PROBLEMS]), "the broker runs on, with what it carried"


def test_secrets_stand_in_no_argument_no_log_and_no_file_that_others_may_read(system, monkeypatch):
    # Its server asks for none, and takes one.
    monkeypatch.setattr(servers, "POSTGRES", system.endpoint["postgres"])
    secrets = {"ERRATA_POSTGRES_PASSWORD": "secret-of-the-database", "ERRATA_TEACHER_API_KEY": "secret-of-the-teacher"}

    def holders(texts: dict) -> set:
        return {name for name, text in texts.items() for secret in secrets.values() if secret.encode() in text}

    with System(environment=secrets) as other:
        processes = {"errata up": other.process.pid}
        processes |= {name: service["pid"] for name, service in other.endpoint["services"].items()}
        given = {name: pathlib.Path(f"/proc/{pid}/environ").read_bytes() for name, pid in processes.items()}
        assert "errata up" in holders(given) and "teacher-ingestion" in holders(given), "the services have them"
        assert holders({name: pathlib.Path(f"/proc/{pid}/cmdline").read_bytes() for name, pid in processes.items()}) == set()
        files = [path for path in other.state.rglob("*") if path.is_file() and "postgres" not in path.parts]
        open_to_others = {path: path.read_bytes() for path in files if path.stat().st_mode & 0o077}
        assert {path.name for path in open_to_others} >= {"up.log", "teacher-ingestion.log"}
        assert holders(open_to_others) == set()
        assert (other.state / "endpoint.json").stat().st_mode & 0o777 == 0o600
        assert other.errata("status").returncode == 0, "the other commands have the password from there"


@pytest.mark.parametrize("command", [("submit", "-"), ("import", "-"), ("watch", "problems", "--once")], ids=" ".join)
def test_a_broker_without_the_topics_names_the_command_that_makes_them(tmp_path, command):
    with running_broker(tmp_path, ["another:1"]) as address:
        done = subprocess.run(
            [binary("errata"), *command], input=json.dumps(problem(1)), capture_output=True, text=True, timeout=15,
            env=plain_environment() | {"ERRATA_KAFKA_BOOTSTRAP_SERVERS": address},
        )
    assert done.returncode == 1, done.stderr
    assert PROBLEMS in done.stderr and "errata migrate" in done.stderr


def test_topics_that_are_otherwise_than_they_should_be_are_told_of(system, tmp_path):
    topics = [f"{topic}:{1 if topic == PROBLEMS else 8}" for topic in own_topics()]
    with running_broker(tmp_path, topics) as address:
        environment = plain_environment() | {
            "ERRATA_KAFKA_BOOTSTRAP_SERVERS": address, "ERRATA_POSTGRES_URL": system.endpoint["postgres"],
        }

        def migrate(**more) -> subprocess.CompletedProcess:
            return subprocess.run(
                [binary("errata"), "migrate"], capture_output=True, text=True, timeout=60, env=environment | more
            )

        done = migrate()
        assert done.returncode == 0, done.stderr
        assert "database: up to date" in done.stdout and "topics: " in done.stdout
        assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith(f"warning: topic {PROBLEMS} has 1 partition")
        assert f"--topic {PROBLEMS} --partitions" in done.stderr
        logged = migrate(ERRATA_LOG_FORMAT="json")
        assert logged.returncode == 0 and logged.stdout == ""
        lines = [json.loads(line) for line in logged.stderr.splitlines()]
        assert [line["level"] for line in lines] == ["info", "info", "warning"]
        assert lines[2]["msg"] == done.stderr.strip().removeprefix("warning: ")
    away = migrate(ERRATA_LOG_FORMAT="json", ERRATA_KAFKA_BOOTSTRAP_SERVERS="127.0.0.1:1")
    lines = [json.loads(line) for line in away.stderr.splitlines()]
    assert away.returncode == 1 and [line["level"] for line in lines] == ["info", "error"]
    assert "ERRATA_KAFKA_BOOTSTRAP_SERVERS" in lines[1]["msg"]


def test_settings_that_would_not_be_in_force_are_refused_with_the_cure():
    settings = "message.max.bytes=8388608,security.protocol=SASL_SSL,sasl.mechanism=PLAIN"
    environment = plain_environment() | {
        "ERRATA_KAFKA_BOOTSTRAP_SERVERS": "127.0.0.1:1", "ERRATA_POSTGRES_URL": "postgresql://nobody@127.0.0.1:1/none",
        "ERRATA_KAFKA_SETTINGS": settings,
    }
    for command in (["key-step-locator", "--check"], ["errata", "submit", "-"]):
        done = subprocess.run(
            [binary(command[0]), *command[1:]], input="", capture_output=True, text=True, timeout=15,
            env=environment | ({"ERRATA_MODEL_STORE": "/tmp"} if command[0] != "errata" else {}),
        )
        assert done.returncode != 0, command
        assert "security.protocol" in done.stderr and "semicolons" in done.stderr, done.stderr


@pytest.mark.parametrize(
    "option, address", [("--kafka", "127.0.0.1:1"), ("--postgres", "postgresql://nobody@127.0.0.1:1/none")]
)
def test_a_server_that_does_not_answer_is_named_within_seconds(tmp_path, option, address):
    done = subprocess.run(
        [binary("errata"), "up", "--state", str(tmp_path / "state"), option, address],
        capture_output=True, text=True, timeout=15, env=plain_environment(),
    )
    assert done.returncode == 1
    assert done.stdout == "", "nothing is started"
    assert "127.0.0.1" in done.stderr and f"look at {option}" in done.stderr
    assert "SQLSTATE" not in done.stderr
