"""Each program accepts the environment that the compose file gives it, as its own `--check` says."""
import os
import subprocess

import pytest
from conftest import binary
from test_compose import SERVICES, load


def checked(name: str, environment: dict, folder) -> subprocess.CompletedProcess:
    variables = {"PATH": os.environ["PATH"]}
    for key, value in environment.items():
        if key.endswith("_FILE"):
            # The secret's file in the container, as a file of this test.
            file = folder / key
            file.write_text("secret")
            value = str(file)
        variables[key] = str(value)
    return subprocess.run([binary(name), "--check"], env=variables, capture_output=True, text=True, timeout=30)


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_a_service_accepts_its_environment(name, tmp_path):
    done = checked(name, load("compose.yaml")["services"][name]["environment"], tmp_path)
    assert done.returncode == 0, done.stderr


def test_what_a_preset_has_of_its_own_is_set_by_nobody_else():
    environment = load("compose.yaml")["services"]["teacher-ingestion"]["environment"]
    names = ("TIMEOUT_SECONDS", "MAXIMUM_TOKENS", "DAY_TOKENS", "DAY_COST")
    assert [environment[f"ERRATA_TEACHER_{name}"] for name in names] == [""] * len(names)
    given = load("compose.yaml", {"ERRATA_TEACHER_MAXIMUM_TOKENS": "9"})["services"]["teacher-ingestion"]["environment"]
    assert given["ERRATA_TEACHER_MAXIMUM_TOKENS"] == "9"


def test_an_unknown_key_is_refused_by_name(tmp_path):
    environment = dict(load("compose.yaml")["services"]["evaluator"]["environment"])
    environment["ERRATA_MODEL_STOER"] = environment.pop("ERRATA_MODEL_STORE")
    done = checked("evaluator", environment, tmp_path)
    assert done.returncode == 78
    assert "ERRATA_MODEL_STOER" in done.stderr
