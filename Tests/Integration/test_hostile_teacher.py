"""A teacher that misbehaves in every known way: nothing is lost, nothing is paid twice, and what it refuses is told."""
import http.server
import json
import os
import signal
import threading
import time

import pytest
from conftest import System, eventually, problem
from hostile_teacher import INJECTION, POISON, POISONS, HostileTeacher

FAULTS = [
    "429 seconds", "429 fraction", "429 date", "429 milliseconds", "429 bare", "500", "503 html", "200 html", "200 error",
    "cut json", "reset", "stall", "huge", "parts", "reasoning field", "think tags", "other end",
    "prompt injection", "unclosed tags",
]
PROBLEMS = 500
# Problems whose every question the teacher refuses.
POISONED = 5


@pytest.fixture()
def busy_teacher():
    """The address of a server that puts every question off by an hour, and how many came."""
    questions = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            questions.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.send_response(429)
            self.send_header("Retry-After", "3600")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1", questions
        server.shutdown()


def test_a_service_that_waits_for_its_teacher_stops_when_it_is_told(busy_teacher):
    address, questions = busy_teacher
    with System("--teacher-url", address, "--teacher-model", "busy") as system:
        sent = system.errata("submit", "-", "--dataset", "busy", stdin=lines(4))
        assert sent.returncode == 0, sent.stderr
        eventually(lambda: questions, what="a question")
        log = system.state / "logs/teacher-ingestion.log"
        pid = system.pid_of("teacher-ingestion")
        before = len(log.read_text())
        os.kill(pid, signal.SIGTERM)
        # Left alone, it would be cut off after 20 s, with errors.
        eventually(lambda: system.pid_of("teacher-ingestion") != pid, timeout=15, what="the end of the service")
        said = log.read_text()[before:]
        assert "shutting down" in said and "level=error" not in said and "level=critical" not in said, said


@pytest.fixture()
def teacher(request):
    running = HostileTeacher(**getattr(request, "param", {}))
    yield running
    running.close()


@pytest.fixture()
def taught(teacher, tmp_path):
    settings = tmp_path / "teachers.json"
    settings.write_text(json.dumps({"default": {"timeoutSeconds": 4, "price": {"prompt": 1, "completion": 2}}}))
    running = System(
        "--teacher-url", teacher.url, "--teacher-model", "hostile", environment={"ERRATA_TEACHERS": str(settings)}
    )
    yield running
    running.stop()


def lines(count: int, poisoned: int = 0) -> bytes:
    made = []
    for number in range(count):
        question = None
        if number < poisoned:
            question = f"{POISON} Ana has {number + 3} shells. She finds {number % 7 + 2} more. How many has she now?"
        made.append(json.dumps(problem(number, question)))
    return ("\n".join(made) + "\n").encode()


def finished(system) -> int:
    return system.count("SELECT count(*) FROM problems WHERE state = 'ingested'") + system.count(
        "SELECT count(*) FROM dead_letters"
    )


