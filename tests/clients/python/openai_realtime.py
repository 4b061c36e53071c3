"""OpenAI's own client for Python: realtime sessions."""

from __future__ import annotations

import base64
import json
from typing import Any

import openai
from websockets.exceptions import ConnectionClosed, InvalidStatus

from suite import ARGUMENTS, CALL_BOTH, CITY, GATEWAY, KEY, RESULTS_OF, Suite, equal, model, raises

suite = Suite("openai-python", openai.__version__)
client = openai.OpenAI(base_url=f"{GATEWAY}/v1", api_key=KEY)

# Who has sessions.
SPOKEN = ("openai",)


def asks(connection: Any, text: str, modality: str = "text") -> list[Any]:
    """Asks for a response to a text; its events."""
    content: Any = [{"type": "input_text", "text": text}]
    connection.conversation.item.create(item={"type": "message", "role": "user", "content": content})
    connection.response.create(response={"output_modalities": [modality]})
    events = []
    for event in connection:
        events.append(event)
        if event.type in ("response.done", "error"):
            break
    return events


def joined(events: list[Any], kind: str) -> str:
    """The deltas of a kind."""
    return "".join(event.delta for event in events if event.type == kind)


@suite.case("realtime", "plain", on=SPOKEN)
def realtime_text_and_audio(on: str) -> None:
    with client.realtime.connect(model=model(on)) as connection:
        equal(connection.recv().type, "session.created")
        connection.session.update(session={"type": "realtime", "instructions": "be kind"})
        equal(connection.recv().type, "session.updated")
        events = asks(connection, "hello there")
        equal(joined(events, "response.output_text.delta"), "You said: hello there")
        usage = events[-1].response.usage
        equal(usage.output_tokens, 4)
        connection.input_audio_buffer.append(audio=base64.b64encode(bytes(4_800)).decode())
        connection.input_audio_buffer.commit()
        events = asks(connection, "and now aloud", "audio")
        equal(joined(events, "response.output_audio_transcript.delta"), "You said: and now aloud")
        assert joined(events, "response.output_audio.delta").startswith("AAAA")
        assert events[-1].response.usage.output_token_details.audio_tokens > 0


@suite.case("realtime", "tools", on=SPOKEN)
def realtime_tools(on: str) -> None:
    tools: Any = [{"type": "function", "name": name, "parameters": CITY} for name in RESULTS_OF]
    with client.realtime.connect(model=model(on)) as connection:
        connection.recv()
        connection.session.update(session={"type": "realtime", "tools": tools})
        connection.recv()
        events = asks(connection, CALL_BOTH)
        calls = [item for item in events[-1].response.output if item.type == "function_call"]
        equal([call.name for call in calls], list(RESULTS_OF))
        equal([json.loads(call.arguments) for call in calls], [ARGUMENTS] * len(calls))


@suite.case("realtime", "plain", on=SPOKEN)
def realtime_of_azures_client(on: str) -> None:
    # It would ask over TLS if it were not told otherwise.
    azure = openai.AzureOpenAI(
        azure_endpoint=GATEWAY,
        websocket_base_url=f"{GATEWAY.replace('http', 'ws', 1)}/openai",
        api_version="2025-04-01-preview",
        api_key=KEY,
    )
    with azure.realtime.connect(model=model(on)) as connection:
        equal(connection.recv().type, "session.created")
        events = asks(connection, "hello azure")
        equal(joined(events, "response.output_text.delta"), "You said: hello azure")


@suite.case("realtime", "error", on=SPOKEN)
def realtime_errors(on: str) -> None:
    stranger = openai.OpenAI(base_url=f"{GATEWAY}/v1", api_key="ghk_wrong", max_retries=0)
    refused = raises(InvalidStatus, lambda: stranger.realtime.connect(model=model(on)).enter())
    equal(refused.response.status_code, 401)
    with client.realtime.connect(model=model(on)) as connection:
        connection.recv()
        connection.send({"type": "session.update", "session": {"model": "another"}})  # type: ignore[misc]
        error = connection.recv()
        equal((error.type, error.error.code), ("error", "invalid_request"))
        closed = raises(ConnectionClosed, connection.recv)
        equal(closed.rcvd.code, 1008)


if __name__ == "__main__":
    suite.main()
