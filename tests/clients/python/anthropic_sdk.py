"""Anthropic's own client for Python: messages, counting, models."""

from __future__ import annotations

import json
from typing import Any

import anthropic
from pydantic import BaseModel

from suite import AFTER_TOOLS, ARGUMENTS, CALL_BOTH, CITY, GATEWAY, KEY, PNG, RESULTS_OF, Suite
from suite import arrivals, cancelled, equal, model, raises

suite = Suite("anthropic-python", anthropic.__version__)
client = anthropic.Anthropic(base_url=GATEWAY, api_key=KEY)

TOOLS: list[Any] = [
    {"name": name, "description": f"The {name}.", "input_schema": CITY} for name in RESULTS_OF
]
# Enough for an answer and for the least thinking that Anthropic allows.
MAX_TOKENS = 4_096
THINKING: Any = {"type": "enabled", "budget_tokens": 1_024}


class City(BaseModel):
    """What structured answers are."""

    city: str
    days: int


def said(content: Any) -> list[Any]:
    """A conversation of one message."""
    return [{"role": "user", "content": content}]


def create(name: str, content: Any, **options: Any) -> anthropic.types.Message:
    """One answer in one piece."""
    return client.messages.create(model=name, max_tokens=MAX_TOKENS, messages=said(content), **options)


def text_of(message: anthropic.types.Message) -> str:
    """All text of an answer."""
    return "".join(block.text for block in message.content if block.type == "text")


@suite.case("messages", "plain")
def messages(on: str) -> None:
    raw = client.messages.with_raw_response.create(
        model=model(on), max_tokens=MAX_TOKENS, system="be kind", messages=said("hello there")
    )
    assert raw.headers["x-gatehouse-record"], "no record"
    assert raw.headers["x-gatehouse-target"].startswith(f"{on}/"), raw.headers["x-gatehouse-target"]
    assert float(raw.headers["x-gatehouse-cost"]) > 0, raw.headers["x-gatehouse-cost"]
    message = raw.parse()
    equal(text_of(message), "You said: hello there")
    equal((message.role, message.stop_reason), ("assistant", "end_turn"))
    assert message.usage.input_tokens > 0, message.usage
    equal(message.usage.output_tokens, 4)


@suite.case("messages", "stream")
def messages_streamed(on: str) -> None:
    text = "one two three: très bien, 日本語 🙂"
    whole = create(model(on), text)
    with client.messages.stream(model=model(on), max_tokens=MAX_TOKENS, messages=said(text)) as stream:
        assert stream.response.headers["x-gatehouse-record"], "no record"
        pieces = list(stream.text_stream)
        final = stream.get_final_message()
    equal("".join(pieces), text_of(whole))
    assert len(pieces) > 1, "one piece only"
    equal(final.stop_reason, "end_turn")
    equal(final.usage.output_tokens, whole.usage.output_tokens)
    equal(final.usage.input_tokens, whole.usage.input_tokens)


@suite.case("messages", "stream")
def messages_stream_order(on: str) -> None:
    """The raw events come in the order that Anthropic promises."""
    stream = client.messages.create(
        model=model(on), max_tokens=MAX_TOKENS, messages=said("one two"), stream=True
    )
    kinds = [event.type for event in stream if event.type != "ping"]
    equal([kinds[0], kinds[1], *kinds[-3:]], [
        "message_start", "content_block_start", "content_block_stop", "message_delta", "message_stop",
    ])  # fmt: skip
    equal(set(kinds[2:-3]), {"content_block_delta"})


@suite.case("messages", "tools")
def messages_tools(on: str) -> None:
    first = create(model(on), CALL_BOTH, tools=TOOLS)
    after_calls(model(on), first, {})


@suite.case("messages", "tools")
def messages_tools_streamed(on: str) -> None:
    with client.messages.stream(
        model=model(on), max_tokens=MAX_TOKENS, messages=said(CALL_BOTH), tools=TOOLS
    ) as stream:
        pieces = [event.partial_json for event in stream if event.type == "input_json"]
        first = stream.get_final_message()
    assert "".join(pieces), "no deltas of arguments"
    after_calls(model(on), first, {})


@suite.case("messages", "tools")
def messages_tool_choice(on: str) -> None:
    def calls(text: str, choice: Any) -> list[str]:
        answer = create(model(on), text, tools=TOOLS, tool_choice=choice)
        return [block.name for block in answer.content if block.type == "tool_use"]

    equal(calls("hello", {"type": "any"}), ["weather"])
    equal(calls("hello", {"type": "tool", "name": "clock"}), ["clock"])
    equal(calls("weather", {"type": "none"}), [])


