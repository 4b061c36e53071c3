"""The stage of these tests: every provider of the recordings is the simulated one, which replays them."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterable
from typing import Any

import stage
from recordings import EVENT_STREAM, OWN_KINDS, Recording

# What follows the simulator's address at each kind of provider.
BASES = {kind: stage.BASES.get(kind, "/v1") for kind in OWN_KINDS | {"compatible"}}
# Prices do not matter here, but there have to be some for a cost.
PRICES = {"*": {"input": "1", "output": "2"}}
# Records asked for at once.
PAGE_ROWS = 1_000
# The pieces that streams arrive in besides whole events. Longer streams than this come in larger ones, as
# nothing is learnt from a hundred thousand pieces.
PIECE_BYTES = 7
SMALL_PIECES_BYTES_MAX = 200_000
LARGE_PIECE_BYTES = 1_021
# No cut stands behind this part of an answer, where a stream's last word could be before it.
CUT_PART_MAX = 0.6


class Theatre(stage.Stage):
    """The gateway and the provider that replays."""

    def __init__(self, *arguments: Any, errors: Iterable[Recording] = ()) -> None:
        super().__init__(*arguments)
        self._errors = list(errors)

    def rehearse(self, recordings: Iterable[Recording]) -> None:
        """Makes the provider forget all, and answer these by the names of their models."""
        self._control("DELETE", "/_sim")
        self._control("POST", "/_sim/scripts", [script for one in recordings for script in _scripts(one)])

    def records(self) -> list[dict[str, Any]]:
        """Every call that the gateway's record has."""
        found: list[dict[str, Any]] = []
        after: list[str] = []
        while True:
            arguments = ["audit", "query", "--json", "--limit", str(PAGE_ROWS), *after, *self._place()]
            page = json.loads(self._command(arguments))
            found += page["calls"]
            if not page["next"]:
                return found
            after = ["--after", page["next"]]

    def _control(self, method: str, path: str, body: Any = None) -> None:
        data = None if body is None else json.dumps(body).encode()
        headers = {"content-type": "application/json"}
        request = urllib.request.Request(self.simulator + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            answer.read()

    def _write_configuration(self, calls: int, admin: int) -> None:
        providers = {kind: self._provider(kind) for kind in BASES}
        # A refused credential rests, so every recorded refusal has a provider of its own.
        providers |= {name_of(one): self._provider(one.kind) for one in self._errors}
        configuration = {
            "listen": f"127.0.0.1:{calls}",
            "admin": {"listen": f"127.0.0.1:{admin}"},
            "providers": providers,
            # Whatever arrives is to be seen.
            "retry": {"attempts": 0},
        }
        (self._folder / "gatehouse.yaml").write_text(json.dumps(configuration, indent=1))

    def _provider(self, kind: str) -> dict[str, Any]:
        # More keys than fronts, so that none has to rest.
        return {
            "api": kind,
            "base_url": self.simulator + BASES[kind],
            "api_keys": ["${SIM_KEY}"] * 5,
            "prices": PRICES,
        }


def name_of(recording: Recording) -> str:
    """The name of the model that answers with this recording."""
    return f"r{recording.number}"


def cut_name(recording: Recording, front: str) -> str:
    """The name of the model that breaks off for this front."""
    return f"{name_of(recording)}-cut-{front}"


def pieces_name(recording: Recording) -> str:
    """The name of the model whose stream comes in small pieces."""
    return f"{name_of(recording)}-pieces"


def _scripts(recording: Recording) -> list[dict[str, Any]]:
    replay = {
        "times": 0,
        "status": recording.status,
        "headers": recording.headers,
        "replay": {"content_type": recording.content_type, "body": recording.body},
    }
    scripts = [{**replay, "match": {"model": name_of(recording)}}]
    if recording.is_error:
        return scripts
    size = len(recording.body.encode())
    if recording.content_type == EVENT_STREAM:
        piece = PIECE_BYTES if size < SMALL_PIECES_BYTES_MAX else LARGE_PIECE_BYTES
        scripts.append({**replay, "match": {"model": pieces_name(recording)}, "chunk_bytes": piece})
    for place, front in enumerate(fronts_of(recording)):
        # Anywhere, but the same in every run.
        at = 1 + (recording.number * 7_919 + place * 104_729) % max(1, int(size * CUT_PART_MAX))
        scripts.append({**replay, "match": {"model": cut_name(recording, front)}, "cut_after_bytes": at})
    return scripts


def fronts_of(recording: Recording) -> list[str]:
    """The fronts from which a provider is reached in the dialect of the recording, its own first."""
    if recording.dialect == "responses":
        # The others reach these providers by chat.
        return ["responses"]
    others = [front for front in ("chat", "messages", "gemini", "responses") if front != recording.dialect]
    return [recording.dialect, *others]


def provider_for(recording: Recording, front: str) -> str:
    """The provider through which this front reaches the recording in its own dialect."""
    if recording.is_error:
        return name_of(recording)
    if front == "responses" and recording.dialect == "chat":
        # Some kinds speak Responses themselves, which this recording does not.
        return "compatible"
    return recording.kind
