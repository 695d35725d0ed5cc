#!/usr/bin/env python3
"""Holds the sources against the rules on which `compose/SECURITY.md` rests.

- SQL is made of binds and quoted names only: what puts text into a statement as it is stands in a list, with why.
- Secrets are read where they are handed over and nowhere else, and stand in no text that is logged or thrown.
- Services open files only where the path comes from the operator's configuration or is checked.

Each list below counts: one use more in a listed file is found too. Exit status 0 when all is well. `--self-test` plants
violations in a temporary tree and checks that each of them is found, so that a green run means something.
"""
import pathlib
import re
import sys

from rules import planted_are_found, run

# Text that goes into a statement unchecked: how often, and why it is never input.
UNSAFE_SQL = {
    "Shared/PostgresClient/SQL.swift": (2, "the two declarations"),
    "Services/ErrataCLI/Core/Commands/CostsCommand.swift": (2, "fixed columns, one text for each grouping"),
}
# Statements as plain text, which have no binds at all.
SIMPLE_SQL = {
    "Shared/PostgresClient/EmbeddedPostgres.swift": (1, "CREATE DATABASE takes no bind; the name is quoted"),
    "Shared/PostgresClient/Migration.swift": (6, "migrations, which are files of the project, their transaction and time-out"),
    "Shared/PostgresClient/PostgresConnection.swift": (3, "words without values, and a statement's own name with a counter"),
    "Shared/PostgresClient/PostgresPool.swift": (2, "the words of a transaction"),
    "Shared/PostgresClient/PostgresTransaction.swift": (1, "a time-out without a value"),
}
# Where a secret's value is taken out of what hides it.
REVEALED = {
    "Shared/ServiceRuntime/Configuration/ConfigurationValue.swift": (1, "the declaration"),
    "Shared/ServiceRuntime/Lifecycle/EventService.swift": (2, "handed to libpq and librdkafka"),
    "Services/TeacherIngestion/Core/TeacherIngestionService.swift": (1, "handed to the teachers"),
    "Services/TeacherIngestion/Core/Teacher/HTTPTeacher.swift": (1, "put into a call's header"),
}
WITH_PASSWORD = {
    "Services/ErrataCLI/Core/Local/LocalSystem.swift": (2, "for the services' environment, and for a file that only its owner may read"),
}
# A name that speaks of a secret itself, not of its file, put into a text.
SECRET_TEXT = {
    "Shared/PostgresClient/PostgresConfiguration.swift": (1, "the URL with its password, which the caller asks for by name"),
}
# Fields of text that hold a secret; they belong into a type that does not show itself.
SECRET_FIELDS: dict[str, tuple[int, str]] = {}
# Files that services open, and where the path is from.
PATHS = {
    "Services/Evaluator/Core/Endpoints/EndpointLoader.swift": (1, "a program of the operator's file of students"),
    "Services/Evaluator/Core/Endpoints/StudentEndpoint.swift": (1, "a key file that the operator's file names"),
    "Services/TeacherIngestion/Core/Teacher/HTTPTeacher.swift": (1, "a key file that the operator's file names"),
    "Services/TeacherIngestion/Core/Teacher/TeacherSettings+Reading.swift": (1, "the same, looked at when it is checked"),
    "Services/TeacherIngestion/Core/TeacherIngestionService.swift": (2, "the folder of prompts, of the configuration"),
    "Shared/Distillation/Stages/StageTrainer.swift": (8, "the work folder with a stage's name, encoded, and a checked hash"),
    "Shared/Reasoning/PromptFiles/PromptLibrary.swift": (3, "the folder of prompts, and the names that it lists"),
    "Shared/RunTraining/Engines/EngineJob.swift": (13, "fixed names in a stage's folder, and what its parent's folder lists"),
    "Shared/RunTraining/Engines/EngineMetrics.swift": (1, "a fixed name in a stage's folder"),
    "Shared/RunTraining/Engines/EngineProcess.swift": (10, "fixed names in a stage's folder, the operator's program, and numbers in /proc"),
    "Shared/RunTraining/Retention/ModelCollection.swift": (1, "the folder of a hash, which the store checks"),
    "Shared/RunTraining/Retention/WorkFolder.swift": (2, "names that the work folder lists"),
    "Shared/RunTraining/StageTraining.swift": (1, "the work folder with a stage's name, encoded"),
    "Shared/ServiceRuntime/Configuration/Configuration+Folder.swift": (1, "a folder of the configuration"),
    "Shared/ServiceRuntime/Configuration/ConfigurationFile.swift": (1, "the file of the configuration"),
    "Shared/ServiceRuntime/Configuration/SecretFile.swift": (1, "a file of the configuration"),
    "Shared/ServiceRuntime/Configuration/NamedEntries.swift": (1, "a file of the configuration"),
    "Shared/ServiceRuntime/Observability/PrometheusRegistry.swift": (1, "a fixed file of /proc"),
}
# The areas that read messages: what a person calls opens what that person may open.
READS_MESSAGES = tuple(
    f"Services/{name}/"
    for name in ("DPOTrainer", "Evaluator", "KeyStepLocator", "TeacherIngestion", "TeacherSimulator", "TemplateDistiller")
) + tuple(
    f"Shared/{name}/"
    for name in (
        "CompletionAPI", "CompletionClient", "Distillation", "KafkaClient", "Reasoning", "RunTraining", "Schemas",
        "ServiceRuntime", "Teaching",
    )
)  # fmt: skip

