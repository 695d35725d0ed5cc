"""The broker and the database that ERRATA_TEST_KAFKA (host:port) and ERRATA_TEST_POSTGRES (a URL whose user may make
databases) name, for tests that would otherwise have ones of their own.

The topics have fixed names: every system finds them new, and nothing else may use that broker meanwhile.
"""
import os
import time
import uuid

import psycopg
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from psycopg.conninfo import conninfo_to_dict

KAFKA = os.environ.get("ERRATA_TEST_KAFKA")
POSTGRES = os.environ.get("ERRATA_TEST_POSTGRES")


def options() -> list[str]:
    """What `errata up` is told, after the broker is emptied and a database is made."""
    arguments = []
    if KAFKA:
        empty(KAFKA)
        arguments += ["--kafka", KAFKA]
    if POSTGRES:
        name = f"errata_test_{uuid.uuid4().hex}"
        with psycopg.connect(POSTGRES, autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}"')
        arguments += ["--postgres", at(POSTGRES, name)]
    return arguments


def at(url: str, name: str) -> str:
    """The address of another database of the same server."""
    address, _, parameters = url.partition("?")
    scheme, _, rest = address.partition("://")
    server = rest.split("/", 1)[0]
    return f"{scheme}://{server}/{name}" + (f"?{parameters}" if parameters else "")


def drop(arguments: list[str]) -> None:
    """Drops the database that `options` made."""
    if "--postgres" in arguments:
        name = conninfo_to_dict(arguments[arguments.index("--postgres") + 1])["dbname"]
        with psycopg.connect(POSTGRES, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


def empty(servers: str) -> None:
    """Deletes those of Errata's topics that hold or held anything, with what groups had read of them."""
    admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
    held = ends(servers, {name: topic.partitions for name, topic in topics(admin).items()})
    used = [name for name, offsets in held.items() if any(offsets)]
    if used:
        for done in admin.delete_topics(used, operation_timeout=30).values():
            done.result(60)
    deadline = time.monotonic() + 60
    while set(used) & topics(admin).keys():
        assert time.monotonic() < deadline, f"{servers} has not deleted {', '.join(used)} within 60 s"
        time.sleep(0.2)


def topics(admin: AdminClient) -> dict:
    found = admin.list_topics(timeout=30).topics
    return {name: topic for name, topic in found.items() if name.startswith("errata.")}


def ends(servers: str, partitions: dict) -> dict[str, list[int]]:
    """Where each of some topics' partitions ends."""
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "errata-test-look", "log_level": 0})
    try:
        return {
            topic: [consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=30)[1] for number in numbers]
            for topic, numbers in partitions.items()
        }
    finally:
        consumer.close()
