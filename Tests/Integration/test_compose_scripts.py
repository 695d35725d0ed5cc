"""The scripts of compose/ by themselves, with stand-ins for what they call; no container engine, no server."""
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import threading

import pytest
import sql_rights
from test_compose import COMPOSE, ROOT, SECRET_KEYS, WORKERS, load

MIGRATIONS = ROOT / "Shared/ServiceRuntime/Migrations"


# start-service

def started(program: str) -> subprocess.Popen:
    return subprocess.Popen(["bash", str(COMPOSE / "start-service"), "bash", "-c", program], text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@pytest.mark.parametrize("program, status", [("exit 0", 0), ("exit 70", 70), ("kill -9 $$", 137), ("nonsense", 127)])
def test_a_service_that_ends_ends_its_container(program, status):
    process = started(program)
    process.communicate(timeout=30)
    assert process.returncode == status


def test_wrong_settings_hold_the_container_until_it_is_stopped():
    process = started("echo 'ERRATA_X is wrong' >&2; exit 78")
    lines = [process.stderr.readline() for _ in range(2)]
    assert lines[0] == "ERRATA_X is wrong\n" and "is not started again" in lines[1]
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=1)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 78


def test_an_order_to_stop_reaches_the_service_which_ends_in_its_own_time():
    process = started("trap 'echo stopping; sleep 0.5; echo done; exit 0' TERM; echo up; while :; do sleep 0.1; done")
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGTERM)
    assert process.stdout.readline() == "stopping\n"
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=30)
    assert "done" in output and process.returncode == 0


# The health of the broker

def broker_check(answer: bytes) -> tuple[int, bytes]:
    """The exit status of the broker's health check against a server with such an answer, and what it was asked."""
    asked = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        def serve():
            connection, _ = server.accept()
            with connection:
                asked.append(connection.recv(100))
                connection.sendall(answer)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        text = load("compose.yaml")["services"]["kafka"]["healthcheck"]["test"][3]
        assert "/127.0.0.1/9092 " in text
        text = text.replace("9092", str(server.getsockname()[1]))
        done = subprocess.run(["bash", "-c", text], timeout=30)
        thread.join(timeout=30)
    return done.returncode, asked[0]


def test_the_broker_is_healthy_when_it_answers_a_request():
    status, asked = broker_check(b"\0\0\0\x06" + b"\0\0\0\1" + b"\0\0")
    assert status == 0
    # Length, ApiVersions (18), version 0, correlation id 1, client id.
    assert asked == b"\0\0\0\x0f" + b"\0\x12" + b"\0\0" + b"\0\0\0\1" + b"\0\5check"
    assert broker_check(b"")[0] != 0


# Roles and grants

def created_tables() -> dict[str, set[str]]:
    """The tables and views that the migrations leave, and who writes them as their comments say."""
    text = "".join(path.read_text() for path in sorted(MIGRATIONS.glob("*.sql")))
    text = re.sub(r"^\s*--.*$", "", text, flags=re.M)
    tables = {name: set() for name in re.findall(r"CREATE TABLE (?:IF NOT EXISTS )?(\w+)", text)}
    for name in re.findall(r"DROP TABLE (?:IF EXISTS )?(\w+)", text):
        tables.pop(name, None)
    for name, writers in re.findall(r"COMMENT ON TABLE (\w+) IS '([^']*)'", text):
        if name in tables:
            tables[name] = set(writers.split(", "))
    return tables


def granted(text: str, one_of: frozenset[str] = frozenset({"INSERT", "UPDATE"})) -> dict[str, set[str]]:
    """Who may write each table, or has another of some rights on it."""
    writers: dict[str, set[str]] = {}
    text = re.sub(r"--.*$", "", text, flags=re.M)
    for rights, tables, roles in re.findall(r"GRANT ([\w, ]+) ON (?!ALL)([\w,\s]+?)\s+TO ([^;]+);", text):
        if not one_of & set(rights.split(", ")):
            continue
        names = {role.strip().strip('"') for role in roles.split(",")}
        for table in re.split(r",\s*", tables):
            writers.setdefault(table, set()).update(WORKERS if "errata_services" in names else names)
    return writers


