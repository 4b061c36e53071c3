"""The rows of the matrix: every front through every kind of provider, by plain HTTP."""

from __future__ import annotations

import http.client
import json
import struct
import time
import traceback
import urllib.parse
import urllib.request
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import Any

from fronts import FRONTS, TOOLS, Ask, Front, Said
from stage import BASES, LOOK_SECONDS, Stage

# Rows at the same time.
ROWS_MAX = 4
# How long an answer, and how long a record after its call, may take.
ANSWER_SECONDS_MAX = 20
RECORD_SECONDS_MAX = 10
# Kinds that tell the usage of a stream without being asked. The simulated provider waits to be asked.
UNASKED_USAGE = ("mistral", "perplexity")
# What a refusal of something that a provider cannot do is called.
REFUSALS = ("unsupported_parameter", "no_capable_target")
FEATURES = ("plain", "stream", "tools", "structured", "image", "error", "disconnect")
ARGUMENTS = {"city": "Oslo", "days": 3}
# Tokens of an answer that a provider counts beside its words.
BESIDE = {"cohere": 2}
WORDS = "one two three four five six seven eight nine ten eleven twelve"


class Refused(Exception):
    """The gateway says that this provider cannot do it; says why."""


class Row:
    """One front through one provider."""

    def __init__(self, stage: Stage, front: Front, provider: str) -> None:
        self._stage = stage
        self._front = front
        self._provider = provider

    def cells(self) -> list[dict[str, Any]]:
        """All features of this row."""
        return [self._cell(feature) for feature in FEATURES]

    def _cell(self, feature: str) -> dict[str, Any]:
        cell = {
            "client": "matrix",
            "front": self._front.name,
            "provider": self._provider,
            "feature": feature,
            "case": f"{self._front.name} {feature}",
        }
        if why := self._front.without.get(feature):
            return {**cell, "outcome": "none", "why": why}
        try:
            getattr(self, f"_{feature}")()
        except Refused as refusal:
            return {**cell, "outcome": "refused", "why": str(refusal)}
        except Exception:  # Whatever goes wrong is a result.
            said = traceback.format_exc(limit=-4)
            print(f"FAILED matrix {cell['case']} [{self._provider}]\n{said}", flush=True)
            return {**cell, "outcome": "failed", "said": said}
        return {**cell, "outcome": "passed"}

    # === features ===

    def _plain(self) -> None:
        answer = self._call(Ask(self._model(), "hello there"))
        said = self._front.whole(answer)
        if self._front.name == "embeddings":
            return
        assert said.text == "You said: hello there", said
        assert said.output_tokens == 4 + BESIDE.get(self._provider, 0), said

    def _stream(self) -> None:
        whole = self._front.whole(self._call(Ask(self._model(), WORDS)))
        said = self._streamed(Ask(self._model(), WORDS, stream=True))
        assert said.ended and not said.error, said
        assert said.text == whole.text, (said.text, whole.text)
        if self._provider not in UNASKED_USAGE:
            assert said.output_tokens == whole.output_tokens, (said, whole)

    def _tools(self) -> None:
        text = "Please use weather and clock with city=Oslo days=3"
        wanted = [(name, ARGUMENTS) for name in TOOLS]
        for stream in (False, True):
            ask = Ask(self._model(), text, tools=True, stream=stream)
            first = self._streamed(ask) if stream else self._front.whole(self._call(ask))
            assert [(name, arguments) for _, name, arguments in first.calls] == wanted, first
            last = Ask(self._model(), text, tools=True, answered=first)
            said = self._front.whole(self._call(last))
            assert said.text == f"Tool said: {' '.join(TOOLS.values())}", said

    def _structured(self) -> None:
        said = self._front.whole(self._call(Ask(self._model(), "city=Oslo days=3", schema=True)))
        assert json.loads(said.text) == ARGUMENTS, said

    def _image(self) -> None:
        said = self._front.whole(self._call(Ask(self._model(), "look", image=True)))
        assert said.text == "You said: look [1 image]", said

    def _error(self) -> None:
        self._fails(Ask("nobody-knows-this", "hi"), 404, "model_not_found")
        self._fails(Ask(self._model(), "hi"), 401, "invalid_api_key", key="no-such-key")
        if self._front.name == "embeddings":
            try:
                self._call(Ask(self._model(), "hi"))
            except Refused:
                return  # The provider does not embed: that was its error.
        self._fails(Ask(self._model("missing"), "hi"), 404, "upstream_model_not_found")
        self._fails(Ask(self._model("limited"), "hi"), 429, "upstream_rate_limited")
        if "stream" in self._front.without:
            return
        said = self._streamed(Ask(self._model("cut"), WORDS, stream=True))
        assert not said.ended and str(said.error).startswith("upstream_"), said
        said = self._streamed(Ask(self._model("failing"), WORDS, stream=True))
        assert not said.ended and str(said.error).startswith("upstream_"), said

    def _disconnect(self) -> None:
        """The provider hears of it, and the record has the call once, as aborted and with its cost."""
        there = f"drip-100+matrix+{self._front.name}+{self._provider}"
        ask = Ask(f"{self._provider}/{there}", WORDS * 10, stream=True)
        connection, answer = self._send(ask)
        assert answer.status == 200, answer.read()
        record = answer.headers["x-gatehouse-record"]
        seen = b""
        while b"said:" not in seen and (piece := answer.read1()):
            seen += piece
        answer.close()
        connection.close()
        query = urllib.parse.urlencode({"cancelled": 1, "model": there, "timeout_ms": 5_000})
        with urllib.request.urlopen(f"{self._stage.simulator}/_sim/wait?{query}", timeout=10) as waited:
            assert json.load(waited)["reached"], "the provider was not told"
        calls = self._recorded(ask.model)
        assert [one["record"] for one in calls] == [record], calls
        assert calls[0]["outcome"] == "aborted", calls
        assert float(calls[0]["cost_usd"]) > 0, calls

    # === means ===

    def _model(self, behaviour: str = "") -> str:
        return f"{behaviour}-on-{self._provider}" if behaviour else f"on-{self._provider}"

    def _call(self, ask: Ask) -> Any:
        status, headers, body = self._whole(ask)
        self._refusal(status, body)
        assert status == 200, (status, body)
        assert headers["x-gatehouse-record"], "no record"
        assert headers["x-gatehouse-target"].startswith(f"{self._provider}/"), headers["x-gatehouse-target"]
        assert float(headers["x-gatehouse-cost"]) > 0, headers["x-gatehouse-cost"]
        return body

    def _streamed(self, ask: Ask) -> Said:
        connection, answer = self._send(ask)
        with closing(connection):
            if answer.status != 200:
                body = json.load(answer)
                self._refusal(answer.status, body)
                return Said(ended=False, error=self._front.code(body))
            assert answer.headers["content-type"].startswith(self._front.streams), answer.headers
            cut = messages_of if "amazon" in self._front.streams else events_of
            return self._front.streamed(cut(answer))

    def _fails(self, ask: Ask, status: int, code: str, key: str | None = None) -> None:
        got, headers, body = self._whole(ask, key)
        assert (got, self._front.code(body)) == (status, code), (got, body)
        assert headers["x-gatehouse-record"], "no record"

    def _refusal(self, status: int, body: Any) -> None:
        if status == 400 and self._front.code(body) in REFUSALS:
            raise Refused(self._front.refused(body))

    def _whole(self, ask: Ask, key: str | None = None) -> tuple[int, Any, Any]:
        connection, answer = self._send(ask, key)
        with closing(connection):
            return answer.status, answer.headers, json.load(answer)

    def _send(self, ask: Ask, key: str | None = None) -> tuple[Any, Any]:
        where = self._stage.gateway.removeprefix("http://")
        connection = http.client.HTTPConnection(where, timeout=ANSWER_SECONDS_MAX)
        headers = {"content-type": "application/json", **self._front.headers(key or self._stage.key)}
        connection.request("POST", self._front.path(ask), json.dumps(self._front.body(ask)), headers)
        return connection, connection.getresponse()

    def _recorded(self, model: str) -> list[dict[str, Any]]:
        """The calls that the record has for a model, as soon as there is one."""
        until = time.monotonic() + RECORD_SECONDS_MAX
        while not (calls := self._stage.audit("--model", model)) and time.monotonic() < until:
            time.sleep(LOOK_SECONDS)
        return calls


