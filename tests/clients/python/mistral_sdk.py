"""Mistral's own client for Python: its chat is OpenAI's, at the same path."""

from __future__ import annotations

import importlib.metadata
import json
from typing import Any

from mistralai.client import Mistral

from suite import AFTER_TOOLS, ARGUMENTS, CALL_BOTH, CITY, GATEWAY, KEY, RESULTS_OF, Suite, equal, model

suite = Suite("mistral-python", importlib.metadata.version("mistralai"))
client = Mistral(server_url=GATEWAY, api_key=KEY)
TOOLS: list[Any] = [
    {"type": "function", "function": {"name": name, "description": name, "parameters": CITY}}
    for name in RESULTS_OF
]


def said(content: str) -> list[Any]:
    """A conversation of one message."""
    return [{"role": "user", "content": content}]


@suite.case("chat", "plain")
def one_answer(provider: str) -> None:
    answer = client.chat.complete(model=model(provider), messages=said("hello"))
    equal(answer.choices[0].message.content, "You said: hello")
    equal(answer.choices[0].finish_reason, "stop")
    assert answer.usage.prompt_tokens and answer.usage.completion_tokens


@suite.case("chat", "stream")
def streamed(provider: str) -> None:
    pieces = [event.data for event in client.chat.stream(model=model(provider), messages=said("hello"))]
    words = (choice.delta.content or "" for piece in pieces for choice in piece.choices)
    equal("".join(words), "You said: hello")
    equal([choice.finish_reason for piece in pieces for choice in piece.choices][-1], "stop")


@suite.case("chat", "tools")
def two_tools(provider: str) -> None:
    messages = said(CALL_BOTH)
    turn = client.chat.complete(model=model(provider), messages=messages, tools=TOOLS).choices[0].message
    equal([call.function.name for call in turn.tool_calls], list(RESULTS_OF))
    for call in turn.tool_calls:
        equal(json.loads(call.function.arguments), ARGUMENTS)
    results = [
        {"role": "tool", "tool_call_id": call.id, "name": call.function.name, "content": RESULTS_OF[call.function.name]}
        for call in turn.tool_calls
    ]
    last = client.chat.complete(model=model(provider), messages=[*messages, turn, *results], tools=TOOLS)
    equal(last.choices[0].message.content, AFTER_TOOLS)


BETWEEN = {"prompt": "def f(x):", "suffix": "return y", "max_tokens": 99}


@suite.case("fim", "plain", on=("mistral", "openai"))
def what_stands_between(provider: str) -> None:
    answer = client.fim.complete(model=model(provider), **BETWEEN)
    assert "def f(x):" in answer.choices[0].message.content, answer
    assert answer.usage.total_tokens, answer


@suite.case("fim", "stream", on=("mistral", "openai"))
def what_stands_between_as_a_stream(provider: str) -> None:
    with client.fim.stream(model=model(provider), **BETWEEN) as events:
        chunks = [event.data for event in events]
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert "def f(x):" in text, chunks
    assert any(chunk.usage for chunk in chunks), chunks


@suite.case("embeddings", "plain", on=("openai", "gemini", "mistral"))
def embeddings(provider: str) -> None:
    answer = client.embeddings.create(model=f"{provider}/text-embed", inputs=["one", "two"])
    equal([vector.index for vector in answer.data], [0, 1])
    assert all(vector.embedding for vector in answer.data) and answer.id, answer.id


@suite.case("models", "plain", on=("openai",))
def models(provider: str) -> None:
    listed = {card.id: card for card in client.models.list().data}
    card = listed[model(provider)]
    equal((card.type, card.object, card.capabilities.completion_chat), ("base", "model", True))
    equal(client.models.retrieve(model_id=model(provider)).id, model(provider))


if __name__ == "__main__":
    suite.main()