def missing_grants(text: str) -> list[str]:
    found, tables = granted(text), created_tables()
    complaints = [f"{name} is granted and does not exist" for name in set(found) - set(tables)]
    for name, writers in tables.items():
        if name not in found:
            complaints.append(f"nobody may write {name}")
        elif not writers & WORKERS <= found[name]:
            complaints.append(f"{sorted(writers - found[name])} may not write {name}")
    return complaints


def test_each_table_can_be_written_by_those_that_its_comment_names():
    text = (COMPOSE / "postgres/grants.sql").read_text()
    assert missing_grants(text) == []
    assert missing_grants(text.replace("rollouts", "rolls"))
    assert missing_grants(text.replace("GRANT INSERT ON key_steps", "GRANT SELECT ON key_steps"))


def test_whoever_stores_a_run_may_write_all_of_it():
    text = (COMPOSE / "postgres/grants.sql").read_text()
    tables = set()
    for store, function in (("RunStore", "insert(_ run: RunEvent"), ("RoundStore", "start(")):
        source = (MIGRATIONS.parent / f"Store/{store}.swift").read_text()
        body = source[source.index(f"public static func {function}"):]
        tables |= set(re.findall(r"INSERT INTO (\w+)", body[:body.index("\n    }\n")]))
    assert tables == {"runs", "rounds", "training_jobs"}

    def refused(text: str) -> set[str]:
        writers = granted(text, frozenset({"INSERT"}))
        return {table for table in tables if "template-distiller" not in writers.get(table, set())}

    assert refused(text) == set()
    assert refused(text.replace("INSERT, UPDATE ON runs, rounds TO", "INSERT, UPDATE ON runs TO")) == {"rounds"}
    assert refused(text.replace("GRANT INSERT ON training_jobs TO", "GRANT SELECT ON training_jobs TO")) == {"training_jobs"}


def test_who_collects_may_delete_what_is_kept_no_longer():
    text = (COMPOSE / "postgres/grants.sql").read_text()
    tables = {name for name in created_tables() if name.endswith("_versions")}
    tables |= set(re.findall(r"DELETE FROM (\w+)", (MIGRATIONS.parent / "Store/RetentionStore.swift").read_text()))
    assert tables == {"inbox", "trace_versions", "problem_versions"}

    def refused(text: str) -> set[str]:
        deleters = granted(text, frozenset({"DELETE"}))
        return {table for table in tables if "template-distiller" not in deleters.get(table, set())}

    assert refused(text) == set()
    assert refused(text.replace("DELETE ON trace_versions, problem_versions", "DELETE ON trace_versions")) == {
        "problem_versions"
    }


def test_grants_name_the_services_and_no_table_is_open_to_all():
    text = (COMPOSE / "postgres/grants.sql").read_text()
    roles = set(re.findall(r'"([\w-]+)"', text))
    assert roles == WORKERS
    assert "PUBLIC" not in re.sub(r"--.*", "", text)
    # Only what all publish and bury is written by all.
    shared = {table for table, writers in granted(text).items() if writers == WORKERS}
    assert shared == {"outbox", "dead_letters"}


# What triggers write as the one whose change they keep, and the versions' tables, whose names the collection binds.
BESIDE_STATEMENTS = {
    "teacher-ingestion": {("trace_versions", "INSERT"), ("problem_versions", "INSERT")},
    "template-distiller": {("trace_versions", "DELETE"), ("problem_versions", "DELETE")},
}
# What only a service that reads topics does.
OF_READERS = {"inbox", "work_begun", "parked_messages"}


