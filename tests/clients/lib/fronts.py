"""The gateway's fronts as plain HTTP: how each one asks for a thing, and how it answers.

Written from the dialects' own documents with the standard library, so that the rows of the matrix depend on
no client.
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg=="
)
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city", "days"],
    "additionalProperties": False,
}
# The tools, and what each one gives back.
TOOLS = {"weather": "rain", "clock": "noon"}
MAX_TOKENS = 1_000


@dataclass
class Said:
    """An answer, in no dialect's words."""

    text: str = ""
    # Id, name and arguments of each call.
    calls: list[tuple[str, str, Any]] = field(default_factory=list)
    output_tokens: int | None = None
    # Whether it came to a proper end; an answer in one piece always does.
    ended: bool = True
    # The stable code of the error that it ended with.
    error: str | None = None
    # The turn as it goes back.
    turn: Any = None


@dataclass
class Ask:
    """A request, in no dialect's words."""

    model: str
    text: str
    stream: bool = False
    tools: bool = False
    schema: bool = False
    image: bool = False
    # The turn with calls that is answered now.
    answered: Said | None = None


class Front:
    """One API of the gateway."""

    name = ""
    # How its streams are framed.
    streams = "text/event-stream"
    # What the dialect does not have, and why.
    without: dict[str, str] = {}

    def path(self, ask: Ask) -> str:
        """Where the request goes."""
        raise NotImplementedError

    def headers(self, key: str) -> dict[str, str]:
        """The caller's key as this dialect carries it."""
        return {"authorization": f"Bearer {key}"}

    def body(self, ask: Ask) -> dict[str, Any]:
        """The request."""
        raise NotImplementedError

    def whole(self, answer: Any) -> Said:
        """An answer in one piece."""
        raise NotImplementedError

    def streamed(self, events: Iterable[str]) -> Said:
        """The data of all events of a stream."""
        raise NotImplementedError

    def code(self, answer: Any) -> str | None:
        """The stable code of an error, `None` when it is not in this dialect's form."""
        error = answer["error"]
        return error.get("code") if isinstance(error.get("message"), str) else None


    def refused(self, answer: Any) -> str:
        """What a refusal names: the parameter, or else what it is called."""
        return answer["error"].get("param") or self.code(answer)


