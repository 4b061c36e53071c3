"""LangChain's models for OpenAI's and Anthropic's dialects."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import anthropic
import openai
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessageChunk, HumanMessage, ToolMessage
from langchain_openai import ChatOpenAI, OpenAIEmbeddings
from pydantic import BaseModel

from suite import AFTER_TOOLS, ARGUMENTS, CALL_BOTH, CITY, GATEWAY, KEY, PNG, RESULTS_OF, Suite
from suite import equal, model, raises

suite = Suite("langchain", version("langchain-core"))

TOOLS: list[Any] = [
    {"type": "function", "function": {"name": name, "description": f"The {name}.", "parameters": CITY}}
    for name in RESULTS_OF
]
PICTURE = HumanMessage(
    [
        {"type": "text", "text": "look"},
        {"type": "image", "base64": PNG, "mime_type": "image/png"},
    ]
)


class City(BaseModel):
    """A city and a number of days."""

    city: str
    days: int


def chat(name: str, **options: Any) -> Any:
    """A model on the front of OpenAI's chat."""
    return ChatOpenAI(model=name, base_url=f"{GATEWAY}/v1", api_key=KEY, max_retries=2, **options)


def responses(name: str, **options: Any) -> Any:
    """A model on the front of OpenAI's responses."""
    return chat(name, use_responses_api=True, **options)


def messages(name: str, **options: Any) -> Any:
    """A model on Anthropic's front."""
    return ChatAnthropic(model=name, base_url=GATEWAY, api_key=KEY, max_retries=2, max_tokens=4096, **options)


def everything(front: str, make: Any) -> None:
    """The cases of one front."""

    @suite.case(front, "plain")
    def invoke(on: str) -> None:
        answer = make(model(on)).invoke("hello there")
        equal(answer.text, "You said: hello there")
        equal(answer.usage_metadata["output_tokens"], 4)
        assert answer.usage_metadata["input_tokens"] > 0, answer.usage_metadata

    @suite.case(front, "stream")
    def streamed(on: str) -> None:
        chunks = list(make(model(on), **usage_in_streams(front)).stream("one two three"))
        equal("".join(chunk.text for chunk in chunks), "You said: one two three")
        whole = add(chunks)
        equal(whole.usage_metadata["output_tokens"], 5)

    @suite.case(front, "tools")
    def tools(on: str) -> None:
        bound = make(model(on)).bind_tools(TOOLS)
        after_calls(bound, bound.invoke(CALL_BOTH))

    @suite.case(front, "tools")
    def tools_streamed(on: str) -> None:
        bound = make(model(on)).bind_tools(TOOLS)
        after_calls(bound, add(list(bound.stream(CALL_BOTH))))

    @suite.case(front, "structured")
    def structured(on: str) -> None:
        asked = make(model(on)).with_structured_output(City, method="json_schema")
        equal(asked.invoke("city=Oslo days=3"), City(city="Oslo", days=3))

    @suite.case(front, "image")
    def image(on: str) -> None:
        equal(make(model(on)).invoke([PICTURE]).text, "You said: look [1 image]")

    @suite.case(front, "plain")
    async def by_ainvoke(on: str) -> None:
        equal((await make(model(on)).ainvoke("hi")).text, "You said: hi")

    @suite.case(front, "error")
    def errors(on: str) -> None:
        errors_of = anthropic if front == "messages" else openai
        error = raises(errors_of.NotFoundError, lambda: make("nobody-knows-this").invoke("hi"))
        equal(error.status_code, 404)
        error = raises(errors_of.RateLimitError, lambda: make(model(on, "limited")).invoke("hi"))
        equal(error.status_code, 429)
        cut = make(model(on, "cut"))
        # What `response.failed` says becomes an error of LangChain's own.
        kind = ValueError if front == "responses" and on != "openai" else errors_of.APIError
        raises(kind, lambda: list(cut.stream("one two three four five six seven")))


def usage_in_streams(front: str) -> dict[str, Any]:
    """LangChain leaves usage out of streams from other addresses than OpenAI's unless it is told."""
    return {"stream_usage": True} if front == "chat" else {}


def add(chunks: list[AIMessageChunk]) -> AIMessageChunk:
    """The chunks as one message."""
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole = whole + chunk
    return whole


def after_calls(bound: Any, first: Any) -> None:
    """Checks the calls of a first turn, gives their results back, and checks the last word."""
    calls = first.tool_calls
    equal([(call["name"], call["args"]) for call in calls], [(name, ARGUMENTS) for name in RESULTS_OF])
    results = [ToolMessage(RESULTS_OF[call["name"]], tool_call_id=call["id"]) for call in calls]
    equal(bound.invoke([HumanMessage(CALL_BOTH), first, *results]).text, AFTER_TOOLS)


@suite.case("messages", "reasoning", on=("anthropic", "gemini"))
def thinking(on: str) -> None:
    """Thinking goes back unaltered within a tool loop; the simulated providers check what they signed."""
    bound = messages(model(on), thinking={"type": "enabled", "budget_tokens": 1_024}).bind_tools(TOOLS)
    first = bound.invoke(CALL_BOTH)
    assert any(block["type"] == "thinking" for block in first.content), first.content
    after_calls(bound, first)


@suite.case("embeddings", "plain", on=("openai", "gemini"))
def embeddings(on: str) -> None:
    embed = OpenAIEmbeddings(
        model=model(on), base_url=f"{GATEWAY}/v1", api_key=KEY, check_embedding_ctx_length=False
    )
    one, two, again = embed.embed_documents(["one", "two", "one"])
    assert one == again != two, "equal texts have equal vectors, others do not"


everything("chat", chat)
everything("responses", responses)
everything("messages", messages)

if __name__ == "__main__":
    suite.main()
