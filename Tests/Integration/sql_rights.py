"""What each service's code does to which table, read from the statements in the sources.

A service holds a statement when it stands in its own folder or in what that reaches: a static function of a store that it
calls by name (`RunStore.insert`), or any part of another type of the shared modules that it names. That is more than it
runs, and never less.
"""
import functools
import pathlib
import re

from rules import ROOT

SERVICES = {
    "teacher-ingestion": "TeacherIngestion",
    "key-step-locator": "KeyStepLocator",
    "template-distiller": "TemplateDistiller",
    "dpo-trainer": "DPOTrainer",
    "evaluator": "Evaluator",
}
MODULES = ("ServiceRuntime", "RunTraining", "Distillation", "Teaching")
DECLARED = re.compile(r"^(?:public |package |private |fileprivate |final )*(?:struct|enum|class|actor|extension|protocol) ([\w.]+)", re.M)
MEMBER = re.compile(r"^    (?:@\w+ |public |package |private |fileprivate |nonisolated )*static (?:func|let|var) (\w+)")
WRITES = {"INSERT": r"INSERT INTO (\w+)", "UPDATE": r"UPDATE (\w+)(?=\s+(?:AS\s+\w+\s+)?SET\b)", "DELETE": r"DELETE FROM (\w+)"}


def code(path: pathlib.Path) -> str:
    """A file without its comments."""
    return re.sub(r"^\s*//.*$", "", path.read_text(encoding="utf-8"), flags=re.M)


def rights(text: str) -> set[tuple[str, str]]:
    """The rights, beside that to read, that the statements of a text take."""
    found = {(table, right) for right, pattern in WRITES.items() for table in re.findall(pattern, text)}
    for part in re.split(r'"""|"(?=\s*\))', text):
        tables = re.findall(r"INSERT INTO (\w+)", part)
        if re.search(r"DO UPDATE", part):
            found |= {(table, "UPDATE") for table in tables}
        # To lock rows against others takes the right to change them.
        if re.search(r"\bFOR (?:NO KEY )?UPDATE\b|\bFOR (?:KEY )?SHARE\b", part):
            found |= {(table, "UPDATE") for table in re.findall(r"\bFROM (\w+)", part)}
    return found


def divided(body: str) -> tuple[str, dict[str, str]]:
    """The static members of a type, and what is left of it."""
    rest, members, name = [], {}, None
    for line in body.split("\n"):
        if member := MEMBER.match(line):
            name = member[1]
        elif name and re.match(r"    [^ )}]", line):
            # What is declared behind it.
            name = None
        if name:
            members[name] = members.get(name, "") + line + "\n"
        else:
            rest.append(line)
    return "\n".join(rest), members


@functools.cache
def units() -> dict[str, str]:
    """The shared code, by type, or by type and static member."""
    found: dict[str, str] = {}
    for module in MODULES:
        for path in sorted((ROOT / "Shared" / module).rglob("*.swift")):
            text = code(path)
            starts = [*DECLARED.finditer(text)]
            for start, end in zip(starts, [*[match.start() for match in starts[1:]], len(text)]):
                name = start[1].split(".")[-1]
                rest, members = divided(text[start.end():end])
                for key, part in [(name, rest), *[(f"{name}.{member}", part) for member, part in members.items()]]:
                    found[key] = found.get(key, "") + part
    return found


def named(text: str, within: str = "") -> set[str]:
    """The shared units that a text names; `within`: the type that it is a part of."""
    words = set(re.findall(r"\b[A-Z]\w+\b", text))
    words |= {f"{kind}.{member}" for kind, member in re.findall(r"\b([A-Z]\w+)\.(\w+)", text)}
    if within:
        words |= {f"{within}.{member}" for member in re.findall(r"\b([a-z]\w+)\b", text)}
    return words & units().keys()


def own(service: str) -> str:
    """The code of a service's own folder."""
    return "\n".join(code(path) for path in sorted((ROOT / "Services" / SERVICES[service]).rglob("*.swift")))


def held(service: str) -> set[tuple[str, str]]:
    """The tables that a service's code writes, and how."""
    text = own(service)
    reached, waiting = set(), named(text)
    while waiting:
        unit = waiting.pop()
        reached.add(unit)
        waiting |= named(units()[unit], unit.split(".")[0]) - reached
    return rights(text).union(*(rights(units()[unit]) for unit in reached))
