"""LiteLLM as a client, on the fronts of OpenAI and Anthropic."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import Any

import litellm

from suite import AFTER_TOOLS, ARGUMENTS, CALL_BOTH, CITY, GATEWAY, KEY, PNG, RESULTS_OF, Suite
from suite import equal, model, raises

suite = Suite("litellm", version("litellm"))
litellm.suppress_debug_info = True

TOOLS: list[Any] = [
    {"type": "function", "function": {"name": name, "description": f"The {name}.", "parameters": CITY}}
    for name in RESULTS_OF
]
SCHEMA = {"type": "json_schema", "json_schema": {"name": "city", "schema": CITY, "strict": True}}


def said(content: Any) -> list[Any]:
    """A conversation of one message."""
    return [{"role": "user", "content": content}]


def everything(front: str, prefix: str, base: str) -> None:
    """The cases of one front."""

    def ask(name: str, messages: list[Any], **options: Any) -> Any:
        return litellm.completion(
            f"{prefix}/{name}", messages, api_base=base, api_key=KEY, max_retries=0, **options
        )

    @suite.case(front, "plain")
    def completion(on: str) -> None:
        answer = ask(model(on), said("hello there"))
        equal(answer.choices[0].message.content, "You said: hello there")
        equal(answer.usage.completion_tokens, 4)
        assert answer.usage.prompt_tokens > 0, answer.usage

    @suite.case(front, "stream")
    def streamed(on: str) -> None:
        chunks = list(ask(model(on), said("one two three"), stream=True))
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        equal(text, "You said: one two three")

    @suite.case(front, "tools")
    def tools(on: str) -> None:
        first = ask(model(on), said(CALL_BOTH), tools=TOOLS).choices[0].message
        after_calls(ask, model(on), first)

    @suite.case(front, "tools")
    def tools_streamed(on: str) -> None:
        chunks = list(ask(model(on), said(CALL_BOTH), tools=TOOLS, stream=True))
        first = litellm.stream_chunk_builder(chunks).choices[0].message
        after_calls(ask, model(on), first)

    @suite.case(front, "image")
    def image(on: str) -> None:
        picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
        answer = ask(model(on), said([{"type": "text", "text": "look"}, picture]))
        equal(answer.choices[0].message.content, "You said: look [1 image]")

    @suite.case(front, "error")
    def errors(on: str) -> None:
        error = raises(litellm.NotFoundError, lambda: ask("nobody-knows-this", said("hi")))
        equal(error.status_code, 404)
        error = raises(litellm.RateLimitError, lambda: ask(model(on, "limited"), said("hi")))
        equal(error.status_code, 429)


def after_calls(ask: Any, name: str, first: Any) -> None:
    """Checks the calls of a first turn, gives their results back, and checks the last word."""
    calls = [(call.function.name, json.loads(call.function.arguments)) for call in first.tool_calls]
    equal(calls, [(tool, ARGUMENTS) for tool in RESULTS_OF])
    results = [
        {"role": "tool", "tool_call_id": call.id, "content": RESULTS_OF[call.function.name]}
        for call in first.tool_calls
    ]
    answer = ask(name, [*said(CALL_BOTH), first.model_dump(exclude_none=True), *results], tools=TOOLS)
    equal(answer.choices[0].message.content, AFTER_TOOLS)


everything("chat", "openai", f"{GATEWAY}/v1")
everything("messages", "anthropic", GATEWAY)


@suite.case("chat", "structured")
def structured(on: str) -> None:
    answer = litellm.completion(
        f"openai/{model(on)}",
        said("city=Oslo days=3"),
        api_base=f"{GATEWAY}/v1",
        api_key=KEY,
        response_format=SCHEMA,
    )
    equal(json.loads(answer.choices[0].message.content), ARGUMENTS)


@suite.case("embeddings", "plain", on=("openai", "gemini"))
def embeddings(on: str) -> None:
    answer = litellm.embedding(
        f"openai/{model(on)}", ["one", "two", "one"], api_base=f"{GATEWAY}/v1", api_key=KEY
    )
    one, two, again = (item["embedding"] for item in answer.data)
    assert one == again != two, "equal texts have equal vectors, others do not"


if __name__ == "__main__":
    suite.main()
