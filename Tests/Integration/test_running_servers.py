"""`errata up` over a broker and a database that run already, as ERRATA_TEST_KAFKA and ERRATA_TEST_POSTGRES have all tests do."""
import json
import re
import subprocess

import psycopg
import pytest
import yaml

import servers
from conftest import ROOT, System, binary, eventually, plain_environment, problem

PROBLEMS = "errata.problems.v1"


@pytest.fixture()
def broker(tmp_path):
    """A broker of another process, with Errata's topics: it cannot make or delete any itself."""
    program = tmp_path / "broker"
    source = ROOT / "Tests/Compose/broker.c"
    subprocess.run(["gcc", "-O1", "-Wall", "-o", program, source, "-lrdkafka"], check=True)
    told = subprocess.run([binary("errata"), "schema", "asyncapi"], capture_output=True, check=True).stdout
    topics = [channel["address"] for channel in yaml.safe_load(told)["channels"].values()]
    running = subprocess.Popen([program, "0", *[f"{topic}:4" for topic in topics]], stdout=subprocess.PIPE, text=True)
    try:
        yield re.search(r"127\.0\.0\.1:\d+", running.stdout.readline()).group()
    finally:
        running.kill()
        running.wait()


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
