"""Prints the evaluation events of a broker as JSON lines, each id once, as any consumer would read them.

    events.py BOOTSTRAP COUNT [SECONDS]

Ends with status 1 where there are fewer than COUNT after so many seconds.
"""
import json
import sys
import time

from confluent_kafka import Consumer


def main() -> int:
    bootstrap, wanted, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]) if len(sys.argv) > 3 else 60
    consumer = Consumer({
        "bootstrap.servers": bootstrap, "group.id": f"test-{time.time_ns()}", "auto.offset.reset": "earliest",
        "enable.auto.commit": False, "session.timeout.ms": 8000,
    })
    consumer.subscribe(["errata.evaluations.v1"])
    events: dict[str, bytes] = {}
    deadline = time.monotonic() + seconds
    while len(events) < wanted and time.monotonic() < deadline:
        message = consumer.poll(1)
        if message is None or message.error():
            continue
        identifier = dict(message.headers())["ce_id"].decode()
        if events.setdefault(identifier, message.value()) != message.value():
            print(f"two different events under {identifier}", file=sys.stderr)
            return 1
    consumer.close()
    for value in events.values():
        print(json.dumps(json.loads(value), sort_keys=True))
    if len(events) < wanted:
        print(f"only {len(events)} of {wanted} evaluation events after {seconds} s", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
