"""OpenAI's own client for Python: chat, responses, completions, embeddings, models."""

from __future__ import annotations

import json
from typing import Any

import openai
from pydantic import BaseModel

from suite import AFTER_TOOLS, ALL, ARGUMENTS, CALL_BOTH, CITY, GATEWAY, KEY, PNG, RESULTS_OF, Suite
from suite import arrivals, cancelled, equal, model, raises

suite = Suite("openai-python", openai.__version__)
client = openai.OpenAI(base_url=f"{GATEWAY}/v1", api_key=KEY)

PICTURE = f"data:image/png;base64,{PNG}"
# Providers that embed. Anthropic has no such thing.
EMBEDDERS = ("openai", "gemini", "compatible")
CHAT_TOOLS: list[Any] = [
    {"type": "function", "function": {"name": name, "description": f"The {name}.", "parameters": CITY}}
    for name in RESULTS_OF
]
RESPONSES_TOOLS: list[Any] = [
    {"type": "function", "name": name, "description": f"The {name}.", "parameters": CITY, "strict": True}
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
    assert sum(bool(chunk.choices and chunk.choices[0].delta.content) for chunk in chunks) > 1, "one chunk only"
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
    first = client.chat.completions.create(model=model(on), messages=messages, tools=CHAT_TOOLS)
    equal(first.choices[0].finish_reason, "tool_calls")
    calls = first.choices[0].message.tool_calls or []
    equal([(call.function.name, json.loads(call.function.arguments)) for call in calls], wanted_calls())
    equal(len({call.id for call in calls}), 2)
    messages.append(first.choices[0].message)
    messages += [
        {"role": "tool", "tool_call_id": call.id, "content": RESULTS_OF[call.function.name]} for call in calls
    ]
    last = client.chat.completions.create(model=model(on), messages=messages, tools=CHAT_TOOLS)
    equal(last.choices[0].message.content, AFTER_TOOLS)


@suite.case("chat", "tools")
def chat_tools_streamed(on: str) -> None:
    messages = said(CALL_BOTH)
    with client.chat.completions.stream(model=model(on), messages=messages, tools=CHAT_TOOLS) as stream:
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
        model=model(on), messages=messages, tools=CHAT_TOOLS, stream=True
    )
    equal("".join(chunk.choices[0].delta.content or "" for chunk in stream), AFTER_TOOLS)


@suite.case("chat", "tools")
def chat_tool_choice(on: str) -> None:
    def calls(**options: Any) -> list[str]:
        answer = client.chat.completions.create(
            model=model(on), messages=said(options.pop("text")), tools=CHAT_TOOLS, **options
        )
        return [call.function.name for call in answer.choices[0].message.tool_calls or []]

    named: Any = {"type": "function", "function": {"name": "clock"}}
    equal(calls(text="hello", tool_choice="required"), ["weather"])
    equal(calls(text="hello", tool_choice=named), ["clock"])
    equal(calls(text="weather", tool_choice="none"), [])


