"""Judges what a disturbed workload left behind, by the tables and the topics alone."""


def faults_found(calm: dict, disturbed: dict) -> list[str]:
    """What is wrong with the disturbed one; nothing where it came to the same as the calm one."""
    wrong = []
    for name, expected in calm["tables"].items():
        found = disturbed["tables"][name]
        if found == expected:
            continue
        lost = [row for row in expected if row not in found]
        extra = [row for row in found if row not in expected]
        wrong.append(
            f"{name}: {len(expected)} rows undisturbed, {len(found)} now; "
            f"lost {shown(lost)}; not there undisturbed {shown(extra)}"
        )
    for topic, identifier, count in disturbed["sent"]:
        if count > 1:
            wrong.append(f"{topic}: {count} rows of the outbox under {identifier}")
    for topic, identifier in written_again(disturbed["written"]):
        wrong.append(f"{topic}: transactions of one cause wrote {identifier}")
    twice = [row for row in disturbed["effects"] if row[3] > 1]
    if twice:
        consumer, topic, identifier, count = twice[0]
        wrong.append(f"effects of {len(twice)} messages again: {consumer} had those of {identifier} of {topic} {count} times")
    for topic, bodies in disturbed["carried"].items():
        expected = {row[1] for row in disturbed["sent"] if row[0] == topic}
        missing = expected - bodies.keys()
        if missing:
            wrong.append(f"{topic}: {len(missing)} events of the outbox never came, such as {min(missing)}")
        several = [identifier for identifier, values in bodies.items() if len(values) > 1]
        if several:
            wrong.append(f"{topic}: different events under one id, such as {min(several)}")
    return wrong


def written_again(written: list) -> list[tuple[str, str]]:
    """The events that several transactions wrote, but for those whose transactions come of different messages.

    Each row is an event, a transaction that wrote it (or found it there), and the messages whose effects that one holds. A
    pair's key steps come of its trace and of a run that asks for them; whichever is later finds them there.
    """
    transactions: dict[tuple[str, str], dict[str, set]] = {}
    for topic, identifier, transaction, messages in written:
        transactions.setdefault((topic, identifier), {})[transaction] = set(messages)
    again = []
    for event, causes in transactions.items():
        sets = list(causes.values())
        apart = all(sets) and sum(len(causes) for causes in sets) == len(set().union(*sets))
        if len(sets) > 1 and not apart:
            again.append(event)
    return again


def shown(rows: list) -> str:
    text = ", ".join(str(row)[:120] for row in rows[:2])
    return f"{len(rows)} ({text})" if rows else "0"