WORDS = r"(?:password|passphrase|apiKey|api_key|secret|saslPassword|credential)s?"
# The beginning of an interpolation up to any place in it, inside one pair of further parentheses too.
INSIDE = r"\\\((?:[^()\"\n]|\([^()\"\n]*\))*?(?:\([^()\"\n]*?)?"
RULES = [
    (re.compile(r"\bunsafeSQL\b"), UNSAFE_SQL, ("",), "puts text into a statement unchecked; bind the value"),
    (re.compile(r"\bSQL\(stringLiteral:"), {}, ("",), "makes a statement of a text; write it as a literal, with binds"),
    (re.compile(r"\.simple\("), SIMPLE_SQL, ("Shared/PostgresClient/",), "sends a statement without binds"),
    (re.compile(r"\breveal\(\)"), REVEALED, ("",), "takes a secret out of what hides it"),
    (re.compile(r"includingPassword: true"), WITH_PASSWORD, ("",), "writes a password into a URL"),
    (re.compile(INSIDE + r"\b" + WORDS + r"\b(?!\s*:)"), SECRET_TEXT, ("",), "puts a secret into a text"),
    (
        re.compile(r"\b(?:let|var) " + WORDS + r"\s*:\s*String\b"), SECRET_FIELDS, ("",),
        "keeps a secret as text; make it a Secret, which does not show itself",
    ),
    (re.compile(r"(?<![.\w])dump\("), {}, ("",), "shows what a value hides"),
    (
        re.compile(
            r"\bFileManager\b|\bURL\((?:fileURLWithPath|filePath):|\bcontentsOfFile:|\bFilePath\(|\bFileHandle\(for"
            r"|\bappending\(path:|\bappendingPathComponent\("
        ),
        PATHS, READS_MESSAGES, "opens a file; say where the path comes from, and check it if that is a message",
    ),
]  # fmt: skip


def code(text: str) -> str:
    """The text without lines of comments."""
    return "\n".join("" if line.lstrip().startswith("//") else line for line in text.split("\n"))


