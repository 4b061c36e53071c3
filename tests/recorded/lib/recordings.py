"""The recorded exchanges: which of them there are, what they are in, and what is replayed of them."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

FOLDER = Path(os.environ["GATEHOUSE_RECORDED"])
# The APIs that are tried, and the dialect of each.
DIALECTS = {
    "chat_completions": "chat",
    "messages": "messages",
    "generate_content": "gemini",
    "stream_generate_content": "gemini",
    "responses": "responses",
}
# Folders of recordings and the kind of provider that they come from, where the two are not called alike.
# The others are servers of OpenAI's family without a kind of their own.
KINDS = {"vertex": "gemini", "pydantic_gateway": "openai"}
OWN_KINDS = {
    "openai", "anthropic", "gemini", "mistral", "groq", "deepseek", "xai", "together", "openrouter",
    "perplexity", "ollama", "llamacpp",
}  # fmt: skip
# Kinds that speak Responses themselves; recordings of it at others are replayed as OpenAI's.
RESPONSES_KINDS = {"openai", "xai", "openrouter", "groq"}
EVENT_STREAM = "text/event-stream"


@dataclass
class Recording:
    """One exchange."""

    # Its place in the index, from which names of models are made.
    number: int
    file: str
    provider: str
    dialect: str
    # What the gateway is told that the provider is.
    kind: str
    status: int
    is_stream: bool
    # The request's body as it was, `{}` where it is not known.
    request: dict[str, Any]
    content_type: str
    body: str
    headers: dict[str, str]

    @cached_property
    def is_error(self) -> bool:
        """Whether the provider refused, be it with a status of success as Azure's filter."""
        if self.status >= 400 or self.is_stream or self.dialect != "chat":
            return self.status >= 400
        return bool(json.loads(self.body).get("error"))

    @property
    def is_broken(self) -> bool:
        """Whether it is a stream in which the provider says that it failed."""
        return self.is_stream and any(
            event.get("error") or event.get("type") in ("error", "response.failed") for event in self.events
        )

    @cached_property
    def events(self) -> list[Any]:
        """The data of a stream's events."""
        lines = [
            [line[5:].strip() for line in event.split("\n") if line.startswith("data:")]
            for event in self.body.replace("\r\n", "\n").split("\n\n")
        ]
        data = ["\n".join(event) for event in lines]
        return [json.loads(one) for one in data if one and one != "[DONE]"]


def load(part: str = "") -> list[Recording]:
    """All recordings that are tried, or those with `part` in their file's name."""
    lines = (FOLDER / "INDEX.jsonl").read_text().splitlines()
    found = [_read(number, json.loads(line)) for number, line in enumerate(lines) if part in line]
    return [one for one in found if one is not None]


def _read(number: int, entry: dict[str, Any]) -> Recording | None:
    dialect = DIALECTS.get(entry["api"])
    if dialect is None:
        return None
    exchange = json.loads((FOLDER / entry["file"]).read_text())
    response = exchange["response"]
    body, is_stream = response.get("body_text"), "body_text" in response
    if body is None:
        body = json.dumps(response["body"], ensure_ascii=False, indent=1)
    if isinstance(response.get("body"), list):
        # Gemini's array, which it answers to those who do not ask for events. The gateway does.
        body, is_stream = "".join(f"data: {json.dumps(one)}\r\n\r\n" for one in response["body"]), True
    headers = {name.lower(): value for name, value in response["headers"].items()}
    request = exchange["request"].get("body")
    return Recording(
        number=number,
        file=entry["file"],
        provider=entry["provider"],
        dialect=dialect,
        kind=_kind(entry["provider"], dialect),
        status=entry["status"],
        is_stream=is_stream,
        request=request if isinstance(request, dict) else {},
        content_type=EVENT_STREAM if is_stream else "application/json",
        body=body,
        headers={name: value for name, value in headers.items() if name in ("retry-after", "x-request-id")},
    )


def _kind(provider: str, dialect: str) -> str:
    if dialect == "messages":
        return "anthropic"
    if dialect == "responses":
        return provider if provider in RESPONSES_KINDS else "openai"
    kind = KINDS.get(provider, provider)
    return kind if kind in OWN_KINDS else "compatible"
