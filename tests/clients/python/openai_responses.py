"""OpenAI's own client for Python: responses, completions, embeddings, models."""

from __future__ import annotations

import json
from typing import Any

import openai
from pydantic import BaseModel

from suite import AFTER_TOOLS, ALL, ARGUMENTS, CALL_BOTH, CITY, GATEWAY, KEY, PNG, RESULTS_OF, Suite
from suite import arrived, cancelled, equal, model, raises

suite = Suite("openai-python", openai.__version__)
client = openai.OpenAI(base_url=f"{GATEWAY}/v1", api_key=KEY)

PICTURE = f"data:image/png;base64,{PNG}"
# Providers that embed. Anthropic has no such thing.
EMBEDDERS = ("openai", "gemini", "compatible")
TOOLS: list[Any] = [
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
    first = client.responses.create(model=model(on), input=CALL_BOTH, tools=TOOLS, store=False)
    after_calls(model(on), first, {})


@suite.case("responses", "tools")
def responses_tools_streamed(on: str) -> None:
    with client.responses.stream(
        model=model(on), input=CALL_BOTH, tools=TOOLS, store=False
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
        model=name, input=CALL_BOTH, tools=TOOLS, store=False, **options
    )
    assert first.usage and first.usage.output_tokens_details.reasoning_tokens > 0, first.usage
    items = [item for item in first.output if item.type == "reasoning"]
    assert items, "no reasoning"
    assert "Thinking about" in items[0].summary[0].text, items[0]
    after_calls(name, first, options)


@suite.case("responses", "error")
def responses_errors(on: str) -> None:
    error = raises(
        openai.NotFoundError, lambda: client.responses.create(model="nobody-knows-this", input="a")
    )
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
    name, there = suite.own(on, "drip-100")
    stream = client.responses.create(model=name, input="word " * 100, stream=True, store=False)
    next(one for one in stream if one.type == "response.output_text.delta")
    stream.close()
    assert cancelled(there), "the provider was not told"


@suite.case("responses", "count")
def responses_count(on: str) -> None:
    """What an answer goes on from counts, too."""
    begun = client.responses.create(model=model(on), input="one two three four five", max_output_tokens=20)
    counted = client.responses.input_tokens.count(model=model(on), input="one two three")
    equal(counted.object, "response.input_tokens")
    longer = client.responses.input_tokens.count(
        model=model(on), input="one two three", previous_response_id=begun.id
    )
    assert longer.input_tokens > counted.input_tokens > 0, (longer, counted)


@suite.case("responses", "kept")
def responses_kept(on: str) -> None:
    first = client.responses.create(model=model(on), input=CALL_BOTH, tools=TOOLS)
    calls = [item for item in first.output if item.type == "function_call"]
    results: list[Any] = [
        {"type": "function_call_output", "call_id": call.call_id, "output": RESULTS_OF[call.name]}
        for call in calls
    ]
    last = client.responses.create(
        model=model(on), input=results, tools=TOOLS, previous_response_id=first.id
    )
    equal((last.output_text, last.previous_response_id), (AFTER_TOOLS, first.id))
    equal(client.responses.retrieve(last.id).model_dump(), last.model_dump())
    items = list(client.responses.input_items.list(last.id, order="asc", limit=2))
    equal(
        [item.type for item in items],
        ["message", *(item.type for item in first.output), "function_call_output", "function_call_output"],
    )
    client.responses.delete(last.id)
    error = raises(openai.NotFoundError, lambda: client.responses.retrieve(last.id))
    expect(error, 404, "not_found")


@suite.case("responses", "kept")
def responses_kept_streamed(on: str) -> None:
    with client.responses.stream(model=model(on), input="one two") as stream:
        list(stream)
        first = stream.get_final_response()
    equal(client.responses.retrieve(first.id).output_text, "You said: one two")
    item: Any = {"type": "item_reference", "id": first.output[0].id}
    last = client.responses.create(model=model(on), input=[*said("one two"), item, *said("three")])
    equal(last.output_text, "You said: three")


@suite.case("responses", "background")
def responses_background(on: str) -> None:
    begun = client.responses.create(model=model(on), input="one two", background=True)
    while begun.status in ("queued", "in_progress"):
        begun = client.responses.retrieve(begun.id)
    equal((begun.status, begun.output_text), ("completed", "You said: one two"))
    name, there = suite.own(on, "stall-0")
    long = client.responses.create(model=name, input="hello there", background=True)
    assert arrived(there), "the provider was not asked"
    equal(client.responses.cancel(long.id).status, "cancelled")
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
        tools=TOOLS,
        store=False,
        **options,
    )
    equal(last.output_text, AFTER_TOOLS)


# === passing through ===


@suite.case("passthrough", "plain", on=("openai",))
def through(on: str) -> None:
    there = openai.OpenAI(base_url=f"{GATEWAY}/passthrough/through-openai/v1", api_key=KEY)
    listed = [one.id for one in there.models.list()]
    assert listed and not any("/" in name for name in listed), listed
    raw = there.chat.completions.with_raw_response.create(model="small", messages=said("hello there"))
    equal(raw.parse().choices[0].message.content, "You said: hello there")
    equal(raw.headers["x-gatehouse-target"], "through-openai/small")
    assert float(raw.headers["x-gatehouse-cost"]) > 0, raw.headers["x-gatehouse-cost"]
    stream = there.responses.create(model="small", input="one two", stream=True)
    equal([one.type for one in stream][-1], "response.completed")
    closed = openai.OpenAI(base_url=f"{GATEWAY}/passthrough/openai/v1", api_key=KEY)
    expect(raises(openai.NotFoundError, lambda: closed.models.list()), 404, "not_found")
    refused = raises(openai.PermissionDeniedError, lambda: there.files.list())
    expect(refused, 403, "not_allowed")


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


@suite.case("completions", "suffix", on=("openai", "mistral"))
def completions_between(on: str) -> None:
    asked: dict[str, Any] = {"model": model(on), "prompt": "def f(x):", "suffix": "return y", "max_tokens": 20}
    whole = client.completions.create(**asked).choices[0].text
    assert "def f(x):" in whole, whole
    equal("".join(piece.choices[0].text for piece in client.completions.create(**asked, stream=True)), whole)


@suite.case("completions", "error", on=("anthropic", "gemini"))
def completions_between_refused(on: str) -> None:
    asked: dict[str, Any] = {"model": model(on), "prompt": "def f(x):", "suffix": "return y"}
    error = raises(openai.BadRequestError, lambda: client.completions.create(**asked))
    equal((error.code, error.param), ("unsupported_parameter", "suffix"))


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


def expect(error: openai.APIStatusError, status: int, code: str) -> None:
    """The status and the stable code."""
    equal((error.status_code, error.code), (status, code))


def wanted_calls() -> list[tuple[str, dict[str, Any]]]:
    """Both tools, in the order in which the text names them."""
    return [(name, ARGUMENTS) for name in RESULTS_OF]


if __name__ == "__main__":
    suite.main()
