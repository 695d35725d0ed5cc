"""A running Errata system for the integration tests: started by `errata up`, ended by its process id."""
import copy
import json
import os
import pathlib
import shutil
import signal
import stat
import subprocess
import tempfile
import time
import uuid

import psycopg
import pytest
import servers
from confluent_kafka import Consumer, KafkaError, Producer

ROOT = pathlib.Path(__file__).resolve().parents[2]


def pytest_configure(config):
    config.addinivalue_line("markers", "external: reads texts of others (given to each test with the fixture external)")


# Files whose tests take minutes, the longest first: what is begun last would be waited for alone.
LONG = ["test_round_kills", "test_demo", "test_hostile_teacher", "test_teaching_by_need", "test_tracing", "test_reproduce"]


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))
    for item in items:
        if "external" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.external)


def pytest_terminal_summary(terminalreporter):
    for report in terminalreporter.stats.get("skipped", []):
        terminalreporter.write_line(f"left out: {report.nodeid}")


@pytest.fixture()
def external():
    """Files of others' texts by their path; the test is left out where no folder is given, and fails on a missing file."""
    folder = os.environ.get("ERRATA_TEST_DATA")
    if not folder:
        pytest.skip("reads texts of others: name their folder with ERRATA_TEST_DATA")

    def file(path: str) -> pathlib.Path:
        found = pathlib.Path(folder) / path
        if not found.exists():
            pytest.fail(f"{found} is missing in the folder of ERRATA_TEST_DATA")
        return found

    return file


def plain_environment() -> dict:
    """The environment without Errata's variables: programs of Errata refuse those that they do not know."""
    return {k: v for k, v in os.environ.items() if not k.startswith("ERRATA_")}


def binary(name: str) -> str:
    folder = os.environ.get("ERRATA_BIN")
    if not folder:
        pytest.fail("ERRATA_BIN must name the folder of the built programs (Tests/run sets it)")
    path = pathlib.Path(folder) / name
    if not path.exists():
        pytest.fail(f"{path} is missing: build it with `swift build`")
    return str(path)


def tiny_student(folder: pathlib.Path) -> pathlib.Path:
    """A student of few parameters with a tokenizer, in Hugging Face layout."""
    folder.mkdir(exist_ok=True)
    for source in (ROOT / "Tests/Goldens/tiny-qwen2", ROOT / "Tests/Goldens/tok/qwen2-512"):
        for file in source.iterdir():
            if file.suffix in (".json", ".safetensors"):
                shutil.copy(file, folder / file.name)
    return folder


def program(path: pathlib.Path, text: str) -> pathlib.Path:
    """A script that everyone may run."""
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return path


def eventually(check, timeout=60.0, what="condition"):
    """Calls `check` until it returns something true; fails with what it last returned."""
    deadline = time.monotonic() + timeout
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} not reached in {timeout} s")
        time.sleep(0.1)


def generated(count: int, split: str, seed: int = 9) -> list[bytes]:
    """Problems of the built-in domain, as lines of JSON."""
    command = [binary("errata"), "generate", "--count", str(count), "--seed", str(seed), "--split", split]
    lines = subprocess.run(command, capture_output=True, check=True).stdout.splitlines()
    assert len(lines) == count
    return lines


# The method of a stage that learns right chains and those that the teacher rectified.
CHAINS = {"supervised": {"sources": [{"kind": "rightChains"}, {"kind": "rectifiedChains"}]}}


def stage(name: str, steps: int, sequences: int, rate=1e-3, examples: int | None = None, wait=60, **more) -> dict:
    """A stage of a recipe: so many updates of so many sequences, after so many examples or seconds."""
    return {
        "name": name,
        **copy.deepcopy(more),
        "start": ({} if examples is None else {"examples": examples}) | {"waitSeconds": wait},
        "training": {"learningRate": rate, "maximumSteps": steps, "batchSequences": sequences},
    }


