"""Schedules of faults, each drawn from a seed."""
import dataclasses
import random

SERVICES = ["teacher-ingestion", "key-step-locator", "template-distiller", "dpo-trainer", "evaluator"]
TRAINERS = ["template-distiller", "dpo-trainer"]

# How often a program works on a message, in the workload at least; dpo-trainer reads no topic.
MESSAGES = {"teacher-ingestion": 60, "key-step-locator": 60, "template-distiller": 1, "evaluator": 3}
# Of all relays one publishes at a time, whichever is there first.
RELAYS = {"teacher-ingestion": 3, "key-step-locator": 3, "template-distiller": 1, "dpo-trainer": 1, "evaluator": 1}
# What is written under a lease: checkpoints and rounds, attempts and scores.
JOBS = {"template-distiller": 2, "dpo-trainer": 1, "evaluator": 4}
# The places where a program can be hit (Shared/FaultPoints), the programs that pass them, and how often each passes at least
# in the workload: a fault is planted at a passing up to that.
POINTS = {
    "message.stored": {"teacher-ingestion": 60},
    "message.begins": MESSAGES,
    "message.worked": MESSAGES,
    "commit.ahead": MESSAGES,
    "commit.done": MESSAGES,
    "job.ahead": JOBS,
    "job.done": JOBS,
    "relay.read": RELAYS,
    "relay.sent": RELAYS,
    "stage.begins": dict.fromkeys(TRAINERS, 1),
    "stage.step": dict.fromkeys(TRAINERS, 10),
    "stage.stored": dict.fromkeys(TRAINERS, 1),
    "piece.graded": {"evaluator": 3},
    "file.written": dict.fromkeys(TRAINERS, 2),
}
# What can happen at each; a file that is torn must be one that nobody has seen yet.
HAPPENINGS = {point: ["kill", "kill", "term", "fail"] for point in POINTS} | {"file.written": ["kill", "tear", "fail"]}
CLOCKED = [
    "kill", "kill", "term", "freeze", "outage", "slow", "connections", "restart", "conflict", "clock", "crowd",
]  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Fault:
    """Something that happens: at a place in a program, or at a time of the workload."""

    kind: str
    """kill, term, fail or tear at a place; or by the clock: kill, term, freeze (a service is stopped for a while), outage
    (the broker is), slow (each of its answers comes later for a while), connections (the database ends them), restart (of the
    database), conflict (it ends the next transactions by serialization failures, at their commits), clock (its clock is set
    forward or back, by more than leases live), crowd (a second process of a service joins its group and is killed), stall (the
    database holds up a program's writes for a while, and the program is killed)."""
    target: str = ""
    point: str = ""
    passing: int = 0
    """Of a conflict: how many writes it takes in."""
    after: float = 0.0
    """Seconds from the start of the workload."""
    seconds: float = 0.0
    """How long it lasts; of a clock, by how much it is set."""

    def __str__(self):
        if self.point:
            return f"{self.kind} {self.target} at {self.point} #{self.passing}"
        if self.kind == "conflict":
            return f"conflict in {self.passing} writes after {self.after:.1f} s"
        if self.kind == "clock":
            return f"clock set by {self.seconds:+.1f} s after {self.after:.1f} s"
        length = f" for {self.seconds:.1f} s" if self.seconds else ""
        return f"{self.kind}{' ' if self.target else ''}{self.target} after {self.after:.1f} s{length}"


def schedule(seed: int) -> list[Fault]:
    """Three faults at places and four by the clock, of kinds that follow from the seed alone."""
    draw = random.Random(seed)
    faults = []
    for point in draw.sample(sorted(POINTS), 3):
        target = draw.choice(sorted(POINTS[point]))
        faults.append(
            Fault(
                kind=draw.choice(HAPPENINGS[point]),
                target=target,
                point=point,
                passing=draw.randint(1, POINTS[point][target]),
            )
        )
    for kind in draw.sample(CLOCKED, 4):
        fault = Fault(kind=kind, after=round(draw.uniform(0.5, 14), 1))
        if kind in ("kill", "term", "freeze", "crowd"):
            fault = dataclasses.replace(fault, target=draw.choice(SERVICES))
        if kind in ("freeze", "outage", "slow", "crowd"):
            fault = dataclasses.replace(fault, seconds=round(draw.uniform(1, 9), 1))
        if kind == "conflict":
            fault = dataclasses.replace(fault, passing=draw.randint(1, 30))
        if kind == "clock":
            # Leases live 15 s. A stage begins without all of its examples when it has waited for 60 s: not so far.
            fault = dataclasses.replace(fault, seconds=round(draw.choice([-1, 1]) * draw.uniform(16, 20), 1))
        faults.append(fault)
    return sorted(faults, key=lambda fault: fault.after)


def in_flight() -> list[Fault]:
    """The program is killed while what it writes has been held up for longer than offsets wait for their commit.

    Whoever commits them first has lost these messages for certain; drawn schedules hit that moment only now and then.
    """
    return [Fault(kind="stall", target="key-step-locator", after=0.5, seconds=3)]
