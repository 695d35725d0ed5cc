"""Holds compose/ against the compose specification, a Dockerfile linter and the rules of this project.

No container engine is needed. Every check is also run on a planted violation, so that a green run means something.
"""
import copy
import http.server
import json
import os
import pathlib
import re
import shutil
import stat
import subprocess
import sys
import threading

import pytest
import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
COMPOSE = ROOT / "compose"
PROGRAMS = {
    "teacher-ingestion", "key-step-locator", "template-distiller", "dpo-trainer", "evaluator", "teacher-simulator",
    "errata",
}
SERVICES = PROGRAMS - {"errata"}
# What reads and writes the pipeline; each has a role in the database and a user of the broker.
WORKERS = SERVICES - {"teacher-simulator"}
# Those that act for the operator: the owner of the database.
OPERATORS = {"migrate", "errata", "demo"}
OUR_OWN = SERVICES | OPERATORS
DATABASE_JOBS = {"roles", "grants"}
OBSERVERS = {"prometheus", "grafana"}
ONE_SHOT = OPERATORS | DATABASE_JOBS
# The files that go on top of compose.yaml, and those that each of them needs before it.
OVERRIDES = {
    "external-kafka.yaml": [], "external-postgres.yaml": [], "own-certificates.yaml": [], "own-prompts.yaml": [],
    "own-teachers.yaml": [], "kafka-users.yaml": [], "tls.yaml": ["kafka-users.yaml"],
}

HTTP_AND_LOGS = {
    "ERRATA_CONFIG", "ERRATA_HTTP_HOST", "ERRATA_HTTP_PORT", "ERRATA_LOG_LEVEL", "ERRATA_LOG_FORMAT",
    "ERRATA_SHUTDOWN_TIMEOUT",
}
COMMON = HTTP_AND_LOGS | {
    "ERRATA_KAFKA_BOOTSTRAP_SERVERS", "ERRATA_KAFKA_SETTINGS", "ERRATA_KAFKA_SETTINGS_FILE",
    "ERRATA_KAFKA_SASL_PASSWORD", "ERRATA_KAFKA_SASL_PASSWORD_FILE", "ERRATA_POSTGRES_URL", "ERRATA_POSTGRES_URL_FILE",
    "ERRATA_POSTGRES_PASSWORD", "ERRATA_POSTGRES_PASSWORD_FILE", "ERRATA_POSTGRES_CONNECTIONS",
    "ERRATA_POSTGRES_STATEMENT_TIMEOUT",
    "OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_RESOURCE_ATTRIBUTES", "OTEL_TRACES_SAMPLER", "OTEL_TRACES_SAMPLER_ARG",
}
NUMERICS = COMMON | {"ERRATA_MODEL_STORE", "ERRATA_THREADS", "ERRATA_WORK_FOLDER"}
# Of those that read topics.
READING = {"ERRATA_CONCURRENCY", "ERRATA_MEMBER"}
# The configuration keys that each program knows; it refuses to start with any other ERRATA_ key.
KNOWN_KEYS = {
    "migrate": COMMON,
    "key-step-locator": COMMON | READING | {"ERRATA_MODEL_STORE"},
    "template-distiller": NUMERICS | READING | {
        "ERRATA_RETENTION_INBOX_DAYS", "ERRATA_RETENTION_OUTBOX_DAYS", "ERRATA_RETENTION_MODELS_DAYS",
        "ERRATA_RETENTION_INTERVAL",
    },
    "dpo-trainer": NUMERICS,
    "evaluator": COMMON | READING | {"ERRATA_MODEL_STORE", "ERRATA_THREADS"},
    "errata": NUMERICS,
    "demo": COMMON | {"ERRATA_MODEL_STORE", "DEMO_TEACHER_URL"},
    "teacher-simulator": HTTP_AND_LOGS | {
        "ERRATA_SIMULATOR_SEED", "ERRATA_SIMULATOR_ERROR_RATE", "ERRATA_SIMULATOR_BATCH_SECONDS",
    },
    "teacher-ingestion": COMMON | READING | {
        "ERRATA_TEACHER_URL", "ERRATA_TEACHER_MODEL", "ERRATA_TEACHER_API_KEY", "ERRATA_TEACHER_API_KEY_FILE",
        "ERRATA_TEACHER_TIMEOUT_SECONDS", "ERRATA_TEACHER_CONCURRENCY", "ERRATA_TEACHER_ATTEMPTS",
        "ERRATA_TEACHER_PRESET", "ERRATA_TEACHER_MAXIMUM_TOKENS", "ERRATA_TEACHER_DAY_TOKENS",
        "ERRATA_TEACHER_DAY_COST", "ERRATA_TEACHERS", "ERRATA_TEACHER_PARTS",
        "ERRATA_INSPECTOR_ROUNDS", "ERRATA_PROMPTS", "ERRATA_CLASSIFY_MISTAKES", "ERRATA_FIND_DUPLICATES",
        "ERRATA_DECONTAMINATION",
    },
}
SECRET_KEYS = {
    "ERRATA_KAFKA_SASL_PASSWORD", "ERRATA_POSTGRES_PASSWORD", "ERRATA_TEACHER_API_KEY", "POSTGRES_PASSWORD",
}
VARIABLE = re.compile(r"\$(?:\$|\{(\w+)(?::-([^}]*))?\})")


