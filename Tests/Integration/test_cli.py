"""The commands of `errata` as a user runs them."""
import json
import signal
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


LAYOUTS = [
    {"problem": "What is 2 + 3?", "solution": "It is \\boxed{5}.", "level": "Level 1", "type": "Algebra"},
    {"id": "M_1", "question": "Which is a metal?", "choices": {"text": ["iron", "wood"], "label": ["A", "B"]},
     "answerKey": "A"},
    {"question": {"stem": "Which is a plant?", "choices": [{"text": "oak", "label": "A"}, {"text": "fox", "label": "B"}]},
     "answerKey": "A"},
    {"passage": "Ann is tall.", "question": "Who is tall?", "options": ["(A)Bob", "(B)Ann"], "label": "B", "answer": None},
    {"question": "Which is even?", "choices": ["3", "5", "8"], "answer": 2, "subject": "numbers"},
    {"question": "Which is blue?", "answer": "the sky"},
]


def test_the_layouts_of_data_sets_are_read(system, tmp_path):
    file = tmp_path / "mixed.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in LAYOUTS))
    done = system.errata("submit", str(file), "--dataset", "layouts", "--split", "test")
    assert done.returncode == 0, done.stderr
    examples = tmp_path / "truth.json"
    examples.write_text(json.dumps(
        {"canary": "keep out", "examples": [{"input": f"not {word} is", "target": "False"} for word in ("True", "( True )")]},
        indent=2,
    ))
    done = system.errata("submit", str(examples), "--dataset", "layouts", "--split", "test")
    assert done.returncode == 0, done.stderr
    mapped = tmp_path / "mapped.jsonl"
    mapped.write_text(json.dumps({"prompt": "What is 4 + 4?", "gold": 8, "uid": "u1"}) + "\n")
    done = system.errata(
        "submit", str(mapped), "--dataset", "layouts", "--split", "test", "--map", "question=prompt,answer=gold,id=uid"
    )
    assert done.returncode == 0, done.stderr
    eventually(lambda: system.count("SELECT count(*) FROM problems WHERE dataset = 'layouts'") == 9, what="nine problems")
    answers = {row[0] for row in system.query("SELECT answer FROM problems WHERE dataset = 'layouts'")}
    levels = system.query("SELECT question, difficulty FROM problems WHERE dataset = 'layouts' AND difficulty IS NOT NULL")
    assert levels == [("What is 2 + 3?", "Level 1")]
    assert answers == {"5", "(A)", "(B)", "(C)", "the sky", "False", "8"}
    question = system.query("SELECT question FROM problems WHERE dataset = 'layouts' AND answer = '(C)'")[0][0]
    assert question == "Which is even?\n(A) 3\n(B) 5\n(C) 8"
    families = {row[0] for row in system.query("SELECT DISTINCT family FROM problems WHERE dataset = 'layouts'")}
    assert families == {"Algebra", "numbers", "truth", None}


