#!/usr/bin/env python3
"""Writes `docs/matrix.md` from the results of the last whole run: what works through which front with which
provider, and what the clients were tried with. A cell without a result is a fault.

    matrix.py [RESULTS] [PAGE]
"""

from __future__ import annotations

import json
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "lib"))

from fronts import FRONTS  # noqa: E402 - the path has to be set before.
from probe import FEATURES  # noqa: E402
from stage import BASES  # noqa: E402

TITLES = {
    "chat": "`/v1/chat/completions`",
    "completions": "`/v1/completions`",
    "responses": "`/v1/responses`",
    "messages": "`/v1/messages`",
    "gemini": "`/v1beta/models/…:generateContent`",
    "cohere": "`/v2/chat`",
    "converse": "`/model/…/converse`",
    "embeddings": "`/v1/embeddings`",
}
# What the clients do beside what the matrix has.
MORE = ("reasoning", "stop", "chat", "count", "cache", "suffix", "kept", "background")
INTRODUCTION = """\
# What works with what

This page is written by `tests/clients/matrix.py` from the tests that `make test` runs; it is not edited by
hand, and the tests fail when it is out of date. The gateway runs with the simulated provider behind it, which
speaks the dialects of OpenAI, Anthropic, Gemini, Bedrock and Cohere and checks requests as strictly as they do; of the
OpenAI-compatible kinds it is the gateway's handling of each that is tried.

| | means |
|---|---|
| ✓ | it works, and what it means is what was asked for |
| refused | answered with 400 before anything is sent, naming what this provider cannot do |
| – | this API has no such thing: the line under the table says which |
| **✗** | it does not work: a test fails |

- **plain**: an answer in one piece with its text and its usage, the headers with record, target and cost
- **stream**: the same text and the same usage in events, with the end that the dialect promises
- **tools**: two calls at once, in one piece and in deltas, and the results given back
- **structured**: an answer that follows a JSON Schema
- **image**: a picture in the question
- **error**: unknown model, wrong key, the provider's unknown model and rate limit, a stream that is cut and
  one that fails, each in the caller's dialect with the stable code
- **disconnect**: the caller leaves a stream; the provider is told, and there is one record, aborted, with its
  cost
"""


def write(results: list[dict[str, Any]], page: Path) -> list[str]:
    """Writes the page. Returns what is wrong: cells without result, and a page that was out of date."""
    problems: list[str] = []
    text = INTRODUCTION + _fronts(results, problems) + _clients(results)
    if not page.exists() or page.read_text() != text:
        page.write_text(text)
        problems.append("was out of date and is written anew")
    return problems


def _fronts(results: list[dict[str, Any]], problems: list[str]) -> str:
    cells = {
        (one["front"], one["provider"], one["feature"]): _word(one)
        for one in results
        if one["client"] == "matrix" and "feature" in one
    }
    out = ""
    for front in FRONTS:
        out += f"\n## {TITLES[front.name]}\n\n| provider | {' | '.join(FEATURES)} |\n"
        out += f"|---|{'---|' * len(FEATURES)}\n"
        for provider in BASES:
            words = []
            for feature in FEATURES:
                word = cells.get((front.name, provider, feature))
                if not word:
                    problems.append(f"nothing is known of {front.name}, {provider}, {feature}")
                words.append(word or "")
            out += f"| {provider} | {' | '.join(words)} |\n"
        reasons = [f"{feature}: {why}" for feature, why in front.without.items()]
        out += f"\n– {'; '.join(reasons)}.\n" if reasons else ""
    return out


def _word(cell: dict[str, Any]) -> str:
    match cell["outcome"]:
        case "passed":
            return "✓"
        case "refused":
            return f"refused (`{cell['why']}`)"
        case "none":
            return "–"
        case _:
            return "**✗**"


def _clients(results: list[dict[str, Any]]) -> str:
    """One line a client and front: through which providers each feature was tried."""
    tried: dict[tuple[str, str], dict[str, dict[str, bool]]] = defaultdict(lambda: defaultdict(dict))
    versions: dict[str, str] = {}
    for one in results:
        # What goes to the simulator itself says nothing of the gateway.
        if one["client"] == "matrix" or one.get("front", "simulator") == "simulator":
            continue
        versions[one["client"]] = one["version"]
        providers = tried[one["client"], one["front"]][one["feature"]]
        provider = "gemini" if one["provider"] == "signed" else one["provider"]
        providers[provider] = providers.get(provider, True) and one["outcome"] == "passed"
    columns = [*FEATURES, *MORE]
    out = "\n## Clients\n\nThe providers behind the gateway that each client's cases pass through: "
    out += "**O**penAI, **A**nthropic, **G**emini, **B**edrock, **V**ertex AI, **M**istral,\n**C**ompatible, Co**h**ere.\n"
    out += "A dash: this client is not tried with it.\n\n"
    out += f"| client | version | front | {' | '.join(columns)} |\n|---|---|---|{'---|' * len(columns)}\n"
    for client, front in sorted(tried):
        cells = [_initials(tried[client, front].get(column, {})) for column in columns]
        out += f"| {client} | {versions[client]} | {front} | {' | '.join(cells)} |\n"
    return out


def _initials(providers: dict[str, bool]) -> str:
    order = list(BASES)
    letter = {"cohere": "H"}
    initials = (
        letter.get(provider, provider[0].upper())
        if providers[provider]
        else f"**✗{letter.get(provider, provider[0].upper())}**"
        for provider in sorted(providers, key=order.index)
    )
    return " ".join(initials) or "–"


if __name__ == "__main__":
    source = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / ".cache/results.jsonl"
    target = Path(sys.argv[2]) if len(sys.argv) > 2 else HERE.parent.parent / "docs/matrix.md"
    found = write([json.loads(line) for line in source.read_text().splitlines()], target)
    print("\n".join(found) or "the page is up to date")
    sys.exit(1 if found else 0)