# Reading

class ComposeLoader(yaml.SafeLoader):
    """Knows the tags of compose files that take a value out (!reset) or replace it whole (!override)."""


class Override(dict):
    pass


RESET = object()
ComposeLoader.add_constructor("!reset", lambda loader, node: RESET)
ComposeLoader.add_constructor("!override", lambda loader, node: Override(loader.construct_mapping(node, deep=True)))


def interpolate(value, values: dict[str, str]):
    """Variables replaced in every text of a parsed document, as Docker Compose does it: what was text stays text."""
    if isinstance(value, dict):
        return type(value)((key, interpolate(item, values)) for key, item in value.items())
    if isinstance(value, list):
        return [interpolate(item, values) for item in value]
    if isinstance(value, str):
        return VARIABLE.sub(lambda match: values.get(match[1]) or match[2] or "" if match[1] else "$", value)
    return value


def load(name: str, values: dict[str, str] | None = None) -> dict:
    return interpolate(yaml.load((COMPOSE / name).read_text(encoding="utf-8"), ComposeLoader), values or {})


def merge(base: dict, over: dict) -> dict:
    """`docker compose -f base -f over` as far as the files here use it: mappings merge, lists append."""
    result = copy.deepcopy(base)
    for key, value in over.items():
        if value is RESET:
            result.pop(key, None)
        elif isinstance(value, dict) and not isinstance(value, Override) and isinstance(result.get(key), dict):
            result[key] = merge(result[key], value)
        elif isinstance(value, list) and isinstance(result.get(key), list):
            result[key] = result[key] + [item for item in value if item not in result[key]]
        else:
            result[key] = copy.deepcopy(dict(value) if isinstance(value, Override) else value)
    return result


def settings(text: str) -> dict[str, str]:
    pairs = (line.split("=", 1) for line in text.splitlines() if line.strip() and not line.startswith("#"))
    return dict(pairs)


@pytest.fixture(scope="module")
def document() -> dict:
    return load("compose.yaml")


# The rules

def violations(document: dict, left_out: set[str] = frozenset()) -> list[str]:
    found: list[str] = []
    services = document["services"]
    expected = (OUR_OWN | DATABASE_JOBS | OBSERVERS | {"postgres", "kafka"}) - left_out
    if set(services) != expected:
        found.append(f"services: {sorted(set(services) ^ expected)} missing or unexpected")
    for kind in ("secrets", "configs", "volumes", "networks"):
        found += undefined_references(document, kind)
    for name, service in services.items():
        found += [f"{name}: {what}" for what in service_violations(name, service, services)]
    return found


def undefined_references(document: dict, kind: str) -> list[str]:
    defined = document.get(kind) or {}
    used = set()
    for name, service in document["services"].items():
        for entry in service.get(kind) or []:
            if kind == "volumes":
                if isinstance(entry, dict) and entry["type"] == "tmpfs":
                    continue
                source = entry["source"] if isinstance(entry, dict) else entry.split(":")[0]
                if source.startswith(("/", ".")):
                    continue
            else:
                source = entry["source"] if isinstance(entry, dict) else entry
            used.add((name, source))
    found = [f"{name}: {kind} entry {source!r} is not defined" for name, source in used if source not in defined]
    found += [f"{kind}: {name!r} is defined and never used" for name in set(defined) - {source for _, source in used}]
    if kind == "secrets":
        found += [f"secrets: {name!r} is not a file" for name, value in defined.items() if "file" not in (value or {})]
    return found


