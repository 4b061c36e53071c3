"""AWS' own client for Python, at the simulated provider itself: it signs as Bedrock wants it, and reads the event
streams with their checksums. What the gateway sends to Bedrock is held to what this client sends and takes.

At the gateway, with a caller key as bearer token: Anthropic's messages through `invoke_model`, and Bedrock's own
conversations through `converse` and `converse_stream`.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

from suite import (
    AFTER_TOOLS,
    ALL,
    ARGUMENTS,
    CALL_BOTH,
    CITY,
    GATEWAY,
    KEY,
    PNG,
    RESULTS_OF,
    SIMULATOR,
    Suite,
    equal,
    model,
    raises,
)

suite = Suite("boto3", boto3.__version__)
# A colon in the name: its escape is signed in a way of its own.
MODEL = "amazon.nova-sim-v1:0"
# The keys of AWS' own examples, which the simulator knows.
KEY_ID = "AKIDEXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


def bedrock(secret: str = SECRET) -> Any:
    """A client with this secret."""
    return boto3.client(
        "bedrock-runtime",
        endpoint_url=SIMULATOR,
        region_name="eu-central-1",
        aws_access_key_id=KEY_ID,
        aws_secret_access_key=secret,
        config=Config(retries={"max_attempts": 0}),
    )


def said(text: str) -> list[Any]:
    """A conversation of one message."""
    return [{"role": "user", "content": [{"text": text}]}]


@suite.case("simulator", "plain", on=("bedrock",))
def one_answer(_: str) -> None:
    answer = bedrock().converse(modelId=MODEL, messages=said("hello"))
    equal(answer["output"]["message"]["content"], [{"text": "You said: hello"}])
    equal(answer["stopReason"], "end_turn")
    assert answer["usage"]["inputTokens"] and answer["usage"]["outputTokens"]


@suite.case("simulator", "stream", on=("bedrock",))
def streamed(_: str) -> None:
    events = list(bedrock().converse_stream(modelId=MODEL, messages=said("hello"))["stream"])
    deltas = (event["contentBlockDelta"]["delta"] for event in events if "contentBlockDelta" in event)
    equal("".join(delta.get("text", "") for delta in deltas), "You said: hello")
    assert "usage" in events[-1]["metadata"], events[-1]


@suite.case("simulator", "tools", on=("bedrock",))
def two_tools(_: str) -> None:
    tools = [{"toolSpec": {"name": name, "inputSchema": {"json": CITY}}} for name in RESULTS_OF]
    answer = bedrock().converse(modelId=MODEL, messages=said(CALL_BOTH), toolConfig={"tools": tools})
    calls = [block["toolUse"] for block in answer["output"]["message"]["content"] if "toolUse" in block]
    equal([(call["name"], call["input"]) for call in calls], [(name, ARGUMENTS) for name in RESULTS_OF])


@suite.case("simulator", "error", on=("bedrock",))
def a_wrong_secret_is_refused(_: str) -> None:
    ask = lambda: bedrock("another").converse(modelId=MODEL, messages=said("hello"))  # noqa: E731
    equal(raises(ClientError, ask).response["Error"]["Code"], "AccessDeniedException")


def gateway(key: str = KEY) -> Any:
    """A client that sends a caller key. Of itself (AWS_BEARER_TOKEN_BEDROCK) it does so over HTTPS alone, and there is
    none on this stage."""
    config = Config(retries={"max_attempts": 0}, signature_version=UNSIGNED)
    client = boto3.client("bedrock-runtime", endpoint_url=GATEWAY, region_name="eu-central-1", config=config)

    def bearer(request: Any, **_: Any) -> None:
        request.headers["Authorization"] = f"Bearer {key}"

    client.meta.events.register("before-send.bedrock-runtime", bearer)
    return client


def body(text: str) -> str:
    """Anthropic's messages as Bedrock has them."""
    messages = [{"role": "user", "content": text}]
    return json.dumps({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 99, "messages": messages})


@suite.case("bedrock.invoke", "plain")
def invoked(on: str) -> None:
    answer = json.loads(gateway().invoke_model(modelId=model(on), body=body("hello"))["body"].read())
    equal(answer["content"][0]["text"], "You said: hello")


