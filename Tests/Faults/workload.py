"""The work that the faults disturb: problems stream in while a run trains, attempts, prefers and scores."""
import json
import os
import pathlib
import signal
import struct
import subprocess
import sys
import threading
import time

import psycopg

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "Integration"))

from conftest import CHAINS, System, binary, eventually, generated, stage, tiny_student  # noqa: E402
from schedules import Fault  # noqa: E402

TRAINING, ROLLOUT, HELD_OUT = 120, 24, 40


# Kept by the database itself: every transaction that writes an event (a trigger sees a row that is there already, too), and
# what the programs add to the second table with a message's other effects. All that they write has ids that follow from the
# message, so that elsewhere a second time would not show.
AUDIT = """
CREATE TABLE fault_events (topic text, event_id text, written xid8 DEFAULT pg_current_xact_id());
CREATE FUNCTION fault_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO fault_events (topic, event_id) VALUES (NEW.topic, NEW.event_id);
    RETURN NEW;
END $$;
CREATE TRIGGER fault_events BEFORE INSERT ON outbox FOR EACH ROW EXECUTE FUNCTION fault_events();
CREATE TABLE fault_effects (consumer text, topic text, event_id text, written xid8 DEFAULT pg_current_xact_id());
"""

# Serialization failures as the database itself has them: a statement has worked, and the commit fails. Each write has a
# number, which it keeps where it is rolled back; those of some numbers fail.
CONFLICTS = """
CREATE SEQUENCE fault_writes;
CREATE TABLE fault_conflicts (first bigint, last bigint);
CREATE FUNCTION fault_conflict() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    number bigint := nextval('fault_writes');
BEGIN
    IF EXISTS (SELECT FROM fault_conflicts WHERE number BETWEEN first AND last) THEN
        RAISE EXCEPTION 'planted' USING ERRCODE = 'serialization_failure';
    END IF;
    RETURN NULL;
END $$;
""" + "".join(
    f"CREATE CONSTRAINT TRIGGER fault_conflict AFTER INSERT OR UPDATE ON {table} DEFERRABLE INITIALLY DEFERRED "
    "FOR EACH ROW EXECUTE FUNCTION fault_conflict();\n"
    for table in ("outbox", "parked_messages", "leases", "training_jobs", "evaluation_pieces")
)
# Seconds after which no write fails any more.
CONFLICT = 6
# Milliseconds by which a slow broker's answers come later.
DELAY = 800


def recipe(pairs: int, **changes) -> dict:
    """The run; `pairs` is how many the teacher's traces bring, with which the stage of key steps starts at once."""
    # Pairs whose wrong chain is the teacher's own: what it is shown when it corrupts a right one depends on the time.
    return {
        "id": "faults",
        "name": "faults",
        "dataset": "faults",
        "seed": 5,
        "student": {"model": "student"},
        "stages": [
            stage("chains", 20, 8, examples=TRAINING, **CHAINS),
            stage(
                "keys", 15, 8, examples=pairs, wait=300, parent="chains", keySteps={"form": "chains", "gamma": 0.1},
                data={"pairs": "rectified"},
            ),
            stage("prefer", 12, 4, rate=1e-4, parent="chains", preferences={"layout": "prefix"}),
        ],
        "suites": [{"name": "held-out", "dataset": "faults", "split": "test", "expectedProblems": HELD_OUT}],
        "rollout": {"split": "rollout", "samples": 1, "temperature": 0.7},
        "decoding": {"temperature": 0, "maximumNewTokens": 48},
        **changes,
    }


def stream(system: System, lines: list[bytes], split: str) -> None:
    """Submits lines; again where the broker or the database is away, as a user would: what came already is recognised."""
    for _ in range(20):
        done = system.errata("submit", "-", "--dataset", "faults", "--split", split, stdin=b"\n".join(lines) + b"\n")
        if done.returncode == 0:
            return
        time.sleep(1)
    raise AssertionError(f"problems could not be submitted: {done.stderr.decode()[-400:]}")


def found(system: System, sql: str) -> list[tuple] | None:
    """What a query finds; None where the database is away."""
    try:
        return system.query(sql)
    except psycopg.OperationalError:
        return None