def image_violations(image: str) -> list[str]:
    found = []
    repository, _, tag = image.rpartition(":")
    if not repository or not re.fullmatch(r"v?\d+\.\d+[\w.-]*", tag):
        found.append(f"image {image!r} is not pinned to a version")
    host = image.split("/")[0] if "/" in image else ""
    if "." in host or ":" in host or host == "localhost":
        found.append(f"image {image!r} names a registry host")
    return found


def service_violations(name: str, service: dict, services: dict) -> list[str]:
    found = image_violations(service.get("image", ""))
    one_shot = name in ONE_SHOT
    if name == "kafka" and not re.fullmatch(r"apache/kafka:4\.\d+\.\d+", service["image"]):
        found.append("is not Apache Kafka 4")
    if name == "postgres" and not re.match(r"postgres:17\.\d+", service["image"]):
        found.append("is not PostgreSQL 17")
    for other, how in (service.get("depends_on") or {}).items():
        condition = how.get("condition")
        if other not in services:
            found.append(f"depends on {other}, which does not exist")
        elif condition == "service_completed_successfully":
            if services[other].get("restart") != "no":
                found.append(f"waits for the end of {other}, which is restarted")
        elif condition == "service_started" and name == "roles":
            pass  # it waits by itself: the server is healthy once its work is done
        elif condition == "service_healthy":
            if "test" not in services[other].get("healthcheck", {}):
                found.append(f"waits for the health of {other}, which has no health check")
        else:
            found.append(f"depends on {other} by the condition {condition!r}")
    if service.get("restart") != ("no" if one_shot else "unless-stopped"):
        found.append(f"restart is {service.get('restart')!r}")
    if not one_shot and "test" not in service.get("healthcheck", {}):
        found.append("has no health check")
    if service.get("cap_drop") != ["ALL"] or "no-new-privileges:true" not in service.get("security_opt", []):
        found.append("keeps capabilities or may gain privileges")
    if service.get("privileged") or service.get("network_mode") == "host":
        found.append("is privileged")
    if name != "kafka" and service.get("read_only") is not True:
        found.append("has a writable root file system")
    for limit in ("memory", "cpus", "pids"):
        if limit not in service.get("deploy", {}).get("resources", {}).get("limits", {}):
            found.append(f"has no limit of {limit}")
    if name in DATABASE_JOBS | {"postgres"}:
        if "postgres-socket:/var/run/postgresql" not in service["volumes"]:
            found.append("does not share the socket of the database")
    elif any("postgres-socket" in str(volume) for volume in service.get("volumes") or []):
        found.append("reaches the database as its superuser")
    check = " ".join(service.get("healthcheck", {}).get("test", []))
    if re.search(r"\bjava\b|\.sh\b", check):
        found.append("starts a JVM for its health")
    if name == "postgres" and "psql" not in check:
        found.append("is healthy without its role and database")
    if "stop_grace_period" not in service:
        found.append("has no stop_grace_period")
    if "container_name" in service:
        found.append("has a fixed container name")
    for port in service.get("ports") or []:
        if not str(port).startswith("127.0.0.1:"):
            found.append(f"publishes {port} beyond this host")
    environment = service.get("environment") or {}
    for key in SECRET_KEYS & set(environment):
        found.append(f"{key} is in the environment: pass it as a file")
    for key, value in environment.items():
        if re.search(r"\b(sasl\.)?password=|://[^/@]*:[^/@]*@", str(value)):
            found.append(f"{key} holds a password: pass it as a file")
    for key, value in environment.items():
        if not isinstance(value, str):
            found.append(f"{key} is not text: quote it")
        if key.endswith("_FILE"):
            if str(value) not in {f"/run/secrets/{secret}" for secret in service.get("secrets") or []}:
                found.append(f"{key} names no secret of the service")
    if name in OUR_OWN:
        found += own_service_violations(name, service, environment, one_shot)
    return found