def events_of(answer: Any) -> Iterator[str]:
    """The data of each server-sent event; comments and names are passed over."""
    data: list[str] = []
    for raw in answer:
        line = raw.decode().rstrip("\r\n")
        if line.startswith("data:"):
            data.append(line[5:].removeprefix(" "))
        elif not line and data:
            yield "\n".join(data)
            data = []
    assert not data, f"the last event has no end: {data}"


def messages_of(answer: Any) -> Iterator[str]:
    """Each message of Amazon's event streams as an object with its name for its member. Both sums are checked."""
    while head := answer.read(12):
        total, headers_length, head_sum = struct.unpack(">III", head)
        assert zlib.crc32(head[:8]) == head_sum, "the head of a message is damaged"
        rest = answer.read(total - 12)
        (body_sum,) = struct.unpack(">I", rest[-4:])
        assert zlib.crc32(head + rest[:-4]) == body_sum, "a message is damaged"
        headers, payload = rest[:headers_length], json.loads(rest[headers_length:-4])
        named: dict[str, str] = {}
        while headers:
            at = 1 + headers[0]
            # Seven is a text.
            assert headers[at] == 7, headers
            end = at + 3 + int.from_bytes(headers[at + 1 : at + 3])
            named[headers[1:at].decode()] = headers[at + 3 : end].decode()
            headers = headers[end:]
        kind = named[":message-type"]
        assert kind in ("event", "exception") and named[":content-type"] == "application/json", named
        yield json.dumps({named[f":{kind}-type"]: payload})


def probe(stage: Stage) -> list[dict[str, Any]]:
    """All rows."""
    rows = [Row(stage, front, provider) for front in FRONTS for provider in BASES]
    with ThreadPoolExecutor(ROWS_MAX) as pool:
        return [cell for cells in pool.map(Row.cells, rows) for cell in cells]
