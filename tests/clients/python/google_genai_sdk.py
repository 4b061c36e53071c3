"""Google's own client for Python: content, counting, embeddings, models."""

from __future__ import annotations

import base64
from typing import Any

from google import genai
from google.genai import errors, types
from google.oauth2.credentials import Credentials
from pydantic import BaseModel

from suite import AFTER_TOOLS, ALL, ARGUMENTS, CALL_BOTH, CITY, GATEWAY, KEY, PNG, RESULTS_OF, Suite
from suite import arrivals, cancelled, equal, model, raises

suite = Suite("google-genai-python", genai.__version__)
client = genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=GATEWAY))

EMBEDDERS = ("openai", "gemini", "compatible")
TOOLS = [
    types.Tool(
        function_declarations=[
            types.FunctionDeclaration(name=name, description=f"The {name}.", parameters_json_schema=CITY)
            for name in RESULTS_OF
        ]
    )
]


class City(BaseModel):
    """What structured answers are."""

    city: str
    days: int


def config(**options: Any) -> types.GenerateContentConfig:
    """A configuration that leaves tools to us."""
    manual = types.AutomaticFunctionCallingConfig(disable=True)
    return types.GenerateContentConfig(automatic_function_calling=manual, **options)


def create(name: str, contents: Any, **options: Any) -> types.GenerateContentResponse:
    """One answer in one piece."""
    return client.models.generate_content(model=name, contents=contents, config=config(**options))


def stream(name: str, contents: Any, **options: Any) -> list[types.GenerateContentResponse]:
    """All chunks of one answer."""
    chunks = client.models.generate_content_stream(model=name, contents=contents, config=config(**options))
    return list(chunks)


@suite.case("gemini", "plain")
def content(on: str) -> None:
    answer = create(model(on), "hello there", system_instruction="be kind")
    equal(answer.text, "You said: hello there")
    headers = {name.lower(): value for name, value in (answer.sdk_http_response.headers or {}).items()}
    assert headers["x-gatehouse-record"], "no record"
    assert headers["x-gatehouse-target"].startswith(f"{on}/"), headers["x-gatehouse-target"]
    assert float(headers["x-gatehouse-cost"]) > 0, headers["x-gatehouse-cost"]
    equal(answer.candidates[0].finish_reason, types.FinishReason.STOP)
    usage = answer.usage_metadata
    assert usage and usage.prompt_token_count > 0, usage
    equal(usage.candidates_token_count, 4)
    equal(usage.total_token_count, usage.prompt_token_count + 4)


@suite.case("gemini", "stream")
def content_streamed(on: str) -> None:
    text = "one two three: très bien, 日本語 🙂"
    whole = create(model(on), text)
    chunks = stream(model(on), text)
    equal("".join(chunk.text or "" for chunk in chunks), whole.text)
    assert sum(bool(chunk.text) for chunk in chunks) > 1, "one chunk only"
    equal(chunks[-1].candidates[0].finish_reason, types.FinishReason.STOP)
    last = chunks[-1].usage_metadata
    equal(last.candidates_token_count, whole.usage_metadata.candidates_token_count)
    equal(last.prompt_token_count, whole.usage_metadata.prompt_token_count)


@suite.case("gemini", "tools")
def content_tools(on: str) -> None:
    first = create(model(on), CALL_BOTH, tools=TOOLS)
    after_calls(model(on), first.candidates[0].content)


@suite.case("gemini", "tools")
def content_tools_streamed(on: str) -> None:
    chunks = stream(model(on), CALL_BOTH, tools=TOOLS)
    parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts or []]
    after_calls(model(on), types.Content(role="model", parts=parts))


@suite.case("gemini", "tools")
def content_tool_choice(on: str) -> None:
    def calls(text: str, **options: Any) -> list[str]:
        calling = types.FunctionCallingConfig(**options)
        answer = create(
            model(on), text, tools=TOOLS, tool_config=types.ToolConfig(function_calling_config=calling)
        )
        return [call.name or "" for call in answer.function_calls or []]

    equal(calls("hello", mode="ANY"), ["weather"])
    equal(calls("hello", mode="ANY", allowed_function_names=["clock"]), ["clock"])
    equal(calls("weather", mode="NONE"), [])