def test_no_service_may_do_what_none_of_its_statements_does():
    text = (COMPOSE / "postgres/grants.sql").read_text()
    held = {service: sql_rights.held(service) | BESIDE_STATEMENTS.get(service, set()) for service in WORKERS}
    for service in WORKERS - {"dpo-trainer"}:
        assert ("inbox", "INSERT") in held[service], "what a service reaches is found"
    assert "EventProcessor" not in sql_rights.own("dpo-trainer")
    held["dpo-trainer"] = {use for use in held["dpo-trainer"] if use[0] not in OF_READERS}

    def unused(text: str) -> set[tuple[str, str, str]]:
        return {
            (service, table, right)
            for right in ("INSERT", "UPDATE", "DELETE", "TRUNCATE", "REFERENCES", "TRIGGER")
            for table, writers in granted(text, frozenset({right})).items()
            for service in writers
            if (table, right) not in held[service]
        }

    assert "ALL" not in re.sub(r"(REVOKE ALL ON|ON) ALL TABLES|--.*", "", text)
    assert unused(text) == set()
    more = text.replace("GRANT INSERT ON key_steps", "GRANT INSERT, DELETE ON key_steps")
    assert unused(more) == {("key-step-locator", "key_steps", "DELETE")}
    more = text.replace("INSERT, UPDATE ON outbox", "INSERT, UPDATE, DELETE ON outbox")
    assert unused(more) == {(service, table, "DELETE") for service in WORKERS for table in ("outbox", "dead_letters")}


def test_roles_have_passwords_of_their_own_and_none_stands_in_the_statements(tmp_path):
    secrets = {role: f"secret-{role}" for role in WORKERS}
    for role, password in secrets.items():
        (tmp_path / f"postgres_password_{role.replace('-', '_')}").write_text(password)
    (tmp_path / "postgres_password").write_text("secret-errata")
    script = COMPOSE / "postgres/roles.sh"
    done = subprocess.run(["bash", str(script), "--print"], env={**os.environ, "SECRETS": str(tmp_path)},
                          capture_output=True, text=True, timeout=30)
    assert done.returncode == 0, done.stderr
    assert "secret-" not in done.stdout
    for role in WORKERS | {"errata"}:
        name = "postgres_password" if role == "errata" else f"postgres_password_{role.replace('-', '_')}"
        pair = f"\\set password `cat {tmp_path}/{name}`\nALTER ROLE \"{role}\" LOGIN NOSUPERUSER"
        assert pair in done.stdout
    mounted = load("compose.yaml")["services"]["roles"]["secrets"]
    assert set(mounted) == {path.name for path in tmp_path.iterdir()}


# Certificates

@pytest.fixture()
def folder(tmp_path) -> pathlib.Path:
    shutil.copytree(COMPOSE, tmp_path / "compose", ignore=shutil.ignore_patterns("secrets", ".env"))
    (tmp_path / "compose/secrets").mkdir()
    return tmp_path / "compose"


def make_certificates(folder: pathlib.Path) -> None:
    subprocess.run(["bash", str(folder / "make-certificates")], check=True, capture_output=True, timeout=60)


def verified(folder: pathlib.Path, name: str, host: str) -> bool:
    tls = folder / "secrets/tls"
    done = subprocess.run(
        ["openssl", "verify", "-CAfile", str(tls / "ca.pem"), "-verify_hostname", host, str(tls / f"{name}.pem")],
        capture_output=True,
    )
    return done.returncode == 0


def test_certificates_are_good_for_their_servers_and_for_no_other(folder):
    make_certificates(folder)
    for name, other in (("kafka", "postgres"), ("postgres", "kafka")):
        assert verified(folder, name, name) and verified(folder, name, "localhost")
        assert not verified(folder, name, other)
        text = (folder / f"secrets/tls/{name}.pem").read_text()
        # The broker reads a key in PKCS #8 and the certificate after it.
        assert text.startswith("-----BEGIN PRIVATE KEY-----\n") and "-----BEGIN CERTIFICATE-----" in text
    authority = (folder / "secrets/tls/ca.pem").read_text()
    old = (folder / "secrets/tls/kafka.pem").read_text()
    make_certificates(folder)
    assert (folder / "secrets/tls/ca.pem").read_text() == authority
    assert (folder / "secrets/tls/kafka.pem").read_text() != old and verified(folder, "kafka", "kafka")


def test_keys_of_certificates_are_private(folder):
    make_certificates(folder)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (folder / "secrets/tls").iterdir()}
    assert modes == {"ca.key": 0o600, "ca.pem": 0o644, "kafka.pem": 0o640, "postgres.pem": 0o640}