@pytest.mark.parametrize("teacher", [{"faults": FAULTS, "share": 0.12}], indirect=True)
def test_of_500_problems_none_is_lost_and_no_answer_is_paid_twice(teacher, taught):
    system = taught
    sent = system.errata("submit", "-", "--dataset", "hostile", stdin=lines(PROBLEMS, POISONED))
    assert sent.returncode == 0, sent.stderr
    # The key is revoked for a while in the middle of the work.
    eventually(lambda: finished(system) > PROBLEMS // 4, timeout=240, what="a quarter of the problems")
    teacher.revoked_until = time.monotonic() + 60
    eventually(
        lambda: system.count("SELECT count(*) FROM teacher_pauses") == 1, timeout=30, what="the pause is written down"
    )
    status = system.errata("status").stdout.decode()
    assert "teacher not asked for now" in status and "Incorrect API key" in status
    eventually(lambda: finished(system) == PROBLEMS, timeout=400, what="all problems at their end")
    assert system.count("SELECT count(*) FROM teacher_pauses") == 0

    # What is refused for its words is among the dead letters, with the server's words, and nothing else is.
    letters = system.query("SELECT cause_code, cause_message FROM dead_letters")
    assert len(letters) == POISONED
    assert {code for code, _ in letters} == {"teacher-refused"}
    assert all("Your request was flagged" in message for _, message in letters)
    assert system.count("SELECT count(*) FROM problems WHERE question LIKE %s", f"%{POISON}%") == 0

    # Every fault was met, or the test shows nothing.
    assert set(FAULTS) - set(teacher.met) <= {"parts", "reasoning field", "think tags", "other end"}
    # Each answer that the server billed is one row, and none was billed twice.
    assert max(teacher.billed.values()) == 1
    answers = system.count(
        "SELECT count(*) FROM teacher_calls WHERE finish_reason NOT IN ('timeout', 'too-large', 'malformed')"
        " AND prompt_id <> 'probe'"
    )
    assert answers == sum(teacher.billed.values())
    # What else it may bill stands in the ledger as what it was.
    outcomes = dict(system.query("SELECT outcome, count(*) FROM teacher_failed_calls GROUP BY outcome"))
    assert outcomes["timeout"] == teacher.met["stall"]
    assert outcomes["too-large"] == teacher.met["huge"]
    assert system.count("SELECT count(*) FROM teacher_failed_calls WHERE outcome = 'timeout' AND NOT may_be_billed") == 0

    # What an answer orders is obeyed by nobody.
    assert system.count("SELECT count(*) FROM teacher_calls WHERE response LIKE %s", f"%{INJECTION}%") > 0
    assert system.count("SELECT count(*) FROM traces WHERE verified AND body->'body'->>'answer' = '424242'") == 0

    # Thoughts are kept, and are part of no chain.
    assert system.count("SELECT count(*) FROM teacher_calls WHERE thoughts IS NOT NULL") > 0
    assert system.count("SELECT count(*) FROM teacher_calls WHERE response LIKE '%%think>%%'") == 0
    assert system.count("SELECT count(*) FROM traces WHERE body::text LIKE '%%First try: 3%%'") == 0

    costs = [json.loads(line) for line in system.errata("costs", "--json").stdout.splitlines()]
    assert sum(line["answers"] for line in costs) == system.count("SELECT count(*) FROM teacher_calls")
    spent = system.query("SELECT sum(cost), sum(prompt_tokens + 2 * completion_tokens) / 1e6 FROM teacher_calls")[0]
    assert abs(spent[0] - float(spent[1])) < 1e-9
    assert abs(sum(line["cost"] for line in costs) - spent[0]) < 1e-9


def test_prompts_that_are_never_answered_end_although_nothing_else_is_asked(teacher, taught):
    """However the server fails at them, and although each of its failures might be an outage."""
    system = taught
    questions = [
        json.dumps(problem(number, f"{words} Ana has {number + 3} shells and finds 2 more. How many has she now?"))
        for number, words in enumerate(POISONS)
    ]
    sent = system.errata("submit", "-", "--dataset", "poison", stdin=("\n".join(questions) + "\n").encode())
    assert sent.returncode == 0, sent.stderr
    eventually(
        lambda: system.count("SELECT count(*) FROM dead_letters") == len(POISONS), timeout=400, what="all are given up"
    )
    letters = system.query("SELECT cause_code, cause_message FROM dead_letters")
    assert {code for code, _ in letters} == {"teacher-refused"}
    for _, answer in POISONS.values():
        assert any(answer["error"]["message"] in message for _, message in letters), answer
    # A question of a few words told that the server was well, and is in the ledger.
    probes = system.count("SELECT count(*) FROM teacher_calls WHERE prompt_id = 'probe'")
    assert 0 < probes == teacher.probes
    assert not teacher.billed
    # Nothing is in the way of what comes next.
    others = "\n".join(json.dumps(problem(number)) for number in range(100, 103)) + "\n"
    assert system.errata("submit", "-", "--dataset", "poison", stdin=others.encode()).returncode == 0
    eventually(lambda: finished(system) == len(POISONS) + 3, timeout=60, what="the others are taught")
    assert system.count("SELECT count(*) FROM teacher_pauses") == 0


@pytest.mark.parametrize("teacher", [{"rate": 40.0}], indirect=True)
def test_a_rate_limit_is_used_up(teacher, taught):
    system = taught
    begun = time.monotonic()
    sent = system.errata("submit", "-", "--dataset", "limited", stdin=lines(200))
    assert sent.returncode == 0, sent.stderr
    eventually(lambda: finished(system) == 200, timeout=300, what="all problems at their end")
    taken = time.monotonic() - begun
    served = sum(teacher.billed.values())
    # The bucket is full at the start.
    least = (served - teacher.rate) / teacher.rate
    print(f"{served} answers at {teacher.rate} a second: {taken:.1f} s of at least {least:.1f}; "
          f"{teacher.met['rate limit']} refused")
    assert max(teacher.billed.values()) == 1
    assert taken <= 1.5 * least


@pytest.mark.parametrize("teacher", [{}], indirect=True)
def test_a_days_budget_ends_the_asking_and_loses_nothing(teacher):
    # A call is under way until its answer is written down, which the server does not see.
    most = 4
    system = System(
        "--teacher-url", teacher.url, "--teacher-model", "hostile",
        environment={"ERRATA_TEACHER_DAY_TOKENS": "60000", "ERRATA_TEACHER_CONCURRENCY": str(most)},
    )
    try:
        sent = system.errata("submit", "-", "--dataset", "budget", stdin=lines(60))
        assert sent.returncode == 0, sent.stderr
        eventually(
            lambda: system.query("SELECT reason FROM teacher_pauses WHERE server = 'budget'"), timeout=60, what="a pause"
        )
        calls = teacher.calls
        time.sleep(3)
        assert teacher.calls == calls
        spent = system.count("SELECT tokens FROM teacher_spending WHERE scope LIKE 'day:%%'")
        largest = system.count("SELECT max(prompt_tokens + completion_tokens) FROM teacher_calls")
        assert teacher.most_open <= most
        assert 60_000 <= spent < 60_000 + most * largest
        assert 0 < finished(system) < 60
        assert system.count("SELECT count(*) FROM dead_letters") == 0
        assert "budget is spent" in system.errata("status").stdout.decode()
    finally:
        system.stop()


def test_the_same_text_under_another_name_is_paid_once(teacher, taught):
    system = taught
    text = [problem(number) for number in range(20)]

    def submit(name: str):
        renamed = "\n".join(json.dumps(entry | {"id": f"{name}-{entry['id']}"}) for entry in text) + "\n"
        assert system.errata("submit", "-", "--dataset", name, stdin=renamed.encode()).returncode == 0

    submit("one")
    eventually(lambda: finished(system) == 20, timeout=60, what="all problems at their end")
    calls = teacher.calls
    submit("two")
    eventually(
        lambda: system.count("SELECT count(*) FROM problems WHERE state = 'duplicate'") == 20,
        timeout=60,
        what="all duplicates are told",
    )
    assert teacher.calls == calls
    assert max(teacher.billed.values()) == 1