@suite.case("chat", "tools", on=("openai", "anthropic"))
def chat_tools_one_at_a_time(on: str) -> None:
    answer = client.chat.completions.create(
        model=model(on), messages=said(CALL_BOTH), tools=CHAT_TOOLS, parallel_tool_calls=False
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
    if on != "openai":  # OpenAI's chat counts reasoning and does not show it.
        equal(thoughts(answer.choices[0].message), "Thinking about: why is it so")


@suite.case("chat", "reasoning", on=("anthropic", "gemini"))
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
    options: dict[str, Any] = {"model": name, "tools": CHAT_TOOLS, "reasoning_effort": "low"}
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
    name, there = suite.own(on, "limited")
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
    name, there = suite.own(on, "broken")
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
    name, there = suite.own(on, "drip")
    stream = client.chat.completions.create(
        model=name, messages=said("word " * 100), stream=True
    )
    next(iter(stream))
    stream.close()
    assert cancelled(there), "the provider was not told"


# === responses ===


@suite.case("responses", "plain")
def responses(on: str) -> None:
    raw = client.responses.with_raw_response.create(
        model=model(on), instructions="be kind", input="hello there", store=False
    )
    assert raw.headers["x-gatehouse-record"], "no record"
    assert float(raw.headers["x-gatehouse-cost"]) > 0, raw.headers["x-gatehouse-cost"]
    answer = raw.parse()
    equal(answer.output_text, "You said: hello there")
    equal(answer.status, "completed")
    assert answer.usage and answer.usage.input_tokens > 0, answer.usage
    equal(answer.usage.output_tokens, 4)


@suite.case("responses", "stream")
def responses_streamed(on: str) -> None:
    whole = client.responses.create(model=model(on), input="one two three", store=False)
    events = list(client.responses.create(model=model(on), input="one two three", store=False, stream=True))
    equal([events[0].type, events[-1].type], ["response.created", "response.completed"])
    numbers = [event.sequence_number for event in events]
    equal(numbers, list(range(len(events))))
    text = "".join(event.delta for event in events if event.type == "response.output_text.delta")
    equal(text, whole.output_text)
    equal(events[-1].response.output_text, text)
    equal(events[-1].response.usage, whole.usage)


@suite.case("responses", "tools")
def responses_tools(on: str) -> None:
    first = client.responses.create(model=model(on), input=CALL_BOTH, tools=RESPONSES_TOOLS, store=False)
    after_calls(model(on), first, {})


@suite.case("responses", "tools")
def responses_tools_streamed(on: str) -> None:
    with client.responses.stream(
        model=model(on), input=CALL_BOTH, tools=RESPONSES_TOOLS, store=False
    ) as stream:
        pieces = [one.delta for one in stream if one.type == "response.function_call_arguments.delta"]
        first = stream.get_final_response()
    assert "".join(pieces), "no deltas of arguments"
    after_calls(model(on), first, {})


@suite.case("responses", "structured")
def responses_structured(on: str) -> None:
    answer = client.responses.parse(model=model(on), input="city=Oslo days=3", text_format=City, store=False)
    equal(answer.output_parsed, City(city="Oslo", days=3))


@suite.case("responses", "image")
def responses_image(on: str) -> None:
    parts: list[Any] = [
        {"type": "input_text", "text": "look"},
        {"type": "input_image", "image_url": PICTURE, "detail": "auto"},
    ]
    answer = client.responses.create(model=model(on), input=[{"role": "user", "content": parts}], store=False)
    equal(answer.output_text, "You said: look [1 image]")


@suite.case("responses", "reasoning", on=(*ALL, "signed"))
def responses_reasoning(on: str) -> None:
    """Reasoning that is sealed goes back in the second turn; the simulated providers check the seals."""
    options: dict[str, Any] = {
        "reasoning": {"effort": "low", "summary": "auto"},
        "include": ["reasoning.encrypted_content"],
    }
    name = model("gemini", "signed") if on == "signed" else model(on)
    first = client.responses.create(
        model=name, input=CALL_BOTH, tools=RESPONSES_TOOLS, store=False, **options
    )
    assert first.usage and first.usage.output_tokens_details.reasoning_tokens > 0, first.usage
    items = [item for item in first.output if item.type == "reasoning"]
    assert items, "no reasoning"
    assert "Thinking about" in items[0].summary[0].text, items[0]
    after_calls(name, first, options)


@suite.case("responses", "error")
def responses_errors(on: str) -> None:
    error = raises(openai.NotFoundError, lambda: client.responses.create(model="nobody-knows-this", input="a"))
    expect(error, 404, "model_not_found")
    error = raises(
        openai.RateLimitError, lambda: client.responses.create(model=model(on, "limited"), input="a")
    )
    expect(error, 429, "upstream_rate_limited")


@suite.case("responses", "error")
def responses_cut(on: str) -> None:
    stream = client.responses.create(
        model=model(on, "cut"), input="one two three four five six seven", stream=True, store=False
    )
    kinds: list[str] = []
    try:
        kinds += [event.type for event in stream]
    except openai.APIError:
        return
    equal(kinds[-1], "response.failed")
    assert "response.completed" not in kinds, kinds


@suite.case("responses", "disconnect")
def responses_disconnect(on: str) -> None:
    name, there = suite.own(on, "drip")
    stream = client.responses.create(
        model=name, input="word " * 100, stream=True, store=False
    )
    next(one for one in stream if one.type == "response.output_text.delta")
    stream.close()
    assert cancelled(there), "the provider was not told"


def after_calls(name: str, first: Any, options: dict[str, Any]) -> None:
    """Checks the calls of a first turn, gives their results back, and checks the last word."""
    calls = [item for item in first.output if item.type == "function_call"]
    equal([(call.name, json.loads(call.arguments)) for call in calls], wanted_calls())
    results = [
        {"type": "function_call_output", "call_id": call.call_id, "output": RESULTS_OF[call.name]}
        for call in calls
    ]
    sent = [item.model_dump(exclude_none=True, exclude={"parsed_arguments"}) for item in first.output]
    last = client.responses.create(
        model=name,
        input=[*said(CALL_BOTH), *sent, *results],
        tools=RESPONSES_TOOLS,
        store=False,
        **options,
    )
    equal(last.output_text, AFTER_TOOLS)


# === the others ===


@suite.case("completions", "plain")
def completions(on: str) -> None:
    answer = client.completions.create(model=model(on), prompt="hello there", max_tokens=20)
    equal(answer.choices[0].text.strip(), "You said: hello there")
    assert answer.usage and answer.usage.completion_tokens == 4, answer.usage


@suite.case("completions", "stream")
def completions_streamed(on: str) -> None:
    stream = client.completions.create(model=model(on), prompt="one two three", max_tokens=20, stream=True)
    text = "".join(chunk.choices[0].text for chunk in stream)
    equal(text.strip(), "You said: one two three")


@suite.case("embeddings", "plain", on=EMBEDDERS)
def embeddings(on: str) -> None:
    """The client asks for base64 when it is not told; both forms are the same numbers."""
    packed = client.embeddings.create(model=model(on), input=["one", "two", "one"])
    equal([one.index for one in packed.data], [0, 1, 2])
    assert packed.data[0].embedding == packed.data[2].embedding != packed.data[1].embedding
    assert packed.usage.prompt_tokens > 0 or on == "gemini", packed.usage
    plain = client.embeddings.create(model=model(on), input="one", encoding_format="float")
    near = zip(plain.data[0].embedding, packed.data[0].embedding, strict=True)
    assert all(abs(one - other) < 1e-6 for one, other in near), "the two forms differ"


@suite.case("embeddings", "error", on=("anthropic",))
def embeddings_refused(on: str) -> None:
    error = raises(openai.BadRequestError, lambda: client.embeddings.create(model=model(on), input="one"))
    assert error.code in ("unsupported_parameter", "no_capable_target", "invalid_request"), error.code


@suite.case("models", "plain", on=("openai",))
def models(on: str) -> None:
    assert model(on) in [one.id for one in client.models.list()], "not in the list"
    equal(client.models.retrieve(model(on)).id, model(on))
    error = raises(openai.NotFoundError, lambda: client.models.retrieve("nobody-knows-this"))
    expect(error, 404, "model_not_found")


def wanted_calls() -> list[tuple[str, dict[str, Any]]]:
    """Both tools, in the order in which the text names them."""
    return [(name, ARGUMENTS) for name in RESULTS_OF]


def thoughts(message: Any) -> str | None:
    """The reasoning, in the member that servers of this family have for it."""
    return (message.model_extra or {}).get("reasoning_content")


if __name__ == "__main__":
    suite.main()
