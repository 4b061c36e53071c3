"""What is asked of every recording.

* In its own dialect the client gets through the gateway what it gets from the provider, to the byte.
* In every other dialect the answer means what the recording means.
* A provider's refusal is one in the caller's dialect, and of the right class.
* An answer that breaks off is an error to the client.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import meaning
import theatre
from fronts import STATUS_ERRORS, Clients, question
from recordings import Recording

Json = Any
# Codes by which the gateway itself refuses a request.
OWN_REFUSALS = ("unsupported_parameter", "invalid_request", "no_capable_target", "not_found")
# What a provider's refusal may become, by the provider's status: its keys are not the caller's, and some
# call an unknown model or a wrong key a bad request.
CLASSES = {200: {400}, 400: {400, 404, 502}, 401: {502}, 403: {502}, 404: {404}, 422: {400}, 429: {429}}
FAILED = {502, 503, 504, 529}
# How an answer may be: refused is by the gateway, by name.
VERDICTS = ("equal", "refused", "different")
# How much of a value is shown.
SHOWN_CHARS_MAX = 300


@dataclass
class Result:
    """How one question was answered."""

    file: str
    provider: str
    dialect: str
    front: str
    check: str
    # One of `VERDICTS`.
    verdict: str
    said: str = ""


@dataclass
class Found:
    """What the checks of one recording came to."""

    results: list[Result] = field(default_factory=list)
    # The calls that the gateway's record has to have, by model.
    calls: Counter[str] = field(default_factory=Counter)
    # What those that go well used, by model, where the recording says so.
    usage: dict[str, tuple[int, int]] = field(default_factory=dict)


class Refused(Exception):
    """The gateway refused the recorded request."""


class Checks:
    """All checks of one recording."""

    def __init__(self, recording: Recording, direct: Clients, gateway: Clients) -> None:
        self._recording = recording
        self._direct = direct
        self._gateway = gateway
        self._model = theatre.name_of(recording)
        self.found = Found()

    def run(self) -> None:
        """Runs them."""
        if self._recording.is_broken:
            for front in theatre.fronts_of(self._recording):
                self._note(front, "error", lambda front=front: self._breaks(front, self._model))
            return
        used = None if self._recording.is_error else _native(self._recording).usage
        if used:
            self.found.usage = {self._model: used, theatre.pieces_name(self._recording): used}
        for front in theatre.fronts_of(self._recording):
            if self._recording.is_error:
                self._note(front, "error", lambda front=front: self._error(front))
                continue
            if front == self._recording.dialect:
                self._own(front)
            else:
                self._foreign(front)
            broken = theatre.cut_name(self._recording, front)
            self._note(front, "cut", lambda front=front, broken=broken: self._breaks(front, broken))

    def _note(self, front: str, check: str, ask: Callable[[], None]) -> bool:
        verdict, said = "equal", ""
        try:
            ask()
        except Refused as refusal:
            verdict, said = "refused", str(refusal)
        except Exception as error:  # Whatever a client throws is a result.
            verdict, said = "different", f"{type(error).__name__}: {error}"
        one = self._recording
        self.found.results.append(Result(one.file, one.provider, one.dialect, front, check, verdict, said))
        return verdict != "refused"

    # === the same dialect ===

    def _own(self, front: str) -> None:
        if not self._note(front, "same", lambda: self._same(front, self._recording.request)):
            # The answer can be compared all the same.
            self._note(front, "same", lambda: self._same(front, question(front, [])))

    def _same(self, front: str, request: Json) -> None:
        body = {name: value for name, value in request.items() if name not in ("stream", "model")}
        # Answers that were fetched later have no request of their own.
        body = body or question(front, [])
        if front == "responses":
            # What is kept gets ids of the gateway's own, and would differ in those.
            body = {name: value for name, value in body.items() if name != "background"} | {"store": False}
        one = self._recording
        if one.is_stream and front == "chat":
            body["stream_options"] = {"include_usage": True}
        status, there = self._counted(self._model).bytes(
            front, self._target(front, self._model), body, one.is_stream
        )
        if status in (400, 404) and (refusal := _own_refusal(there)):
            raise Refused(refusal)
        _equal(there.decode(), one.body, f"status {status}, bytes")
        ask = "stream" if one.is_stream else "whole"
        wanted = getattr(self._direct, ask)(front, self._model, body)
        got = getattr(self._counted(self._model), ask)(front, self._target(front, self._model), body)
        _equal(got, wanted, "what the client has")
        if one.is_stream:
            self._same_in_pieces(front, body, wanted)

    def _same_in_pieces(self, front: str, body: Json, wanted: list[Json]) -> None:
        model = theatre.pieces_name(self._recording)
        if front == "chat":
            body = {name: value for name, value in body.items() if name != "stream_options"}
        got = self._counted(model).stream(front, self._target(front, model), body)
        if front == "chat":
            # Who does not ask for usage does not see the chunk that has nothing else, as clients take the
            # first choice of each, nor the empty member that stands for it in the others.
            seen = [chunk for chunk in wanted if chunk.get("choices") or not chunk.get("usage")]
            empty = ("usage", None)
            wanted = [{name: of for name, of in chunk.items() if (name, of) != empty} for chunk in seen]
        _equal(got, wanted, "what the client has of small pieces")

    # === other dialects ===

    def _foreign(self, front: str) -> None:
        one = self._recording
        self._note(front, "meaning", lambda: self._means(front, self._model))
        if one.is_stream:
            self._note(front, "pieces", lambda: self._means(front, theatre.pieces_name(one)))

    def _means(self, front: str, model: str) -> None:
        one = self._recording
        wanted = _native(one)
        body = question(front, sorted({name for name, _ in wanted.calls}))
        if one.is_stream and front == "chat":
            body["stream_options"] = {"include_usage": True}
        ask = self._counted(model)
        if one.is_stream:
            got = meaning.of_stream(front, ask.stream(front, self._target(front, model), body))
        else:
            got = meaning.of_answer(front, ask.whole(front, self._target(front, model), body))
        for name in ("text", "calls", "finish", "usage"):
            if name == "usage" and wanted.usage is None:
                continue
            if name == "finish" and wanted.is_refusal and got.finish in ("stop", "content_filter"):
                continue
            _equal(getattr(got, name), getattr(wanted, name), name)

    # === refusals and breaks ===

    def _error(self, front: str) -> None:
        one = self._recording
        ask = self._counted(self._model)
        target = self._target(front, self._model)
        body = question(front, [])
        try:
            (ask.stream if one.is_stream else ask.whole)(front, target, body)
        except STATUS_ERRORS as error:
            status = getattr(error, "status_code", None) or getattr(error, "code", None)
            wanted = CLASSES.get(one.status, FAILED if one.status >= 500 else {400})
            if status not in wanted:
                raise AssertionError(f"status {status} for the provider's {one.status}: {error}") from error
            _check_shape(front, error)
            return
        raise AssertionError("the client threw nothing")

    def _breaks(self, front: str, model: str) -> None:
        one = self._recording
        ask = self._counted(model)
        target, body = self._target(front, model), question(front, [])
        if not one.is_stream:
            try:
                ask.whole(front, target, body)
            except STATUS_ERRORS:
                return
            raise AssertionError("the client threw nothing")
        try:
            events = ask.stream(front, target, body)
        except Exception:  # Which one is the client's affair.
            return
        # OpenAI's client has the end of a response among its events.
        last = events[-1].get("type") if events else None
        if last not in ("error", "response.failed"):
            raise AssertionError(f"the client threw nothing; its last event is {str(events[-1:])}")

    def _counted(self, model: str) -> Clients:
        self.found.calls[model] += 1
        return self._gateway

    def _target(self, front: str, model: str) -> str:
        return f"{theatre.provider_for(self._recording, front)}/{model}"


def _native(recording: Recording) -> meaning.Meaning:
    if recording.is_stream:
        return meaning.of_stream(recording.dialect, recording.events)
    return meaning.of_answer(recording.dialect, json.loads(recording.body))


def _own_refusal(body: bytes) -> str:
    """Code and words of a refusal that is the gateway's own."""
    try:
        error = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError):
        return ""
    reasons = [detail.get("reason") for detail in error.get("details") or []]
    code = next((one for one in (error.get("code"), *reasons) if one in OWN_REFUSALS), None)
    return f"{code}: {error.get('message')}" if code else ""


