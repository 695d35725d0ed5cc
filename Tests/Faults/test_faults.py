"""Twenty schedules of faults, drawn by seed, each of which must leave what an undisturbed run leaves; and two programs that
leave out what the promises rest on, which must not pass."""
import pathlib
import subprocess
import sys

import pytest

FAULTS = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FAULTS))

from schedules import SERVICES, schedule  # noqa: E402


def disturb(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, str(FAULTS / "run"), *arguments], capture_output=True, text=True, timeout=3000)


def test_schedules_are_drawn_by_seed_and_hit_every_service():
    assert schedule(7) == schedule(7)
    assert len({tuple(schedule(seed)) for seed in range(200)}) == 200
    assert {fault.target for seed in range(20) for fault in schedule(seed)} >= set(SERVICES)
    points = {fault.point for seed in range(200) for fault in schedule(seed)}
    assert len(points) == 12, "every place, and none"


def test_twenty_schedules_leave_what_an_undisturbed_run_leaves():
    done = disturb("--seeds", "1-20")
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


@pytest.mark.parametrize("plant", ["inbox-off", "offsets-first"])
def test_a_program_without_what_the_promises_rest_on_is_found(plant):
    done = disturb("--seeds", "1-6", "--plant", plant)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
