"""AWS' own client for Python, at the simulated provider itself: it signs as Bedrock wants it, and reads the event
streams with their checksums. What the gateway sends to Bedrock is held to what this client sends and takes.

At the gateway, with a caller key as bearer token: Anthropic's messages through `invoke_model`.
"""

from __future__ import annotations

import json
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import ClientError, EventStreamError

from suite import ARGUMENTS, CALL_BOTH, CITY, GATEWAY, KEY, RESULTS_OF, SIMULATOR, Suite, equal, model, raises

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


def gateway() -> Any:
    """A client that sends a caller key. Of itself (AWS_BEARER_TOKEN_BEDROCK) it does so over HTTPS alone, and there is
    none on this stage."""
    config = Config(retries={"max_attempts": 0}, signature_version=UNSIGNED)
    client = boto3.client("bedrock-runtime", endpoint_url=GATEWAY, region_name="eu-central-1", config=config)

    def bearer(request: Any, **_: Any) -> None:
        request.headers["Authorization"] = f"Bearer {KEY}"

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


if __name__ == "__main__":
    suite.main()