def violations(root: pathlib.Path) -> list[str]:
    found = []
    for path in sorted(root.glob("S*/**/*.swift")):
        name = path.relative_to(root).as_posix()
        text = code(path.read_text(encoding="utf-8"))
        for pattern, allowed, areas, what in RULES:
            if not name.startswith(areas):
                continue
            uses = list(pattern.finditer(text))
            known = allowed.get(name, (0, ""))[0]
            if len(uses) <= known:
                continue
            line = text.count("\n", 0, uses[known].start()) + 1
            more = f" ({len(uses)} times, {known} are known)" if known else ""
            found.append(f"{name}:{line}: {what}{more}")
    return found


def stale(root: pathlib.Path) -> list[str]:
    """Entries of the lists that have outlived what they allow."""
    found = []
    for pattern, allowed, _, _ in RULES:
        for name, (known, _) in allowed.items():
            path = root / name
            uses = len(pattern.findall(code(path.read_text(encoding="utf-8")))) if path.is_file() else 0
            if uses < known:
                found.append(f"{name}: {pattern.pattern[:30]}… is listed {known} times and stands there {uses} times")
    return found


def self_test() -> int:
    planted = {
        "Shared/ServiceRuntime/Store/a.swift": 'let sql = SQL(unsafeSQL: "SELECT \\(id)")\n',
        "Services/Evaluator/Core/a.swift": 'try await pool.query("SELECT \\(unsafeSQL: name) FROM runs")\n',
        "Services/Evaluator/Core/b.swift": "let sql = SQL(stringLiteral: text)\n",
        "Shared/PostgresClient/a.swift": 'try connection.simple("DELETE FROM runs WHERE id = \'\\(id)\'")\n',
        "Services/KeyStepLocator/Core/a.swift": "let text = key.reveal()\n",
        "Shared/KafkaClient/a.swift": 'logger.info("as \\(user) with \\(settings.password)")\n',
        "Shared/CompletionClient/a.swift": 'throw ServerError(.refusedKey, "\\(apiKey) is refused")\n',
        "Services/TeacherIngestion/Core/a.swift": "struct Options {\n    var apiKey: String?\n}\n",
        "Services/DPOTrainer/Core/a.swift": "print(database.url(includingPassword: true))\n",
        "Services/DPOTrainer/Core/b.swift": "dump(configuration)\n",
        "Services/Evaluator/Core/c.swift": "let data = try Data(contentsOf: URL(fileURLWithPath: event.path))\n",
        "Shared/RunTraining/a.swift": "let folder = root.appending(path: run.id)\n",
        # One use more than the list knows.
        "Services/ErrataCLI/Core/Commands/CostsCommand.swift": "\\(unsafeSQL: a)\n\\(unsafeSQL: b)\n\\(unsafeSQL: c)\n",
    }
    allowed = {
        "Shared/ServiceRuntime/Store/b.swift": '"SELECT \\(id) FROM \\(identifier: table)"\n// unsafeSQL is for others\n',
        "Services/TeacherIngestion/Core/b.swift": 'var apiKeyFile: String?\nthrow E("\\(apiKeyFile) cannot be read")\n',
        "Services/TeacherIngestion/Core/c.swift": "var apiKey: Secret?\nlet text = \"url(\\(includingPassword))\"\n",
        "Services/ErrataCLI/Core/b.swift": "let data = try Data(contentsOf: URL(fileURLWithPath: file))\n",
        "Services/ErrataCLI/Core/c.swift": '\\(apiKey: shown)\nlogger.info("\\(count) secrets are set")\n',
        "Services/TeacherIngestion/Core/Teacher/HTTPTeacher.swift": "key.reveal()\nString(contentsOfFile: file)\n",
    }

    def outlived(root: pathlib.Path) -> str | None:
        if any(line.startswith("Shared/ServiceRuntime/Lifecycle/EventService.swift") for line in stale(root)):
            return None
        return "an entry that allows nothing any more is not found"

    return planted_are_found("security rules", violations, planted, allowed, outlived)


if __name__ == "__main__":
    sys.exit(run(lambda root: violations(root) + stale(root), self_test))
