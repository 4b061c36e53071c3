"""The official clients: one request and its answer, in one piece or as a stream, in each dialect."""

from __future__ import annotations

import http.client
import json
import logging
from collections.abc import Callable
from typing import Any

import anthropic
import openai
from anthropic.types import Message, RawMessageStreamEvent
from google import genai
from google.genai import errors, types
from openai.types.chat import ChatCompletion, ChatCompletionChunk
from openai.types.responses import Response, ResponseStreamEvent

Json = Any
# How long a call may take before it is given up.
SECONDS_MAX = 30
# What the clients throw for an answer with an error status.
STATUS_ERRORS = (openai.APIStatusError, anthropic.APIStatusError, errors.APIError)
# The client says so for every recorded request that it is given.
logging.getLogger("google_genai").setLevel(logging.ERROR)


class Clients:
    """The three clients for one address: the gateway's, or the replayed provider's."""

    def __init__(self, address: str, key: str) -> None:
        self.address = address
        self._key = key
        options: dict[str, Any] = {"api_key": key, "max_retries": 0, "timeout": SECONDS_MAX}
        self._openai = openai.OpenAI(base_url=f"{address}/v1", **options)
        self._anthropic = anthropic.Anthropic(base_url=address, **options)
        self._google = genai.Client(
            api_key=key, http_options=types.HttpOptions(base_url=address, timeout=SECONDS_MAX * 1_000)
        )

    def whole(self, front: str, model: str, body: Json) -> Json:
        """An answer in one piece as the client has it, as JSON."""
        if front == "gemini":
            answer = self._google.models.generate_content(**self._gemini(model, body))
            return _google_json(answer)
        post, path, kind, _, _ = self._post(front)
        return _json(post(path, cast_to=kind, body={**body, "model": model}))

    def stream(self, front: str, model: str, body: Json) -> list[Json]:
        """All events of a stream as the client has them, as JSON."""
        if front == "gemini":
            chunks = self._google.models.generate_content_stream(**self._gemini(model, body))
            return [_google_json(chunk) for chunk in chunks]
        post, path, kind, stream, event = self._post(front)
        body = {**body, "model": model, "stream": True}
        events = post(path, cast_to=kind, body=body, stream=True, stream_cls=stream[event])
        return [_json(one) for one in events]

    def bytes(self, front: str, model: str, body: Json, is_stream: bool) -> tuple[int, bytes]:
        """The answer's status and bytes, by no client's doing."""
        if front == "gemini":
            action = "streamGenerateContent?alt=sse" if is_stream else "generateContent"
            path = f"/v1beta/models/{model}:{action}"
        else:
            path = "/v1/chat/completions" if front == "chat" else f"/v1/{front}"
            body = {**body, "model": model, **({"stream": True} if is_stream else {})}
        connection = http.client.HTTPConnection(self.address.removeprefix("http://"), timeout=SECONDS_MAX)
        try:
            headers = {"content-type": "application/json", "authorization": f"Bearer {self._key}"}
            connection.request("POST", path, json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _post(self, front: str) -> tuple[Callable[..., Any], str, Any, Any, Any]:
        if front == "messages":
            return self._anthropic.post, "/v1/messages", Message, anthropic.Stream, RawMessageStreamEvent
        if front == "chat":
            return self._openai.post, "/chat/completions", ChatCompletion, openai.Stream, ChatCompletionChunk
        return self._openai.post, "/responses", Response, openai.Stream, ResponseStreamEvent

    def _gemini(self, model: str, body: Json) -> dict[str, Any]:
        # The body replaces what the client writes, so that it is sent as it is.
        config = types.GenerateContentConfig(
            automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
            http_options=types.HttpOptions(extra_body=body),
        )
        return {"model": model, "contents": "hi", "config": config}


def _json(answer: Any) -> Json:
    # Servers of OpenAI's family answer what the client's types do not have.
    return answer.model_dump(mode="json", exclude_unset=True, warnings=False)


def _google_json(answer: types.GenerateContentResponse) -> Json:
    return answer.model_dump(
        mode="json", by_alias=True, exclude_unset=True, exclude={"sdk_http_response"}, warnings=False
    )


def question(front: str, tools: list[str]) -> Json:
    """The least that may be asked in a dialect, with these tools declared."""
    schema = {"type": "object", "properties": {}}
    said: Json = [{"role": "user", "content": "hi"}]
    if front == "gemini":
        body: Json = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
        declared: Json = [{"functionDeclarations": [{"name": name, "parameters": schema} for name in tools]}]
    elif front == "messages":
        body = {"messages": said, "max_tokens": 4_096}
        declared = [{"name": name, "input_schema": schema} for name in tools]
    elif front == "chat":
        body = {"messages": said}
        declared = [{"type": "function", "function": {"name": name, "parameters": schema}} for name in tools]
    else:
        body = {"input": said}
        plain = {"type": "function", "parameters": schema, "strict": False}
        declared = [{**plain, "name": name} for name in tools]
    return body | {"tools": declared} if tools else body