def practised_student(folder: pathlib.Path) -> tuple[pathlib.Path, int]:
    """A small student that has learned to write steps and an answer, so that its attempts are wrong in a step; and how many
    pairs the workload's problems bring."""
    made = folder / "practised"
    with System("--seed", "4") as system:
        added = system.errata("models", "add", str(tiny_student(folder / "tiny")), "--name", "student")
        assert added.returncode == 0, added.stderr
        stream(system, generated(TRAINING, "train"), "train")
        run = recipe(pairs=1, suites=[])
        del run["rollout"], run["stages"][2]
        run["stages"][0]["training"] = {"learningRate": 3e-3, "maximumSteps": 500, "batchSequences": 16}
        done = system.errata("runs", "submit", "-", stdin=json.dumps(run).encode())
        assert done.returncode == 0, done.stderr
        eventually(lambda: system.query("SELECT state FROM runs") == [("finished",)], timeout=300, what="the practice")
        trained = system.query("SELECT model_hash FROM checkpoints WHERE stage = 'chains'")[0][0]
        exported = system.errata("models", "export", trained, str(made))
        assert exported.returncode == 0, exported.stderr
        pairs = system.count("SELECT count(*) FROM traces WHERE kind = 'dual' AND body->'body'->>'method' = 'rectified'")
        assert pairs > 0, "the workload has pairs"
    return made, pairs


