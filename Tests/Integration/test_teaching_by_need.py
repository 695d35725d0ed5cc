"""Only what runs need is asked of the teacher; traces go out and come in again; a run's budget holds."""
import json
import pathlib
import subprocess

from conftest import System, binary, eventually, tiny_student

PROBLEMS = 12

RECIPE = """
name: {name}
dataset: need
seed: 1
student: {{model: {student}}}
stages:
  - name: {stage}
    supervised: {{sources: [{{kind: {kind}}}]}}
    start: {{examples: 100000, waitSeconds: 100000}}
suites: []
{more}
"""


def errata(system, *arguments, check=True, stdin=None):
    result = system.errata(*arguments, stdin=None if stdin is None else stdin.encode())
    result.stdout, result.stderr = result.stdout.decode(), result.stderr.decode()
    assert not check or result.returncode == 0, result.stderr
    return result


def submit_run(system, folder: pathlib.Path, name: str, kind: str, more: str = "") -> None:
    file = folder / f"{name}.yaml"
    file.write_text(RECIPE.format(name=name, student="tiny", stage=f"on-{kind}", kind=kind, more=more))
    errata(system, "runs", "submit", str(file))


def generate(system, folder: pathlib.Path) -> None:
    lines = subprocess.run(
        [binary("errata"), "generate", "--count", str(PROBLEMS)], capture_output=True, text=True, check=True
    ).stdout
    (folder / "problems.jsonl").write_text(lines)
    errata(system, "submit", str(folder / "problems.jsonl"), "--dataset", "need")
    eventually(lambda: system.count("SELECT count(*) FROM problems") == PROBLEMS, what="problems")


def prompts(system) -> set:
    return {row[0] for row in system.query("SELECT DISTINCT prompt_id FROM teacher_calls")}


def test_runs_say_what_is_asked(tmp_path):
    with System(environment={"ERRATA_TEACHER_PARTS": "needed"}) as system:
        errata(system, "models", "add", str(tiny_student(tmp_path / "tiny")), "--name", "tiny")
        generate(system, tmp_path)
        assert system.count("SELECT count(*) FROM teacher_calls") == 0
        assert system.count("SELECT count(*) FROM problems WHERE state = 'registered'") == PROBLEMS

        submit_run(system, tmp_path, "first", "templates")
        taught = "SELECT count(*) FROM problems WHERE 'templates' = ANY(taught)"
        eventually(lambda: system.count(taught) == PROBLEMS, what="templates")
        assert prompts(system) <= {"template-extraction", "inspect-template"}

        submit_run(system, tmp_path, "second", "rightChains")
        eventually(
            lambda: system.count("SELECT count(*) FROM problems WHERE 'chains' = ANY(taught)") == PROBLEMS, what="chains"
        )
        # A wrong chain is rectified with it; pairs are not corrupted for it, and no kind of a mistake is asked for.
        assert prompts(system) <= {"template-extraction", "inspect-template", "chain-of-thought", "rectify"}
        assert system.count("SELECT count(*) FROM dead_letters") == 0


def test_export_and_import(tmp_path):
    with System() as system:
        generate(system, tmp_path)
        eventually(
            lambda: system.count("SELECT count(*) FROM problems WHERE state = 'ingested'") == PROBLEMS, what="traces"
        )
        exported = errata(system, "export", "--dataset", "need").stdout
        verified = system.count(
            "SELECT count(*) FROM traces WHERE verified AND kind IN ('chain-of-thought', 'dual', 'template')"
        )
        lines = [json.loads(line) for line in exported.splitlines()]
        assert len(lines) == verified > 0
        duals = errata(system, "export", "--kind", "dual", "--layout", "trl").stdout
        for line in map(json.loads, duals.splitlines()):
            assert line["chosen"] != line["rejected"] and line["prompt"].startswith("Q: ")
            assert line["errata"]["kind"] == "dual"
        kinds = system.query("SELECT kind, count(*) FROM traces WHERE verified GROUP BY kind")

    with System(environment={"ERRATA_TEACHER_PARTS": "none"}) as other:
        bad = ['{"kind": "dual", "problemId": "x", "right": "a"}', '{"kind": "template", "text": "x"}', "{"]
        wrong = {"kind": "chain-of-thought", "text": "It is 1.\nThe answer is 1000001.", "problem": lines[0]["problem"]}
        result = errata(
            other, "import", "-", check=False, stdin="\n".join([exported.strip(), json.dumps(wrong), *bad])
        )
        assert result.returncode == 2
        assert f"sent {verified + 1} traces and {PROBLEMS} problems; 3 lines rejected" in result.stderr
        assert f"standard input:{verified + 2}: " in result.stderr and "wrong is missing" in result.stderr
        assert "has neither problemId nor problem" in result.stderr
        eventually(lambda: other.count("SELECT count(*) FROM traces") == verified + 1, what="imported traces")
        # Each is verified again, and stays what it was; nobody was asked.
        there = {k: n for k, n in kinds if k != "inspector-verdict"}
        assert {k: n for k, n in other.query("SELECT kind, count(*) FROM traces WHERE verified GROUP BY kind")} == there
        assert other.count("SELECT count(*) FROM teacher_calls") == 0
        assert other.query("SELECT body->>'failureKind' FROM traces WHERE NOT verified") == [("wrong-answer",)]
        # The same lines again are nothing new.
        errata(other, "import", "-", stdin=exported)
        again = {json.loads(line)["text"] for line in errata(other, "export", "--kind", "chain-of-thought").stdout.splitlines()}
        assert again == {line["text"] for line in lines if line["kind"] == "chain-of-thought"}
        assert other.count("SELECT count(*) FROM traces") == verified + 1


def test_budget_of_a_run(tmp_path):
    with System(environment={"ERRATA_TEACHER_PARTS": "needed"}) as system:
        errata(system, "models", "add", str(tiny_student(tmp_path / "tiny")), "--name", "tiny")
        submit_run(system, tmp_path, "bounded", "templates", "teacherBudget: {tokens: 3000}")
        generate(system, tmp_path)
        run = system.query("SELECT id FROM runs")[0][0]
        paused = "SELECT count(*) FROM teacher_pauses WHERE server = 'run:" + run + "'"
        eventually(lambda: system.count(paused) == 1, what="pause")
        untaught = system.count("SELECT count(*) FROM problems WHERE state = 'registered'")
        assert untaught > 0
        spent = system.count(f"SELECT tokens FROM teacher_spending WHERE scope = 'run:{run}'")
        most = system.count("SELECT max(prompt_tokens + completion_tokens) FROM teacher_calls")
        assert 3000 <= spent < 3000 + 8 * most

        errata(system, "runs", "budget", "bounded", "--tokens", "10000000")
        taught = "SELECT count(*) FROM problems WHERE 'templates' = ANY(taught)"
        eventually(lambda: system.count(taught) == PROBLEMS, what="the rest")
        eventually(lambda: system.count(paused) == 0, what="the end of the pause")
        messages = system.read_all("errata.pauses.v1", lambda messages: len(messages) >= 2)
        events = [json.loads(message.value()) for message in messages]
        assert [event["state"] for event in events] == ["paused", "resumed"]
        assert events[0]["scope"] == f"run:{run}" and "3000 tokens" in events[0]["reason"]
