"""Instructor: structured answers through OpenAI's client, by tools and by schema, with its own retries."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

import instructor
import openai
from instructor.core.exceptions import InstructorRetryException
from pydantic import BaseModel, field_validator

from suite import GATEWAY, KEY, Suite, equal, model, raises

suite = Suite("instructor", version("instructor"))
plain = openai.OpenAI(base_url=f"{GATEWAY}/v1", api_key=KEY)


class City(BaseModel):
    """A city and a number of days."""

    city: str
    days: int


WANTED = {"city": "Oslo", "days": 3}


class Unsuitable(BaseModel):
    """What no answer will ever satisfy."""

    city: str

    @field_validator("city")
    @classmethod
    def refuse(cls, _: str) -> str:
        """Refuses whatever it is."""
        raise ValueError("not suitable")


def ask(name: str, mode: instructor.Mode, wanted: Any = City, **options: Any) -> Any:
    """One structured answer."""
    client = instructor.from_openai(plain, mode=mode)
    messages: list[Any] = [{"role": "user", "content": "city=Oslo days=3"}]
    return client.chat.completions.create(model=name, messages=messages, response_model=wanted, **options)


@suite.case("chat", "tools")
def by_tools(on: str) -> None:
    equal(ask(model(on), instructor.Mode.TOOLS).model_dump(), WANTED)


@suite.case("chat", "structured")
def by_schema(on: str) -> None:
    equal(ask(model(on), instructor.Mode.JSON_SCHEMA).model_dump(), WANTED)


@suite.case("chat", "stream")
def partial(on: str) -> None:
    """The answer grows while it is streamed."""
    seen = list(ask(model(on), instructor.Mode.TOOLS, instructor.Partial[City], stream=True))
    equal(seen[-1].model_dump(), WANTED)


@suite.case("chat", "tools")
def asks_again(on: str) -> None:
    """An answer that does not fit goes back with the complaint: a tool loop that has to be accepted."""
    error = raises(
        InstructorRetryException,
        lambda: ask(model(on), instructor.Mode.TOOLS, Unsuitable, max_retries=2),
    )
    assert "not suitable" in str(error), error
    assert error.n_attempts > 1, error.n_attempts


@suite.case("chat", "error", on=("openai",))
def errors(on: str) -> None:
    error = raises(InstructorRetryException, lambda: ask("nobody-knows-this", instructor.Mode.TOOLS))
    assert "model_not_found" in str(error), (on, error)


if __name__ == "__main__":
    suite.main()