@suite.case("messages", "tools", on=("openai", "anthropic"))
def messages_tools_one_at_a_time(on: str) -> None:
    choice: Any = {"type": "auto", "disable_parallel_tool_use": True}
    answer = create(model(on), CALL_BOTH, tools=TOOLS, tool_choice=choice)
    equal(sum(block.type == "tool_use" for block in answer.content), 1)


@suite.case("messages", "structured")
def messages_structured(on: str) -> None:
    answer = client.messages.parse(
        model=model(on), max_tokens=MAX_TOKENS, messages=said("city=Oslo days=3"), output_format=City
    )
    equal(answer.parsed_output, City(city="Oslo", days=3))


@suite.case("messages", "structured")
def messages_structured_streamed(on: str) -> None:
    stream = client.messages.create(
        model=model(on),
        max_tokens=MAX_TOKENS,
        messages=said("city=Oslo days=3"),
        output_config={"format": {"type": "json_schema", "schema": CITY}},
        stream=True,
    )
    deltas = [event.delta for event in stream if event.type == "content_block_delta"]
    equal(json.loads("".join(delta.text for delta in deltas if delta.type == "text_delta")), ARGUMENTS)


@suite.case("messages", "image")
def messages_image(on: str) -> None:
    picture = {"type": "base64", "media_type": "image/png", "data": PNG}
    paper = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0="}
    content = [
        {"type": "image", "source": picture},
        {"type": "document", "source": paper, "title": "a.pdf"},
        {"type": "text", "text": "look"},
    ]
    equal(text_of(create(model(on), content)), "You said: look [1 image] [1 file]")


@suite.case("messages", "reasoning")
def messages_thinking(on: str) -> None:
    """Thinking goes back unaltered within a tool loop; the simulated providers check what they signed."""
    first = create(model(on), CALL_BOTH, tools=TOOLS, thinking=THINKING)
    if on != "openai":  # OpenAI's chat counts reasoning and does not show it.
        equal(first.content[0].type, "thinking")
        equal(first.content[0].thinking[:15], "Thinking about:")
    if on == "anthropic":
        assert first.content[0].signature, "no signature"
        details = first.usage.output_tokens_details
        assert details and details.thinking_tokens > 0, first.usage
    after_calls(model(on), first, {"thinking": THINKING})


@suite.case("messages", "reasoning", on=("anthropic", "gemini", "signed"))
def messages_thinking_streamed(on: str) -> None:
    name = model("gemini", "signed") if on == "signed" else model(on)
    with client.messages.stream(
        model=name, max_tokens=MAX_TOKENS, messages=said(CALL_BOTH), tools=TOOLS, thinking=THINKING
    ) as stream:
        pieces = [event.thinking for event in stream if event.type == "thinking"]
        first = stream.get_final_message()
    assert "".join(pieces).startswith("Thinking about:"), pieces
    after_calls(name, first, {"thinking": THINKING})


@suite.case("messages", "stop")
def messages_stop_reasons(on: str) -> None:
    cut = client.messages.create(model=model(on), max_tokens=3, messages=said("a b c d e"))
    equal((cut.stop_reason, text_of(cut)), ("max_tokens", "You said: a"))
    stopped = create(model(on), "a b STOP c", stop_sequences=["STOP"])
    equal(text_of(stopped).strip(), "You said: a b")
    assert stopped.stop_reason in ("stop_sequence", "end_turn"), stopped.stop_reason
    equal(create(model(on, "filtered"), "a").stop_reason, "refusal")


@suite.case("messages", "cache", on=("anthropic",))
def messages_cache(on: str) -> None:
    """Cache markers arrive: the second call reads what the first one wrote."""
    system: Any = [{"type": "text", "text": "mark " * 50, "cache_control": {"type": "ephemeral"}}]
    written = create(model(on), "hi", system=system).usage
    read = create(model(on), "hi", system=system).usage
    assert (written.cache_creation_input_tokens or 0) > 0, written
    equal(read.cache_read_input_tokens, written.cache_creation_input_tokens)


@suite.case("messages", "count")
def messages_count(on: str) -> None:
    raw = client.messages.with_raw_response.count_tokens(model=model(on), messages=said("one two three"))
    assert raw.parse().input_tokens >= 3, raw.parse()
    if on == "anthropic":  # It counts by itself: words, and three a message.
        equal(raw.parse().input_tokens, 6)


@suite.case("messages", "plain")
async def messages_async(on: str) -> None:
    async with anthropic.AsyncAnthropic(base_url=GATEWAY, auth_token=KEY, api_key=None) as other:
        async with other.messages.stream(
            model=model(on), max_tokens=MAX_TOKENS, messages=said("hi")
        ) as stream:
            equal("".join([piece async for piece in stream.text_stream]), "You said: hi")


