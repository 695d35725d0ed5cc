"""The external trainer's side of the folder, as far as it needs no torch: reading a job and clearing up before it runs."""

from __future__ import annotations

import json
import sys
import tempfile
import unittest
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "compose" / "external-trainer"))

from job import Ended, Job  # noqa: E402
from launch import prepare  # noqa: E402

TRAINING = {
    "learningRate": 1e-5,
    "epochs": 1,
    "batchSequences": 8,
    "accumulation": 1,
    "schedule": "cosine",
    "warmupRatio": 0.1,
    "weightDecay": 0,
    "maximumGradientNorm": 1,
}


class JobTests(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)
        for name in ("parent", "data", "state"):
            (self.folder / name).mkdir()
        (self.folder / "parent" / "config.json").write_text("{}")

    def job(self, *lines: dict[str, Any], method: str = "supervised", training: Any = None, **options: Any) -> Job:
        (self.folder / "options.json").write_text(
            json.dumps({"contract": 1, "method": method, "seed": 1, "training": TRAINING | (training or {}), **options})
        )
        (self.folder / "data" / "train.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        return Job.read(self.folder)

    def refuses(self, words: str, *lines: dict[str, Any], **options: Any) -> None:
        with self.assertRaisesRegex(Ended, words):
            self.job(*lines, **options).check_data()

    def test_reads_supervised_lines(self) -> None:
        job = self.job({"prompt": "a", "completion": "b"}, {"prompt": "", "completion": "d", "weight": 2, "end": False})
        self.assertEqual([(e.weight, e.end) for e in job.examples()], [(1.0, True), (2.0, False)])

    def test_reads_pairs(self) -> None:
        line = {"id": "1", "prompt": "a", "chosen": "b", "rejected": "c", "end": False}
        job = self.job(line, method="preferences", preferences={"loss": "ipo", "beta": 0.1})
        self.assertEqual([(p.chosen, p.rejected, p.end) for p in job.pairs()], [("b", "c", False)])

    def test_refuses_what_it_cannot_do(self) -> None:
        line = {"prompt": "a", "completion": "b"}
        self.refuses("contract is 2", line, contract=2)
        self.refuses("does not know batchTokens", line, training={"batchTokens": 9})
        self.refuses('schedule is "polynomial"', line, training={"schedule": "polynomial"})
        self.refuses("batchSequences is true", line, training={"batchSequences": True})
        self.refuses("one of them", line, training={"maximumSteps": 1, "maximumTokens": 1})
        self.refuses("rank is 0", line, training={"lora": {"rank": 0, "alpha": 1, "dropout": 0, "targets": ["q_proj"]}})
        smoothed = {"loss": "ipo", "beta": 1, "labelSmoothing": 0.1}
        self.refuses("for the loss robust only", method="preferences", preferences=smoothed)
        self.refuses("line 2: this engine does not know tokens", line, line | {"tokens": []})
        self.refuses("line 1: weight is -1", line | {"weight": -1})
        self.refuses("is empty")

    def test_clears_what_a_killed_run_left(self) -> None:
        job = self.job({"prompt": "a", "completion": "b"})
        job.partial.mkdir()
        job.stop.touch()
        for name, state in (("checkpoint-1", "{}"), ("checkpoint-2", "{")):
            (job.state / name).mkdir()
            (job.state / name / "trainer_state.json").write_text(state)
        job.metrics.write_text('{"step": 1}\n{"st')
        prepare(job)
        self.assertEqual(sorted(path.name for path in job.state.iterdir()), ["checkpoint-1"])
        self.assertFalse(job.partial.exists())
        self.assertEqual(job.metrics.read_text(), '{"step": 1}\n')


if __name__ == "__main__":
    unittest.main()