def test_a_stream_is_sent_line_by_line_and_an_interrupt_ends_it(system):
    lines = [json.dumps(problem).encode() + b"\n" for problem in generate("--count", "3", "--seed", "23")]
    command = [binary("errata"), "submit", "-", "--dataset", "stream", "--split", "rollout", "--state", str(system.state)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        for number, line in enumerate(lines, start=1):
            process.stdin.write(line)
            process.stdin.flush()
            eventually(
                lambda: system.count("SELECT count(*) FROM problems WHERE dataset = 'stream'") == number,
                what=f"problem {number}",
            )
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
        assert b"3" in process.stderr.read()
    finally:
        process.kill()
        process.stdin.close()
        process.wait()


def test_overlaps_are_left_out_and_told(system):
    train = generate("--count", "4", "--seed", "24")
    quoted = {"question": "Read this. " + train[0]["question"] + " Say it in words, too.", "answer": "seven"}
    again = {**train[1], "id": "again", "question": train[1]["question"].upper()}
    for split, lines in (("test", [quoted]), ("train", [*train, again])):
        text = "".join(json.dumps(line) + "\n" for line in lines).encode()
        assert system.errata("submit", "-", "--dataset", "overlap", "--split", split, stdin=text).returncode == 0
    eventually(lambda: system.count("SELECT count(*) FROM problems WHERE dataset = 'overlap'") == 6, timeout=60)
    states = dict(system.query("SELECT state, count(*) FROM problems WHERE dataset = 'overlap' GROUP BY state"))
    assert states == {"registered": 1, "contaminated": 1, "duplicate": 1, "ingested": 3}
    told = [json.loads(line) for line in system.errata("problems", "--dataset", "overlap").stdout.splitlines()]
    assert {(line["leftOut"], line["kind"]) for line in told} == {("contaminated", "contains"), ("duplicate", "exact")}
    assert b"left out as duplicates" in system.errata("status").stdout
    status = json.loads(system.errata("status", "--json").stdout)
    assert status["problems"]["duplicates"] >= 1 and status["problems"]["contaminated"] >= 1
    assert {one["group"] for one in status["consumers"]} >= {"teacher-ingestion", "evaluator"}


def test_an_estimate_sends_nothing_and_names_bad_lines(system, tmp_path):
    file = tmp_path / "dear.jsonl"
    file.write_text("".join(json.dumps(problem) + "\n" for problem in generate("--count", "3", "--seed", "25")) + "no\n")
    teachers = tmp_path / "teachers.json"
    teachers.write_text(json.dumps({"default": {"price": {"prompt": 1.0, "completion": 2.0}}}))
    done = system.errata("submit", str(file), "--dataset", "dear", "--estimate", "--teachers", str(teachers), "--json")
    assert done.returncode == 2 and f"{file}:4: ".encode() in done.stderr, done.stderr
    told = json.loads(done.stdout)
    assert told["problems"] == 3 and told["rejected"] == 1
    for line in told["lines"]:
        assert abs(line["cost"] - (line["promptTokens"] + 2 * line["completionTokens"]) / 1e6) < 1e-9
    done = system.errata("submit", str(file), "--dataset", "dear", "--estimate", "--parts", "chains")
    assert b"chain-of-thought" in done.stdout and b"inspect-template" not in done.stdout
    assert system.count("SELECT count(*) FROM problems WHERE dataset = 'dear'") == 0


def test_traces_are_listed_and_graded_again(system):
    lines = "".join(json.dumps(problem) + "\n" for problem in generate("--count", "4", "--seed", "26"))
    assert system.errata("submit", "-", "--dataset", "traced", stdin=lines.encode()).returncode == 0
    eventually(
        lambda: system.count("SELECT count(*) FROM problems WHERE dataset = 'traced' AND state = 'ingested'") == 4,
        timeout=60,
    )
    done = system.errata("traces", "--dataset", "traced", "--kind", "chain-of-thought", "--json")
    traces = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(traces) == 4 and all(trace["grader"].startswith("standard/") for trace in traces)
    refused = system.errata("traces", "--dataset", "traced", "--refused")
    assert refused.returncode == 0, refused.stderr
    done = system.errata("regrade", "--table", "traces", "--exit-code")
    assert done.returncode == 0 and done.stdout == b"", (done.stdout, done.stderr)
    assert b"differ" in done.stderr


def test_an_id_that_is_taken_is_told_before_it_is_sent(system):
    line = {"id": "taken", "dataset": "taken", "split": "rollout", "question": "What is 7 + 8?", "answer": "15"}
    for answer, code in (("15", 0), ("15", 0), ("16", 1)):
        text = json.dumps({**line, "answer": answer}).encode()
        done = system.errata("submit", "-", stdin=text)
        assert done.returncode == code, done.stderr
        eventually(lambda: system.count("SELECT count(*) FROM problems WHERE id = 'taken'") == 1)
    assert b"standard input:1: problem taken is there already with another answer" in done.stderr


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
    question = "On Monday Ana finds 3 shells, and on Tuesday 4 more. How many shells does she find in the two days?"
    plain = json.dumps({**json.loads(body), "id": "kcat-2", "question": question})
    subprocess.run(command[:6] + ["-k", "kcat-2"], input=plain.encode() + b"\n", check=True, timeout=60)
    eventually(lambda: system.count("SELECT count(*) FROM problems WHERE id = 'kcat-2' AND state = 'ingested'") == 1)


def test_commands_without_a_system_say_how_to_start_one(tmp_path):
    done = subprocess.run(
        [binary("errata"), "status", "--state", str(tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0
    assert "errata up --state" in done.stderr
