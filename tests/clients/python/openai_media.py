"""OpenAI's own client for Python: moderation, images, speech and transcription."""

from __future__ import annotations

import base64
import io

import openai

from suite import GATEWAY, KEY, PNG, Suite, equal, model, raises

suite = Suite("openai-python", openai.__version__)
client = openai.OpenAI(base_url=f"{GATEWAY}/v1", api_key=KEY)

# Who has these endpoints.
HAS_MEDIA = ("openai",)
SECOND = bytes(16_000)


def picture() -> tuple[str, bytes, str]:
    """An image as it is uploaded."""
    return "a.png", base64.b64decode(PNG), "image/png"


@suite.case("moderations", "plain", on=HAS_MEDIA)
def moderation(on: str) -> None:
    flags = client.moderations.create(model=model(on), input=["peace", "violence"]).results
    equal([one.flagged for one in flags], [False, True])


@suite.case("images", "plain", on=HAS_MEDIA)
def images(on: str) -> None:
    made = client.images.generate(model=model(on), prompt="a red panda", n=2)
    assert made.data and made.usage
    equal((len(made.data), made.usage.input_tokens, made.usage.output_tokens), (2, 3, 200))
    changed = client.images.edit(model=model(on), image=[picture(), picture()], prompt="in blue")
    assert changed.usage
    equal(changed.usage.input_tokens_details.image_tokens, 200)
    varied = client.images.create_variation(model=model(on), image=picture())
    assert varied.data and varied.data[0].b64_json


@suite.case("images", "stream", on=HAS_MEDIA)
def images_streamed(on: str) -> None:
    events = list(client.images.generate(model=model(on), prompt="a red panda", stream=True))
    equal([event.type for event in events], ["image_generation.partial_image", "image_generation.completed"])


@suite.case("audio", "plain", on=HAS_MEDIA)
def speech_and_its_transcript(on: str) -> None:
    with client.audio.speech.with_streaming_response.create(
        model=model(on), voice="alloy", input="hello there"
    ) as spoken:
        equal(spoken.headers["content-type"], "audio/mpeg")
        sound = b"".join(spoken.iter_bytes())
    equal(len(sound), 8 * len("hello there"))
    heard = client.audio.transcriptions.create(model=model(on), file=("b.mp3", io.BytesIO(SECOND)), prompt="names")
    equal(heard.text, "b.mp3 has 16000 bytes. It was said: names")
    english = client.audio.translations.create(model=model(on), file=("b.mp3", SECOND))
    equal(english.text, "b.mp3 has 16000 bytes.")
    lines = client.audio.transcriptions.create(model=model(on), file=("b.mp3", SECOND), response_format="srt")
    assert "00:00:00,000 --> 00:00:01,000" in str(lines)


@suite.case("audio", "stream", on=HAS_MEDIA)
def transcript_streamed(on: str) -> None:
    events = list(client.audio.transcriptions.create(model=model(on), file=("c.mp3", SECOND), stream=True))
    equal("".join(event.delta for event in events[:-1]), events[-1].text)


@suite.case("audio", "error", on=HAS_MEDIA)
def nobody_speaks(_on: str) -> None:
    error = raises(
        openai.BadRequestError,
        lambda: client.audio.speech.create(model=model("anthropic"), voice="alloy", input="hi"),
    )
    equal(error.code, "no_capable_target")


if __name__ == "__main__":
    suite.main()
