"""Every leaf that the clients' calls left is as its published schema says. Runs when all of them are done."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from jsonschema import Draft202012Validator

ROOT = Path(__file__).resolve().parents[3]
FOLDER = Path(os.environ["CLIENTS_FOLDER"])
# So that a run in which nothing was recorded does not pass.
LEAVES_MIN = 2
# How many faults are told.
FAULTS_MAX = 10


def main() -> int:
    """0 when all leaves fit."""
    validator = Draft202012Validator(json.loads((ROOT / "docs/leaf.schema.json").read_text()))
    validator.check_schema(validator.schema)
    kinds: Counter[str] = Counter()
    faults = []
    for leaf in leaves(exported()):
        kinds[leaf["kind"]] += 1
        for error in validator.iter_errors(leaf):
            inner = "; ".join(f"{'/'.join(map(str, one.path))}: {one.message}"[:200] for one in error.context)
            faults.append(f"{leaf['kind']} {leaf['seq']}: {inner or error.message}")
    for fault in faults[:FAULTS_MAX]:
        print(f"FAILED {fault}")
    if sum(kinds.values()) < LEAVES_MIN:
        print("FAILED there are no leaves")
    failed = bool(faults) or sum(kinds.values()) < LEAVES_MIN
    outcome = "failed" if failed else "passed"
    row = {"client": "record", "case": f"{sum(kinds.values())} leaves", "provider": "", "outcome": outcome}
    with open(os.environ["CLIENTS_RESULTS"], "a", encoding="utf-8") as results:
        results.write(json.dumps(row) + "\n")
    return int(failed)


def exported() -> Path:
    """A copy of the log."""
    copy = FOLDER / "copy"
    place = ["--config", str(FOLDER / "gatehouse.yaml"), "--data", str(FOLDER / "data")]
    command = [os.environ["CLIENTS_BINARY"], "audit", "export", "-o", str(copy), *place]
    subprocess.run(command, check=True, env={**os.environ, "SIM_KEY": "-"})
    return copy / "r0"


def leaves(log: Path) -> Iterator[dict]:
    """The leaves of a copy: each after its length, in tiles."""
    for tile in sorted((log / "tile/entries").rglob("*")):
        if not tile.is_file():
            continue
        data = tile.read_bytes()
        at = 0
        while at < len(data):
            end = at + 2 + int.from_bytes(data[at : at + 2], "big")
            yield json.loads(data[at + 2 : end])
            at = end


if __name__ == "__main__":
    sys.exit(main())
