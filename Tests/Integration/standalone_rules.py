#!/usr/bin/env python3
"""Finds what would make the project need a folder beside its checkout.

Texts of others lie in a folder that a user of the project does not have. Only `ERRATA_TEST_DATA` names it, and only in
the few files below; nothing may have a default for it. Exit status 0 when all is well. `--self-test` plants references
in a temporary tree and checks that each of them is found, so that a green run means something.
"""
import pathlib
import re
import sys

from rules import planted_are_found, run

# Continuous integration has the folder beside its checkout, and these rules spell it.
EXEMPT = {".ci/run", "Tests/Integration/standalone_rules.py"}
SKIPPED = {".git", ".build", ".swiftpm", ".venv", "__pycache__", ".pytest_cache", ".errata"}
FOLDER = re.compile(rb"shared[/\\]+data|\.\.[/\\]+shared\b")
# Who may read the variable; all others ask these.
READERS = {
    "Tests/run", "Tests/DataSupport/TestData.swift", "Tests/DataSupport/ExternalTrait.swift", "Tests/Integration/conftest.py",
    "Tests/ReasoningTests/TestDataTests.swift",
}  # fmt: skip
VARIABLE = b"ERRATA_TEST_DATA"
# Documents may explain the variable.
DOCUMENTS = {".md"}


def violations(root: pathlib.Path) -> list[str]:
    found = []
    for path in sorted(root.rglob("*")):
        parts = path.relative_to(root).parts
        if SKIPPED.intersection(parts) or not path.is_file():
            continue
        name = "/".join(parts)
        if name in EXEMPT:
            continue
        for number, line in enumerate(path.read_bytes().split(b"\n"), start=1):
            if FOLDER.search(line):
                found.append(f"{name}:{number}: names a folder beside the checkout, which a user does not have")
            elif VARIABLE in line and name not in READERS and path.suffix not in DOCUMENTS:
                found.append(f"{name}:{number}: reads {VARIABLE.decode()}; ask TestData.external or the fixture external")
    return found


def self_test() -> int:
    planted = {
        "Tests/ATests/a.swift": 'let file = "../shared/data/gsm8k/train.jsonl"\n',
        "Tests/DataSupport/TestData.swift": 'let root = environment["ERRATA_TEST_DATA"] ?? "shared/data"\n',
        "Tests/run": "export ERRATA_TEST_DATA=$PWD/../shared\n",
        "Tests/Integration/test_a.py": 'folder = os.environ["ERRATA_TEST_DATA"]\n',
        "Shared/Reasoning/a.swift": 'let data = URL(fileURLWithPath: "/home/me/shared/data")\n',
        "compose/compose.yaml": "volumes: [../../shared:/data]\n",
        "README.md": "Put the files into ../shared/data.\n",
    }
    allowed = {
        ".ci/run": "data=$(cd ../shared/data && pwd)\n",
        "Tests/Integration/conftest.py": 'folder = os.environ.get("ERRATA_TEST_DATA")\n',
        "Tests/Data/README.md": "They run where `ERRATA_TEST_DATA` names the folder.\n",
        "Tests/BTests/b.swift": 'let sources = "../Shared/Reasoning"\nlet file = "../sharedness"\n',
        ".build/checkouts/a/b.swift": '"../shared/data"\n',
    }
    return planted_are_found("standalone rules", violations, planted, allowed)


if __name__ == "__main__":
    sys.exit(run(violations, self_test))