def own_service_violations(name: str, service: dict, environment: dict, one_shot: bool) -> list[str]:
    found = []
    if name in SERVICES and service.get("entrypoint") != ["start-service"]:
        found.append("starts again and again where its settings are wrong")
    program = service["entrypoint"][0] if name in OPERATORS else (service.get("command") or [""])[0]
    if program != ("errata" if name == "migrate" else name):
        found.append(f"runs {program!r}")
    role = "errata" if name in OPERATORS else name
    if name != "teacher-simulator":
        url = environment.get("ERRATA_POSTGRES_URL", "")
        if not url.startswith(f"postgresql://{role}@"):
            found.append(f"comes into the database by {url!r}, not as {role}")
        secret = "postgres_password" if name in OPERATORS else "postgres_password_" + name.replace("-", "_")
        passwords = {entry for entry in service.get("secrets") or [] if entry.startswith("postgres_password")}
        if passwords != {secret}:
            found.append(f"holds the passwords {sorted(passwords)}, not {secret} alone")
    for key in environment:
        if key not in KNOWN_KEYS[name]:
            found.append(f"{key} is not a key that it knows")
    if str(service.get("user", "")).split(":")[0] in ("", "0", "root"):
        found.append("runs as root")
    if "ports" in service:
        found.append("publishes a port of the host, so it cannot be scaled")
    if "build" in service and name != "migrate":
        found.append("builds the image again")
    if service.get("pull_policy") != "never":
        found.append("looks for our image in a registry")
    if one_shot:
        return found
    grace = int(service.get("stop_grace_period", "0s").rstrip("s"))
    if grace <= int(environment.get("ERRATA_SHUTDOWN_TIMEOUT", "20s").rstrip("s")):
        found.append("is killed before its own shutdown time is over")
    if name != "teacher-simulator" and not {"grants", "migrate"} & set(service["depends_on"]):
        found.append("does not wait for the migrations")
    if environment.get("ERRATA_HTTP_HOST") != "0.0.0.0":
        found.append("listens on its loopback interface only")
    return found


def test_compose_file_keeps_the_rules(document):
    assert violations(document) == []


def plant(path: str, value):
    """A change of the document: the value at a path of keys; None removes it."""
    def change(document: dict) -> None:
        *parents, last = path.split("/")
        place = document
        for key in parents:
            place = place[key]
        if value is None:
            del place[last]
        else:
            place[last] = value

    return change


@pytest.mark.parametrize("path, value, complaint", [
    ("services/kafka/image", "apache/kafka:latest", "not pinned"),
    ("services/kafka/image", "apache/kafka:3.9.1", "not Apache Kafka 4"),
    ("services/postgres/image", "postgres", "not pinned"),
    ("services/postgres/image", "postgres:16.4", "not PostgreSQL 17"),
    ("services/evaluator/image", "registry.example.org/errata:1.0.0", "registry host"),
    ("services/evaluator/depends_on", {"postgres": {"condition": "service_ready"}}, "service_ready"),
    ("services/evaluator/depends_on", {"postgres": {"condition": "service_healthy"}}, "wait for the migrations"),
    ("services/migrate/depends_on", {"zookeeper": {"condition": "service_healthy"}}, "does not exist"),
    ("services/postgres/healthcheck", None, "has no health check"),
    ("services/migrate/restart", "on-failure", "which is restarted"),
    ("services/evaluator/restart", "no", "restart is"),
    ("services/evaluator/user", "0:0", "runs as root"),
    ("services/evaluator/read_only", False, "writable root"),
    ("services/evaluator/cap_drop", None, "capabilities"),
    ("services/evaluator/container_name", "evaluator", "fixed container name"),
    ("services/key-step-locator/ports", ["8080:8080"], "cannot be scaled"),
    ("services/grafana/ports", ["3000:3000"], "beyond this host"),
    ("services/prometheus/image", "prom/prometheus:latest", "not pinned"),
    ("services/key-step-locator/build", {"context": ".."}, "builds the image again"),
    ("services/dpo-trainer/stop_grace_period", "10s", "killed before"),
    ("services/dpo-trainer/deploy", None, "limit of memory"),
    ("services/dpo-trainer/deploy/resources/limits/cpus", None, "limit of cpus"),
    ("services/dpo-trainer/pull_policy", "missing", "in a registry"),
    ("services/dpo-trainer/entrypoint", None, "again and again"),
    ("services/dpo-trainer/volumes", ["postgres-socket:/var/run/postgresql"], "as its superuser"),
    ("services/dpo-trainer/secrets", ["postgres_password"], "not postgres_password_dpo_trainer alone"),
    ("services/dpo-trainer/environment/ERRATA_POSTGRES_URL", "postgresql://errata@postgres/errata", "not as dpo-trainer"),
    ("services/dpo-trainer/environment/ERRATA_KAFKA_SETTINGS", "sasl.username=a;sasl.password=b", "holds a password"),
    ("services/kafka/healthcheck/test", ["CMD", "/opt/kafka/bin/kafka-topics.sh"], "starts a JVM"),
    ("services/kafka/ports", ["9092:9092"], "beyond this host"),
    ("services/postgres/healthcheck/test", ["CMD", "pg_isready"], "without its role"),
    ("services/roles/volumes", [], "does not share the socket"),
    ("services/dpo-trainer/command", ["dpo"], "runs 'dpo'"),
    ("services/evaluator/environment/ERRATA_KAFKA_BOOTSTRAP", "kafka:9092", "not a key"),
    ("services/evaluator/environment/ERRATA_TEACHER_URL", "http://teacher", "not a key"),
    ("services/evaluator/environment/ERRATA_POSTGRES_PASSWORD", "errata", "pass it as a file"),
    ("services/evaluator/environment/ERRATA_POSTGRES_PASSWORD_FILE", "/run/secrets/other", "names no secret"),
    ("services/evaluator/environment/ERRATA_HTTP_PORT", 8080, "quote it"),
    ("services/evaluator/environment/ERRATA_HTTP_HOST", "127.0.0.1", "loopback"),
    ("services/evaluator/volumes", ["store:/var/lib/errata/models"], "'store' is not defined"),
    ("services/evaluator/networks", ["front"], "'front' is not defined"),
    ("secrets/teacher_api_key", None, "'teacher_api_key' is not defined"),
    ("secrets/teacher_api_key", {"environment": "KEY"}, "not a file"),
    ("volumes/unused", {}, "never used"),
    ("services/evaluator", None, "missing or unexpected"),
])
def test_a_broken_rule_is_found(document, path, value, complaint):
    broken = copy.deepcopy(document)
    plant(path, value)(broken)
    assert any(complaint in line for line in violations(broken)), violations(broken)