class Chat(Front):
    """OpenAI's chat completions."""

    name = "chat"

    def path(self, ask: Ask) -> str:
        return "/v1/chat/completions"

    def body(self, ask: Ask) -> dict[str, Any]:
        content: Any = ask.text
        if ask.image:
            picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
            content = [{"type": "text", "text": ask.text}, picture]
        messages: list[Any] = [{"role": "user", "content": content}]
        if ask.answered:
            results = (
                {"role": "tool", "tool_call_id": call, "content": TOOLS[name]}
                for call, name, _ in ask.answered.calls
            )
            messages += [ask.answered.turn, *results]
        body: dict[str, Any] = {"model": ask.model, "messages": messages}
        if ask.stream:
            body |= {"stream": True, "stream_options": {"include_usage": True}}
        if ask.tools:
            functions = ({"name": name, "description": name, "parameters": SCHEMA} for name in TOOLS)
            body["tools"] = [{"type": "function", "function": one} for one in functions]
        if ask.schema:
            schema = {"name": "city", "schema": SCHEMA, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return body

    def whole(self, answer: Any) -> Said:
        message = answer["choices"][0]["message"]
        calls = [
            (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"]))
            for call in message.get("tool_calls") or []
        ]
        tokens = answer["usage"]["completion_tokens"]
        return Said(message.get("content") or "", calls, tokens, turn=message)

    def streamed(self, events: Iterable[str]) -> Said:
        said = Said(ended=False)
        pieces: dict[int, dict[str, Any]] = {}
        for data in events:
            if data == "[DONE]":
                said.ended = True
                continue
            chunk = json.loads(data)
            if "error" in chunk:
                said.error = self.code(chunk)
                break
            said.output_tokens = (chunk.get("usage") or {}).get("completion_tokens", said.output_tokens)
            for choice in chunk["choices"]:
                delta = choice["delta"]
                said.text += delta.get("content") or ""
                for call in delta.get("tool_calls") or []:
                    _join(pieces.setdefault(call["index"], {}), call)
        made = [pieces[index] for index in sorted(pieces)]
        for call in made:
            call.pop("index", None)
        said.calls = [
            (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"])) for call in made
        ]
        said.turn = {"role": "assistant", "content": said.text or None, "tool_calls": made}
        return said


def _join(whole: dict[str, Any], piece: dict[str, Any]) -> None:
    """Adds a delta of a call to what is there: texts of arguments grow, everything else is set once."""
    for name, value in piece.items():
        if isinstance(value, dict):
            _join(whole.setdefault(name, {}), value)
        elif name == "arguments":
            whole[name] = whole.get(name, "") + value
        elif value is not None:
            whole[name] = value


class Completions(Front):
    """OpenAI's old completions."""

    name = "completions"
    without = dict.fromkeys(("tools", "structured", "image"), "not in this API")

    def path(self, ask: Ask) -> str:
        return "/v1/completions"

    def body(self, ask: Ask) -> dict[str, Any]:
        body = {"model": ask.model, "prompt": ask.text, "max_tokens": MAX_TOKENS}
        return body | ({"stream": True, "stream_options": {"include_usage": True}} if ask.stream else {})

    def whole(self, answer: Any) -> Said:
        return Said(answer["choices"][0]["text"].strip(), [], answer["usage"]["completion_tokens"])

    def streamed(self, events: Iterable[str]) -> Said:
        said = Said(ended=False)
        for data in events:
            if data == "[DONE]":
                said.ended = True
                continue
            chunk = json.loads(data)
            if "error" in chunk:
                said.error = self.code(chunk)
                break
            said.output_tokens = (chunk.get("usage") or {}).get("completion_tokens", said.output_tokens)
            said.text += "".join(choice["text"] for choice in chunk["choices"])
        said.text = said.text.strip()
        return said


class Responses(Front):
    """OpenAI's responses."""

    name = "responses"

    def path(self, ask: Ask) -> str:
        return "/v1/responses"

    def body(self, ask: Ask) -> dict[str, Any]:
        parts: list[Any] = [{"type": "input_text", "text": ask.text}]
        if ask.image:
            parts.append({"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"})
        items: list[Any] = [{"role": "user", "content": parts}]
        if ask.answered:
            results = (
                {"type": "function_call_output", "call_id": call, "output": TOOLS[name]}
                for call, name, _ in ask.answered.calls
            )
            items += [*ask.answered.turn, *results]
        body: dict[str, Any] = {"model": ask.model, "input": items, "store": False, "stream": ask.stream}
        if ask.tools:
            body["tools"] = [{"type": "function", "name": name, "parameters": SCHEMA} for name in TOOLS]
        if ask.schema:
            body["text"] = {"format": {"type": "json_schema", "name": "city", "schema": SCHEMA}}
        return body

    def whole(self, answer: Any) -> Said:
        usage = answer["usage"] or {}
        said = Said(output_tokens=usage.get("output_tokens"), turn=answer["output"])
        for item in answer["output"]:
            if item["type"] == "message":
                said.text += "".join(part["text"] for part in item["content"])
            elif item["type"] == "function_call":
                said.calls.append((item["call_id"], item["name"], json.loads(item["arguments"])))
        return said

    def streamed(self, events: Iterable[str]) -> Said:
        text = ""
        for data in events:
            event = json.loads(data)
            if event["type"] == "response.output_text.delta":
                text += event["delta"]
            elif event["type"] == "response.completed":
                said = self.whole(event["response"])
                assert said.text == text, f"the deltas say {text!r}, the end says {said.text!r}"
                return said
            elif event["type"] == "response.failed":
                return Said(text, ended=False, error=event["response"]["error"]["code"])
            elif event["type"] == "error":
                return Said(text, ended=False, error=event["code"])
        return Said(text, ended=False)


class Messages(Front):
    """Anthropic's messages."""

    name = "messages"

    def path(self, ask: Ask) -> str:
        return "/v1/messages"

    def headers(self, key: str) -> dict[str, str]:
        return {"x-api-key": key, "anthropic-version": "2023-06-01"}

    def body(self, ask: Ask) -> dict[str, Any]:
        content: Any = ask.text
        if ask.image:
            source = {"type": "base64", "media_type": "image/png", "data": PNG}
            content = [{"type": "image", "source": source}, {"type": "text", "text": ask.text}]
        messages: list[Any] = [{"role": "user", "content": content}]
        if ask.answered:
            results = [
                {"type": "tool_result", "tool_use_id": call, "content": TOOLS[name]}
                for call, name, _ in ask.answered.calls
            ]
            turn = {"role": "assistant", "content": ask.answered.turn}
            messages += [turn, {"role": "user", "content": results}]
        body: dict[str, Any] = {
            "model": ask.model,
            "max_tokens": MAX_TOKENS,
            "messages": messages,
            "stream": ask.stream,
        }
        if ask.tools:
            body["tools"] = [{"name": name, "description": name, "input_schema": SCHEMA} for name in TOOLS]
        if ask.schema:
            body["output_config"] = {"format": {"type": "json_schema", "schema": SCHEMA}}
        return body

    def whole(self, answer: Any) -> Said:
        return self._of(answer["content"], answer["usage"]["output_tokens"])

    def streamed(self, events: Iterable[str]) -> Said:
        blocks: list[dict[str, Any]] = []
        inputs: dict[int, str] = {}
        tokens: int | None = None
        for data in events:
            event = json.loads(data)
            kind = event["type"]
            if kind == "error":
                return Said(ended=False, error=self.code(event))
            if kind == "content_block_start":
                blocks.append(dict(event["content_block"]))
            elif kind == "content_block_delta":
                delta, index = event["delta"], event["index"]
                if delta["type"] == "input_json_delta":
                    inputs[index] = inputs.get(index, "") + delta["partial_json"]
                elif delta["type"] == "text_delta":
                    blocks[index]["text"] += delta["text"]
            elif kind == "message_delta":
                tokens = event["usage"]["output_tokens"]
            elif kind == "message_stop":
                for index, text in inputs.items():
                    blocks[index]["input"] = json.loads(text or "{}")
                return self._of(blocks, tokens)
        return Said(ended=False)

    @staticmethod
    def _of(blocks: list[Any], tokens: int | None) -> Said:
        text = "".join(block["text"] for block in blocks if block["type"] == "text")
        uses = [block for block in blocks if block["type"] == "tool_use"]
        calls = [(block["id"], block["name"], block["input"]) for block in uses]
        return Said(text, calls, tokens, turn=blocks)


class Gemini(Front):
    """Gemini's content."""

    name = "gemini"

    def path(self, ask: Ask) -> str:
        call = "streamGenerateContent?alt=sse" if ask.stream else "generateContent"
        return f"/v1beta/models/{ask.model}:{call}"

    def headers(self, key: str) -> dict[str, str]:
        return {"x-goog-api-key": key}

    def body(self, ask: Ask) -> dict[str, Any]:
        parts: list[Any] = [{"text": ask.text}]
        if ask.image:
            parts.append({"inlineData": {"mimeType": "image/png", "data": PNG}})
        contents: list[Any] = [{"role": "user", "parts": parts}]
        if ask.answered:
            results = [
                {"functionResponse": {"id": call, "name": name, "response": {"result": TOOLS[name]}}}
                for call, name, _ in ask.answered.calls
            ]
            turn = {"role": "model", "parts": ask.answered.turn}
            contents += [turn, {"role": "user", "parts": results}]
        body: dict[str, Any] = {"contents": contents}
        if ask.tools:
            declared = [{"name": name, "parametersJsonSchema": SCHEMA} for name in TOOLS]
            body["tools"] = [{"functionDeclarations": declared}]
        if ask.schema:
            form = {"responseMimeType": "application/json", "responseJsonSchema": SCHEMA}
            body["generationConfig"] = form
        return body

    def whole(self, answer: Any) -> Said:
        return self._of(answer["candidates"][0]["content"]["parts"], answer["usageMetadata"])

    def streamed(self, events: Iterable[str]) -> Said:
        parts: list[Any] = []
        usage: dict[str, Any] = {}
        ended = False
        for data in events:
            chunk = json.loads(data)
            if "error" in chunk:
                return Said(ended=False, error=self.code(chunk))
            candidate = (chunk.get("candidates") or [{}])[0]
            parts += candidate.get("content", {}).get("parts", [])
            ended = ended or "finishReason" in candidate
            usage = chunk.get("usageMetadata") or usage
        said = self._of(parts, usage)
        said.ended = ended
        return said

    def refused(self, answer: Any) -> str:
        violations = (one.get("fieldViolations", []) for one in answer["error"]["details"])
        return next((one["field"] for some in violations for one in some), None) or super().refused(answer)

    def code(self, answer: Any) -> str | None:
        details = answer["error"].get("details", [])
        return next((one["reason"] for one in details if "reason" in one), None)

    @staticmethod
    def _of(parts: list[Any], usage: dict[str, Any]) -> Said:
        text = "".join(part.get("text", "") for part in parts)
        made = [part["functionCall"] for part in parts if "functionCall" in part]
        calls = [(call.get("id"), call["name"], call["args"]) for call in made]
        return Said(text, calls, usage.get("candidatesTokenCount"), turn=parts)


class Cohere(Front):
    """Cohere's chat."""

    name = "cohere"

    def path(self, ask: Ask) -> str:
        return "/v2/chat"

    def body(self, ask: Ask) -> dict[str, Any]:
        content: Any = ask.text
        if ask.image:
            picture = {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}}
            content = [{"type": "text", "text": ask.text}, picture]
        messages: list[Any] = [{"role": "user", "content": content}]
        if ask.answered:
            results = (
                {"role": "tool", "tool_call_id": call, "content": TOOLS[name]}
                for call, name, _ in ask.answered.calls
            )
            messages += [ask.answered.turn, *results]
        body: dict[str, Any] = {"model": ask.model, "messages": messages, "stream": ask.stream}
        if ask.tools:
            functions = ({"name": name, "description": name, "parameters": SCHEMA} for name in TOOLS)
            body["tools"] = [{"type": "function", "function": one} for one in functions]
        if ask.schema:
            body["response_format"] = {"type": "json_object", "json_schema": SCHEMA}
        return body

    def whole(self, answer: Any) -> Said:
        return self._of(answer["message"], answer["usage"]["tokens"]["output_tokens"])

    def streamed(self, events: Iterable[str]) -> Said:
        message: dict[str, Any] = {"role": "assistant", "content": [], "tool_calls": []}
        said = Said(ended=False)
        for data in events:
            if data == "[DONE]":
                return said
            event = json.loads(data)
            delta = event.get("delta", {}).get("message", {})
            match event["type"]:
                case "content-start":
                    message["content"].append(dict(delta["content"]))
                case "content-delta":
                    _grow(message["content"][event["index"]], delta["content"])
                case "tool-call-start":
                    message["tool_calls"].append(delta["tool_calls"])
                case "tool-call-delta":
                    _join(message["tool_calls"][event["index"]], delta["tool_calls"])
                case "message-end" if "error" in event["delta"]:
                    return Said(ended=False, error=self.code(event))
                case "message-end":
                    said = self._of(message, event["delta"]["usage"]["tokens"]["output_tokens"])
        said.ended = False
        return said

    def refused(self, answer: Any) -> str:
        return answer.get("param") or self.code(answer)

    def code(self, answer: Any) -> str | None:
        return answer.get("code") if isinstance(answer.get("message"), str) else None

    @staticmethod
    def _of(message: dict[str, Any], tokens: int) -> Said:
        text = "".join(part.get("text", "") for part in message.get("content") or [])
        made = message.get("tool_calls") or []
        calls = [
            (call["id"], call["function"]["name"], json.loads(call["function"]["arguments"])) for call in made
        ]
        return Said(text, calls, tokens, turn=message)


def _grow(whole: dict[str, Any], piece: dict[str, Any]) -> None:
    """Adds a delta of a content to what is there."""
    for name, value in piece.items():
        whole[name] = whole.get(name, "") + value


class Converse(Front):
    """Amazon Bedrock's Converse."""

    name = "converse"
    streams = "application/vnd.amazon.eventstream"

    def path(self, ask: Ask) -> str:
        call = "converse-stream" if ask.stream else "converse"
        return f"/model/{urllib.parse.quote(ask.model, safe='')}/{call}"

    def body(self, ask: Ask) -> dict[str, Any]:
        content: list[Any] = [{"text": ask.text}]
        if ask.image:
            content.append({"image": {"format": "png", "source": {"bytes": PNG}}})
        messages: list[Any] = [{"role": "user", "content": content}]
        if ask.answered:
            results = [
                {"toolResult": {"toolUseId": call, "content": [{"text": TOOLS[name]}]}}
                for call, name, _ in ask.answered.calls
            ]
            turn = {"role": "assistant", "content": ask.answered.turn}
            messages += [turn, {"role": "user", "content": results}]
        body: dict[str, Any] = {"messages": messages}
        if ask.tools:
            specs = ({"name": name, "description": name, "inputSchema": {"json": SCHEMA}} for name in TOOLS)
            body["toolConfig"] = {"tools": [{"toolSpec": spec} for spec in specs]}
        if ask.schema:
            structure = {"jsonSchema": {"name": "city", "schema": json.dumps(SCHEMA)}}
            body["outputConfig"] = {"textFormat": {"type": "json_schema", "structure": structure}}
        return body

    def whole(self, answer: Any) -> Said:
        return self._of(answer["output"]["message"]["content"], answer["usage"]["outputTokens"])

    def streamed(self, events: Iterable[str]) -> Said:
        blocks: dict[int, Any] = {}
        for data in events:
            ((name, said),) = json.loads(data).items()
            at = said.get("contentBlockIndex")
            if name.endswith("Exception"):
                return Said(ended=False, error=self.code(said))
            if name == "contentBlockStart":
                blocks[at] = {"toolUse": {**said["start"]["toolUse"], "input": ""}}
            elif name == "contentBlockDelta":
                block, delta = blocks.setdefault(at, {}), said["delta"]
                if "text" in delta:
                    block["text"] = block.get("text", "") + delta["text"]
                elif "toolUse" in delta:
                    block["toolUse"]["input"] += delta["toolUse"]["input"]
                else:
                    shown = block.setdefault("reasoningContent", {"reasoningText": {"text": ""}})
                    for part, text in delta["reasoningContent"].items():
                        shown["reasoningText"][part] = shown["reasoningText"].get(part, "") + text
            elif name == "contentBlockStop" and "toolUse" in blocks.get(at, {}):
                blocks[at]["toolUse"]["input"] = json.loads(blocks[at]["toolUse"]["input"])
            elif name == "metadata":
                return self._of([blocks[at] for at in sorted(blocks)], said["usage"]["outputTokens"])
        return Said(ended=False)

    def refused(self, answer: Any) -> str:
        return answer.get("param") or self.code(answer)

    def code(self, answer: Any) -> str | None:
        return answer.get("code") if isinstance(answer.get("message"), str) else None

    @staticmethod
    def _of(blocks: list[Any], tokens: int) -> Said:
        text = "".join(block.get("text", "") for block in blocks)
        uses = [block["toolUse"] for block in blocks if "toolUse" in block]
        calls = [(call["toolUseId"], call["name"], call["input"]) for call in uses]
        return Said(text, calls, tokens, turn=blocks)


class Embeddings(Front):
    """OpenAI's embeddings."""

    name = "embeddings"
    without = {
        **dict.fromkeys(("stream", "disconnect"), "answers come in one piece"),
        **dict.fromkeys(("tools", "structured", "image"), "not in this API"),
    }

    def path(self, ask: Ask) -> str:
        return "/v1/embeddings"

    def body(self, ask: Ask) -> dict[str, Any]:
        return {"model": ask.model, "input": [ask.text, "other", ask.text]}

    def whole(self, answer: Any) -> Said:
        one, other, again = (item["embedding"] for item in answer["data"])
        assert one == again != other, "equal texts have equal vectors, others do not"
        return Said()


FRONTS: list[Front] = [Chat(), Completions(), Responses(), Messages(), Gemini(), Cohere(), Converse(), Embeddings()]
