"""Anthropic's own clients for Amazon Bedrock and Vertex AI: other paths, other bodies, and Bedrock's streams."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import anthropic
from anthropic import AnthropicBedrock, AnthropicVertex

from suite import AFTER_TOOLS, ARGUMENTS, CALL_BOTH, CITY, GATEWAY, KEY, RESULTS_OF, Suite
from suite import cancelled, equal, model, raises

suite = Suite("anthropic-clouds-python", anthropic.__version__)
bedrock = AnthropicBedrock(base_url=GATEWAY, api_key=KEY, aws_region="eu-central-1", max_retries=0)
vertex = AnthropicVertex(
    base_url=f"{GATEWAY}/v1", access_token=KEY, region="europe-west4", project_id="any", max_retries=0
)
CLOUDS: dict[str, Any] = {"bedrock.invoke": bedrock, "vertex.raw_predict": vertex}
# The providers behind: two that speak the dialect, one that does not, and both clouds.
BEHIND = ("openai", "anthropic", "gemini", "bedrock", "vertex")
TOOLS: list[Any] = [
    {"name": name, "description": f"The {name}.", "input_schema": CITY} for name in RESULTS_OF
]
MAX_TOKENS = 4_096


def both(feature: str, on: tuple[str, ...] = BEHIND) -> Callable[..., Any]:
    """A case for each of the two clients."""

    def add(function: Callable[[Any, str], None]) -> None:
        for front, client in CLOUDS.items():

            def case(provider: str, client: Any = client) -> None:
                function(client, provider)

            case.__name__ = f"{front.split('.')[0]}_{function.__name__}"
            suite.case(front, feature, on)(case)

    return add


def asked(name: str, content: Any, **more: Any) -> dict[str, Any]:
    """A request of one message."""
    return {"model": name, "max_tokens": MAX_TOKENS, "messages": [{"role": "user", "content": content}], **more}


def text_of(message: anthropic.types.Message) -> str:
    """All text of an answer."""
    return "".join(block.text for block in message.content if block.type == "text")


@both("plain")
def one_answer(client: Any, on: str) -> None:
    raw = client.messages.with_raw_response.create(**asked(model(on), "hello there", system="be kind"))
    assert raw.headers["x-gatehouse-target"].startswith(f"{on}/"), raw.headers["x-gatehouse-target"]
    assert float(raw.headers["x-gatehouse-cost"]) > 0, raw.headers["x-gatehouse-cost"]
    message = raw.parse()
    equal(text_of(message), "You said: hello there")
    equal((message.role, message.stop_reason, message.usage.output_tokens), ("assistant", "end_turn", 4))


@both("plain", on=("anthropic",))
def a_model_with_a_slash(client: Any, on: str) -> None:
    equal(text_of(client.messages.create(**asked(f"{on}/claude-sim", "hello"))), "You said: hello")


@both("plain", on=("anthropic",))
def betas(client: Any, on: str) -> None:
    request = asked(model(on), "hello", betas=["context-1m-2025-08-07"])
    equal(text_of(client.beta.messages.create(**request)), "You said: hello")


@both("stream")
def streamed(client: Any, on: str) -> None:
    text = "one two three: très bien, 日本語 🙂"
    with client.messages.stream(**asked(model(on), text)) as stream:
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    equal("".join(pieces), f"You said: {text}")
    assert len(pieces) > 1, "one piece only"
    equal((final.stop_reason, final.usage.output_tokens > 0), ("end_turn", True))


@both("tools")
def two_tools(client: Any, on: str) -> None:
    with client.messages.stream(**asked(model(on), CALL_BOTH, tools=TOOLS)) as stream:
        first = stream.get_final_message()
    calls = [block for block in first.content if block.type == "tool_use"]
    equal([(call.name, call.input) for call in calls], [(name, ARGUMENTS) for name in RESULTS_OF])
    results = [
        {"type": "tool_result", "tool_use_id": call.id, "content": RESULTS_OF[call.name]} for call in calls
    ]
    request = asked(model(on), CALL_BOTH, tools=TOOLS)
    request["messages"] += [
        {"role": "assistant", "content": first.content},
        {"role": "user", "content": results},
    ]
    equal(text_of(client.messages.create(**request)), AFTER_TOOLS)


@both("error")
def unknown_model(client: Any, on: str) -> None:
    error = raises(anthropic.NotFoundError, lambda: client.messages.create(**asked(model(on, "missing"), "x")))
    equal(error.status_code, 404)


@both("error", on=("anthropic",))
def a_wrong_key(client: Any, on: str) -> None:
    wrong = {"api_key": "ghk_nobody"} if client is bedrock else {"access_token": "ghk_nobody"}
    stranger = client.copy(**wrong)
    raises(anthropic.AuthenticationError, lambda: stranger.messages.create(**asked(model(on), "x")))


@both("error")
def a_stream_that_fails(client: Any, on: str) -> None:
    def read() -> None:
        with client.messages.stream(**asked(model(on, "failing"), "one two three four five six")) as stream:
            equal(next(iter(stream.text_stream), None) is not None, True)
            stream.until_done()

    error = raises(anthropic.APIStatusError, read)
    assert error.message, error


@both("disconnect", on=("anthropic", "openai"))
def a_caller_that_leaves(client: Any, on: str) -> None:
    there = f"drip-100+clouds+{on}+{type(client).__name__}"
    with client.messages.stream(**asked(f"{on}/{there}", "word " * 100)) as stream:
        next(iter(stream.text_stream))
    assert cancelled(there), "the provider went on"


@suite.case("vertex.raw_predict", "count", on=("anthropic", "openai"))
def vertex_counts(on: str) -> None:
    count = vertex.messages.count_tokens(model=model(on), messages=[{"role": "user", "content": "hello there"}])
    assert count.input_tokens > 0, count


@suite.case("bedrock.invoke", "error", on=("anthropic",))
def a_signature_is_refused(on: str) -> None:
    signing = AnthropicBedrock(
        base_url=GATEWAY, aws_access_key="AKIA", aws_secret_key="secret", aws_region="eu-central-1", max_retries=0
    )
    error = raises(anthropic.AuthenticationError, lambda: signing.messages.create(**asked(model(on), "x")))
    assert "AWS_BEARER_TOKEN_BEDROCK" in json.dumps(error.body), error.body


if __name__ == "__main__":
    suite.main()
