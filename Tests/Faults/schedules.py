"""Schedules of faults, each drawn from a seed."""
import dataclasses
import random

SERVICES = ["teacher-ingestion", "key-step-locator", "template-distiller", "dpo-trainer", "evaluator"]
TRAINERS = ["template-distiller", "dpo-trainer"]

# The places where a program can be hit (Shared/FaultPoints), the programs that pass them, and how often one passes at least
# in the workload: a fault is planted at a passing up to that.
POINTS = {
    "message.stored": (SERVICES[:1], 60),
    "message.begins": (SERVICES[:2], 60),
    "message.worked": (SERVICES[:2], 60),
    "commit.ahead": (SERVICES[:2], 60),
    "commit.done": (SERVICES[:2], 60),
    "relay.read": (SERVICES[:2], 3),
    "relay.sent": (SERVICES[:2], 3),
    "stage.begins": (TRAINERS, 1),
    "stage.step": (TRAINERS, 10),
    "stage.stored": (TRAINERS, 1),
    "piece.graded": (["evaluator"], 3),
    "file.written": (TRAINERS, 2),
}
# What can happen at each; a file that is torn must be one that nobody has seen yet.
HAPPENINGS = {point: ["kill", "kill", "term", "fail"] for point in POINTS} | {"file.written": ["kill", "tear", "fail"]}


@dataclasses.dataclass(frozen=True)
class Fault:
    """Something that happens: at a place in a program, or at a time of the workload."""

    kind: str
    """kill, term, fail or tear at a place; or by the clock: kill, term, freeze (a service is stopped for a while), outage
    (the broker is), connections (the database ends them), restart (of the database), crowd (a second process of a service
    joins its group and is killed), stall (the database holds up a program's writes for a while, and the program is killed)."""
    target: str = ""
    point: str = ""
    passing: int = 0
    after: float = 0.0
    """Seconds from the start of the workload."""
    seconds: float = 0.0

    def __str__(self):
        if self.point:
            return f"{self.kind} {self.target} at {self.point} #{self.passing}"
        length = f" for {self.seconds:.1f} s" if self.seconds else ""
        return f"{self.kind}{' ' if self.target else ''}{self.target} after {self.after:.1f} s{length}"


def schedule(seed: int) -> list[Fault]:
    """Three faults at places and three by the clock, of kinds that follow from the seed alone."""
    draw = random.Random(seed)
    faults = []
    for point in draw.sample(sorted(POINTS), 3):
        programs, passings = POINTS[point]
        faults.append(
            Fault(
                kind=draw.choice(HAPPENINGS[point]),
                target=draw.choice(programs),
                point=point,
                passing=draw.randint(1, passings),
            )
        )
    for kind in draw.sample(["kill", "kill", "term", "freeze", "outage", "connections", "restart", "crowd"], 3):
        fault = Fault(kind=kind, after=round(draw.uniform(0.5, 14), 1))
        if kind in ("kill", "term", "freeze", "crowd"):
            fault = dataclasses.replace(fault, target=draw.choice(SERVICES))
        if kind in ("freeze", "outage", "crowd"):
            fault = dataclasses.replace(fault, seconds=round(draw.uniform(1, 9), 1))
        faults.append(fault)
    return sorted(faults, key=lambda fault: fault.after)


def in_flight() -> list[Fault]:
    """The program is killed while what it writes has been held up for longer than offsets wait for their commit.

    Whoever commits them first has lost these messages for certain; drawn schedules hit that moment only now and then.
    """
    return [Fault(kind="stall", target="key-step-locator", after=0.5, seconds=3)]
