"""Talks to a real model through every front of the gateway and checks that real tokens come through."""

import json
import os
import urllib.request

from openai import OpenAI

GATEWAY, KEY = os.environ["GATEWAY"], os.environ["KEY"]


def post(path, body):
    request = urllib.request.Request(
        GATEWAY + path,
        json.dumps(body).encode(),
        {"authorization": f"Bearer {KEY}", "content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=300) as answer:
        return answer.read().decode()


client = OpenAI(base_url=GATEWAY + "/v1", api_key=KEY, timeout=300)
question = [{"role": "user", "content": "Name three colours."}]

whole = client.chat.completions.create(model="small", messages=question, max_tokens=24, temperature=0)
assert whole.choices[0].message.content and whole.usage.completion_tokens > 0, whole
print("chat:      ", whole.choices[0].message.content.replace("\n", " "))

pieces = client.chat.completions.create(model="small", messages=question, max_tokens=24, temperature=0, stream=True)
text = "".join(piece.choices[0].delta.content or "" for piece in pieces if piece.choices)
assert text, "an empty stream"
print("stream:    ", text.replace("\n", " "))

answer = client.responses.create(model="small", input="Name three colours.", max_output_tokens=24)
assert answer.output_text and answer.usage.output_tokens > 0, answer
print("responses: ", answer.output_text.replace("\n", " "))

message = json.loads(post("/v1/messages", {"model": "small", "max_tokens": 24, "messages": question}))
assert message["content"][0]["text"] and message["usage"]["output_tokens"] > 0, message
print("messages:  ", message["content"][0]["text"].replace("\n", " "))

contents = {"contents": [{"role": "user", "parts": [{"text": "Name three colours."}]}]}
contents["generationConfig"] = {"maxOutputTokens": 24}
generated = json.loads(post("/v1beta/models/small:generateContent", contents))
assert generated["candidates"][0]["content"]["parts"][0]["text"], generated
print("gemini:    ", generated["candidates"][0]["content"]["parts"][0]["text"].replace("\n", " "))
