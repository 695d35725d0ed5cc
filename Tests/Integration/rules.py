"""What the rules of the sources have in common: planted violations show that each of them can be broken."""
import pathlib
import sys
import tempfile
from collections.abc import Callable

ROOT = pathlib.Path(__file__).resolve().parents[2]
Violations = Callable[[pathlib.Path], list[str]]


def planted_are_found(
    name: str,
    violations: Violations,
    planted: dict[str, str],
    allowed: dict[str, str],
    more: Callable[[pathlib.Path], str | None] = lambda root: None,
) -> int:
    """Looks through a temporary tree of planted and of allowed files; 0 when just the planted ones are found.

    `more` says what else is wrong about the tree, or nothing.
    """
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        for path, text in {**planted, **allowed}.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_text(text)
        found = {line.split(":")[0] for line in violations(root)}
        complaint = more(root)
    if found != set(planted):
        complaint = str(sorted(found ^ set(planted)))
    if complaint:
        print(f"{name}: self-test failed: {complaint}", file=sys.stderr)
    return 1 if complaint else 0


def run(violations: Violations, self_test: Callable[[], int]) -> int:
    """The program: names the violations of the project, or, with `--self-test`, tests itself."""
    if "--self-test" in sys.argv[1:]:
        return self_test()
    found = violations(ROOT)
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0
