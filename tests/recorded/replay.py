"""Replays the recordings to the official clients through the gateway and compares. Started by `run.py`."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from decimal import Decimal
from pathlib import Path

import recordings
from checks import VERDICTS, Checks, Found, Result
from fronts import Clients
from recordings import Recording
from theatre import Theatre, cut_name, fronts_of, name_of

# Recordings that are replayed at the same time, each in a process of its own: clients are busy with Python.
WORKERS = int(os.environ.get("RECORDED_WORKERS", "4"))
# Recordings that the simulated provider has at once; their scripts have to fit into its `SCRIPTS_MAX`.
BATCH = 120
# Nothing new is begun after this time; what was left out is said.
SECONDS_MAX = float(os.environ.get("RECORDED_SECONDS", "300"))
# The clients of a worker: the replayed provider's and the gateway's.
_clients: list[Clients] = []


def main() -> int:
    """Runs all; 0 when nothing is different."""
    began = time.monotonic()
    chosen = recordings.load(sys.argv[1] if len(sys.argv) > 1 else "")
    binary = Path(os.environ["GATEHOUSE_BIN"])
    results: list[Result] = []
    calls: Counter[str] = Counter()
    usage: dict[str, tuple[int, int]] = {}
    done = 0
    with tempfile.TemporaryDirectory(prefix="gatehouse-recorded-") as folder:
        errors = [one for one in chosen if one.is_error]
        with Theatre(binary, Path(folder), errors=errors) as theatre:
            addresses = (theatre.simulator, theatre.gateway, theatre.key)
            with ProcessPoolExecutor(WORKERS, initializer=_enter, initargs=addresses) as pool:
                for begin in range(0, len(chosen), BATCH):
                    if time.monotonic() - began > SECONDS_MAX:
                        break
                    batch = chosen[begin : begin + BATCH]
                    theatre.rehearse(batch)
                    for checks in pool.map(_check, batch):
                        _say(checks.results)
                        results += checks.results
                        calls += checks.calls
                        usage |= checks.usage
                    done += len(batch)
            of_record = _records(theatre, chosen[:done], calls, usage)
            _say(of_record)
            results += of_record
    if done < len(chosen):
        print(f"recorded: out of time, {len(chosen) - done} of {len(chosen)} recordings were left out")
    return _summary(results, sum(calls.values()), done, time.monotonic() - began)


def _enter(simulator: str, gateway: str, key: str) -> None:
    _clients[:] = [Clients(simulator, "key-of-the-simulator"), Clients(gateway, key)]


def _check(recording: Recording) -> Found:
    checks = Checks(recording, *_clients)
    checks.run()
    return checks.found


def _records(
    theatre: Theatre, played: list[Recording], calls: Counter[str], usage: dict[str, tuple[int, int]]
) -> list[Result]:
    """The gateway's record: one for each call, with what it used and a cost; broken calls failed."""
    failed = {cut_name(one, front) for one in played for front in fronts_of(one)}
    failed |= {name_of(one) for one in played if one.is_error or one.is_broken}
    found: list[str] = []
    kept = theatre.records()
    for record in kept:
        asked = record["model"].split("/", 1)[-1]
        record["asked"] = asked
        if record["cost_usd"] is not None and Decimal(record["cost_usd"]) < 0:
            found.append(f"{record['record']}: {asked} costs {record['cost_usd']}")
        if asked in failed and record["outcome"] != "failed":
            found.append(f"{record['record']}: {asked} is {record['outcome']}, not failed")
        used = (record["input_tokens"], record["output_tokens"])
        if asked in usage and record["outcome"] == "settled" and used != usage[asked]:
            found.append(f"{record['record']}: {asked} used {used}, the provider says {usage[asked]}")
    have = Counter(record["asked"] for record in kept)
    found += [
        f"{model}: {have[model]} records of {calls[model]} calls"
        for model in sorted(have | calls)
        if have[model] != calls[model]
    ]
    return [Result("the record", "gateway", "", "record", "record", "different", said) for said in found] or [
        Result("the record", "gateway", "", "record", "record", "equal")
    ]


def _say(results: list[Result]) -> None:
    for one in results:
        if one.verdict == "different":
            print(f"DIFFERENT {one.file} [{one.front}, {one.check}] {one.said}", flush=True)


def _summary(results: list[Result], calls: int, done: int, seconds: float) -> int:
    print(f"\n{'provider':16} {'front':10} {'equal':>6} {'refused':>8} {'different':>10}")
    rows = Counter((one.provider, one.front, one.verdict) for one in results)
    for provider, front in sorted({(provider, front) for provider, front, _ in rows}):
        equal, refused, different = (rows[provider, front, word] for word in VERDICTS)
        print(f"{provider:16} {front:10} {equal:6} {refused:8} {different:10}")
    reasons = Counter(one.said for one in results if one.verdict == "refused")
    for reason, count in reasons.most_common():
        print(f"refused {count}x {reason}")
    verdicts = Counter(one.verdict for one in results)
    print(
        f"\nrecorded: {done} recordings, {calls} calls, {verdicts['equal']} equal, {verdicts['refused']} "
        f"refused by name, {verdicts['different']} different in {seconds:.0f} s"
    )
    return 1 if verdicts["different"] or not results else 0


if __name__ == "__main__":
    sys.exit(main())