@suite.case("bedrock.invoke", "stream")
def invoked_as_a_stream(on: str) -> None:
    stream = gateway().invoke_model_with_response_stream(modelId=model(on), body=body("hello"))["body"]
    events = [json.loads(event["chunk"]["bytes"]) for event in stream]
    deltas = (event["delta"] for event in events if event["type"] == "content_block_delta")
    equal("".join(delta.get("text", "") for delta in deltas), "You said: hello")


@suite.case("bedrock.invoke", "error")
def exceptions(on: str) -> None:
    client = gateway()
    thrown = client.exceptions
    missing = {"modelId": model(on, "missing"), "body": body("x")}
    raises(thrown.ResourceNotFoundException, lambda: client.invoke_model(**missing))
    raises(thrown.ValidationException, lambda: client.invoke_model(modelId=model(on), body="{}"))
    failing = {"modelId": model(on, "failing"), "body": body("one two three four five six")}
    stream = client.invoke_model_with_response_stream(**failing)
    raises(EventStreamError, lambda: list(stream["body"]))


# Bedrock itself among them: its bytes pass as they are.
CONVERSE = (*ALL, "bedrock")
TOOLS = {"tools": [{"toolSpec": {"name": name, "inputSchema": {"json": CITY}}} for name in RESULTS_OF]}
LABELS = {"requestMetadata": {"team": "tests"}, "inferenceConfig": {"maxTokens": 999, "temperature": 0.5}}


def gathered(stream: Any) -> tuple[list[Any], str, dict[str, Any]]:
    """The blocks of a streamed answer, why it stopped, and what it counted."""
    blocks: dict[int, Any] = {}
    stopped, counted = "", {}
    for event in stream:
        ((name, said),) = event.items()
        match name:
            case "contentBlockStart":
                blocks[said["contentBlockIndex"]] = {"toolUse": {**said["start"]["toolUse"], "input": ""}}
            case "contentBlockDelta":
                block = blocks.setdefault(said["contentBlockIndex"], {})
                for kind, piece in said["delta"].items():
                    if kind == "text":
                        block["text"] = block.get("text", "") + piece
                    elif kind == "toolUse":
                        block["toolUse"]["input"] += piece["input"]
                    else:
                        shown = block.setdefault(kind, {"reasoningText": {"text": ""}})["reasoningText"]
                        for part, text in piece.items():
                            shown[part] = shown.get(part, "") + text
            case "messageStop":
                stopped = said["stopReason"]
            case "metadata":
                counted = said
    made = [blocks[at] for at in sorted(blocks)]
    for block in made:
        if "toolUse" in block:
            block["toolUse"]["input"] = json.loads(block["toolUse"]["input"])
    return made, stopped, counted


def text_of(blocks: list[Any]) -> str:
    return "".join(block.get("text", "") for block in blocks)


@suite.case("bedrock.converse", "plain", on=CONVERSE)
def conversed(on: str) -> None:
    system = [{"text": "Be brief."}]
    answer = gateway().converse(modelId=model(on), messages=said("hello"), system=system, **LABELS)
    equal(text_of(answer["output"]["message"]["content"]), "You said: hello")
    equal((answer["output"]["message"]["role"], answer["stopReason"]), ("assistant", "end_turn"))
    usage = answer["usage"]
    assert usage["inputTokens"] and usage["outputTokens"], usage
    equal(usage["totalTokens"], usage["inputTokens"] + usage["outputTokens"])
    assert answer["metrics"]["latencyMs"] >= 0
    assert answer["ResponseMetadata"]["RequestId"], answer["ResponseMetadata"]


@suite.case("bedrock.converse", "stream", on=CONVERSE)
def conversed_as_a_stream(on: str) -> None:
    answer = gateway().converse_stream(modelId=model(on), messages=said("hello"), **LABELS)
    blocks, stopped, counted = gathered(answer["stream"])
    equal((text_of(blocks), stopped), ("You said: hello", "end_turn"))
    assert counted["usage"]["totalTokens"] and counted["metrics"]["latencyMs"] >= 0, counted


