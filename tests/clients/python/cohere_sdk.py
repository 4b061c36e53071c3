"""Cohere's own client for Python: chat, embeddings and rankings through the paths of its second version."""

from __future__ import annotations

import importlib.metadata
import json
from typing import Any

import cohere
from cohere.core.api_error import ApiError

from suite import (
    AFTER_TOOLS,
    ALL,
    ARGUMENTS,
    CALL_BOTH,
    CITY,
    GATEWAY,
    KEY,
    PNG,
    RESULTS_OF,
    Suite,
    cancelled,
    equal,
    model,
    raises,
)

suite = Suite("cohere-python", importlib.metadata.version("cohere"))
client = cohere.ClientV2(base_url=GATEWAY, api_key=KEY)
# What passes as it is, and what is translated.
EACH = (*ALL, "cohere")
# Providers that have vectors.
EMBEDDERS = ("openai", "gemini", "cohere")
TOOLS: list[Any] = [
    {"type": "function", "function": {"name": name, "description": name, "parameters": CITY}}
    for name in RESULTS_OF
]


def said(content: Any) -> list[Any]:
    """A conversation of one message."""
    return [{"role": "user", "content": content}]


def words(answer: Any) -> str:
    """The text of an answer."""
    return "".join(part.text for part in answer.message.content or [] if part.type == "text")


@suite.case("cohere", "plain", EACH)
def one_answer(provider: str) -> None:
    answer = client.chat(model=model(provider), messages=said("hello"))
    equal(words(answer), "You said: hello")
    equal(answer.finish_reason, "COMPLETE")
    assert answer.id and answer.usage.tokens.input_tokens and answer.usage.billed_units.output_tokens


@suite.case("cohere", "stream", EACH)
def streamed(provider: str) -> None:
    events = list(client.chat_stream(model=model(provider), messages=said("hello")))
    pieces = (event.delta.message.content.text for event in events if event.type == "content-delta")
    equal("".join(pieces), "You said: hello")
    equal((events[0].type, events[-1].type), ("message-start", "message-end"))
    equal(events[-1].delta.finish_reason, "COMPLETE")
    assert events[-1].delta.usage.tokens.output_tokens


@suite.case("cohere", "tools", EACH)
def two_tools(provider: str) -> None:
    messages = said(CALL_BOTH)
    turn = client.chat(model=model(provider), messages=messages, tools=TOOLS).message
    equal([call.function.name for call in turn.tool_calls], list(RESULTS_OF))
    for call in turn.tool_calls:
        equal(json.loads(call.function.arguments), ARGUMENTS)
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": RESULTS_OF[call.function.name]}
        for call in turn.tool_calls
    ]
    last = client.chat(model=model(provider), messages=[*messages, turn, *results], tools=TOOLS)
    equal(words(last), AFTER_TOOLS)


@suite.case("cohere", "tools", EACH)
def two_tools_streamed(provider: str) -> None:
    calls: list[list[str]] = []
    for event in client.chat_stream(model=model(provider), messages=said(CALL_BOTH), tools=TOOLS):
        if event.type == "tool-call-start":
            calls.append([event.delta.message.tool_calls.function.name, ""])
        elif event.type == "tool-call-delta":
            calls[event.index][1] += event.delta.message.tool_calls.function.arguments
    equal([(name, json.loads(text)) for name, text in calls], [(name, ARGUMENTS) for name in RESULTS_OF])


@suite.case("cohere", "structured", EACH)
def after_a_schema(provider: str) -> None:
    form = {"type": "json_object", "json_schema": CITY}
    answer = client.chat(model=model(provider), messages=said("city=Oslo days=3"), response_format=form)
    equal(json.loads(words(answer)), ARGUMENTS)


@suite.case("cohere", "image", EACH)
def a_picture(provider: str) -> None:
    picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
    answer = client.chat(model=model(provider), messages=said([{"type": "text", "text": "look"}, picture]))
    equal(words(answer), "You said: look [1 image]")


@suite.case("cohere", "reasoning", EACH)
def thoughts(provider: str) -> None:
    thinking = {"type": "enabled", "token_budget": 1024}
    answer = client.chat(model=model(provider), messages=said("hello"), thinking=thinking, max_tokens=4000)
    assert words(answer) == "You said: hello", answer
    if provider in ("anthropic", "cohere"):
        equal(answer.message.content[0].thinking, "Thinking about: hello")


@suite.case("cohere", "stop", EACH)
def limits(provider: str) -> None:
    answer = client.chat(model=model(provider), messages=said("one two three four"), max_tokens=3)
    equal(answer.finish_reason, "MAX_TOKENS")


@suite.case("cohere", "error", EACH)
def failures(provider: str) -> None:
    def ask(name: str, asking: Any = client) -> Any:
        once = {"max_retries": 0}
        return raises(
            ApiError, lambda: asking.chat(model=name, messages=said("hi"), request_options=once)
        )

    for name, status, code in [
        ("nobody-knows-this", 404, "model_not_found"),
        (model(provider, "missing"), 404, "upstream_model_not_found"),
        (model(provider, "limited"), 429, "upstream_rate_limited"),
    ]:
        error = ask(name)
        equal((error.status_code, error.body["code"]), (status, code))
    stranger = cohere.ClientV2(base_url=GATEWAY, api_key="no-such-key")
    error = ask(model(provider), stranger)
    equal((error.status_code, error.body["code"]), (401, "invalid_api_key"))
    events = list(client.chat_stream(model=model(provider, "cut"), messages=said("one two three four five six")))
    equal((events[-1].type, events[-1].delta.finish_reason), ("message-end", "ERROR"))
    assert events[-1].delta.error


@suite.case("cohere", "disconnect", EACH)
def gone(provider: str) -> None:
    name, there = suite.own(provider, "drip-50")
    stream = client.chat_stream(model=name, messages=said("one two three four five six seven eight nine"))
    for event in stream:
        if event.type == "content-delta":
            break
    stream.close()
    assert cancelled(there), "the provider was not told"


@suite.case("cohere.embed", "plain", EMBEDDERS)
def vectors(provider: str) -> None:
    answer = client.embed(
        model=model(provider), texts=["a", "b", "a"], input_type="search_document", embedding_types=["float"]
    )
    one, other, again = answer.embeddings.float_
    assert one == again != other
    assert answer.id and answer.meta.billed_units.input_tokens


@suite.case("cohere.rerank", "plain", ("cohere", "compatible"))
def ranked(provider: str) -> None:
    answer = client.rerank(
        model=model(provider), query="red panda", documents=["a red fox", "nothing", "the red panda"], top_n=2
    )
    equal([(one.index, one.relevance_score) for one in answer.results], [(2, 1.0), (0, 0.5)])


if __name__ == "__main__":
    suite.main()