def test_what_observes_is_started_by_its_profile_and_changes_nothing(document):
    for name in OBSERVERS:
        service = document["services"][name]
        assert service["profiles"] == ["observability"]
        for volume in service["volumes"]:
            source, mode = volume.split(":")[0], volume.split(":")[-1]
            assert not source.startswith(".") or (mode == "ro" and (COMPOSE / source).is_dir())


def test_external_kafka_takes_the_broker_out(document):
    over = load("external-kafka.yaml")
    merged = merge(document, over)
    assert violations(merged, {"kafka"}) == []
    assert reaching_out(merged) == OUR_OWN
    # Public CAs need no folder of certificates.
    assert all("bind" not in str(service.get("volumes")) for service in merged["services"].values())
    del over["services"]["migrate"]["depends_on"]
    assert violations(merge(document, over), {"kafka"}) == ["migrate: depends on kafka, which does not exist"]


def test_external_postgres_takes_the_server_and_its_jobs_out(document):
    merged = merge(document, load("external-postgres.yaml"))
    assert violations(merged, {"postgres", "roles", "grants"}) == []
    assert reaching_out(merged) == OUR_OWN
    both = merge(merge(document, load("external-kafka.yaml")), load("external-postgres.yaml"))
    assert violations(both, {"kafka", "postgres", "roles", "grants"}) == []
    assert both["services"]["migrate"]["depends_on"] == {}


def reaching_out(document: dict) -> set[str]:
    return {name for name, service in document["services"].items() if "outside" in service.get("networks", [])}


@pytest.mark.parametrize("file", ["kafka-users.yaml", "tls.yaml"])
def test_each_service_has_a_user_of_the_broker_of_its_own(document, file):
    merged = document
    for name in [*OVERRIDES[file], file]:
        merged = merge(merged, load(name))
    assert violations(merged) == []
    for name in WORKERS | OPERATORS:
        service = merged["services"][name]
        user = "errata" if name in OPERATORS else name
        settings = dict(pair.split("=", 1) for pair in service["environment"]["ERRATA_KAFKA_SETTINGS"].split(";"))
        assert (settings["sasl.mechanism"], settings["sasl.username"]) == ("PLAIN", user)
        password = service["environment"]["ERRATA_KAFKA_SASL_PASSWORD_FILE"]
        assert password == f"/run/secrets/kafka_password_{user.replace('-', '_')}"
        if file == "tls.yaml":
            authority = settings["ssl.ca.location"]
            assert settings["security.protocol"] == "SASL_SSL"
            assert authority in [config["target"] for config in service["configs"]]
            url = service["environment"]["ERRATA_POSTGRES_URL"]
            assert url.endswith(f"?sslmode=verify-full&sslrootcert={authority}")
    protocols = merged["services"]["kafka"]["environment"]["KAFKA_LISTENER_SECURITY_PROTOCOL_MAP"]
    assert all(entry.split(":")[1].startswith("SASL_") for entry in protocols.split(",") if "CONTROLLER" not in entry)


