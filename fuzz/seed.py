#!/usr/bin/env python3
"""Fills the corpora of the fuzz targets.

    fuzz/seed.py [RECORDINGS] [--into fuzz/corpus] [--bytes-max 32768]

Always takes the project's own seeds (crates/gatehouse-wire/fixtures/seeds). With RECORDINGS, a folder of
recorded exchanges (INDEX.jsonl and one JSON file each, with `request` and `response`), also every request,
answer, stream and error in it. The form of an input is what fuzz/src/lib.rs reads: a byte that says what
it is, then the bytes. Running it again adds nothing twice.
"""

import argparse
import base64
import hashlib
import json
import pathlib
import struct
import zlib

ROOT = pathlib.Path(__file__).resolve().parent
SEEDS = ROOT.parent / "crates/gatehouse-wire/fixtures/seeds"

# The recordings' names of interfaces, and the targets that read them.
DIALECTS = {
    "completions": "completions",
    "chat_completions": "openai_chat",
    "responses": "openai_responses",
    "messages": "anthropic",
    "generate_content": "gemini",
    "stream_generate_content": "gemini",
    "embeddings": "embeddings",
    "embed": "embeddings",
    "converse": "bedrock",
    "converse_stream": "bedrock",
    "rerank": "rerank",
    "images": "native",
    "audio": "native",
    "moderations": "native",
}
# Targets whose inputs are the bytes alone: what they are is tried both ways.
PLAIN = {"native", "realtime"}
# How many bytes a stream arrives in at a time; prime, so that cuts fall everywhere.
CUT = 61


class Corpora:
    """Folders of inputs, one for each target; an input is named by its hash."""

    def __init__(self, into, bytes_max):
        self.into, self.bytes_max, self.counts = into, bytes_max, {}

    def add(self, target, lead, content):
        if not content or len(content) > self.bytes_max:
            return
        if not (ROOT / "fuzz_targets" / f"{target}.rs").exists():
            return
        data = lead + content
        folder = self.into / target
        folder.mkdir(parents=True, exist_ok=True)
        (folder / hashlib.sha1(data).hexdigest()).write_bytes(data)
        self.counts[target] = self.counts.get(target, 0) + 1

    def document(self, dialect, lead, content):
        self.add(dialect, b"" if dialect in PLAIN else lead, content)
        self.add("json", b"", content)
        # A plan of two edits before the body: see the law `edits`.
        self.add("splice", bytes([2, 9, 5, 3, 0, 2, 1]), content)

    def stream(self, dialect, content):
        self.add(dialect, bytes([CUT]), content)
        self.add("sse", bytes([CUT]), content)
        if dialect == "bedrock":
            self.add("eventstream", bytes([CUT]), framed(content))


def framed(events):
    """Server-sent events as Amazon's messages."""
    out, name = b"", b""
    for line in events.split(b"\n"):
        if line.startswith(b"event: "):
            name = line[7:]
        elif line.startswith(b"data: "):
            key = b":exception-type" if name.endswith(b"Exception") else b":event-type"
            headers = bytes([len(key)]) + key + b"\x07" + struct.pack(">H", len(name)) + name
            head = struct.pack(">II", len(headers) + len(line[6:]) + 16, len(headers))
            message = head + struct.pack(">I", zlib.crc32(head)) + headers + line[6:]
            out += message + struct.pack(">I", zlib.crc32(message))
    return out


def unframed(messages):
    """Amazon's messages as server-sent events; their headers are all texts."""
    out = b""
    while len(messages) >= 16:
        total, headers = struct.unpack(">II", messages[:8])
        at, name = 12, b""
        while at < 12 + headers:
            key = messages[at + 1 : at + 1 + messages[at]]
            at += 2 + len(key)
            length = struct.unpack(">H", messages[at : at + 2])[0]
            if key in (b":event-type", b":exception-type"):
                name = messages[at + 2 : at + 2 + length]
            at += 2 + length
        out += b"event: " + name + b"\ndata: " + messages[12 + headers : total - 4] + b"\n\n"
        messages = messages[total:]
    return out


def text_of(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def own_seeds(corpora):
    for path in sorted(SEEDS.glob("*/*")):
        dialect, content = path.parent.name, path.read_bytes()
        if dialect.endswith("_embeddings"):
            dialect = "embeddings"
        if path.suffix == ".sse":
            corpora.stream(dialect, content)
        elif path.suffix == ".form":
            corpora.add(dialect, bytes([CUT]), content)
        else:
            corpora.document(dialect, b"q" if path.stem.startswith("request") else b"a", content)


def recorded(corpora, folder):
    with open(folder / "INDEX.jsonl", encoding="utf-8") as index:
        entries = [json.loads(line) for line in index]
    for entry in entries:
        exchange = json.loads((folder / entry["file"]).read_text(encoding="utf-8"))
        request, response = exchange.get("request") or {}, exchange.get("response") or {}
        if entry.get("status", 200) >= 400:
            body = response.get("body_text")
            content = body.encode() if isinstance(body, str) else text_of(response.get("body"))
            corpora.add("errors", bytes([(entry["status"] - 400) % 256]), content)
            continue
        dialect = DIALECTS.get(entry["api"])
        if dialect is None:
            continue
        if isinstance(request.get("body"), dict):
            corpora.document(dialect, b"q", text_of(request["body"]))
        if dialect == "bedrock" and isinstance(response.get("body_b64"), str):
            corpora.stream(dialect, unframed(base64.b64decode(response["body_b64"])))
        elif isinstance(response.get("body_text"), str):
            corpora.stream(dialect, response["body_text"].encode())
        elif isinstance(response.get("body"), dict):
            corpora.document(dialect, b"a", text_of(response["body"]))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("recordings", nargs="?", type=pathlib.Path)
    parser.add_argument("--into", type=pathlib.Path, default=ROOT / "corpus")
    parser.add_argument("--bytes-max", type=int, default=32 * 1024)
    arguments = parser.parse_args()
    corpora = Corpora(arguments.into, arguments.bytes_max)
    own_seeds(corpora)
    if arguments.recordings:
        recorded(corpora, arguments.recordings)
    for target, count in sorted(corpora.counts.items()):
        print(f"{target:18} {count:5} inputs")


if __name__ == "__main__":
    main()
