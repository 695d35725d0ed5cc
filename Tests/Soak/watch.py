"""What a system takes while it works: the memory of its processes, the size of its database, time a message."""
import dataclasses
import pathlib
import statistics
import time

from load import SERVICES, Load, System

# A process that has just been started is not what it will be: its first samples are left out.
YOUNG = 30.0


@dataclasses.dataclass(frozen=True)
class Sample:
    seconds: float
    """Since the start of the load."""
    problems: int
    """At their end."""
    messages: int
    """Submitted, and sent by services: all that was written to the topics."""
    memory: dict[str, float]
    """MiB resident, by service; those that were started a moment ago are not there."""
    database: int
    """Bytes."""


def resident(pid: int) -> float | None:
    """MiB that a process has in memory; None where it is gone."""
    try:
        for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return None


class Watch:
    """Takes samples of a system."""

    def __init__(self, system: System, load: Load):
        self.system, self.load = system, load
        self.began = time.monotonic()
        self.seen: dict[str, tuple[int, float]] = {}
        self.samples: list[Sample] = []

    def take(self) -> Sample:
        now = time.monotonic()
        memory = {}
        # The broker's memory is in `errata up`, which keeps what the topics hold: it is told, and not judged.
        processes = {name: self.system.pid_of(name) for name in SERVICES} | {"errata up": self.system.process.pid}
        for name, pid in processes.items():
            known = self.seen.get(name)
            if known is None or known[0] != pid:
                known = self.seen[name] = (pid, now)
            size = resident(pid)
            if size is not None and now - known[1] >= YOUNG:
                memory[name] = size
        # The identity goes on where rows are pruned; it may skip some, not many.
        sent = self.system.count("SELECT coalesce(last_value, 0) FROM pg_sequences WHERE sequencename = 'outbox_sequence_seq'")
        sample = Sample(
            seconds=now - self.began,
            problems=self.load.finished(),
            messages=self.load.submitted + sent,
            memory=memory,
            database=self.system.count("SELECT pg_database_size(current_database())"),
        )
        self.samples.append(sample)
        return sample


def verdicts(samples: list[Sample], memory: float, size: float, pace: float) -> list[tuple[str, bool, str]]:
    """Holds the last quarter against the second: a name, whether it is well, and the figures.

    Arguments:
      - memory, size, pace: by how much a service's resident memory, the database's bytes a message, and the time a
        message may be larger at the end, as a share.
    """
    quarter = len(samples) // 4
    if quarter < 2:
        return [("samples", False, f"{len(samples)} are too few to judge by; take at least 8")]
    second, last = samples[quarter : 2 * quarter], samples[-quarter:]
    found = []
    for service in SERVICES:
        then, now = ([s.memory[service] for s in part if service in s.memory] for part in (second, last))
        if not then or not now:
            found.append((f"memory of {service}", False, "it was never up for long enough"))
            continue
        before, after = statistics.median(then), statistics.median(now)
        found.append(
            (f"memory of {service}", after <= before * (1 + memory), f"{before:.1f} MiB, then {after:.1f} MiB")
        )
    # From the end of the quarter before to the end of this one.
    for name, allowed, unit, factor, value in (
        ("database a message", size, "bytes", 1, lambda sample: sample.database),
        ("time a message", pace, "ms", 1000, lambda sample: sample.seconds),
    ):
        rates = []
        for start, end in ((samples[quarter - 1], second[-1]), (samples[-quarter - 1], last[-1])):
            messages = end.messages - start.messages
            rates.append(factor * (value(end) - value(start)) / messages if messages > 0 else None)
        if None in rates:
            found.append((name, False, "a quarter went by without a message"))
            continue
        found.append((name, rates[1] <= rates[0] * (1 + allowed), f"{rates[0]:.1f} {unit}, then {rates[1]:.1f} {unit}"))
    return found


def table(samples: list[Sample]) -> list[str]:
    """The samples as a table in Markdown."""
    names = [*SERVICES, "errata up"]
    head = ["s", "problems", "messages", *(f"{name}, MiB" for name in names), "database, MiB", "bytes a message", "ms a message"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    before = None
    for sample in samples:
        cells = [f"{sample.seconds:.0f}", str(sample.problems), str(sample.messages)]
        cells += [f"{sample.memory[name]:.1f}" if name in sample.memory else "" for name in names]
        cells.append(f"{sample.database / (1 << 20):.1f}")
        messages = sample.messages - before.messages if before else 0
        if before and messages > 0:
            cells.append(f"{(sample.database - before.database) / messages:.0f}")
            cells.append(f"{1000 * (sample.seconds - before.seconds) / messages:.2f}")
        else:
            cells += ["", ""]
        lines.append("| " + " | ".join(cells) + " |")
        before = sample
    return lines