def test_certificates_of_ones_own_reach_all_that_connect(document):
    merged = merge(document, load("own-certificates.yaml"))
    assert violations(merged) == []
    for name in WORKERS | OPERATORS:
        volumes = merged["services"][name]["volumes"]
        assert "/etc/errata/certificates" in [volume["target"] for volume in volumes if isinstance(volume, dict)]


@pytest.mark.parametrize(
    "file, key", [("own-prompts.yaml", "ERRATA_PROMPTS"), ("own-teachers.yaml", "ERRATA_TEACHERS")]
)
def test_files_of_ones_own_are_mounted_where_the_service_looks(document, file, key):
    merged = merge(document, load(file))
    assert violations(merged) == []
    service = merged["services"]["teacher-ingestion"]
    assert service["environment"][key] in [volume["target"] for volume in service["volumes"]]


# The compose specification

def schema_errors(document: dict, folder: pathlib.Path) -> str:
    """What the JSON schema of the compose specification has against a document; empty when nothing."""
    path = folder / "compose.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)],
        capture_output=True, text=True, timeout=120,
    )
    return "" if done.returncode == 0 else done.stdout + done.stderr


def test_compose_file_fits_the_specification(document, tmp_path):
    assert schema_errors(document, tmp_path) == ""
    if shutil.which("docker") and subprocess.run(["docker", "compose", "version"], capture_output=True).returncode == 0:
        command = ["docker", "compose", "--env-file", "settings.env", "-f", "compose.yaml"]
        for name, before in [(None, []), *OVERRIDES.items()]:
            more = [argument for file in [*before, name] if file for argument in ("-f", file)]
            profiles = ["--profile", "demo", "--profile", "tools"]
            done = subprocess.run(
                command + more + profiles + ["config", "-q"], cwd=COMPOSE, capture_output=True, text=True
            )
            assert done.returncode == 0, (name, done.stderr)


@pytest.mark.parametrize("path, value", [
    ("services/kafka/restrat", "always"),
    ("services/kafka/healthcheck/interval", ["10s"]),
    ("services/migrate/depends_on", {"kafka": {"condition": "service_ready"}}),
    ("secrets/teacher_api_key", "teacher_api_key"),
])
def test_a_file_outside_the_specification_is_refused(document, tmp_path, path, value):
    broken = copy.deepcopy(document)
    plant(path, value)(broken)
    assert schema_errors(broken, tmp_path) != ""


# Settings

def drift(compose: str, text: str) -> list[str]:
    """Where settings.env and the variables of the compose files say different things."""
    listed = settings(text)
    used: dict[str, set[str]] = {}
    for name, default in VARIABLE.findall(compose):
        if name:
            used.setdefault(name, set()).add(default)
    found = [f"{name}: in settings.env only" for name in set(listed) - set(used)]
    for name, defaults in used.items():
        if defaults != {listed.get(name)}:
            found.append(f"{name}: {sorted(defaults)} in the compose files, {listed.get(name)!r} in settings.env")
    return found


def test_settings_list_every_variable_with_its_default():
    compose = "".join(
        (COMPOSE / name).read_text()
        for name in ("compose.yaml", *OVERRIDES)
    )
    code = "\n".join(line for line in compose.splitlines() if not line.lstrip().startswith("#"))
    text = (COMPOSE / "settings.env").read_text()
    assert drift(code, text) == []
    assert drift(code, text + "ERRATA_UNUSED=1\n") != []
    assert drift(code, text.replace("KAFKA_HOST_PORT=9094", "KAFKA_HOST_PORT=9095")) != []
    assert drift(code + "${NEW_VARIABLE:-1}", text) != []


def test_settings_reach_the_containers():
    document = load("compose.yaml", {"ERRATA_TEACHER_URL": "https://teacher.example/v1", "CONTAINER_UID": "1000"})
    ingestion = document["services"]["teacher-ingestion"]
    assert ingestion["environment"]["ERRATA_TEACHER_URL"] == "https://teacher.example/v1"
    assert ingestion["user"] == "1000:10001"


# Dockerfile

