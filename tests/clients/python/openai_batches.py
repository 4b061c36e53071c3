"""OpenAI's own client for Python: files and batches."""

from __future__ import annotations

import io
import json

import openai

from suite import GATEWAY, KEY, Suite, equal, model, raises

suite = Suite("openai-python", openai.__version__)
client = openai.OpenAI(base_url=f"{GATEWAY}/v1", api_key=KEY)

# Who has these endpoints.
HAS_BATCHES = ("openai", "azure", "groq")
# How often a batch is asked for before it must be over.
LOOKS_MAX = 100


def lines(on: str, *texts: str) -> io.BytesIO:
    """The input of a batch."""
    requests = (
        {
            "custom_id": f"request-{number}",
            "method": "POST",
            "url": "/v1/chat/completions",
            "body": {"model": model(on), "messages": [{"role": "user", "content": text}]},
        }
        for number, text in enumerate(texts)
    )
    return io.BytesIO("\n".join(json.dumps(request) for request in requests).encode())


def over(batch_id: str) -> openai.types.Batch:
    """The batch, once it is over."""
    for _ in range(LOOKS_MAX):
        batch = client.batches.retrieve(batch_id)
        if batch.status not in ("validating", "in_progress", "finalizing", "cancelling"):
            return batch
    raise AssertionError(batch)


@suite.case("batches", "plain", on=HAS_BATCHES)
def a_batch(on: str) -> None:
    file = client.files.create(file=("in.jsonl", lines(on, "one", "two")), purpose="batch")
    equal((file.purpose, file.filename), ("batch", "in.jsonl"))
    batch = client.batches.create(
        input_file_id=file.id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        metadata={"sim_looks": "2"},
    )
    equal((batch.input_file_id, batch.status), (file.id, "validating"))
    done = over(batch.id)
    equal((done.id, done.input_file_id, done.status), (batch.id, file.id, "completed"))
    assert done.output_file_id and done.request_counts
    equal((done.request_counts.completed, done.request_counts.failed), (2, 0))
    answers = [json.loads(line) for line in client.files.content(done.output_file_id).text.splitlines()]
    equal([answer["custom_id"] for answer in answers], ["request-0", "request-1"])
    said = [answer["response"]["body"]["choices"][0]["message"]["content"] for answer in answers]
    equal(said, ["You said: one", "You said: two"])
    assert batch.id in [one.id for one in client.batches.list(limit=1)]


@suite.case("batches", "plain", on=HAS_BATCHES)
def a_batch_that_is_cancelled(on: str) -> None:
    file = client.files.create(file=("in.jsonl", lines(on, "one")), purpose="batch")
    batch = client.batches.create(
        input_file_id=file.id,
        endpoint="/v1/chat/completions",
        completion_window="24h",
        metadata={"sim_looks": "1000000"},
    )
    equal(client.batches.cancel(batch.id).status, "cancelling")
    equal(over(batch.id).status, "cancelled")


@suite.case("files", "plain", on=HAS_BATCHES)
def files(on: str) -> None:
    named = {"x-gatehouse-provider": on}
    file = client.files.create(file=("a.txt", b"some words"), purpose="user_data", extra_headers=named)
    again = client.files.retrieve(file.id)
    equal((again.id, again.bytes, again.filename), (file.id, 10, "a.txt"))
    equal(client.files.content(file.id).read(), b"some words")
    assert file.id in [one.id for one in client.files.list(purpose="user_data", limit=2)]
    deleted = client.files.delete(file.id)
    equal((deleted.id, deleted.deleted), (file.id, True))
    raises(openai.NotFoundError, lambda: client.files.retrieve(file.id))
    assert file.id not in [one.id for one in client.files.list(purpose="user_data")]


@suite.case("batches", "error", on=HAS_BATCHES)
def what_cannot_be_a_batch(on: str) -> None:
    upload = lambda on: client.files.create(file=("in.jsonl", lines(on, "one")), purpose="batch")  # noqa: E731
    error = raises(openai.BadRequestError, lambda: upload("anthropic"))
    equal(error.code, "no_capable_target")
    assert "line 1" in error.message, error.message
    raises(openai.NotFoundError, lambda: client.batches.retrieve("batch_of-another"))
    named = {"x-gatehouse-provider": on}
    file = client.files.create(file=("a.txt", b"words"), purpose="user_data", extra_headers=named)
    error = raises(
        openai.BadRequestError,
        lambda: client.batches.create(
            input_file_id=file.id, endpoint="/v1/chat/completions", completion_window="24h"
        ),
    )
    equal(error.code, "invalid_request")


if __name__ == "__main__":
    suite.main()
