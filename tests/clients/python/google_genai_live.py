"""Google's own client for Python: sessions of Gemini Live.

It opens them over TLS only, whatever its address says, so that a proxy ends TLS before the gateway, as it does where
the gateway is used. Others come without: `websockets` stands for them.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from google import genai
from google.genai import errors, types
from websockets.asyncio.client import connect

from suite import ARGUMENTS, CALL_BOTH, CITY, GATEWAY, KEY, RESULTS_OF, Suite, equal, model
from tls import proxied

suite = Suite("google-genai-python", genai.__version__)

# Who has sessions.
SPOKEN = ("gemini",)
SOCKET = GATEWAY.replace("http", "ws", 1)


@asynccontextmanager
async def opened(name: str, options: types.LiveConnectConfig) -> AsyncIterator[Any]:
    """A session with a model."""
    gateway = urlsplit(GATEWAY)
    async with proxied(gateway.hostname or "", gateway.port or 80) as (address, trusts):
        http = types.HttpOptions(base_url=address, async_client_args={"ssl": trusts})
        client = genai.Client(api_key=KEY, http_options=http)
        async with client.aio.live.connect(model=name, config=options) as session:
            yield session


def config(modality: types.Modality, **more: Any) -> types.LiveConnectConfig:
    """A session that answers in this form."""
    return types.LiveConnectConfig(response_modalities=[modality], **more)


async def turn(session: Any) -> list[types.LiveServerMessage]:
    """All messages of a turn."""
    return [message async for message in session.receive()]


async def asks(session: Any, text: str) -> list[types.LiveServerMessage]:
    """Asks a question; all messages of the answer."""
    content = types.Content(role="user", parts=[types.Part(text=text)])
    await session.send_client_content(turns=content, turn_complete=True)
    return await turn(session)


@suite.case("live", "plain", on=SPOKEN)
async def live_text_and_audio(on: str) -> None:
    text = config(types.Modality.TEXT, system_instruction="be kind")
    async with opened(model(on), text) as session:
        messages = await asks(session, "hello there")
        equal("".join(message.text or "" for message in messages), "You said: hello there")
        usage = messages[-1].usage_metadata
        equal((usage.response_token_count, usage.prompt_token_count > 0), (4, True))
    aloud = config(types.Modality.AUDIO, output_audio_transcription=types.AudioTranscriptionConfig())
    async with opened(model(on), aloud) as session:
        await session.send_realtime_input(audio=types.Blob(data=bytes(3_200), mime_type="audio/pcm;rate=16000"))
        await session.send_realtime_input(text="and now aloud")
        messages = await turn(session)
        heard = [message.server_content.output_transcription for message in messages if message.server_content]
        equal("".join(one.text for one in heard if one), "You said: and now aloud")
        assert b"".join(message.data or b"" for message in messages).startswith(bytes(100))
        details = {one.modality: one.token_count for one in messages[-1].usage_metadata.response_tokens_details}
        assert details[types.MediaModality.AUDIO] > 0


@suite.case("live", "plain", on=SPOKEN)
async def live_of_whoever_has_a_key_in_the_address(on: str) -> None:
    for version in ("v1", "v1beta", "v1alpha"):
        path = f"/ws/google.ai.generativelanguage.{version}.GenerativeService.BidiGenerateContent"
        async with connect(f"{SOCKET}{path}?key={KEY}") as socket:
            setup = {"model": f"models/{model(on)}", "generationConfig": {"responseModalities": ["TEXT"]}}
            await socket.send(json.dumps({"setup": setup}))
            assert "setupComplete" in json.loads(await socket.recv())
            await socket.send(json.dumps({"realtimeInput": {"text": "hello"}}))
            said = ""
            while True:
                content = json.loads(await socket.recv())["serverContent"]
                if content.get("turnComplete"):
                    break
                said += "".join(part["text"] for part in content.get("modelTurn", {}).get("parts", []))
            equal(said, "You said: hello")


@suite.case("live", "tools", on=SPOKEN)
async def live_tools(on: str) -> None:
    declared = [types.FunctionDeclaration(name=name, parameters_json_schema=CITY) for name in RESULTS_OF]
    tools = config(types.Modality.TEXT, tools=[types.Tool(function_declarations=declared)])
    async with opened(model(on), tools) as session:
        content = types.Content(role="user", parts=[types.Part(text=CALL_BOTH)])
        await session.send_client_content(turns=content, turn_complete=True)
        calls = []
        async for message in session.receive():
            if message.tool_call:
                calls = message.tool_call.function_calls
                break
        equal([call.name for call in calls], list(RESULTS_OF))
        equal([call.args for call in calls], [ARGUMENTS] * len(calls))
        answers = [
            types.FunctionResponse(id=call.id, name=call.name, response={"result": RESULTS_OF[call.name]})
            for call in calls
        ]
        await session.send_tool_response(function_responses=answers)
        said = "".join(message.text or "" for message in await turn(session))
        assert all(result in said for result in RESULTS_OF.values()), said


@suite.case("live", "error", on=SPOKEN)
async def live_errors(on: str) -> None:
    text = config(types.Modality.TEXT)
    try:
        async with opened("nobody/knows", text):
            raise AssertionError("a session")
    except errors.APIError as error:
        equal(error.code, 1008)
        assert "model_not_found" in str(error), error
    async with opened(model(on), text) as session:
        await session._ws.send(json.dumps({"setup": {"model": "models/another"}}))
        try:
            await turn(session)
            raise AssertionError("another model")
        except errors.APIError as error:
            equal(error.code, 1008)
            assert "invalid_request" in str(error), error


if __name__ == "__main__":
    suite.main()
