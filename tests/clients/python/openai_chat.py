"""OpenAI's own client for Python: chat and its errors."""

from __future__ import annotations

import json
from typing import Any

import openai
from pydantic import BaseModel

from suite import AFTER_TOOLS, ARGUMENTS, CALL_BOTH, CITY, GATEWAY, KEY, PNG, RESULTS_OF, Suite
from suite import arrivals, cancelled, equal, model, raises

suite = Suite("openai-python", openai.__version__)
client = openai.OpenAI(base_url=f"{GATEWAY}/v1", api_key=KEY)

PICTURE = f"data:image/png;base64,{PNG}"
TOOLS: list[Any] = [
    {"type": "function", "function": {"name": name, "description": f"The {name}.", "parameters": CITY}}
    for name in RESULTS_OF
]


class City(BaseModel):
    """What structured answers are."""

    city: str
    days: int


def said(text: str) -> list[Any]:
    """A conversation of one message."""
    return [{"role": "user", "content": text}]


# === chat ===


@suite.case("chat", "plain")
def chat(on: str) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model=model(on), messages=[{"role": "developer", "content": "be kind"}, *said("hello there")]
    )
    assert raw.headers["x-gatehouse-record"], "no record"
    assert raw.headers["x-gatehouse-target"].startswith(f"{on}/"), raw.headers["x-gatehouse-target"]
    assert float(raw.headers["x-gatehouse-cost"]) > 0, raw.headers["x-gatehouse-cost"]
    answer = raw.parse()
    equal(answer.choices[0].message.content, "You said: hello there")
    equal(answer.choices[0].finish_reason, "stop")
    assert answer.usage and answer.usage.prompt_tokens > 0, answer.usage
    equal(answer.usage.completion_tokens, 4)
    equal(answer.usage.total_tokens, answer.usage.prompt_tokens + 4)


@suite.case("chat", "plain")
def chat_of_azures_client(on: str) -> None:
    # It puts the model into the path, as a deployment.
    azure = openai.AzureOpenAI(azure_endpoint=GATEWAY, api_version="2024-10-21", api_key=KEY, max_retries=0)
    answer = azure.chat.completions.create(model=model(on), messages=said("hello there"))
    equal(answer.choices[0].message.content, "You said: hello there")
    raises(openai.NotFoundError, lambda: azure.chat.completions.create(model="nobody", messages=said("hi")))


@suite.case("chat", "stream")
def chat_of_azures_client_streamed(on: str) -> None:
    azure = openai.AzureOpenAI(azure_endpoint=GATEWAY, api_version="2024-10-21", api_key=KEY)
    stream = azure.chat.completions.create(model=model(on), messages=said("hello there"), stream=True)
    equal("".join(chunk.choices[0].delta.content or "" for chunk in stream), "You said: hello there")


@suite.case("chat", "stream")
def chat_streamed(on: str) -> None:
    messages = said("one two three: très bien, 日本語 🙂")
    whole = client.chat.completions.create(model=model(on), messages=messages)
    stream = client.chat.completions.create(
        model=model(on), messages=messages, stream=True, stream_options={"include_usage": True}
    )
    assert stream.response.headers["x-gatehouse-record"], "no record"
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    equal(text, whole.choices[0].message.content)
    reasons = [one.choices[0].finish_reason for one in chunks if one.choices and one.choices[0].finish_reason]
    equal(reasons, ["stop"])
    pieces = [chunk for chunk in chunks if chunk.choices and chunk.choices[0].delta.content]
    assert len(pieces) > 1, "one chunk only"
    equal(chunks[-1].choices, [])
    equal(chunks[-1].usage.model_dump(exclude_none=True), whole.usage.model_dump(exclude_none=True))


@suite.case("chat", "stream")
def chat_streamed_without_usage(on: str) -> None:
    stream = client.chat.completions.create(model=model(on), messages=said("hi"), stream=True)
    for chunk in stream:
        assert chunk.choices, "a chunk without a choice, though usage was not asked for"


@suite.case("chat", "tools")
def chat_tools(on: str) -> None:
    messages = said(CALL_BOTH)
    first = client.chat.completions.create(model=model(on), messages=messages, tools=TOOLS)
    equal(first.choices[0].finish_reason, "tool_calls")
    calls = first.choices[0].message.tool_calls or []
    equal([(call.function.name, json.loads(call.function.arguments)) for call in calls], wanted_calls())
    equal(len({call.id for call in calls}), 2)
    messages.append(first.choices[0].message)
    messages += [
        {"role": "tool", "tool_call_id": call.id, "content": RESULTS_OF[call.function.name]} for call in calls
    ]
    last = client.chat.completions.create(model=model(on), messages=messages, tools=TOOLS)
    equal(last.choices[0].message.content, AFTER_TOOLS)


