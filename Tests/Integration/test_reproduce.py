"""`errata reproduce --quick`: a whole table in small, ended in the middle and gone on with."""
import html.parser
import json
import pathlib
import signal
import subprocess

import psycopg.types.json
import pytest
from conftest import System, binary, eventually

SEEDS = [1, 2, 3]


def command(table: str, folder: pathlib.Path, workers: int = 2) -> list:
    return [binary("errata"), "reproduce", table, "--quick", "--output", str(folder), "--workers", str(workers)]


def reproduce(table: str, folder: pathlib.Path, workers: int = 2) -> tuple[dict, str, str]:
    done = subprocess.run(command(table, folder, workers), capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads((folder / f"{table}.json").read_text()), done.stdout, done.stderr


def without_times(value):
    """Results without what a clock says."""
    if isinstance(value, dict):
        return {k: without_times(v) for k, v in value.items() if k not in ("seconds", "trainSeconds")}
    return [without_times(v) for v in value] if isinstance(value, list) else value


class References(html.parser.HTMLParser):
    def __init__(self):
        super().__init__()
        self.found = []
        self.tags = set()

    def handle_starttag(self, tag, attributes):
        self.tags.add(tag)
        self.found += [v for k, v in attributes if k in ("src", "href") and v and not v.startswith("#")]


@pytest.fixture(scope="module")
def edit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("edit")
    return folder, *reproduce("edit", folder)


def test_every_arm_has_every_seed_and_suite(edit):
    _, results, text, _ = edit
    assert [row["arm"] for row in results["rows"]] == [arm["id"] for arm in results["table"]["arms"]]
    for row in results["rows"]:
        assert [seed["seed"] for seed in row["seeds"]] == SEEDS
        for seed in row["seeds"]:
            assert set(seed["suites"]) == {"test", "longer-chains", "unseen-families"}
            assert len(seed["suites"]["test"]["outcomes"]) == results["plan"]["testProblems"]
    # Every trained arm of a stage has the same number of candidates.
    searches = {row["arm"]: len(row["search"]) for row in results["rows"]}
    assert searches.pop("untrained") == 0
    assert set(searches.values()) == {1}
    assert len(results["claims"]) == len(results["table"]["claims"])
    assert len(results["probes"]) == len(results["table"]["probes"])
    for arm in results["table"]["arms"]:
        assert arm["title"][:30] in text


def test_report_needs_no_other_file(edit):
    folder, results, _, _ = edit
    parser = References()
    parser.feed((folder / "edit.html").read_text())
    assert parser.found == []
    assert {"svg", "table", "mark"} <= parser.tags and "script" not in parser.tags
    claims = (folder / "edit.md").read_text()
    assert all(claim["text"] in claims for claim in results["table"]["claims"])


def test_training_moves_the_student(edit):
    """What an arm was trained on is what its recipe says: examples, tokens and weights differ between arms."""
    folder, results, _, _ = edit
    rows = {row["arm"]: row for row in results["rows"]}
    examples = {arm: row["seeds"][0]["examples"] for arm, row in rows.items()}
    training = results["plan"]["trainingProblems"]
    assert 0 < examples["std-cot"] < examples["rwc"] <= training
    assert examples["edit"] == examples["krsl-corrupted"] + examples["krsl-rectified"] > training
    for arm, row in rows.items():
        tokens = row["seeds"][0]["tokens"]
        if arm == "untrained":
            assert tokens == 0
        elif examples[arm]:
            budget = "supervisedTokens" if arm in ("std-cot", "rwc", "repeated", "dual") else "secondStageTokens"
            assert results["plan"][budget] <= tokens < 1.3 * results["plan"][budget], arm
    hashes = {
        path.name: json.loads(path.read_text())["modelHash"] for path in (folder / "trials/seed-1").glob("*.json")
    }
    trained = {name: value for name, value in hashes.items() if examples[name.removesuffix(".json").split("@")[0]]}
    assert len(set(trained.values())) == len(trained)


def test_ended_in_the_middle_it_goes_on_to_the_same_figures(edit, tmp_path):
    _, whole, _, _ = edit
    process = subprocess.Popen(command("edit", tmp_path, workers=1), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    eventually(lambda: len(list(tmp_path.glob("trials/*/*.json"))) >= 8, timeout=120, what="some trials are done")
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=60)
    process = subprocess.Popen(command("edit", tmp_path), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    eventually(lambda: len(list(tmp_path.glob("trials/*/*.json"))) >= 20, timeout=120, what="more trials are done")
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and b"goes on" in errors
    done = {path: path.stat().st_mtime_ns for path in tmp_path.glob("trials/*/*.json")}
    results, _, log = reproduce("edit", tmp_path)
    assert without_times(results) == without_times(whole)
    # What was done is not done again.
    assert all(path.stat().st_mtime_ns == before for path, before in done.items())


def through_the_services(table: str, arm: str, folder: pathlib.Path, stages: list[str]) -> tuple[dict, dict]:
    """The weights' hashes of an arm's stages: as the services train them from a run event, and as the table has them."""
    printed = subprocess.run(command(table, folder) + ["--run", arm, "--seed", "1"], capture_output=True, text=True)
    assert printed.returncode == 0, printed.stderr
    run = json.loads(printed.stdout)
    assert [stage["name"] for stage in run["stages"]] == stages
    expected = {
        stage: json.loads(next((folder / "trials/seed-1").glob(f"{stage}@*.json")).read_text())["modelHash"]
        for stage in stages
    }
    # The same number of threads gives the same bits; the table computes each student on one.
    system = System("--seed", "1", environment={"ERRATA_THREADS": "1"})
    try:
        added = system.errata("models", "add", str(folder / "models" / run["student"]["modelHash"]))
        assert added.returncode == 0, added.stderr
        problems = [json.loads(line) for line in (folder / "data/seed-1/problems.jsonl").read_text().splitlines()]
        traces = [json.loads(line) for line in (folder / "data/seed-1/traces.jsonl").read_text().splitlines()]
        # What the teacher gave stands in the tables, as if it had come by the services.
        with psycopg.connect(system.endpoint["postgres"]) as connection:
            for problem in problems:
                connection.execute(
                    "INSERT INTO problems (id, dataset, split, question, solution, answer, family, steps, state, "
                    "taught) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 'ingested', '{chains,duals,mistakes,templates}')",
                    [problem.get(key) for key in
                     ("id", "dataset", "split", "question", "solution", "answer", "family", "steps")],
                )
            for trace in traces:
                connection.execute(
                    "INSERT INTO traces (id, problem_id, kind, verified, failure, body) VALUES (%s, %s, %s, %s, %s, %s)",
                    [trace["id"], trace["problemId"], trace["kind"], trace["verified"], trace.get("failure"),
                     psycopg.types.json.Jsonb(trace)],
                )
        for stage in run["stages"]:
            # A failed trace leaves the number out of reach: then the stage starts after its longest wait.
            stage.setdefault("start", {})["waitSeconds"] = 5
        submitted = system.errata("runs", "submit", "-", stdin=json.dumps(run).encode())
        assert submitted.returncode == 0, submitted.stderr
        rows = eventually(
            lambda: len(found := system.query(
                "SELECT stage, state, error FROM training_jobs WHERE state IN ('done', 'failed')")) == len(stages) and found,
            timeout=240,
            what="all stages are trained",
        )
        assert {state for _, state, _ in rows} == {"done"}, rows
        return dict(system.query("SELECT stage, model_hash FROM checkpoints WHERE stage <> 'initial'")), expected
    finally:
        system.stop()


def test_edit_by_a_run_event_has_the_same_weights_bit_for_bit(edit):
    folder, *_ = edit
    trained, expected = through_the_services("edit", "edit", folder, ["rwc", "edit"])
    assert trained == expected


def test_supercorrect(tmp_path):
    results, text, _ = reproduce("supercorrect", tmp_path)
    assert [row["arm"] for row in results["rows"]] == [arm["id"] for arm in results["table"]["arms"]]
    for row in results["rows"]:
        trained = row["arm"] not in ("untrained", "reflexion")
        assert ("test" in row["selfCorrected"]) == trained
        assert ("locate" in row) == trained
    rows = {row["arm"]: row for row in results["rows"]}
    # A second stage has its tokens, whatever is mixed in.
    budget = results["plan"]["secondStageTokens"]
    for arm in results["table"]["arms"]:
        for seed in rows[arm["id"]]["seeds"]:
            if arm.get("parent") == "hsft" and seed["examples"]:
                assert seed["tokens"] >= budget, arm["id"]
    control = rows["step-control"]["seeds"][0]["examples"]
    assert control == rows["hsft"]["seeds"][0]["examples"] + rows["step-dpo"]["seeds"][0]["examples"]
    assert (tmp_path / "supercorrect.html").stat().st_size > 20_000
    # By a run event: the services' own roll-out and the teacher's corrections of it, and the same weights bit for bit.
    trained, expected = through_the_services("supercorrect", "cross-dpo", tmp_path, ["hsft", "cross-dpo"])
    assert trained == expected


def test_a_plan_of_ones_own(tmp_path):
    printed = subprocess.run(
        [binary("errata"), "reproduce", "edit", "--quick", "--print-plan"], capture_output=True, text=True, timeout=60
    )
    plan = json.loads(printed.stdout)
    assert plan["seeds"] == SEEDS
    for key, value in [("seeds", []), ("testProblems", 0), ("searchSeed", 1), ("secondStageRates", [-1])]:
        file = tmp_path / "plan.json"
        file.write_text(json.dumps({**plan, key: value}))
        done = subprocess.run(
            [binary("errata"), "reproduce", "edit", "--plan", str(file), "--output", str(tmp_path / "out")],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode != 0 and key in done.stderr and "plan.json" in done.stderr


def test_bad_arguments_are_named():
    for arguments, word in [(["rex"], "rex"), (["edit", "--workers", "0"], "--workers"), (["edit"], "--output")]:
        done = subprocess.run([binary("errata"), "reproduce", *arguments], capture_output=True, text=True, timeout=60)
        assert done.returncode != 0 and word in done.stderr
