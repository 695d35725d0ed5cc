#!/usr/bin/env python3
"""Holds the imports of the sources against the layering rules of the project.

Exit status 0 when every import is allowed. `--self-test` plants violations in a temporary tree and checks that
each of them is found, so that a green run means something.
"""
import pathlib
import re
import sys

from rules import planted_are_found, run

NUMERICS = {"TensorEngine", "LanguageModel", "Training"}
PLUMBING = {"KafkaClient", "PostgresClient", "ServiceRuntime"}
PURE = {"Reasoning", "Schemas", "TemplateEngine", "Tokenization"}
FILES = {"Digests", "ModelFiles"}
# Where the tests end the program.
FAULTS = {"FaultPoints"}
TEXT = FILES | {"TemplateEngine"}
SHARED = NUMERICS | PLUMBING | PURE | TEXT | FAULTS | {
    "CompletionAPI", "CompletionClient", "Distillation", "PracticeDomain", "Reproduction", "RunTraining", "Teaching",
}
SOLE_IMPORTER = {
    "CLibrdkafka": "KafkaClient",
    "CLibpq": "PostgresClient",
    "COpenBLAS": "TensorEngine",
    "CLibcrypto": "Digests",
    "CTensorKernels": "TensorEngine",
}
# Headers of C libraries, and the folders whose C sources may include them. The plain loop that KafkaClient is measured
# against, and the broker of the containers' test, have to be made of librdkafka itself, without the client.
HEADERS = {
    "librdkafka/": ("Shared/CLibrdkafka", "Tests/Benchmarks/KafkaLoop", "Tests/Compose"),
    "libpq-fe.h": ("Shared/CLibpq",),
    "openssl/": ("Shared/CLibcrypto",),
    "cblas.h": ("Shared/COpenBLAS",),
}
INCLUDE = re.compile(r"^\s*#\s*include\s*[<\"]([^>\"]+)[>\"]", re.M)
# What each shared library may import of ours.
ALLOWED = {
    "TensorEngine": {"COpenBLAS", "CTensorKernels"},
    "FaultPoints": set(),
    "Digests": {"CLibcrypto"},
    "ModelFiles": {"Digests"} | FAULTS,
    "TemplateEngine": {"ModelFiles"},
    "Tokenization": TEXT,
    "LanguageModel": FILES | {"TensorEngine", "Tokenization"},
    "Training": FILES | {"LanguageModel", "TensorEngine", "Tokenization"},
    "Distillation": FILES | FAULTS | {"LanguageModel", "Reasoning", "Schemas", "TensorEngine", "Tokenization", "Training"},
    "CompletionAPI": set(),
    "CompletionClient": {"Schemas"},
    "Teaching": {"Reasoning", "Schemas"},
    "PracticeDomain": {"Reasoning", "Schemas", "Teaching"},
    "Reproduction": NUMERICS | PURE | FILES | {"Distillation", "Teaching", "PracticeDomain"},
    "Reasoning": set(),
    "Schemas": {"Digests"},
    "KafkaClient": {"CLibrdkafka"},
    "PostgresClient": {"CLibpq"},
    "ServiceRuntime": {"Digests", "KafkaClient", "PostgresClient", "Schemas"} | FAULTS,
    "RunTraining": NUMERICS | PLUMBING | PURE | FILES | FAULTS | {"Distillation"},
}
IMPORT = re.compile(
    r"^\s*(?:@\w+(?:\([^)]*\))?\s+)*(?:(?:public|package|internal|fileprivate|private)\s+)?import\s+"
    r"(?:(?:struct|class|enum|protocol|typealias|func|let|var)\s+)?(\w+)",
    re.M,
)