def clock_library(folder: pathlib.Path) -> pathlib.Path:
    """What moves the clock of the database's processes, built."""
    library = folder / "clock.so"
    source = pathlib.Path(__file__).with_name("clock.c")
    subprocess.run(["gcc", "-O1", "-Wall", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    library.chmod(0o755)
    return library


class Disturbance:
    """Has the faults of a schedule happen to a system, whose environment is given with what it was told."""

    def __init__(self, system: System, faults: list[Fault], points: pathlib.Path, environment: dict):
        self.system, self.points, self.environment = system, points, environment
        self.timed = [fault for fault in faults if not fault.point]
        self.happened: list[str] = []
        self.problems: list[str] = []
        self.thread = threading.Thread(target=self._run, daemon=True)

    @staticmethod
    def plant(faults: list[Fault], points: pathlib.Path) -> None:
        """Before the start: the first message is within reach, too."""
        points.mkdir()
        points.chmod(0o777)
        for fault in faults:
            if fault.point:
                (points / f"{fault.target}@{fault.point}").write_text(f"{fault.kind} {fault.passing}\n")

    def start(self) -> None:
        self.thread.start()

    def finish(self) -> None:
        """Waits until the faults by the clock have happened; those at places may come later."""
        self.thread.join(60)
        assert not self.thread.is_alive(), "the faults by the clock have not ended"
        assert not self.problems, self.problems

    def all_happened(self) -> list[str]:
        """What has happened, places included."""
        return self.happened + sorted(path.name.rsplit(".done.", 1)[0] for path in self.points.glob("*.done.*"))

    def _run(self) -> None:
        began = time.monotonic()
        for fault in self.timed:
            time.sleep(max(0.0, began + fault.after - time.monotonic()))
            try:
                getattr(self, f"_{fault.kind}")(fault)
                self.happened.append(str(fault))
            except (ProcessLookupError, FileNotFoundError):
                # It has just died of another one, and has no successor yet.
                self.happened.append(f"{fault} (was dead)")
            except Exception as error:  # noqa: BLE001
                self.problems.append(f"{fault}: {error!r}")

    def _kill(self, fault: Fault) -> None:
        os.kill(self.system.pid_of(fault.target), signal.SIGKILL)

    def _term(self, fault: Fault) -> None:
        os.kill(self.system.pid_of(fault.target), signal.SIGTERM)

    def _freeze(self, fault: Fault) -> None:
        self._stopped(self.system.pid_of(fault.target), fault.seconds)

    def _outage(self, fault: Fault) -> None:
        # The embedded broker is in this process, which also restarts what dies.
        self._stopped(self.system.process.pid, fault.seconds)

    @staticmethod
    def _stopped(process: int, seconds: float) -> None:
        os.kill(process, signal.SIGSTOP)
        try:
            time.sleep(seconds)
        finally:
            os.kill(process, signal.SIGCONT)

    def _slow(self, fault: Fault) -> None:
        file = self.points / "broker.delay"
        file.write_text(f"{DELAY}\n")
        try:
            time.sleep(fault.seconds)
        finally:
            file.unlink()

    def _conflict(self, fault: Fault) -> None:
        with psycopg.connect(self.system.endpoint["postgres"]) as connection:
            connection.execute(
                "INSERT INTO fault_conflicts SELECT last_value + 1, last_value + %s FROM fault_writes", [fault.passing]
            )
        # A write that fails takes one number and comes again after ever longer waits: where little else is written, all of
        # the numbers would take minutes.
        time.sleep(CONFLICT)
        with psycopg.connect(self.system.endpoint["postgres"]) as connection:
            connection.execute("DELETE FROM fault_conflicts")

    def _clock(self, fault: Fault) -> None:
        with open(self.environment["FAULT_CLOCK"], "r+b") as file:
            file.write(struct.pack("<q", round(fault.seconds * 1_000_000)))
        offset = self.system.query("SELECT extract(epoch FROM clock_timestamp())::float8")[0][0] - time.time()
        assert abs(offset - fault.seconds) < 5, f"the database's clock is off by {offset} s"

    def _connections(self, _: Fault) -> None:
        self.system.query(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() "
            "AND pid <> pg_backend_pid()"
        )

    def _restart(self, _: Fault) -> None:
        data = self.system.state / "postgres/data"
        programs = subprocess.run(["pg_config", "--bindir"], capture_output=True, check=True, text=True).stdout.strip()
        # It waits for the end in any case, and is not to wait for the start: what a database that believes in an earlier time
        # writes about its start is older than pg_ctl, which takes it for another one's and waits in vain.
        command = [f"{programs}/pg_ctl", "-D", str(data), "-m", "immediate", "-W", "-t", "60", "restart"]
        if os.geteuid() == 0:
            command = ["runuser", "-u", data.owner(), "--", *command]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd="/", timeout=90,
            env={**os.environ, **self.environment},
        )
        assert done.returncode == 0, done.stderr
        eventually(lambda: found(self.system, "SELECT 1"), timeout=45, what="the database's start")

    def _stall(self, fault: Fault) -> None:
        # Apart from the one that locks: a transaction sees the activity of its first look.
        with psycopg.connect(self.system.endpoint["postgres"], autocommit=True) as watcher:
            with psycopg.connect(self.system.endpoint["postgres"]) as connection:
                connection.execute("LOCK TABLE key_steps IN SHARE MODE")
                blocked = f"FROM pg_stat_activity WHERE {connection.info.backend_pid} = ANY (pg_blocking_pids(pid))"
                eventually(lambda: watcher.execute(f"SELECT count(*) {blocked}").fetchone()[0], timeout=45, what="a write")
                time.sleep(fault.seconds)
                self._kill(fault)
                # What its server processes were told would still be carried out.
                watcher.execute(f"SELECT pg_terminate_backend(pid) {blocked}")

    def _crowd(self, fault: Fault) -> None:
        first = self.system.pid_of(fault.target)
        settings = pathlib.Path(f"/proc/{first}/environ").read_bytes().split(b"\0")
        environment = {name.decode(): value.decode() for name, _, value in (entry.partition(b"=") for entry in settings) if name}
        # Its parent is this process, and the port is taken.
        environment.pop("ERRATA_EXIT_WITH_PARENT", None)
        environment.pop("ERRATA_PARENT_PROCESS", None)
        environment["ERRATA_HTTP_PORT"] = "0"
        second = subprocess.Popen(
            [binary(fault.target)],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=open(self.system.state / f"logs/{fault.target}.second.log", "wb"),
            stderr=subprocess.STDOUT,
        )
        try:
            time.sleep(fault.seconds)
        finally:
            second.kill()
            second.wait()


def run(
    student: pathlib.Path,
    pairs: int,
    faults: list[Fault],
    folder: pathlib.Path,
    clock: pathlib.Path,
    environment: dict | None = None,
):
    """Runs the workload under faults; `clock`: what moves the database's clock.

    Returns what the topics and tables hold at its end, what happened, and the folder of logs where it did not end.
    """
    points = folder / "points"
    Disturbance.plant(faults, points)
    offset = folder / "clock"
    offset.write_bytes(bytes(8))
    offset.chmod(0o644)
    environment = {
        "FAULT_POINTS": str(points), "FAULT_CLOCK": str(offset), "LD_PRELOAD": str(clock), **(environment or {})
    }
    with System("--seed", "4", environment=environment) as system:
        with psycopg.connect(system.endpoint["postgres"]) as connection:
            connection.execute(AUDIT)
            connection.execute(CONFLICTS)
        added = system.errata("models", "add", str(student), "--name", "student")
        assert added.returncode == 0, added.stderr
        stream(system, generated(HELD_OUT, "test"), "test")
        stream(system, generated(ROLLOUT, "rollout"), "rollout")
        done = system.errata("runs", "submit", "-", stdin=json.dumps(recipe(pairs)).encode())
        assert done.returncode == 0, done.stderr
        disturbance = Disturbance(system, faults, points, environment)
        disturbance.start()
        training = generated(TRAINING, "train")
        for first in range(0, TRAINING, 20):
            stream(system, training[first : first + 20], "train")
            time.sleep(0.3)
        disturbance.finish()
        try:
            settle(system)
        except AssertionError as error:
            keep(system, folder)
            return None, disturbance.all_happened(), str(error)
        return contents(system), disturbance.all_happened(), None


def settle(system: System) -> None:
    """Waits until the run has ended and everything is published and read."""
    eventually(lambda: found(system, "SELECT state FROM runs") == [("finished",)], timeout=240, what="the end of the run")
    waiting = "SELECT count(*) FROM outbox WHERE published_at IS NULL AND refused_at IS NULL"
    eventually(lambda: found(system, waiting) == [(0,)], timeout=60, what="an empty outbox")
    # The teacher is asked about problems that the run has not waited for.
    parked = "SELECT count(*) FROM parked_messages"
    eventually(lambda: found(system, parked) == [(0,)], timeout=60, what="no message that waits")
    # Key steps come of traces that nothing of the run waits for.
    lacking = """SELECT count(*) FROM traces WHERE kind = 'dual' AND verified
                 AND NOT EXISTS (SELECT FROM key_steps WHERE key_steps.trace_id = traces.id)"""
    eventually(lambda: found(system, lacking) == [(0,)], timeout=60, what="key steps of every pair")
    eventually(lambda: found(system, waiting) == [(0,)], timeout=60, what="an empty outbox")


def keep(system: System, folder: pathlib.Path) -> None:
    """Logs, to read why it did not end."""
    kept = folder / "logs"
    kept.mkdir(exist_ok=True)
    for log in [*(system.state / "logs").iterdir(), system.state / "up.log"]:
        (kept / log.name).write_bytes(log.read_bytes())


def contents(system: System) -> dict:
    """All that must be the same whatever happened on the way, and what the topics carried."""
    tables = {
        "problems": "SELECT id, split, state FROM problems ORDER BY id",
        "traces": "SELECT id, problem_id, kind, verified FROM traces ORDER BY id",
        # Over a student's tokens they come of pairs for which a run is active. This one waits for the rectified pairs alone:
        # others may come when it has ended.
        "key steps": """
            SELECT trace_id, tokenizer, count(*) FROM key_steps JOIN traces ON traces.id = trace_id
            WHERE tokenizer = 'errata-words-v1' OR traces.body -> 'body' ->> 'method' = 'rectified'
            GROUP BY 1, 2 ORDER BY 1, 2
        """,
        "checkpoints": "SELECT id, stage, model_hash, tokens_trained FROM checkpoints ORDER BY id",
        "data of stages": "SELECT stage, count(*) FROM stage_inputs GROUP BY 1 ORDER BY 1",
        "attempts": "SELECT id, body ->> 'output' FROM attempts ORDER BY id",
        "evaluations": "SELECT stage, suite, problems, correct FROM evaluations ORDER BY 1, 2",
        "outputs": "SELECT evaluation_id, problem_id, output FROM evaluation_results ORDER BY 1, 2",
        "dead letters": "SELECT topic, cause_code, cause_message FROM dead_letters ORDER BY 1, 2",
    }
    found = {name: system.query(sql) for name, sql in tables.items()}
    sent = system.query("SELECT topic, event_id, count(*) FROM outbox GROUP BY 1, 2 ORDER BY 1, 2")
    carried: dict[str, dict[str, set]] = {}
    for topic in sorted({row[0] for row in sent}):
        expected = {row[1] for row in sent if row[0] == topic}
        bodies: dict[str, set] = {}
        read: list = []

        def complete(messages):
            for message in messages[len(read) :]:
                read.append(message)
                identifier = dict(message.headers())["ce_id"].decode()
                bodies.setdefault(identifier, set()).add(message.value())
            return expected <= bodies.keys()

        try:
            system.read_all(topic, complete, timeout=30)
        except AssertionError:
            pass
        carried[topic] = bodies
    written = system.query(
        """
        SELECT events.topic, events.event_id, events.written::text,
               coalesce(array_agg(effects.consumer || ' ' || effects.topic || ' ' || effects.event_id)
                        FILTER (WHERE effects.consumer IS NOT NULL), '{}')
        FROM (SELECT DISTINCT topic, event_id, written, count(*) OVER (PARTITION BY topic, event_id) AS count
              FROM fault_events) AS events
        LEFT JOIN fault_effects AS effects ON effects.written = events.written
        WHERE events.count > 1 GROUP BY 1, 2, 3
        """
    )
    effects = system.query("SELECT consumer, topic, event_id, count(*) FROM fault_effects GROUP BY 1, 2, 3")
    return {"tables": found, "sent": sent, "carried": carried, "written": written, "effects": effects}