def test_the_brokers_users_are_those_of_the_services(folder):
    subprocess.run(["bash", str(folder / "make-secrets")], check=True, capture_output=True, timeout=60)
    text = (folder / "secrets/kafka_users").read_text()
    users = dict(re.findall(r'user_([\w-]+)="([0-9a-f]{64})"', text))
    assert set(users) == WORKERS | {"errata", "client", "broker"}
    assert len(set(users.values())) == len(users)
    for user, password in users.items():
        assert (folder / f"secrets/kafka_password_{user.replace('-', '_')}").read_text() == password
    assert not SECRET_KEYS & set((folder / ".env").read_text().split("="))


# The demonstration

def test_the_demo_leaves_another_teacher_alone(tmp_path):
    (tmp_path / "errata").write_text("#!/bin/sh\necho called >> \"$CALLS\"\n")
    (tmp_path / "errata").chmod(0o755)
    environment = {
        "PATH": f"{tmp_path}:{os.environ['PATH']}", "CALLS": str(tmp_path / "calls"),
        "DEMO_TEACHER_URL": "https://teacher.example/v1",
    }
    done = subprocess.run(["bash", str(COMPOSE / "demo")], env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode == 0 and "nothing is submitted" in done.stderr
    assert not (tmp_path / "calls").exists()


def test_the_demo_ends_as_its_run_does(tmp_path):
    (tmp_path / "errata").write_text(
        "#!/bin/sh\necho \"$*\" >> \"$CALLS\"\n"
        "case \"$1 $2\" in\n"
        "'models create') echo 'abc  demo-student' ;;\n"
        "'runs submit') cp \"$3\" \"$CALLS.run\"; echo 'submitted run R' ;;\n"
        "'runs wait') exit 1 ;;\n"
        "esac\n"
    )
    (tmp_path / "errata").chmod(0o755)
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "CALLS": str(tmp_path / "calls")}
    done = subprocess.run(["bash", str(COMPOSE / "demo")], env=environment, capture_output=True, text=True, timeout=30)
    assert done.returncode == 1, done.stderr
    calls = (tmp_path / "calls").read_text().splitlines()
    assert "runs wait R" in calls and calls[-1] == "watch evaluations --once"
    assert "student: {model: abc}" in (tmp_path / "calls.run").read_text()


# small-student, with stand-ins for the toolchain and for `errata`

SWIFT = """#!/bin/sh
case "$*" in
--version) echo "Swift version 6.2" ;;
*--show-bin-path*) echo {folder} ;;
esac
"""
ERRATA = """#!/bin/sh
echo "$@" >>{folder}/calls
case "$1" in
up) trap 'exit 0' TERM; echo "Errata is up"; while :; do sleep 0.1; done ;;
models) echo "0123abcd student" ;;
esac
"""


def test_small_student_splits_files_of_any_size_and_asks_for_its_recipe(tmp_path):
    for name, script in (("swift", SWIFT), ("errata", ERRATA)):
        (tmp_path / name).write_text(script.format(folder=tmp_path))
        (tmp_path / name).chmod(0o755)
    # Lines so long that those which nothing reads are more than a pipe holds.
    lines = {name: [f"{name} {number} {'x' * 1000}\n" for number in range(2000)] for name in ("train", "test")}
    for name, written in lines.items():
        (tmp_path / f"{name}.jsonl").write_text("".join(written))
    state = tmp_path / "state"
    subprocess.run(
        [COMPOSE / "small-student", "--student", "model.gguf", "--train", tmp_path / "train.jsonl",
         "--test", tmp_path / "test.jsonl", "--state", state],
        env=os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}, check=True, timeout=60,
    )

    def part(name: str) -> list[str]:
        return (state / f"problems/{name}.jsonl").read_text().splitlines(keepends=True)

    assert part("train") == lines["train"][:500]
    assert part("rollout") == lines["train"][500:650]
    assert part("test") == lines["test"][:200]
    calls = (tmp_path / "calls").read_text().splitlines()
    assert calls[1] == f"models add model.gguf --state {state}"
    assert [call.split()[1] for call in calls if call.startswith("submit")] == [
        f"{state}/problems/{name}.jsonl" for name in ("test", "rollout", "train")]
    assert calls[-3:] == ["runs template small-student --student 0123abcd --dataset problems",
                          f"runs submit {state}/run.yaml --state {state}",
                          f"runs wait small-student --state {state}"]