def lint(text: str) -> list[dict]:
    path = os.pathsep.join([str(pathlib.Path(sys.executable).parent), os.environ["PATH"]])
    program = shutil.which("hadolint", path=path)
    assert program, "hadolint is missing: pip install -r Tests/Integration/requirements.txt"
    done = subprocess.run([program, "--no-color", "-f", "json", "-"], input=text, capture_output=True, text=True)
    return json.loads(done.stdout)


def dockerfile_violations(text: str) -> list[str]:
    lines = re.sub(r"\\\n", " ", re.sub(r"^\s*#.*\n", "", text, flags=re.M)).splitlines()
    found = [f"{line['code']}: {line['message']}" for line in lint(text)]
    stages = [line for line in lines if line.startswith("FROM ")]
    if len(stages) < 2 or any(not re.match(r"FROM \$\{\w+\}", line) for line in stages):
        found.append("not every stage takes its base image from a build argument")
    last = lines[max(index for index, line in enumerate(lines) if line.startswith("FROM ")):]
    users = [line.split()[1] for line in last if line.startswith("USER ")]
    if not users or users[-1].split(":")[0] in ("0", "root"):
        found.append("the image runs as root")
    if not any(line.startswith("HEALTHCHECK ") for line in last):
        found.append("the image has no HEALTHCHECK")
    if any(re.search(r"^(ENV|ARG) .*OPENBLAS_CORETYPE", line) for line in lines):
        found.append("OPENBLAS_CORETYPE is preset")
    installed = " ".join(line for line in last if line.startswith("RUN apt-get"))
    found += [f"the image lacks {name}" for name in ("librdkafka1", "libpq5", "libopenblas0-pthread")
              if name not in installed]
    builds = [line for line in lines if "swift build" in line]
    if not builds or not all("--mount=type=cache" in line and "--static-swift-stdlib" in line for line in builds):
        found.append("the build has no cache or links the Swift run time dynamically")
    if not any(re.search(r"\binstall -s\b", line) for line in builds):
        found.append("the programs keep their symbols, half of their size")
    if not any(line.startswith("COPY --from=build /src/Package.resolved ") for line in last):
        found.append("the image does not say which packages it was built of")
    missing = {name for name in PROGRAMS if not any(re.search(rf"[\s]{name}[\s;]", line) for line in builds)}
    if missing:
        found.append(f"programs left out of the image: {sorted(missing)}")
    return found


def test_dockerfile_keeps_the_rules(document):
    text = (COMPOSE / "Dockerfile").read_text()
    assert dockerfile_violations(text) == []
    arguments = dict(re.findall(r"^ARG (\w+)=(\S+)", text, flags=re.M))
    assert document["services"]["migrate"]["build"]["args"] == arguments


@pytest.mark.parametrize("old, new, complaint", [
    ("FROM ${RUN_IMAGE}", "FROM debian", "DL3006"),
    ("FROM ${RUN_IMAGE}", "FROM debian:bookworm-slim", "build argument"),
    ("USER 10001:10001", "USER root", "runs as root"),
    ("--no-install-recommends", "", "DL3015"),
    ("# hadolint ignore=DL3008\n", "", "DL3008"),
    ("HEALTHCHECK --interval=10s", "#", "no HEALTHCHECK"),
    ("ENV ", "ENV OPENBLAS_CORETYPE=Haswell ", "OPENBLAS_CORETYPE"),
    ("librdkafka1", "", "lacks librdkafka1"),
    ("--static-swift-stdlib", "", "dynamically"),
    ("install -s", "install", "keep their symbols"),
    ("COPY --from=build /src/Package.resolved", "COPY LICENSE", "which packages"),
    ("key-step-locator", "", "key-step-locator"),
    ("WORKDIR /src", "WORKDIR src", "DL3000"),
])
def test_a_broken_dockerfile_is_found(old, new, complaint):
    text = (COMPOSE / "Dockerfile").read_text()
    assert old in text
    found = dockerfile_violations(text.replace(old, new))
    assert any(complaint in line for line in found), found


def test_build_context_holds_what_the_dockerfile_copies():
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = set()
    for line in (COMPOSE / "Dockerfile").read_text().splitlines():
        words = [word for word in line.split()[1:] if not word.startswith("--")]
        if line.startswith("COPY ") and "--from=" not in line:
            # A pattern of one file: one that need not be there.
            copied |= {re.sub(r"\[(\w)\]", r"\1", word) for word in words[:-1]}
    assert copied == kept
    assert all((ROOT / path).exists() for path in copied - {"compose/Package.resolved"})


