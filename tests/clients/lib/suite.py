"""What every Python client's tests are written with: cases, each run through several providers.

A case is a function that takes the name of a provider and asserts what the client gives back. Its front
and feature say where the result stands in the table of `docs/matrix.md`. Results go to a file, one JSON
object a line, because each client runs in an environment of its own.
"""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import sys
import time
import traceback
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable
from typing import Any

GATEWAY = os.environ["CLIENTS_GATEWAY"]
KEY = os.environ["CLIENTS_KEY"]
SIMULATOR = os.environ["CLIENTS_SIMULATOR"]
RESULTS = os.environ["CLIENTS_RESULTS"]

# The providers that each case runs through unless it names others.
ALL = ("openai", "anthropic", "gemini")
# How long one asynchronous case may take; the others have the limits of their clients.
CASE_SECONDS_MAX = 30
# A picture of one pixel.
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
# The schema of the tools and of structured answers; closed, as strict modes want it.
CITY = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
# A text that names both tools and says what to call them with.
CALL_BOTH = "Please use weather and clock with city=Oslo days=3"
# What the simulator answers to it, as arguments.
ARGUMENTS = {"city": "Oslo", "days": 3}
# Both results given back, and what the simulator says then.
RESULTS_OF = {"weather": "rain", "clock": "noon"}
AFTER_TOOLS = "Tool said: rain noon"


class Suite:
    """The cases of one client."""

    def __init__(self, client: str, version: str) -> None:
        self.client = client
        self.version = version
        self._cases: list[tuple[Callable[..., Any], str, str, tuple[str, ...]]] = []

    def own(self, provider: str, behaviour: str) -> tuple[str, str]:
        """A model that misbehaves and that nothing else calls, so that its calls can be counted: the name to
        call, and the one that the simulated provider sees."""
        caller = inspect.stack()[1].function.replace("_", ".")
        there = f"{behaviour}+{self.client}+{provider}+{caller}"
        return f"{provider}/{there}", there

    def case(self, front: str, feature: str, on: Iterable[str] = ALL) -> Callable[..., Any]:
        """Adds a function that is called with each of these providers' names."""

        def add(function: Callable[..., Any]) -> Callable[..., Any]:
            self._cases.append((function, front, feature, tuple(on)))
            return function

        return add

    def main(self) -> None:
        """Runs all cases, or those whose name contains the first argument."""
        wanted = sys.argv[1] if len(sys.argv) > 1 else ""
        # One loop for all cases, as clients keep connections in it.
        with asyncio.Runner() as runner:
            failed = sum(
                not self._run(runner, function, front, feature, provider)
                for function, front, feature, on in self._cases
                if wanted in function.__name__
                for provider in on
            )
        sys.exit(1 if failed else 0)

    def _run(
        self, runner: asyncio.Runner, function: Callable[..., Any], front: str, feature: str, provider: str
    ) -> bool:
        said = None
        began = time.monotonic()
        try:
            outcome = function(provider)
            if inspect.isawaitable(outcome):
                runner.run(asyncio.wait_for(outcome, CASE_SECONDS_MAX))
        except Exception:  # Whatever a client throws is a result.
            said = traceback.format_exc(limit=-6)
        result = {
            "client": self.client,
            "version": self.version,
            "front": front,
            "feature": feature,
            "provider": provider,
            "case": function.__name__,
            "outcome": "failed" if said else "passed",
            "ms": round((time.monotonic() - began) * 1_000),
        }
        if said:
            result["said"] = said
            print(f"FAILED {self.client} {function.__name__} [{provider}]\n{said}", flush=True)
        with open(RESULTS, "a", encoding="utf-8") as results:
            results.write(json.dumps(result) + "\n")
        return said is None


def model(provider: str, behaviour: str = "") -> str:
    """The name that the gateway's configuration has for a provider, or for its misbehaviour."""
    return f"{behaviour}-on-{provider}" if behaviour else f"on-{provider}"


def arrivals(model_there: str) -> int:
    """How many calls the simulated provider got for a model of its own."""
    rows = _simulator("/_sim/stats")["rows"]
    return sum(row["received"] for row in rows if row["model"] == model_there)


def cancelled(model_there: str) -> bool:
    """Waits until the simulated provider saw that a call for this model was given up."""
    query = urllib.parse.urlencode({"cancelled": 1, "model": model_there, "timeout_ms": 5000})
    return bool(_simulator(f"/_sim/wait?{query}")["reached"])


def arrived(model_there: str) -> bool:
    """Waits until a call for this model has reached the simulated provider."""
    query = urllib.parse.urlencode({"received": 1, "model": model_there, "timeout_ms": 5000})
    return bool(_simulator(f"/_sim/wait?{query}")["reached"])


def _simulator(path: str) -> Any:
    with urllib.request.urlopen(SIMULATOR + path, timeout=10) as answer:
        return json.load(answer)


def raises(kind: type[BaseException], action: Callable[[], Any]) -> Any:
    """Runs an action that has to throw this, and returns what it threw."""
    try:
        outcome = action()
    except kind as error:
        return error
    raise AssertionError(f"{kind.__name__} expected, but it returned {outcome!r}")


def equal(got: Any, wanted: Any) -> None:
    """Asserts equality and says both sides."""
    assert got == wanted, f"got {got!r}, wanted {wanted!r}"