def code_of(error: anthropic.APIStatusError) -> str:
    """The gateway's stable code, which Anthropic's own errors have no member for."""
    body: Any = error.body
    equal(body["type"], "error")
    return body["error"]["code"]


@suite.case("messages", "error")
def messages_errors(on: str) -> None:
    stranger = anthropic.Anthropic(base_url=GATEWAY, api_key="no-such-key")
    error = raises(
        anthropic.AuthenticationError,
        lambda: stranger.messages.create(model=model(on), max_tokens=9, messages=said("hi")),
    )
    equal((error.status_code, code_of(error)), (401, "invalid_api_key"))
    error = raises(anthropic.NotFoundError, lambda: create("nobody-knows-this", "hi"))
    equal((error.status_code, code_of(error)), (404, "model_not_found"))
    assert error.request_id, "no request id"
    error = raises(anthropic.NotFoundError, lambda: create(model(on, "missing"), "hi"))
    equal(error.status_code, 404)
    error = raises(
        anthropic.BadRequestError,
        lambda: client.messages.create(model=model(on), max_tokens=9, messages=[]),
    )
    equal(error.status_code, 400)


@suite.case("messages", "error")
def messages_rate_limit(on: str) -> None:
    name, there = suite.own(on, "ratelimit-60")
    error = raises(anthropic.RateLimitError, lambda: create(name, "hi"))
    equal((error.status_code, code_of(error)), (429, "upstream_rate_limited"))
    equal(error.response.headers["retry-after"], "60")
    equal(arrivals(there), 1)


@suite.case("messages", "error")
def messages_server_error(on: str) -> None:
    name, there = suite.own(on, "error-500")
    error = raises(anthropic.InternalServerError, lambda: create(name, "hi"))
    assert code_of(error).startswith("upstream_"), error.body
    equal(arrivals(there), int(error.response.headers["x-gatehouse-attempts"]))


@suite.case("messages", "error")
def messages_cut(on: str) -> None:
    stream = client.messages.create(
        model=model(on, "cut"),
        max_tokens=MAX_TOKENS,
        messages=said("one two three four five six seven"),
        stream=True,
    )
    error = raises(anthropic.APIError, lambda: list(stream))
    assert code_of(error).startswith("upstream_"), error.body


@suite.case("messages", "disconnect")
def messages_disconnect(on: str) -> None:
    name, there = suite.own(on, "drip-100")
    with client.messages.stream(
        model=name, max_tokens=MAX_TOKENS, messages=said("word " * 100)
    ) as stream:
        next(iter(stream.text_stream))
    assert cancelled(there), "the provider was not told"


@suite.case("passthrough", "plain", on=("anthropic",))
def through(on: str) -> None:
    there = anthropic.Anthropic(base_url=f"{GATEWAY}/passthrough/through-anthropic", api_key=KEY)
    assert list(there.models.list()), "no models"
    asked: dict[str, Any] = {"model": "claude-sim", "max_tokens": 50, "messages": said("hello there")}
    equal(text_of(there.messages.create(**asked)), "You said: hello there")
    with there.messages.stream(**asked) as stream:
        equal("".join(stream.text_stream), "You said: hello there")
    error = raises(anthropic.NotFoundError, lambda: there.models.retrieve("missing-model"))
    equal(error.status_code, 404)
    raises(anthropic.PermissionDeniedError, lambda: there.beta.files.list())


@suite.case("models", "plain", on=("anthropic",))
def models(on: str) -> None:
    assert model(on) in [one.id for one in client.models.list()], "not in the list"


def after_calls(name: str, first: anthropic.types.Message, options: dict[str, Any]) -> None:
    """Checks the calls of a first turn, gives their results back, and checks the last word."""
    equal(first.stop_reason, "tool_use")
    calls = [block for block in first.content if block.type == "tool_use"]
    equal([(call.name, call.input) for call in calls], [(tool, ARGUMENTS) for tool in RESULTS_OF])
    results = [
        {"type": "tool_result", "tool_use_id": call.id, "content": RESULTS_OF[call.name]} for call in calls
    ]
    conversation = [*said(CALL_BOTH), {"role": "assistant", "content": first.content}, *said(results)]
    last = client.messages.create(
        model=name, max_tokens=MAX_TOKENS, messages=conversation, tools=TOOLS, **options
    )
    equal(text_of(last), AFTER_TOOLS)


if __name__ == "__main__":
    suite.main()