@suite.case("chat", "tools")
def chat_tools_streamed(on: str) -> None:
    messages = said(CALL_BOTH)
    with client.chat.completions.stream(model=model(on), messages=messages, tools=TOOLS) as stream:
        deltas = [event for event in stream if event.type == "tool_calls.function.arguments.delta"]
        message = stream.get_final_completion().choices[0].message
    equal({delta.index for delta in deltas}, {0, 1})
    calls = message.tool_calls or []
    equal([(call.function.name, json.loads(call.function.arguments)) for call in calls], wanted_calls())
    messages.append(message.model_dump(exclude_none=True, exclude={"parsed"}))
    for call in messages[-1]["tool_calls"]:
        call["function"].pop("parsed_arguments", None)
    messages += [
        {"role": "tool", "tool_call_id": call.id, "content": RESULTS_OF[call.function.name]} for call in calls
    ]
    stream = client.chat.completions.create(
        model=model(on), messages=messages, tools=TOOLS, stream=True
    )
    equal("".join(chunk.choices[0].delta.content or "" for chunk in stream), AFTER_TOOLS)


@suite.case("chat", "tools")
def chat_tool_choice(on: str) -> None:
    def calls(**options: Any) -> list[str]:
        answer = client.chat.completions.create(
            model=model(on), messages=said(options.pop("text")), tools=TOOLS, **options
        )
        return [call.function.name for call in answer.choices[0].message.tool_calls or []]

    named: Any = {"type": "function", "function": {"name": "clock"}}
    equal(calls(text="hello", tool_choice="required"), ["weather"])
    equal(calls(text="hello", tool_choice=named), ["clock"])
    equal(calls(text="weather", tool_choice="none"), [])


@suite.case("chat", "tools", on=("openai", "anthropic"))
def chat_tools_one_at_a_time(on: str) -> None:
    answer = client.chat.completions.create(
        model=model(on), messages=said(CALL_BOTH), tools=TOOLS, parallel_tool_calls=False
    )
    equal(len(answer.choices[0].message.tool_calls or []), 1)


@suite.case("chat", "structured")
def chat_structured(on: str) -> None:
    answer = client.chat.completions.parse(
        model=model(on), messages=said("city=Oslo days=3"), response_format=City
    )
    equal(answer.choices[0].message.parsed, City(city="Oslo", days=3))


@suite.case("chat", "structured")
def chat_structured_streamed(on: str) -> None:
    with client.chat.completions.stream(
        model=model(on), messages=said("city=Oslo days=3"), response_format=City
    ) as stream:
        equal(stream.get_final_completion().choices[0].message.parsed, City(city="Oslo", days=3))


