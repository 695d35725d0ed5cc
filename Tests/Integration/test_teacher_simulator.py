"""OpenAI's own client against the teacher simulator: whole answers and streams, valid by the client's types."""
import openai
import pytest
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from simulator_client import simulator_client

QUESTION = [
    {"role": "system", "content": "Task: chain-of-thought\nSolve the problem."},
    {"role": "user", "content": "Ana has 3 shells. She finds 4 more shells. How many shells does Ana have now?"},
]


@pytest.fixture(scope="module")
def client():
    with simulator_client() as client:
        yield client


def asked(client, **more):
    return client.chat.completions.create(model="any", messages=QUESTION, temperature=0.2, seed=7, **more)


def test_a_whole_answer_is_valid(client):
    answer = asked(client)
    ChatCompletion.model_validate(answer.model_dump(), strict=True)
    assert answer.choices[0].finish_reason == "stop"
    assert answer.choices[0].message.content
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + answer.usage.completion_tokens


def test_a_stream_says_what_the_whole_answer_says(client):
    whole = asked(client)
    chunks = list(asked(client, stream=True, stream_options={"include_usage": True}))
    for chunk in chunks:
        ChatCompletionChunk.model_validate(chunk.model_dump(), strict=True)
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == whole.choices[0].message.content
    assert [choice.finish_reason for chunk in chunks for choice in chunk.choices if choice.finish_reason] == ["stop"]
    assert chunks[-1].usage == whole.usage
    assert len(chunks) > 4
    assert {chunk.id for chunk in chunks} == {whole.id}


def test_a_limit_of_tokens_cuts(client):
    assert asked(client, max_tokens=3).choices[0].finish_reason == "length"
    assert asked(client, max_completion_tokens=3).usage.completion_tokens == 3


def test_several_choices(client):
    assert [choice.index for choice in asked(client, n=3).choices] == [0, 1, 2]
    with pytest.raises(openai.BadRequestError, match="A stream holds one text"):
        asked(client, n=2, stream=True)


@pytest.mark.parametrize(
    "change, words",
    [({"temperature": 3}, "temperature"), ({"max_tokens": 0}, "max_tokens"), ({"messages": []}, "messages")],
)
def test_what_is_wrong_is_named(client, change, words):
    request = {"model": "any", "messages": QUESTION} | change
    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(**request)
    assert caught.value.param == words
