"""What an answer means, read from its own dialect: the oracle.

It reads the recordings and what the clients return alike, and knows nothing of the gateway. What it says of
a recording has to be what it says of the same answer in any other dialect.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

Json = Any

# Stop reasons, by what a client does about them. What is not named here is an ordinary end.
LENGTH = {
    "length", "max_tokens", "model_length", "model_context_window_exceeded", "compaction",
    "max_output_tokens", "MAX_TOKENS", "CONTINUATION",
}  # fmt: skip
CALLS = {"tool_calls", "tool_call", "tool_use", "function_call"}
WITHHELD = {
    "content_filter", "refusal", "SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT",
    "SPII", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "IMAGE_OTHER", "MODEL_ARMOR",
    "ESCALATION", "JAILBREAK",
}  # fmt: skip


@dataclass
class Meaning:
    """What a caller learns from an answer."""

    text: str = ""
    calls: list[tuple[str, Json]] = field(default_factory=list)
    finish: str = ""
    # Whether the text is a refusal of the model's, which some dialects call an ordinary end, some a filter's.
    is_refusal: bool = False
    # Tokens of the prompt and of the answer, everything included; `None` when the answer does not say.
    usage: tuple[int, int] | None = None


def of_answer(dialect: str, body: Json) -> Meaning:
    """Of an answer in one piece."""
    read = {"chat": _chat, "messages": _messages, "gemini": _gemini, "responses": _responses}
    return read[dialect](body)


def of_stream(dialect: str, events: Iterable[Json]) -> Meaning:
    """Of a stream."""
    fold = {
        "chat": _fold_chat,
        "messages": _fold_messages,
        "gemini": _fold_gemini,
        "responses": _fold_responses,
    }
    return of_answer(dialect, fold[dialect](events))


def _finish(word: str | None, has_calls: bool) -> str:
    if word in LENGTH:
        return "length"
    if word in WITHHELD:
        return "content_filter"
    # Many say an ordinary `stop` beside calls.
    return "tool_calls" if has_calls or word in CALLS else "stop"


def _arguments(text: str | None) -> Json:
    """Arguments as JSON. None at all are an empty object. Where a model was cut off in the middle of them,
    dialects that have objects for them say so with a member of this name."""
    if not (text or "").strip():
        return {}
    try:
        return json.loads(text or "")
    except ValueError:
        return {"__raw": text}


def _sum(counts: Json, *names: str) -> int:
    return sum(int(counts.get(name) or 0) for name in names)


# === chat ===


def _chat(body: Json) -> Meaning:
    choice = (body.get("choices") or [{}])[0]
    message = choice.get("message") or {}
    calls = [call for call in map(_chat_call, message.get("tool_calls") or []) if call[0]]
    if (message.get("function_call") or {}).get("name"):
        calls.append(_chat_call({"function": message["function_call"]}))
    text = _chat_text(message.get("content")) + (message.get("refusal") or "")
    finish = _finish(choice.get("finish_reason"), bool(calls))
    usage = body.get("usage") or (body.get("x_groq") or {}).get("usage")
    return Meaning(text, calls, finish, bool(message.get("refusal")), _chat_usage(usage))


def _chat_call(call: Json) -> tuple[str, Json]:
    # Snowflake sends every call in both forms, one of them empty.
    if (call.get("custom") or {}).get("name"):
        return call["custom"]["name"], call["custom"]["input"]
    return call["function"]["name"], _arguments(call["function"].get("arguments"))


def _chat_text(content: Json) -> str:
    """The text of a message; Mistral's may be a list of parts."""
    if isinstance(content, list):
        return "".join(part.get("text") or "" for part in content if part.get("type") == "text")
    return content or ""


def _chat_usage(usage: Json) -> tuple[int, int] | None:
    if not usage or usage.get("prompt_tokens") is None:
        return None
    read, written = _sum(usage, "prompt_tokens"), _sum(usage, "completion_tokens")
    thought = _sum(usage.get("completion_tokens_details") or {}, "reasoning_tokens")
    if thought and usage.get("total_tokens") == read + written + thought:
        # xAI counts thoughts beside the answer.
        written += thought
    return read, written


def _fold_chat(chunks: Iterable[Json]) -> Json:
    message: dict[str, Any] = {"content": "", "refusal": "", "tool_calls": []}
    whole: dict[str, Any] = {"choices": [{"message": message, "finish_reason": None}]}
    open_calls: dict[Any, dict] = {}
    for chunk in chunks:
        whole["usage"] = chunk.get("usage") or (chunk.get("x_groq") or {}).get("usage") or whole.get("usage")
        for choice in chunk.get("choices") or []:
            if choice.get("index") in (0, None):
                reason = whole["choices"][0]["finish_reason"]
                whole["choices"][0]["finish_reason"] = reason or choice.get("finish_reason")
                _fold_delta(message, open_calls, choice.get("delta") or {})
    return whole


def _fold_delta(message: dict, open_calls: dict[Any, dict], delta: Json) -> None:
    message["content"] += _chat_text(delta.get("content"))
    message["refusal"] += delta.get("refusal") or ""
    pieces = delta.get("tool_calls") or []
    if delta.get("function_call"):
        pieces = [{"index": "function_call", "function": delta["function_call"]}]
    for piece in pieces:
        at, there = piece.get("index"), piece.get("function") or {}
        call = open_calls.get(at)
        if call is None or (piece.get("id") and call["id"] and piece["id"] != call["id"]):
            call = {"id": piece.get("id"), "function": {"name": "", "arguments": ""}}
            open_calls[at] = call
            message["tool_calls"].append(call)
        call["function"]["name"] = call["function"]["name"] or there.get("name") or ""
        more = there.get("arguments") or ""
        call["function"]["arguments"] += more if isinstance(more, str) else json.dumps(more)