@suite.case("chat", "image")
def chat_image(on: str) -> None:
    parts: list[Any] = [
        {"type": "text", "text": "look"},
        {"type": "image_url", "image_url": {"url": PICTURE}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:application/pdf;base64,JVBERi0="}},
    ]
    answer = client.chat.completions.create(model=model(on), messages=[{"role": "user", "content": parts}])
    equal(answer.choices[0].message.content, "You said: look [1 image] [1 file]")


@suite.case("chat", "reasoning")
def chat_reasoning(on: str) -> None:
    answer = client.chat.completions.create(
        model=model(on), messages=said("why is it so"), reasoning_effort="low"
    )
    equal(answer.choices[0].message.content, "You said: why is it so")
    assert answer.usage and answer.usage.completion_tokens_details, answer.usage
    assert (answer.usage.completion_tokens_details.reasoning_tokens or 0) > 0, answer.usage
    if on == "anthropic":  # The others count it and show it only to those who ask for that too.
        equal(thoughts(answer.choices[0].message), "Thinking about: why is it so")


@suite.case("chat", "reasoning", on=("anthropic",))
def chat_reasoning_streamed(on: str) -> None:
    stream = client.chat.completions.create(
        model=model(on), messages=said("why is it so"), reasoning_effort="low", stream=True
    )
    deltas = [chunk.choices[0].delta for chunk in stream]
    equal("".join(thoughts(delta) or "" for delta in deltas), "Thinking about: why is it so")
    equal("".join(delta.content or "" for delta in deltas), "You said: why is it so")


@suite.case("chat", "reasoning", on=("anthropic", "gemini", "signed"))
def chat_signatures_survive(on: str) -> None:
    """The simulated providers check that what they signed comes back as it was."""
    name = model("gemini", "signed") if on == "signed" else model(on)
    messages = said(CALL_BOTH)
    options: dict[str, Any] = {"model": name, "tools": TOOLS, "reasoning_effort": "low"}
    first = client.chat.completions.create(messages=messages, **options).choices[0].message
    messages.append(first)
    messages += [
        {"role": "tool", "tool_call_id": call.id, "content": RESULTS_OF[call.function.name]}
        for call in first.tool_calls or []
    ]
    last = client.chat.completions.create(messages=messages, **options).choices[0].message
    equal(last.content, AFTER_TOOLS)


@suite.case("chat", "stop")
def chat_stop_reasons(on: str) -> None:
    cut = client.chat.completions.create(
        model=model(on), messages=said("a b c d e"), max_completion_tokens=3
    )
    equal(cut.choices[0].finish_reason, "length")
    equal(cut.choices[0].message.content, "You said: a")
    stopped = client.chat.completions.create(model=model(on), messages=said("a b STOP c"), stop=["STOP"])
    equal((stopped.choices[0].message.content or "").strip(), "You said: a b")
    equal(stopped.choices[0].finish_reason, "stop")
    withheld = client.chat.completions.create(model=model(on, "filtered"), messages=said("a"))
    equal(withheld.choices[0].finish_reason, "content_filter")


@suite.case("chat", "plain")
async def chat_async(on: str) -> None:
    async with openai.AsyncOpenAI(base_url=f"{GATEWAY}/v1", api_key=KEY) as other:
        stream = await other.chat.completions.create(model=model(on), messages=said("hi"), stream=True)
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    equal(text, "You said: hi")


# === errors ===


def expect(error: openai.APIStatusError, status: int, code: str) -> None:
    """The status and the stable code."""
    equal((error.status_code, error.code), (status, code))


@suite.case("chat", "error")
def chat_errors(on: str) -> None:
    def call(who: openai.OpenAI, name: str, **options: Any) -> Any:
        return who.chat.completions.create(model=name, messages=said("hi"), **options)

    stranger = openai.OpenAI(base_url=f"{GATEWAY}/v1", api_key="no-such-key")
    error = raises(openai.AuthenticationError, lambda: call(stranger, model(on)))
    expect(error, 401, "invalid_api_key")
    error = raises(openai.NotFoundError, lambda: call(client, "nobody-knows-this"))
    expect(error, 404, "model_not_found")
    error = raises(openai.NotFoundError, lambda: call(client, model(on, "missing")))
    equal(error.status_code, 404)
    error = raises(openai.BadRequestError, lambda: call(client, model(on), max_completion_tokens=-1))
    equal(error.status_code, 400)
    assert error.request_id, "no request id"


@suite.case("chat", "error")
def chat_rate_limit(on: str) -> None:
    """A wait of a minute is the caller's business: neither the gateway nor the client tries again."""
    name, there = suite.own(on, "ratelimit-60")
    error = raises(
        openai.RateLimitError, lambda: client.chat.completions.create(model=name, messages=said("hi"))
    )
    expect(error, 429, "upstream_rate_limited")
    equal(error.response.headers["retry-after"], "60")
    equal(error.response.headers["x-should-retry"], "false")
    equal(arrivals(there), 1)


@suite.case("chat", "error")
def chat_server_error(on: str) -> None:
    """The gateway has tried again by itself; the client must not multiply that."""
    name, there = suite.own(on, "error-500")
    error = raises(
        openai.InternalServerError, lambda: client.chat.completions.create(model=name, messages=said("hi"))
    )
    assert str(error.code).startswith("upstream_"), error.code
    attempts = int(error.response.headers["x-gatehouse-attempts"])
    equal(arrivals(there), attempts)


@suite.case("chat", "error", on=("anthropic",))
def chat_unsupported_parameter(on: str) -> None:
    error = raises(
        openai.BadRequestError,
        lambda: client.chat.completions.create(model=model(on), messages=said("hi"), logprobs=True),
    )
    expect(error, 400, "unsupported_parameter")
    equal(error.param, "logprobs")


@suite.case("chat", "error")
def chat_cut(on: str) -> None:
    stream = client.chat.completions.create(
        model=model(on, "cut"), messages=said("one two three four five six seven"), stream=True
    )
    error = raises(openai.APIError, lambda: list(stream))
    assert str(error.code).startswith("upstream_"), error.code


@suite.case("chat", "disconnect")
def chat_disconnect(on: str) -> None:
    name, there = suite.own(on, "drip-100")
    stream = client.chat.completions.create(model=name, messages=said("word " * 100), stream=True)
    next(iter(stream))
    stream.close()
    assert cancelled(there), "the provider was not told"


def wanted_calls() -> list[tuple[str, dict[str, Any]]]:
    """Both tools, in the order in which the text names them."""
    return [(name, ARGUMENTS) for name in RESULTS_OF]


def thoughts(message: Any) -> str | None:
    """The reasoning, in the member that servers of this family have for it."""
    return (message.model_extra or {}).get("reasoning_content")


if __name__ == "__main__":
    suite.main()
