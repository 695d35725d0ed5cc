"""Batches: OpenAI's own client against the teacher simulator, and a whole system whose teacher is asked in batches."""
import json
import os
import signal

import openai
import pytest
from conftest import System, eventually, problem
from openai.types import Batch, FileObject
from simulator_client import simulator_client

SECONDS = 1.5


def body(number: int, **more) -> dict:
    question = f"Ana has {number + 3} shells. She finds 4 more shells. How many shells does Ana have now?"
    return {"model": "any", "temperature": 1, "seed": number, "messages": [{"role": "user", "content": question}], **more}


@pytest.fixture(scope="module")
def client():
    with simulator_client(ERRATA_SIMULATOR_BATCH_SECONDS=str(SECONDS)) as client:
        yield client


def uploaded(client, bodies: dict) -> FileObject:
    lines = [
        json.dumps({"custom_id": name, "method": "POST", "url": "/v1/chat/completions", "body": one})
        for name, one in bodies.items()
    ]
    return client.files.create(file=("requests.jsonl", "\n".join(lines).encode()), purpose="batch")


def begun(client, file: FileObject, **more) -> Batch:
    return client.batches.create(
        input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h", metadata={"errata_batch": "b"}, **more
    )


def test_a_batch_answers_what_each_request_is_answered_by_itself(client):
    bodies = {f"request-{number}": body(number) for number in range(5)} | {"refused": body(9, messages=[])}
    file = uploaded(client, bodies)
    FileObject.model_validate(file.model_dump(), strict=True)
    assert client.files.retrieve(file.id) == file
    assert len(client.files.content(file.id).text.splitlines()) == 6

    batch = begun(client, file)
    Batch.model_validate(batch.model_dump(), strict=True)
    assert batch.status == "in_progress" and batch.output_file_id is None
    assert client.batches.list(limit=1).data[0].id == batch.id

    def ended():
        now = client.batches.retrieve(batch.id)
        return now if now.status == "completed" else None

    batch = eventually(ended, timeout=30, what="the batch is completed")
    Batch.model_validate(batch.model_dump(), strict=True)
    assert (batch.request_counts.completed, batch.request_counts.failed, batch.request_counts.total) == (5, 1, 6)
    assert batch.metadata == {"errata_batch": "b"}

    results = [json.loads(line) for line in client.files.content(batch.output_file_id).text.splitlines()]
    assert [result["custom_id"] for result in results] == [f"request-{number}" for number in range(5)]
    for number, result in enumerate(results):
        alone = client.chat.completions.create(**body(number))
        answer = result["response"]["body"]
        assert result["response"]["status_code"] == 200 and result["error"] is None
        assert answer["id"] == alone.id and answer["usage"]["total_tokens"] == alone.usage.total_tokens
        assert answer["choices"][0]["message"]["content"] == alone.choices[0].message.content

    (refusal,) = [json.loads(line) for line in client.files.content(batch.error_file_id).text.splitlines()]
    assert refusal["custom_id"] == "refused" and refusal["response"]["status_code"] == 400
    assert refusal["response"]["body"]["error"]["param"] == "messages"


def test_a_batch_is_cancelled(client):
    batch = begun(client, uploaded(client, {"one": body(1)}))
    assert client.batches.cancel(batch.id).status == "cancelled"
    with pytest.raises(openai.ConflictError):
        client.batches.cancel(batch.id)


def test_what_is_wrong_is_named(client):
    with pytest.raises(openai.NotFoundError):
        client.batches.retrieve("batch-none")
    with pytest.raises(openai.NotFoundError):
        client.files.content("file-none")
    with pytest.raises(openai.BadRequestError) as caught:
        client.batches.create(input_file_id="file-none", endpoint="/v1/chat/completions", completion_window="24h")
    assert caught.value.param == "input_file_id"
    file = client.files.create(file=("requests.jsonl", b"{"), purpose="batch")
    batch = begun(client, file)
    assert batch.status == "failed" and batch.errors.data[0].code == "invalid_json_line"


def test_a_system_asks_in_batches_and_a_kill_pays_for_nothing_twice(client, tmp_path):
    settings = tmp_path / "teachers.json"
    batch = {"minimumRequests": 16, "waitSeconds": 1, "pollSeconds": 0.3}
    settings.write_text(json.dumps({"default": {"timeoutSeconds": 5, "batch": batch}}))
    known = {one.id for one in client.batches.list(limit=100)}
    system = System(
        "--teacher-url",
        str(client.base_url).rstrip("/"),
        "--teacher-model",
        "any",
        environment={"ERRATA_TEACHERS": str(settings)},
    )
    try:
        lines = "\n".join(json.dumps(problem(number)) for number in range(20)) + "\n"
        sent = system.errata("submit", "-", "--dataset", "batches", stdin=lines.encode())
        assert sent.returncode == 0, sent.stderr
        eventually(
            lambda: system.count("SELECT count(*) FROM teacher_batches WHERE state = 'created'") > 0,
            what="a job is under way",
        )
        before = system.pid_of("teacher-ingestion")
        os.kill(before, signal.SIGKILL)
        eventually(lambda: system.pid_of("teacher-ingestion") != before, what="teacher-ingestion is restarted")
        eventually(
            lambda: system.count("SELECT count(*) FROM problems WHERE state = 'ingested'") == 20,
            timeout=300,
            what="all problems at their end",
        )
        # Each answer that the server gave is one row of the ledger, and each was asked for once.
        jobs = [one for one in client.batches.list(limit=100) if one.id not in known]
        assert len(jobs) > 1 and {one.status for one in jobs} == {"completed"}
        assert {one.metadata["errata_batch"] for one in jobs} == {
            name for (name,) in system.query("SELECT id FROM teacher_batches")
        }
        answers = system.count("SELECT count(*) FROM teacher_calls")
        assert sum(one.request_counts.completed for one in jobs) == answers > 40
        assert system.count("SELECT count(*) FROM teacher_failed_calls") == 0
        assert system.count("SELECT count(*) FROM teacher_batch_requests WHERE state <> 'answered'") == 0
        assert system.count("SELECT count(DISTINCT key) FROM teacher_batch_requests") == answers
    finally:
        system.stop()