@suite.case("gemini", "tools")
def content_tools_by_themselves(on: str) -> None:
    """The client runs plain functions and goes on by itself until there is an answer."""

    def weather(city: str, days: int) -> str:
        """The weather."""
        return f"rain in {city} for {days} days"

    answer = client.models.generate_content(
        model=model(on),
        contents="weather city=Oslo days=3",
        config=types.GenerateContentConfig(tools=[weather]),
    )
    equal(answer.text, "Tool said: rain in Oslo for 3 days")


@suite.case("gemini", "structured")
def content_structured(on: str) -> None:
    options: dict[str, Any] = {"response_mime_type": "application/json"}
    answer = create(model(on), "city=Oslo days=3", response_schema=City, **options)
    equal(answer.parsed, City(city="Oslo", days=3))
    answer = create(model(on), "city=Oslo days=3", response_json_schema=CITY, **options)
    equal(answer.parsed, ARGUMENTS)


@suite.case("gemini", "image")
def content_image(on: str) -> None:
    parts = [
        types.Part.from_bytes(data=base64.b64decode(PNG), mime_type="image/png"),
        types.Part.from_bytes(data=b"%PDF-", mime_type="application/pdf"),
        types.Part.from_text(text="look"),
    ]
    equal(create(model(on), parts).text, "You said: look [1 image] [1 file]")


@suite.case("gemini", "reasoning", on=(*ALL, "signed"))
def content_thoughts(on: str) -> None:
    """Thought signatures go back unaltered within a tool loop; the simulated providers check them."""
    name = model("gemini", "signed") if on == "signed" else model(on)
    thinking = types.ThinkingConfig(include_thoughts=True, thinking_budget=1_024)
    first = create(name, CALL_BOTH, tools=TOOLS, thinking_config=thinking)
    assert (first.usage_metadata.thoughts_token_count or 0) > 0, first.usage_metadata
    if on != "openai":  # OpenAI's chat counts reasoning and does not show it.
        thoughts = [part.text for part in first.candidates[0].content.parts if part.thought]
        assert "".join(thoughts).startswith("Thinking about:"), thoughts
    after_calls(name, first.candidates[0].content, thinking_config=thinking)


@suite.case("gemini", "reasoning", on=("gemini", "signed", "anthropic"))
def content_thoughts_streamed(on: str) -> None:
    name = model("gemini", "signed") if on == "signed" else model(on)
    thinking = types.ThinkingConfig(include_thoughts=True, thinking_budget=1_024)
    chunks = stream(name, CALL_BOTH, tools=TOOLS, thinking_config=thinking)
    parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts or []]
    assert "".join(part.text or "" for part in parts if part.thought).startswith("Thinking about:"), parts
    after_calls(name, types.Content(role="model", parts=parts), thinking_config=thinking)


@suite.case("gemini", "stop")
def content_stop_reasons(on: str) -> None:
    cut = create(model(on), "a b c d e", max_output_tokens=3)
    equal((cut.candidates[0].finish_reason, cut.text), (types.FinishReason.MAX_TOKENS, "You said: a"))
    equal((create(model(on), "a b STOP c", stop_sequences=["STOP"]).text or "").strip(), "You said: a b")
    withheld = create(model(on, "filtered"), "a")
    equal(withheld.candidates[0].finish_reason, types.FinishReason.SAFETY)


@suite.case("gemini", "chat")
def content_chat(on: str) -> None:
    """Several turns; the client keeps what was said."""
    chat = client.chats.create(model=model(on))
    equal(chat.send_message("one").text, "You said: one")
    equal("".join(chunk.text or "" for chunk in chat.send_message_stream("two")), "You said: two")


@suite.case("gemini", "count")
def content_count(on: str) -> None:
    counted = client.models.count_tokens(model=model(on), contents="one two three")
    assert (counted.total_tokens or 0) >= 3, counted


@suite.case("gemini", "plain")
async def content_async(on: str) -> None:
    answer = await client.aio.models.generate_content(model=model(on), contents="hi")
    equal(answer.text, "You said: hi")


@suite.case("embeddings", "plain", on=EMBEDDERS)
def embeddings(on: str) -> None:
    # Plain texts would be joined where the client takes the model for one that sees pictures.
    contents: Any = [types.Content(parts=[types.Part(text=text)]) for text in ("one", "two", "one")]
    answer = client.models.embed_content(model=model(on), contents=contents)
    one, two, again = (embedding.values for embedding in answer.embeddings or [])
    assert one == again != two, answer
    assert len(one or []) == 8, answer


