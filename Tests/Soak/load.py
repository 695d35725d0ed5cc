"""Problems that stream into a system, and the topics that are followed meanwhile."""
import hashlib
import json
import pathlib
import subprocess
import sys
import threading
import time
import uuid

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "Integration"))

from confluent_kafka import Consumer, KafkaError, TopicPartition  # noqa: E402
from conftest import System, binary, eventually  # noqa: E402

SERVICES = ["teacher-ingestion", "key-step-locator", "template-distiller", "dpo-trainer", "evaluator"]
DATASET = "soak"
# What a problem can end as: taught, or left out for being the same as another one.
DONE = ("ingested", "duplicate", "contaminated")


def generated(count: int, seed: int) -> list[bytes]:
    made = subprocess.run(
        [binary("errata"), "generate", "--count", str(count), "--seed", str(seed), "--split", "train"],
        capture_output=True,
        check=True,
    )
    lines = made.stdout.splitlines()
    assert len(lines) == count, f"{len(lines)} problems were generated, {count} were asked for"
    questions = {json.loads(line)["question"] for line in lines}
    assert len(questions) == count, f"{count - len(questions)} of the generated questions are there twice"
    return lines


class Load:
    """Submits problems in a thread of its own, so fast that never more than `window` of them are unfinished.

    The bound keeps the embedded broker, which holds 5 MiB a partition, from forgetting what nobody has read yet.
    """

    def __init__(self, system: System, lines: list[bytes], window: int = 400, part: int = 50):
        self.system, self.lines, self.window, self.part = system, lines, window, part
        self.submitted = 0
        self.problems: list[str] = []
        self.ended = threading.Event()
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self.thread.start()

    def stop(self) -> None:
        """Submits nothing more; returns once what is under way is done."""
        self.stopping.set()
        self.thread.join(300)
        assert not self.thread.is_alive(), "the load does not stop"

    def check(self) -> None:
        assert not self.problems, self.problems[0]

    def finished(self) -> int:
        """Problems that have come to their end."""
        return self.system.count(
            "SELECT count(*) FROM problems WHERE dataset = %s AND state = ANY(%s)", DATASET, list(DONE)
        )

    def _run(self) -> None:
        try:
            while self.submitted < len(self.lines) and not self.stopping.is_set():
                if self.submitted - self.finished() >= self.window:
                    # The count reads all problems: asked often, it would be the part of the load that grows.
                    time.sleep(0.5)
                    continue
                part = self.lines[self.submitted : self.submitted + self.part]
                done = self.system.errata("submit", "-", "--dataset", DATASET, stdin=b"\n".join(part) + b"\n")
                # Not tried again: a second try could send an event twice, and it is counted who does.
                assert done.returncode == 0, f"submit ended with {done.returncode}: {done.stderr.decode()[-400:]}"
                self.submitted += len(part)
        except Exception as error:  # noqa: BLE001
            self.problems.append(f"the load ended after {self.submitted} problems: {error!r}")
        finally:
            self.ended.set()


class Follower:
    """Reads topics from their start in a thread of its own, since the embedded broker forgets: counts each event id, and
    notes where one has come with several bodies."""

    def __init__(self, bootstrap: str, topics: list[str]):
        self.bootstrap = bootstrap
        self.counts: dict[str, dict[str, int]] = {topic: {} for topic in topics}
        self.bodies: dict[tuple[str, str], bytes] = {}
        self.several: set[tuple[str, str]] = set()
        self.problems: list[str] = []
        self.stopping = threading.Event()
        self.consumer = Consumer(
            {
                "bootstrap.servers": bootstrap,
                "log_level": 0,
                "group.id": f"soak-{uuid.uuid4()}",
                "auto.offset.reset": "error",
                "enable.auto.commit": False,
            }
        )
        # By partition and from the first offset: a group's rebalance would read some of them again.
        assigned = []
        for topic in topics:
            described = self.consumer.list_topics(topic, timeout=30).topics[topic]
            assert described.error is None, f"{topic}: {described.error}"
            assigned += [TopicPartition(topic, partition, 0) for partition in described.partitions]
        self.partitions = assigned
        self.consumer.assign(assigned)
        self.places = {(place.topic, place.partition): 0 for place in assigned}
        self.thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self.thread.start()

    def check(self) -> None:
        assert not self.problems, self.problems[0]

    def catch_up(self, timeout: float = 120) -> None:
        """Waits until all that is on the topics now has been read."""
        ends = {}
        # A client of its own: the follower's answers only behind the fetches of its thread.
        asking = Consumer({"bootstrap.servers": self.bootstrap, "group.id": f"soak-{uuid.uuid4()}", "log_level": 0})
        try:
            for place in self.partitions:
                _, high = asking.get_watermark_offsets(TopicPartition(place.topic, place.partition), timeout=30)
                ends[place.topic, place.partition] = high
        finally:
            asking.close()

        def is_read():
            self.check()
            return all(self.places[place] >= end for place, end in ends.items())

        eventually(is_read, timeout=timeout, what="the follower has read all topics")

    def stop(self) -> None:
        self.stopping.set()
        self.thread.join(60)
        assert not self.thread.is_alive(), "the follower does not stop"
        self.consumer.close()

    def repeated(self) -> dict[str, list[str]]:
        """The ids that stand on a topic more than once."""
        found = {}
        for topic, counts in self.counts.items():
            twice = sorted(identifier for identifier, count in counts.items() if count > 1)
            if twice:
                found[topic] = twice
        return found

    def _run(self) -> None:
        try:
            while not self.stopping.is_set():
                for message in self.consumer.consume(500, timeout=0.2):
                    if message.error():
                        if message.error().code() == KafkaError._PARTITION_EOF:
                            continue
                        # Also where the broker has forgotten what was not read yet: then nothing could be judged.
                        raise AssertionError(f"{message.topic()}/{message.partition()}: {message.error()}")
                    self._note(message)
        except Exception as error:  # noqa: BLE001
            self.problems.append(f"the follower ended: {error!r}")

    def _note(self, message) -> None:
        place = (message.topic(), message.partition())
        expected = self.places[place]
        assert message.offset() == expected, f"{place}: offset {message.offset()} came after {expected - 1}"
        identifier = dict(message.headers() or [])["ce_id"].decode()
        counts = self.counts[message.topic()]
        counts[identifier] = counts.get(identifier, 0) + 1
        digest = hashlib.sha256(message.value() or b"").digest()
        key = (message.topic(), identifier)
        if self.bodies.setdefault(key, digest) != digest:
            self.several.add(key)
        self.places[place] = message.offset() + 1


