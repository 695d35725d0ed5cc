"""compose/GUARANTEES.md names tests and files that there are."""
import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGE = ROOT / "compose/GUARANTEES.md"


def swift_test(name: str, function: str) -> bool:
    """Whether a Swift test file has the function, with `@Test` before it."""
    files = list((ROOT / "Tests").glob(f"*/{name}.swift"))
    # From the attribute to the function there is no other function.
    pattern = rf"@Test(?:(?!\bfunc\b).)*?\n    func {function}\("
    return any(re.search(pattern, file.read_text(encoding="utf-8"), re.S) for file in files)


def missing(text: str) -> list[str]:
    """The tests and files in the table that there are not."""
    found = []
    folder = None
    for row in (line for line in text.splitlines() if line.startswith("|")):
        for quoted in re.findall(r"`([^`]+)`", row):
            if re.fullmatch(r"\w+Tests\.\w+", quoted):
                if not swift_test(*quoted.split(".")):
                    found.append(quoted)
            elif re.fullmatch(r"test_\w+", quoted):
                if not (ROOT / f"Tests/Integration/{quoted}.py").is_file():
                    found.append(quoted)
            elif re.fullmatch(r"(Shared|Services|Tests)/[\w/+.]+", quoted):
                folder = (ROOT / quoted).parent
                if not (ROOT / quoted).is_file():
                    found.append(quoted)
            elif quoted.endswith(".swift"):
                # "Beside" the one that stands before it.
                if folder is None or not (folder / quoted).is_file():
                    found.append(quoted)
    return found


def test_what_the_page_names_is_there():
    text = PAGE.read_text(encoding="utf-8")
    assert missing(text) == []
    rows = [line for line in text.splitlines() if line.startswith("| **")]
    assert len(rows) > 10
    assert all(len(row.strip("|").split(" | ")) == 3 and "Tests" in row.split(" | ")[2] for row in rows), "a promise without a test"


@pytest.mark.parametrize("old, new", [
    ("`DeliveryWorkerTests.duplicates`", "`DeliveryWorkerTests.doubles`"),
    # A function of a test file that is no test.
    ("`JobsLeaseTests.lifetime`", "`JobsLeaseTests.acquire`"),
    ("`test_kill`", "`test_killing`"),
    ("`OffsetTracker.swift`", "`OffsetsTracker.swift`"),
    ("`Shared/ServiceRuntime/Delivery/Outbox.swift`", "`Shared/ServiceRuntime/Outbox.swift`"),
])
def test_a_name_of_nothing_is_found(old, new):
    row = next(line for line in PAGE.read_text(encoding="utf-8").splitlines() if old in line and line.startswith("|"))
    assert new.strip("`") in missing(row.replace(old, new))
