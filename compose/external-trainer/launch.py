#!/usr/bin/env python3
"""Runs train.py under `accelerate launch` as an engine of Errata's trainer service.

    launch.py [ARGUMENTS OF accelerate launch...] JOB

It stands before `accelerate launch` because that turns every failure into exit status 1 and neither passes SIGTERM on
nor waits for the training process when it gets one.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import importlib.util
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from job import DISK_FULL, FAILED, STOPPED, TRY_AGAIN, Ended, Job

PACKAGES = ["torch", "transformers", "trl", "peft", "accelerate", "datasets"]
# One process and no guesses; what the command says comes behind and counts.
DEFAULTS = ["--num_processes=1", "--num_machines=1", "--mixed_precision=no", "--dynamo_backend=no"]
PR_SET_PDEATHSIG = 1


def prepare(job: Job) -> None:
    """Clears away what an earlier run left unfinished."""
    for path in (job.stop, job.started, job.outcome):
        path.unlink(missing_ok=True)
    shutil.rmtree(job.partial, ignore_errors=True)
    # The Trainer writes its state file last.
    for saved in job.state.glob("checkpoint-*"):
        try:
            json.loads((saved / "trainer_state.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            shutil.rmtree(saved)
    if job.metrics.exists():
        with job.metrics.open("rb+") as file:
            file.truncate(file.read().rfind(b"\n") + 1)


def environment(job: Job) -> dict[str, str]:
    """Nothing is fetched and nothing told to a hub; caches go into the job, for a container without a home."""
    cache = job.state / "cache"
    return {
        "XDG_CACHE_HOME": str(cache),
        "HF_HOME": str(cache / "huggingface"),
        "TRITON_HOME": str(cache),
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }


def train(job: Job, arguments: list[str]) -> None:
    """Runs the training to its end; SIGTERM (or Ctrl-C) asks it to save and stop."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: job.stop.touch())
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        raise Ended(f"{sys.executable} has no {', '.join(missing)}; install requirements.txt")
    script = Path(__file__).resolve().with_name("train.py")
    libc = ctypes.CDLL(None)
    # A session of its own: a signal to this process's group reaches this process only, which asks the training to stop.
    # When this process is killed the kernel kills the launcher too, and with it, by the same means, the training.
    command = [sys.executable, "-m", "accelerate.commands.launch", "--quiet", *DEFAULTS, *arguments]
    launcher = subprocess.Popen(
        [*command, str(script), str(job.folder)],
        stdin=subprocess.DEVNULL,
        env=environment(job),
        start_new_session=True,
        preexec_fn=lambda: libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL),
    )
    status = launcher.wait()
    if job.checkpoint.is_dir():
        return
    if said := job.said():
        raise said
    if job.stop.exists():
        raise Ended("killed while it was stopping; it goes on from its last save", STOPPED)
    if job.started.exists():
        # Only a killed process, or one without room for it, leaves no word.
        raise Ended(DISK_FULL if job.disk_is_full else "the training process was killed; out of memory?", TRY_AGAIN)
    raise Ended(f"accelerate launch could not start the training (status {status}); the lines above say why")


def main() -> int:
    if len(sys.argv) < 2:
        print("usage: launch.py [ARGUMENTS OF accelerate launch...] JOB", file=sys.stderr)
        return 2
    try:
        job = Job.read(Path(sys.argv[-1]))
        if job.checkpoint.is_dir():
            return 0
        job.state.mkdir(exist_ok=True)
        with (job.state / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise Ended("another process is at work on this job", TRY_AGAIN) from None
            job.check_data()
            prepare(job)
            train(job, sys.argv[1:-1])
    except Ended as ended:
        print(f"external trainer: {ended.reason}", file=sys.stderr)
        return ended.status
    except OSError as error:
        print(f"external trainer: {error}", file=sys.stderr)
        return TRY_AGAIN if error.errno == errno.ENOSPC else FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