# Secrets

@pytest.fixture()
def checkout(tmp_path) -> pathlib.Path:
    """A copy of compose/ in a git repository of its own, as a fresh clone has it."""
    made_here = shutil.ignore_patterns(".env", "postgres_password", "teacher_api_key")
    shutil.copytree(COMPOSE, tmp_path / "compose", ignore=made_here)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    return tmp_path


def make_secrets(checkout: pathlib.Path, *arguments: str, text: str = "") -> subprocess.CompletedProcess:
    return subprocess.run(["bash", str(checkout / "compose/make-secrets"), *arguments], input=text,
                          capture_output=True, text=True, timeout=60)


def test_secrets_are_random_private_and_never_committed(checkout):
    done = make_secrets(checkout)
    assert done.returncode == 0, done.stderr
    secrets = load("compose.yaml")["secrets"]
    values = set()
    for secret in secrets.values():
        path = checkout / "compose" / secret["file"]
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        values.add(path.read_text())
    assert len(values) == len(secrets) and all(re.fullmatch(r"[0-9a-f]{64}", value) for value in values)
    assert not any(value in done.stdout + done.stderr for value in values)

    subprocess.run(["git", "add", "-A"], cwd=checkout, check=True)
    listed = subprocess.run(["git", "ls-files"], cwd=checkout, check=True, capture_output=True, text=True).stdout
    assert "compose/make-secrets" in listed
    assert not [line for line in listed.splitlines() if line.endswith((".env", "_password", "_api_key"))
                and not line.endswith("settings.env")]


def test_secrets_can_be_read_by_the_user_of_the_containers(checkout):
    assert make_secrets(checkout).returncode == 0
    values = settings((checkout / "compose/.env").read_text())
    owner = (checkout / "compose/secrets/postgres_password").stat()
    assert (values["CONTAINER_UID"], values["CONTAINER_GID"]) == (str(owner.st_uid), str(owner.st_gid))
    assert owner.st_uid != 0
    assert set(values) == set(settings((COMPOSE / "settings.env").read_text()))


def test_secrets_that_exist_are_kept(checkout):
    assert make_secrets(checkout).returncode == 0
    password = (checkout / "compose/secrets/postgres_password").read_text()
    (checkout / "compose/.env").write_text("CONTAINER_UID=1\n")
    again = make_secrets(checkout)
    assert (again.returncode, again.stdout) == (0, "")
    assert (checkout / "compose/secrets/postgres_password").read_text() == password
    assert (checkout / "compose/.env").read_text() == "CONTAINER_UID=1\n"


def test_the_teachers_key_comes_from_standard_input(checkout):
    assert make_secrets(checkout, "--teacher-api-key", text="sk-example\n").returncode == 0
    key = checkout / "compose/secrets/teacher_api_key"
    assert key.read_text() == "sk-example"
    empty = make_secrets(checkout, "--teacher-api-key", text="\n")
    assert empty.returncode != 0 and "refusing an empty teacher_api_key" in empty.stderr
    assert key.read_text() == "sk-example"
    assert make_secrets(checkout, "--teacher-key").returncode == 2
    assert make_secrets(checkout, "--help").stdout.startswith("Makes what compose.yaml needs")


# The health check of the image

class Answers(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(self.server.answers.get(self.path, 404))
        self.end_headers()

    def log_message(self, *arguments):
        pass


@pytest.mark.parametrize("answers, arguments, healthy", [
    ({"/health": 200, "/ready": 200}, [], True),
    ({"/health": 200, "/ready": 503}, [], False),
    ({"/health": 500, "/ready": 200}, [], False),
    ({"/health": 200}, ["/health"], True),
    ({}, ["/health"], False),
])
def test_health_check_believes_only_200(answers, arguments, healthy):
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    server.answers = answers
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        assert (health_check(server.server_address[1], arguments).returncode == 0) == healthy
    finally:
        server.shutdown()
        server.server_close()


def test_health_check_fails_when_nothing_listens():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        port = server.server_address[1]
    done = health_check(port, [])
    assert done.returncode == 1 and f"nothing listens on port {port}" in done.stderr


def health_check(port: int, arguments: list[str]) -> subprocess.CompletedProcess:
    environment = {**os.environ, "ERRATA_HTTP_PORT": str(port)}
    return subprocess.run([str(COMPOSE / "healthcheck"), *arguments], env=environment, capture_output=True, text=True,
                          timeout=30)