def restarted(system: System, service: str, before: int, timeout: float = 30) -> int:
    """The process id of a service once it is another one."""

    def changed():
        now = system.pid_of(service)
        return now if now != before else None

    return eventually(changed, timeout=timeout, what=f"{service} is restarted")


def settle(system: System, load: Load, timeout: float = 600) -> None:
    """Waits until nothing that was submitted is unfinished or unpublished."""
    load.check()
    eventually(lambda: load.finished() == load.submitted, timeout=timeout, what="every problem is at its end")
    lacking = """SELECT count(*) FROM traces WHERE kind = 'dual' AND verified
                 AND NOT EXISTS (SELECT FROM key_steps WHERE key_steps.trace_id = traces.id)"""
    eventually(lambda: system.count(lacking) == 0, timeout=timeout, what="key steps of every pair")
    waiting = "SELECT count(*) FROM outbox WHERE published_at IS NULL AND refused_at IS NULL"
    eventually(lambda: system.count(waiting) == 0, timeout=timeout, what="an empty outbox")


def faults_found(system: System, load: Load, follower: Follower) -> list[str]:
    """What is lost, doubled or given up, by the tables and by what the topics carried."""
    wrong = []

    def expect(name: str, found, expected) -> None:
        if found != expected:
            wrong.append(f"{name}: {found}, expected {expected}")

    # By their texts: an id is made of the data set too.
    submitted = {json.loads(line)["question"] for line in load.lines[: load.submitted]}
    stored = {row[0] for row in system.query("SELECT question FROM problems WHERE dataset = %s", DATASET)}
    lost = submitted - stored
    if lost:
        wrong.append(f"{len(lost)} problems were lost, such as {min(lost)}")
    if stored - submitted:
        wrong.append(f"{len(stored - submitted)} problems are there that nobody sent")
    expect("problems that are not at their end", load.submitted - load.finished(), 0)
    for kind in ("chain-of-thought", "dual", "template"):
        odd = system.query(
            """
            SELECT problems.id, count(traces.id) FROM problems
            LEFT JOIN traces ON traces.problem_id = problems.id AND traces.kind = %s
            WHERE problems.dataset = %s
            GROUP BY problems.id, problems.state
            HAVING count(traces.id) > 1 OR problems.state = 'ingested' AND count(traces.id) = 0
            ORDER BY problems.id LIMIT 3
            """,
            kind,
            DATASET,
        )
        if odd:
            wrong.append(f"{kind}: not one trace a problem, such as {odd}")
    expect("dead letters", system.count("SELECT count(*) FROM dead_letters"), 0)
    expect("refused events", system.count("SELECT count(*) FROM outbox WHERE refused_at IS NOT NULL"), 0)
    for topic, table in (("errata.traces.v1", "traces"), ("errata.key-steps.v1", "key_steps")):
        written = {row[0] for row in system.query(f"SELECT id FROM {table}")}
        carried = follower.counts[topic].keys()
        if written - carried:
            wrong.append(f"{topic}: {len(written - carried)} events never came, such as {min(written - carried)}")
        if carried - written:
            wrong.append(f"{topic}: {len(carried - written)} events of nothing, such as {min(carried - written)}")
    if follower.several:
        wrong.append(f"{len(follower.several)} ids have come with different bodies, such as {min(follower.several)}")
    return wrong
