"""The commands of `errata` as a user runs them."""
import json
import subprocess

from conftest import binary, eventually


def generate(*arguments: str) -> list[dict]:
    done = subprocess.run([binary("errata"), "generate", *arguments], capture_output=True, check=True, text=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_submit_names_bad_lines_and_goes_on(system, tmp_path):
    good = generate("--count", "3", "--seed", "21")
    file = tmp_path / "problems.jsonl"
    lines = [json.dumps(good[0]), "not json", json.dumps(good[1]), '{"question": "", "answer": "#### 4"}', "",
             '{"question": "How many?"}', json.dumps(good[2])]
    file.write_text("\n".join(lines) + "\n")
    done = system.errata("submit", str(file), "--dataset", "cli")
    text = done.stderr.decode()
    assert done.returncode == 2, text
    for number in (2, 4, 6):
        assert f"{file}:{number}: " in text
    for number in (1, 3, 5, 7):
        assert f"{file}:{number}: " not in text
    eventually(lambda: system.count("SELECT count(*) FROM problems WHERE dataset = 'cli'") == 3, what="three problems")


def test_submitting_again_changes_nothing(system, tmp_path):
    lines = "\n".join(json.dumps(problem) for problem in generate("--count", "5", "--seed", "22")) + "\n"
    for _ in range(2):
        done = system.errata("submit", "-", "--dataset", "again", stdin=lines.encode())
        assert done.returncode == 0, done.stderr
    eventually(lambda: system.count("SELECT count(*) FROM problems WHERE dataset = 'again'") == 5)
    watched = system.errata("watch", "problems", "--once")
    assert watched.returncode == 0, watched.stderr
    seen = [json.loads(line) for line in watched.stdout.splitlines()]
    again = [event for event in seen if event["data"]["dataset"] == "again"]
    assert len(again) == 10 and len({event["id"] for event in again}) == 5


def test_generate_repeats_itself_and_its_splits_share_nothing():
    first = generate("--count", "40", "--seed", "3")
    assert first == generate("--count", "40", "--seed", "3")
    assert first != generate("--count", "40", "--seed", "4")
    other = generate("--count", "40", "--seed", "3", "--split", "test")
    assert not {p["question"] for p in first} & {p["question"] for p in other}
    assert all(p["answer"].splitlines()[-1].startswith("#### ") for p in first + other)


def test_kcat_can_produce_a_problem_as_the_readme_says(system):
    body = json.dumps({
        "id": "kcat-1", "dataset": "kcat", "split": "train",
        "question": "Ana has 3 shells. She finds 4 more. How many has she?",
        "solution": "Ana has 3+4=<<3+4=7>>7 shells.\n#### 7", "answer": "7",
    })
    headers = ["ce_specversion=1.0", "ce_id=kcat-event-1", "ce_source=/my/tool", "ce_type=errata.problem.v1",
               "content-type=application/json"]
    command = ["kcat", "-P", "-b", system.bootstrap, "-t", "errata.problems.v1", "-k", "kcat-1"]
    for header in headers:
        command += ["-H", header]
    subprocess.run(command, input=body.encode() + b"\n", check=True, timeout=60)
    eventually(lambda: system.count("SELECT count(*) FROM problems WHERE id = 'kcat-1' AND state = 'ingested'") == 1)
    # Without any header, the topic tells what it is.
    plain = json.dumps({**json.loads(body), "id": "kcat-2"})
    subprocess.run(command[:6] + ["-k", "kcat-2"], input=plain.encode() + b"\n", check=True, timeout=60)
    eventually(lambda: system.count("SELECT count(*) FROM problems WHERE id = 'kcat-2' AND state = 'ingested'") == 1)


def test_commands_without_a_system_say_how_to_start_one(tmp_path):
    done = subprocess.run(
        [binary("errata"), "status", "--state", str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0
    assert "errata up --state" in done.stderr