class System:
    """`errata up` in a folder of its own, with servers of its own or those of ERRATA_TEST_KAFKA and ERRATA_TEST_POSTGRES."""

    def __init__(self, *arguments: str, environment: dict | None = None):
        self.servers = servers.options()
        self.state = pathlib.Path(tempfile.mkdtemp(prefix="errata-test-"))
        # As root the database server runs as another user, who must be able to enter the folder.
        self.state.chmod(0o755)
        self.log = open(self.state / "up.log", "wb")
        # Most tests look at what the teacher gives before there is a run that needs it.
        environment = plain_environment() | {"ERRATA_TEACHER_PARTS": "all"} | (environment or {})
        self.process = subprocess.Popen(
            [binary("errata"), "up", "--state", str(self.state), *self.servers, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=self.log,
            stderr=subprocess.STDOUT,
            env=environment,
        )
        try:
            eventually(self._ready, timeout=120, what="errata up is ready")
        except BaseException:
            self.stop()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def _ready(self):
        if self.process.poll() is not None:
            text = (self.state / "up.log").read_text(errors="replace")
            raise AssertionError(f"errata up ended with {self.process.returncode}:\n{text}")
        return (self.state / "endpoint.json").exists()

    @property
    def endpoint(self) -> dict:
        return json.loads((self.state / "endpoint.json").read_text())

    @property
    def bootstrap(self) -> str:
        return self.endpoint["kafka"]

    def pid_of(self, service: str) -> int:
        return self.endpoint["services"][service]["pid"]

    def query(self, sql: str, *parameters):
        with psycopg.connect(self.endpoint["postgres"]) as connection:
            return connection.execute(sql, parameters).fetchall()

    def count(self, sql: str, *parameters) -> int:
        return self.query(sql, *parameters)[0][0]

    def errata(self, *arguments: str, stdin: bytes | None = None, timeout=300) -> subprocess.CompletedProcess:
        return subprocess.run(
            [binary("errata"), *arguments, "--state", str(self.state)],
            input=stdin,
            capture_output=True,
            timeout=timeout,
        )

    def producer(self, **settings) -> Producer:
        return Producer({"bootstrap.servers": self.bootstrap, "log_level": 0, **settings})

    def read_all(self, topic: str, until, timeout=60.0) -> list:
        """Reads a topic from its start until `until(messages)` is true."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "log_level": 0,
                "group.id": f"test-{uuid.uuid4()}",
                "auto.offset.reset": "earliest",
                "enable.auto.commit": False,
                "fetch.message.max.bytes": 4 << 20,
            }
        )
        messages = []
        try:
            consumer.subscribe([topic])
            deadline = time.monotonic() + timeout
            while not until(messages):
                if time.monotonic() > deadline:
                    raise AssertionError(f"{topic}: {len(messages)} messages after {timeout} s, expected more")
                message = consumer.poll(0.2)
                if message is None:
                    continue
                if message.error():
                    if message.error().code() == KafkaError._PARTITION_EOF:
                        continue
                    raise AssertionError(str(message.error()))
                messages.append(message)
        finally:
            consumer.close()
        return messages

    def stop(self):
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.log.close()
        servers.drop(self.servers)
        shutil.rmtree(self.state, ignore_errors=True)


@pytest.fixture(scope="module")
def system():
    running = System()
    yield running
    running.stop()


def problem(number: int, question: str | None = None, **more) -> dict:
    """A problem in the teacher simulator's reach: a reference solution with calculator marks comes with it."""
    first, second = number + 3, number % 7 + 2
    total = first + second
    return {
        "id": f"test-{number}",
        "dataset": "integration",
        "split": "train",
        "question": question
        if question is not None
        else f"Ana has {first} shells. She finds {second} more shells. How many shells does Ana have now?",
        "solution": f"Ana has {first} + {second} = <<{first}+{second}={total}>>{total} shells.\n#### {total}",
        "answer": str(total),
        **copy.deepcopy(more),
    }


def cloud_event_headers(identifier: str, kind="errata.problem.v1") -> list:
    return [
        ("ce_specversion", b"1.0"),
        ("ce_id", identifier.encode()),
        ("ce_source", b"/tests/integration"),
        ("ce_type", kind.encode()),
        ("content-type", b"application/json"),
    ]