def _check_shape(front: str, error: Any) -> None:
    """The body of a refusal is that of the front's dialect."""
    if front == "gemini":
        inner, wanted = error.details["error"], {"code": int, "message": str, "status": str}
    elif front == "messages":
        inner, wanted = error.body["error"], {"type": str, "message": str}
        _equal(error.body.get("type"), "error", "type")
    else:
        inner, wanted = error.body, {"message": str, "type": str, "code": str}
    for name, kind in wanted.items():
        if not isinstance(inner.get(name), kind) or not inner[name]:
            raise AssertionError(f"{name} is {inner.get(name)!r} in {inner}")


def _equal(got: Any, wanted: Any, what: str) -> None:
    if got == wanted:
        return
    where, got, wanted = _first_difference(got, wanted, what)
    raise AssertionError(f"{where}: got {_shown(got)}, wanted {_shown(wanted)}")


def _first_difference(got: Any, wanted: Any, where: str) -> tuple[str, Any, Any]:
    if isinstance(got, dict) and isinstance(wanted, dict):
        for name in [*wanted, *got]:
            if got.get(name, ...) != wanted.get(name, ...):
                return _first_difference(got.get(name, ...), wanted.get(name, ...), f"{where}.{name}")
    if isinstance(got, list | tuple) and isinstance(wanted, list | tuple):
        for place, (one, other) in enumerate(zip_longest(got, wanted, fillvalue=...)):
            if one != other:
                return _first_difference(one, other, f"{where}[{place} of {len(wanted)}]")
    if isinstance(got, str) and isinstance(wanted, str):
        pairs = zip(got, wanted, strict=False)
        at = next((at for at, (one, other) in enumerate(pairs) if one != other), min(len(got), len(wanted)))
        begin = max(0, at - SHOWN_CHARS_MAX // 3)
        return f"{where} at {at}", got[begin:], wanted[begin:]
    return where, got, wanted


def _shown(value: Any) -> str:
    text = "nothing" if value is ... else repr(value)
    return text if len(text) <= SHOWN_CHARS_MAX else f"{text[:SHOWN_CHARS_MAX]}…"
