#!/usr/bin/env python3
"""Generates the price catalogue of gatehouse-ledger. Run: python3 tools/prices/generate.py

Prices and capability flags come from LiteLLM; announced price changes, aliases and models that LiteLLM
does not list (OpenRouter) from genai-prices. Both are pinned in requirements.txt, so a run gives the same
bytes. Where the two contradict each other, `resolutions.json` says whom to believe; what is not resolved
there is believed of LiteLLM and listed in DISAGREEMENTS.md.

`--wheels DIR` takes wheels that were downloaded before.
"""

import argparse
import json
import pathlib
import re
import tempfile

import genai_rows
import litellm_rows
import sources
import variants
from report import Report

HERE = pathlib.Path(__file__).parent
DATA = HERE.parent.parent / "crates" / "gatehouse-ledger" / "data"
RESOLUTIONS = json.loads((HERE / "resolutions.json").read_text())
# The day the lists were taken for: what begins later is "announced". Move it with the versions.
DAY = genai_rows.date("2026-11-22")


def from_litellm(entries, report):
    """Catalogue rows by (kind, model). An entry under two keys is taken once, the prefixed one."""
    rows = {}
    for name, entry in sorted(entries.items(), key=lambda item: "/" in item[0]):
        where = litellm_rows.place(name, entry)
        if where is None:
            continue
        kind, model = where
        prices = litellm_rows.rates(entry)
        base = litellm_rows.complete(prices, entry)
        row = {"key": f"{kind}/{model}", "source": "litellm", **litellm_rows.capabilities(entry)}
        if base is None:
            report.unpriced(row["key"])
            row["prices"] = []
        else:
            row |= {name: fee for name, fee in litellm_rows.fees(kind, model, entry).items() if fee}
            fast = entry.get("provider_specific_entry", {}).get("fast")
            off_peak = litellm_rows.off_peak(entry), litellm_rows.windows(entry)
            row["prices"] = variants.build(prices, off_peak, fast)
        rows[kind, model] = row
    return rows


def check(rows, known, report):
    """Compares base prices with genai-prices, applies resolutions and adds announced prices."""
    for (kind, model), row in rows.items():
        other = genai_rows.find(known.get(kind, []), model)
        if other is None or not row["prices"]:
            continue
        theirs = genai_rows.dearest_on(other, DAY)
        ours = row["prices"][0]
        differing = {
            name: (ours[name], theirs[0, name])
            for name in ("input", "output", "cached_read")
            if ours.get(name) and (0, name) in theirs and ours[name] != theirs[0, name]
        }
        context = int(other.get("context_window") or 0)
        row["context"] = max(row.get("context", 0), context) or None
        if not differing:
            report.agrees(kind)
            for day, future in genai_rows.announced(other, DAY):
                row["prices"] += variants.announced(row["prices"], theirs, future, day)
            continue
        resolution = RESOLUTIONS.get(row["key"]) or RESOLUTIONS.get(f"{kind}/*")
        if resolution and resolution["believe"] == "genai-prices":
            row["prices"], row["source"] = variants.from_genai(theirs), "genai-prices"
        report.differs(kind, row["key"], differing, resolution)


def add_missing(rows, known):
    """Rows for ids that only genai-prices has: aliases of known models and models of its own."""
    for kind, models in known.items():
        for model in models:
            ids = genai_rows.exact_ids(model)
            twin = next((rows[kind, name] for name in ids if (kind, name) in rows), None)
            for name in ids:
                if (kind, name) in rows or any(letter in name for letter in '"\\* '):
                    continue
                if twin is not None and agrees(twin, genai_rows.dearest_on(model, DAY)):
                    rows[kind, name] = {**twin, "key": f"{kind}/{name}", "source": "genai-prices"}
                elif row := own_row(kind, name, model):
                    rows[kind, name] = row


def agrees(row, theirs):
    """Whether an alias may take over a row: the base prices are the same."""
    base = row["prices"][0] if row["prices"] else {}
    return all(base.get(name) == theirs.get((0, name)) for name in ("input", "output"))


def own_row(kind, name, model):
    """A row from genai-prices alone, or None without a whole price. OpenRouter's `:free` is free by name."""
    theirs = genai_rows.dearest_on(model, DAY)
    if kind == "openrouter" and name.endswith(":free") and not theirs:
        theirs = {(0, "input"): 0, (0, "output"): 0}
    elif not theirs.get((0, "input")) or (0, "output") not in theirs:
        return None
    row = {"key": f"{kind}/{name}", "source": "genai-prices", "prices": variants.from_genai(theirs)}
    for day, future in genai_rows.announced(model, DAY):
        row["prices"] += variants.announced(row["prices"], theirs, future, day)
    if model.get("context_window"):
        row["context"] = int(model["context_window"])
    return row


MEMBERS = ("key", "source", "context", "output", "can", "cannot", "search", "search_unit", "request", "prices")


def line(row):
    """One row as compact JSON, members in a fixed order, the key first: the reader searches by it."""
    return json.dumps({name: row[name] for name in MEMBERS if row.get(name)}, separators=(",", ":"))


def heading():
    """The first line: the form, the day, and what the names of sources stand for."""
    pinned = dict(re.findall(r"^([\w-]+)==([\w.]+)", (HERE / "requirements.txt").read_text(), re.MULTILINE))
    named = {
        "litellm": f"LiteLLM {pinned['litellm']}, model_prices_and_context_window.json",
        "genai-prices": f"genai-prices {pinned['genai-prices']}",
    }
    return json.dumps({"catalogue": 1, "date": str(DAY), "sources": named}, separators=(",", ":"))


def notice(folder):
    """The licences of the two sources, as their terms ask for."""
    parts = ["models.jsonl is generated from the price lists of two packages, changed in form.\n"]
    for title, wheel in (("LiteLLM (BerriAI)", "litellm"), ("genai-prices (Pydantic)", "genai_prices")):
        text = sources.licence(folder, wheel).strip()
        parts.append(f"== {title} ==\n\n{text}\n")
    return "\n".join(parts)


def main():
    """Downloads, builds, writes the three files."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--wheels", help="folder with the wheels; downloaded when absent")
    wheels = arguments.parse_args().wheels
    with tempfile.TemporaryDirectory() as scratch:
        if wheels is None:
            sources.download(scratch)
        folder = wheels or scratch
        report = Report(DAY)
        rows = from_litellm(sources.litellm(folder), report)
        known = genai_rows.index(sources.genai(folder))
        check(rows, known, report)
        add_missing(rows, known)
        lines = [line(row) for row in sorted(rows.values(), key=lambda row: row["key"].encode())]
        DATA.mkdir(parents=True, exist_ok=True)
        (DATA / "models.jsonl").write_text("\n".join([heading(), *lines]) + "\n")
        (DATA / "DISAGREEMENTS.md").write_text(report.text(len(lines)))
        (DATA / "NOTICE").write_text(notice(folder))
        print(f"{len(lines)} rows, {sum(map(len, lines))} bytes")


if __name__ == "__main__":
    main()
