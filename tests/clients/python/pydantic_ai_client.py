"""Pydantic AI: agents with tools and structured answers on three fronts."""

from __future__ import annotations

import base64
from typing import Any

import pydantic_ai
from pydantic import BaseModel
from pydantic_ai import Agent, BinaryContent, ModelHTTPError, NativeOutput
from pydantic_ai.models.anthropic import AnthropicModel
from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel
from pydantic_ai.profiles import ModelProfile
from pydantic_ai.providers.anthropic import AnthropicProvider
from pydantic_ai.providers.openai import OpenAIProvider

from suite import AFTER_TOOLS, CALL_BOTH, GATEWAY, KEY, PNG, RESULTS_OF, Suite, equal, model, raises

suite = Suite("pydantic-ai", pydantic_ai.__version__)
openai = OpenAIProvider(base_url=f"{GATEWAY}/v1", api_key=KEY)
anthropic = AnthropicProvider(base_url=GATEWAY, api_key=KEY)


class City(BaseModel):
    """A city and a number of days."""

    city: str
    days: int


def weather(city: str, days: int) -> str:
    """The weather."""
    equal((city, days), ("Oslo", 3))
    return RESULTS_OF["weather"]


def clock(city: str, days: int) -> str:
    """The time."""
    equal((city, days), ("Oslo", 3))
    return RESULTS_OF["clock"]


def everything(front: str, make: Any) -> None:
    """The cases of one front."""

    @suite.case(front, "plain")
    async def run(on: str) -> None:
        result = await Agent(make(model(on)), instructions="be kind").run("hello there")
        equal(result.output, "You said: hello there")
        assert usage_of(result).input_tokens > 0, usage_of(result)
        equal(usage_of(result).output_tokens, 4)

    @suite.case(front, "stream")
    async def streamed(on: str) -> None:
        async with Agent(make(model(on))).run_stream("one two three") as result:
            pieces = [piece async for piece in result.stream_text(delta=True, debounce_by=None)]
        equal("".join(pieces), "You said: one two three")

    @suite.case(front, "tools")
    async def tools(on: str) -> None:
        result = await Agent(make(model(on)), tools=[weather, clock]).run(CALL_BOTH)
        equal(result.output, AFTER_TOOLS)
        equal(usage_of(result).tool_calls, 2)

    @suite.case(front, "structured")
    async def structured(on: str) -> None:
        agent = Agent(make(model(on)), output_type=NativeOutput(City))
        equal((await agent.run("city=Oslo days=3")).output, City(city="Oslo", days=3))

    @suite.case(front, "tools")
    async def structured_by_a_tool(on: str) -> None:
        agent = Agent(make(model(on)), output_type=City)
        equal((await agent.run("city=Oslo days=3")).output, City(city="Oslo", days=3))

    @suite.case(front, "image")
    async def image(on: str) -> None:
        picture = BinaryContent(base64.b64decode(PNG), media_type="image/png")
        result = await Agent(make(model(on))).run(["look", picture])
        equal(result.output, "You said: look [1 image]")

    @suite.case(front, "error")
    def errors(on: str) -> None:
        error = raises(ModelHTTPError, lambda: Agent(make("nobody-knows-this")).run_sync("hi"))
        equal(error.status_code, 404)
        error = raises(ModelHTTPError, lambda: Agent(make(model(on, "limited"))).run_sync("hi"))
        equal(error.status_code, 429)


def usage_of(result: Any) -> Any:
    """What a run used; a method in some versions, a property in others."""
    return result.usage() if callable(result.usage) else result.usage


everything("chat", lambda name: OpenAIChatModel(name, provider=openai))
everything("responses", lambda name: OpenAIResponsesModel(name, provider=openai))
# The client goes by names that it knows; this one can do it too.
able = ModelProfile(supports_json_schema_output=True)
everything("messages", lambda name: AnthropicModel(name, provider=anthropic, profile=able))

if __name__ == "__main__":
    suite.main()