# === messages ===


def _messages(body: Json) -> Meaning:
    blocks = body.get("content") or []
    text = "".join(block["text"] for block in blocks if block["type"] == "text")
    calls = [(block["name"], block["input"]) for block in blocks if block["type"] == "tool_use"]
    refusal = (body.get("stop_details") or {}).get("explanation") or ""
    finish = _finish(body.get("stop_reason"), bool(calls))
    return Meaning(text + refusal, calls, finish, bool(refusal), _messages_usage(body.get("usage")))


def _messages_usage(usage: Json) -> tuple[int, int] | None:
    if not usage:
        return None
    # Cached tokens stand beside the others, and passes that compact the conversation beside all.
    parts = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    extra = [one for one in usage.get("iterations") or [] if one.get("type") == "compaction"]
    read = _sum(usage, *parts) + sum(_sum(one, *parts) for one in extra)
    return read, _sum(usage, "output_tokens") + sum(_sum(one, "output_tokens") for one in extra)


def _fold_messages(events: Iterable[Json]) -> Json:
    whole: dict[str, Any] = {"content": [], "usage": {}}
    blocks: dict[int, dict] = {}
    for event in events:
        kind = event.get("type")
        if kind == "message_start":
            whole["usage"] |= _said(event["message"].get("usage"))
        elif kind == "content_block_start":
            block = {"input": {}, **event["content_block"], "pieces": ""}
            blocks[event["index"]] = block
            whole["content"].append(block)
        elif kind == "content_block_delta":
            delta, block = event["delta"], blocks[event["index"]]
            if delta["type"] == "text_delta":
                block["text"] += delta["text"]
            block["pieces"] += delta.get("partial_json") or ""
        elif kind == "message_delta":
            whole |= {name: event["delta"].get(name) for name in ("stop_reason", "stop_details")}
            whole["usage"] |= _said(event.get("usage"))
    for block in whole["content"]:
        if block["pieces"].strip():
            block["input"] = _arguments(block["pieces"])
    return whole


def _said(counts: Json) -> dict:
    """The counts that are not left open: a later `null` takes nothing back."""
    return {name: count for name, count in (counts or {}).items() if count is not None}


# === gemini ===


def _gemini(body: Json) -> Meaning:
    candidates = body.get("candidates") or []
    usage = _gemini_usage(body.get("usageMetadata"))
    if not candidates and (body.get("promptFeedback") or {}).get("blockReason"):
        return Meaning(finish="content_filter", usage=usage)
    candidate = candidates[0] if candidates else {}
    parts = (candidate.get("content") or {}).get("parts") or []
    text = "".join(part.get("text") or "" for part in parts if not part.get("thought"))
    called = [part["functionCall"] for part in parts if part.get("functionCall")]
    calls = [(call["name"], call.get("args") or {}) for call in called]
    return Meaning(text, calls, _finish(candidate.get("finishReason"), bool(calls)), usage=usage)


def _gemini_usage(usage: Json) -> tuple[int, int] | None:
    if not usage or usage.get("totalTokenCount") is None:
        return None
    return (
        _sum(usage, "promptTokenCount", "toolUsePromptTokenCount"),
        _sum(usage, "candidatesTokenCount", "thoughtsTokenCount"),
    )


def _fold_gemini(chunks: Iterable[Json]) -> Json:
    candidate: dict[str, Any] = {"content": {"parts": []}}
    whole: dict[str, Any] = {"candidates": []}
    for chunk in chunks:
        for name in ("usageMetadata", "promptFeedback"):
            whole[name] = chunk.get(name) or whole.get(name)
        for one in (chunk.get("candidates") or [])[:1]:
            whole["candidates"] = [candidate]
            candidate["content"]["parts"] += (one.get("content") or {}).get("parts") or []
            candidate["finishReason"] = one.get("finishReason") or candidate.get("finishReason")
    return whole


# === responses ===


def _responses(body: Json) -> Meaning:
    parts = [
        part
        for item in body.get("output") or []
        if item["type"] == "message"
        for part in item.get("content") or []
    ]
    text = "".join(part.get("text") or part.get("refusal") or "" for part in parts)
    calls = []
    for item in body.get("output") or []:
        if item["type"] == "function_call":
            calls.append((item["name"], _arguments(item.get("arguments"))))
        elif item["type"] == "custom_tool_call":
            calls.append((item["name"], item.get("input")))
    reason = (body.get("incomplete_details") or {}).get("reason")
    is_refusal = any(part.get("type") == "refusal" for part in parts)
    usage = body.get("usage")
    tokens = (_sum(usage, "input_tokens"), _sum(usage, "output_tokens")) if usage else None
    return Meaning(text, calls, _finish(reason, bool(calls)), is_refusal, tokens)


def _fold_responses(events: Iterable[Json]) -> Json:
    """The answer that the last event has in whole; its text has to be what the events before said."""
    text = ""
    items = []
    for event in events:
        kind = event.get("type") or ""
        if kind in ("response.output_text.delta", "response.refusal.delta"):
            text += event["delta"]
        elif kind == "response.output_item.done":
            items.append(event["item"])
        elif kind in ("response.completed", "response.incomplete", "response.failed"):
            # ChatGPT's own server leaves the end empty.
            whole = event["response"] | {"output": event["response"].get("output") or items}
            said = _responses(whole).text
            if text and said != text:
                raise ValueError(f"the deltas say {text!r}, the end says {said!r}")
            return whole
    raise ValueError("the stream has no end")