def code_of(error: errors.APIError) -> str:
    """The gateway's stable code, in the reason of an `ErrorInfo`."""
    details: Any = error.details
    return next(one["reason"] for one in details["error"]["details"] if "reason" in one)


@suite.case("gemini", "error")
def content_errors(on: str) -> None:
    stranger = genai.Client(api_key="no-such-key", http_options=types.HttpOptions(base_url=GATEWAY))
    error = raises(
        errors.ClientError, lambda: stranger.models.generate_content(model=model(on), contents="hi")
    )
    equal((error.code, error.status, code_of(error)), (401, "UNAUTHENTICATED", "invalid_api_key"))
    error = raises(errors.ClientError, lambda: create("nobody-knows-this", "hi"))
    equal((error.code, error.status, code_of(error)), (404, "NOT_FOUND", "model_not_found"))
    error = raises(errors.ClientError, lambda: create(model(on, "missing"), "hi"))
    equal((error.code, error.status), (404, "NOT_FOUND"))
    error = raises(errors.ClientError, lambda: create(model(on), "hi", max_output_tokens=-1))
    equal((error.code, error.status), (400, "INVALID_ARGUMENT"))


@suite.case("gemini", "error")
def content_rate_limit(on: str) -> None:
    name, there = suite.own(on, "ratelimit-60")
    error = raises(errors.ClientError, lambda: create(name, "hi"))
    equal((error.code, error.status, code_of(error)), (429, "RESOURCE_EXHAUSTED", "upstream_rate_limited"))
    equal(arrivals(there), 1)


@suite.case("gemini", "error")
def content_server_error(on: str) -> None:
    error = raises(errors.ServerError, lambda: create(model(on, "broken"), "hi"))
    assert code_of(error).startswith("upstream_"), error


@suite.case("gemini", "error")
def content_cut(on: str) -> None:
    error = raises(
        errors.APIError, lambda: stream(model(on, "cut"), "one two three four five six seven eight nine")
    )
    assert code_of(error).startswith("upstream_"), error


@suite.case("gemini", "disconnect")
def content_disconnect(on: str) -> None:
    name, there = suite.own(on, "drip-100")
    chunks = client.models.generate_content_stream(
        model=name, contents="word " * 100, config=config()
    )
    next(chunks)
    chunks.close()
    assert cancelled(there), "the provider was not told"


@suite.case("models", "plain", on=("gemini",))
def models(on: str) -> None:
    names = [one.name for one in client.models.list()]
    assert f"models/{model(on)}" in names, names


def after_calls(name: str, first: types.Content, **options: Any) -> None:
    """Checks the calls of a first turn, gives their results back, and checks the last word."""
    calls = [part.function_call for part in first.parts or [] if part.function_call]
    equal([(call.name, call.args) for call in calls], [(tool, ARGUMENTS) for tool in RESULTS_OF])
    results = [
        types.Part(
            function_response=types.FunctionResponse(
                id=call.id, name=call.name, response={"result": RESULTS_OF[call.name or ""]}
            )
        )
        for call in calls
    ]
    conversation = [
        types.Content(role="user", parts=[types.Part(text=CALL_BOTH)]),
        first,
        types.Content(role="user", parts=results),
    ]
    equal(create(name, conversation, tools=TOOLS, **options).text, AFTER_TOOLS)


@suite.case("gemini", "plain")
def vertex_paths_reach_any_model(provider: str) -> None:
    options = types.HttpOptions(base_url=GATEWAY)
    place = {"project": "p", "location": "europe-west4", "credentials": Credentials(token=KEY)}
    with genai.Client(vertexai=True, http_options=options, **place) as vertex:
        equal(vertex.models.generate_content(model=model(provider), contents="hello").text, "You said: hello")
        stream = vertex.models.generate_content_stream(model=model(provider), contents="hello")
        equal("".join(piece.text or "" for piece in stream), "You said: hello")
        assert vertex.models.count_tokens(model=model(provider), contents="hello").total_tokens


if __name__ == "__main__":
    suite.main()