def violations(root: pathlib.Path) -> list[str]:
    found = []
    services = {folder.name + "Core" for folder in root.glob("Services/*") if folder.is_dir()}
    for path in sorted(root.glob("S*/**/*.swift")):
        parts = path.relative_to(root).parts
        if parts[0] not in ("Shared", "Services"):
            continue
        for name in IMPORT.findall(path.read_text(encoding="utf-8")):
            why = refusal(parts, name, services)
            if why:
                found.append(f"{path.relative_to(root)}: imports {name}: {why}")
    for path in sorted(path for suffix in ("c", "h") for path in root.glob(f"[ST]*/**/*.{suffix}")):
        name = path.relative_to(root).as_posix()
        for header in INCLUDE.findall(path.read_text(encoding="utf-8")):
            for start, folders in HEADERS.items():
                if header.startswith(start) and not name.startswith(tuple(folder + "/" for folder in folders)):
                    found.append(f"{name}: includes {header}: only {', '.join(folders)} may")
    # Targets that are no tests are built for the image too, with the static Swift run time, which has no Testing.
    for folder in ("*Support", "Benchmarks"):
        for path in sorted(root.glob(f"Tests/{folder}/**/*.swift")):
            text = path.read_text(encoding="utf-8")
            if "Testing" in IMPORT.findall(text) and "#if canImport(Testing)" not in text:
                found.append(f"{path.relative_to(root)}: imports Testing: only under #if canImport(Testing)")
    return found


def refusal(parts: tuple[str, ...], name: str, services: set[str]) -> str | None:
    area, module = parts[0], parts[1]
    owner = SOLE_IMPORTER.get(name)
    if owner and not (area == "Shared" and module == owner):
        return f"only {owner} may"
    if name == "FoundationNetworking":
        return "it needs libcurl, which the image does not have; use AsyncHTTPClient"
    if area == "Shared":
        if module not in ALLOWED:
            return None if name not in SHARED else f"{module} is not a known library: add it to the rules"
        if name in SHARED and name != module and name not in ALLOWED[module]:
            return f"{module} may import only {sorted(ALLOWED[module]) or 'nothing of ours'}"
        if name in services:
            return "a library must not import a service"
    elif name in services and name != module + "Core":
        return "a service must not import another service"
    return None


def self_test() -> int:
    planted = {
        "Shared/TensorEngine/a.swift": "import KafkaClient\n",
        "Shared/KafkaClient/a.swift": "public import Training\n",
        "Shared/Reasoning/a.swift": "internal import Schemas\n",
        "Shared/Training/a.swift": "@preconcurrency import CLibpq\n",
        "Services/Evaluator/Core/a.swift": "import struct TeacherIngestionCore.Teacher\n",
        "Services/Evaluator/Main/a.swift": "import COpenBLAS\n",
        "Shared/Schemas/a.swift": "import EvaluatorCore\n",
        "Services/ErrataCLI/Core/a.swift": "#if canImport(FoundationNetworking)\nimport FoundationNetworking\n#endif\n",
        "Tests/NumericSupport/a.swift": "package import Testing\n",
        "Shared/CTensorKernels/a.c": "#include <librdkafka/rdkafka.h>\n",
        "Tests/Benchmarks/KafkaLoop/a.h": '# include "libpq-fe.h"\n',
    }
    allowed = {
        "Shared/Training/b.swift": "public import TensorEngine\nimport Foundation\n// import KafkaClient\n",
        "Services/Evaluator/Main/b.swift": "import EvaluatorCore\nimport Training\nimport KafkaClient\n",
        "Services/TeacherIngestion/Core/b.swift": "import NIOCore\n",
        "Tests/NumericSupport/b.swift": "#if canImport(Testing)\nimport Testing\n#endif\n",
        "Tests/ReasoningTests/b.swift": "import Testing\n",
        "Tests/Benchmarks/KafkaLoop/b.c": "#include <librdkafka/rdkafka.h>\n#include <stdio.h>\n",
        "Shared/CLibpq/b.h": "#include <libpq-fe.h>\n",
    }
    return planted_are_found("import rules", violations, planted, allowed)


if __name__ == "__main__":
    sys.exit(run(violations, self_test))