def there_and_back(on: str, ask: Any) -> None:
    """Two calls, their results, and what is said then. `ask` gives the blocks and why they ended."""
    messages = said(CALL_BOTH)
    blocks, stopped = ask(model(on), messages)
    calls = [block["toolUse"] for block in blocks if "toolUse" in block]
    equal([(call["name"], call["input"]) for call in calls], [(name, ARGUMENTS) for name in RESULTS_OF])
    equal(stopped, "tool_use")
    results = [
        {"toolResult": {"toolUseId": call["toolUseId"], "content": [{"text": RESULTS_OF[call["name"]]}]}}
        for call in calls
    ]
    turn = {"role": "assistant", "content": blocks}
    blocks, _ = ask(model(on), [*messages, turn, {"role": "user", "content": results}])
    equal(text_of(blocks), AFTER_TOOLS)


@suite.case("bedrock.converse", "tools", on=CONVERSE)
def conversed_with_tools(on: str) -> None:
    def ask(name: str, messages: list[Any]) -> tuple[list[Any], str]:
        answer = gateway().converse(modelId=name, messages=messages, toolConfig=TOOLS)
        return answer["output"]["message"]["content"], answer["stopReason"]

    there_and_back(on, ask)


@suite.case("bedrock.converse", "tools", on=CONVERSE)
def conversed_with_tools_as_a_stream(on: str) -> None:
    def ask(name: str, messages: list[Any]) -> tuple[list[Any], str]:
        answer = gateway().converse_stream(modelId=name, messages=messages, toolConfig=TOOLS)
        blocks, stopped, _ = gathered(answer["stream"])
        return blocks, stopped

    there_and_back(on, ask)


@suite.case("bedrock.converse", "reasoning", on=("gemini",))
def seals_come_back(_: str) -> None:
    # This model wants its signature of a call back, for which Converse has no place of its own.
    def ask(name: str, messages: list[Any]) -> tuple[list[Any], str]:
        answer = gateway().converse(modelId=name.replace("on-", "signed-on-"), messages=messages, toolConfig=TOOLS)
        return answer["output"]["message"]["content"], answer["stopReason"]

    there_and_back("gemini", ask)


@suite.case("bedrock.converse", "structured", on=CONVERSE)
def conversed_by_a_schema(on: str) -> None:
    schema = {"schema": json.dumps(CITY), "name": "city"}
    form = {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": schema}}}
    answer = gateway().converse(modelId=model(on), messages=said("city=Oslo days=3"), outputConfig=form)
    equal(json.loads(text_of(answer["output"]["message"]["content"])), ARGUMENTS)


@suite.case("bedrock.converse", "image", on=CONVERSE)
def conversed_about_a_picture(on: str) -> None:
    picture = {"image": {"format": "png", "source": {"bytes": base64.b64decode(PNG)}}}
    text = {"document": {"format": "txt", "name": "notes", "source": {"bytes": b"some notes"}}}
    messages = [{"role": "user", "content": [picture, text, {"text": "hello"}]}]
    answer = gateway().converse(modelId=model(on), messages=messages)
    assert "hello" in text_of(answer["output"]["message"]["content"]), answer


@suite.case("bedrock.converse", "error", on=CONVERSE)
def exceptions_of_conversations(on: str) -> None:
    client = gateway()
    thrown = client.exceptions
    nothing = {"modelId": "nothing-such", "messages": said("x")}
    raises(thrown.ResourceNotFoundException, lambda: client.converse(**nothing))
    raises(thrown.ValidationException, lambda: client.converse(modelId=model(on), messages=[]))
    limited = {"modelId": model(on, "limited"), "messages": said("x")}
    raises(thrown.ThrottlingException, lambda: client.converse(**limited))
    refused = raises(ClientError, lambda: gateway("ghk_no").converse(modelId=model(on), messages=said("x")))
    equal(refused.response["Error"]["Code"], "UnrecognizedClientException")
    failing = {"modelId": model(on, "failing"), "messages": said("one two three four five six")}
    stream = client.converse_stream(**failing)["stream"]
    raises(EventStreamError, lambda: list(stream))


if __name__ == "__main__":
    suite.main()
