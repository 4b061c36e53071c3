"""Runs the real clients against the gateway with simulated providers behind it.

    run.py [--only CLIENT] [CASE]

Installs what is missing, starts both processes, lets every client run its cases in an environment of its
own, tries the rows of the matrix by plain HTTP, writes `docs/matrix.md`, and says how many passed.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "lib"))

import install  # noqa: E402 - the path has to be set before.
from probe import probe  # noqa: E402
from stage import Stage  # noqa: E402

import matrix  # noqa: E402

ROOT = HERE.parent.parent
# Clients at the same time: they share the machine with the gateway.
CLIENTS_MAX = 2
# How long one client may take over all its cases.
CLIENT_SECONDS_MAX = 300


@dataclass
class Client:
    """A client's tests: where they are and what runs them."""

    name: str
    script: Path
    # The environment of `requirements/`, or Node when there is none.
    environment: str | None


# The longest first, so that no one waits for it at the end.
CLIENTS = [
    Client("litellm", HERE / "python/litellm_client.py", "litellm"),
    Client("coding-agents", HERE / "python/coding_agents.py", "sdks"),
    Client("langchain", HERE / "python/langchain_client.py", "sdks"),
    Client("openai-python, chat", HERE / "python/openai_chat.py", "sdks"),
    Client("openai-python, responses", HERE / "python/openai_responses.py", "sdks"),
    Client("openai-python, realtime", HERE / "python/openai_realtime.py", "sdks"),
    Client("openai-python, batches", HERE / "python/openai_batches.py", "sdks"),
    Client("openai-python, media", HERE / "python/openai_media.py", "sdks"),
    Client("pydantic-ai", HERE / "python/pydantic_ai_client.py", "sdks"),
    Client("instructor", HERE / "python/instructor_client.py", "instructor"),
    Client("google-genai-python, content", HERE / "python/google_genai_sdk.py", "sdks"),
    Client("google-genai-python, live", HERE / "python/google_genai_live.py", "sdks"),
    Client("anthropic-python", HERE / "python/anthropic_sdk.py", "sdks"),
    Client("mistral-python", HERE / "python/mistral_sdk.py", "clouds"),
    Client("anthropic-clouds-python", HERE / "python/anthropic_clouds.py", "clouds"),
    Client("cohere-python", HERE / "python/cohere_sdk.py", "cohere"),
    Client("boto3", HERE / "python/boto3_sdk.py", "clouds"),
    Client("ai-sdk", HERE / "node/ai-sdk.mjs", None),
    Client("openai-node", HERE / "node/openai.mjs", None),
    Client("google-genai-node", HERE / "node/google-genai.mjs", None),
    Client("anthropic-node", HERE / "node/anthropic.mjs", None),
    Client("anthropic-clouds-node", HERE / "node/anthropic-clouds.mjs", None),
]

# Those that come last: one looks at what all the others left.
LAST = [
    Client("record", HERE / "python/record_schema.py", "litellm"),
    Client("sinks", HERE / "python/record_sinks.py", "sdks"),
]


def main() -> int:
    """Runs everything that was asked for; 0 when all of it passed."""
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--only", help="one client, or `matrix`")
    asked.add_argument("case", nargs="?", default="", help="only cases whose name contains this")
    options = asked.parse_args()
    built = Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "debug/gatehouse"
    binary = Path(os.environ.get("GATEHOUSE_BIN", built)).resolve()
    if not binary.exists():
        print(f"there is no {binary}; build it with `cargo build`, or name another in GATEHOUSE_BIN")
        return 2
    try:
        node = install.install()
    except install.InstallError as error:
        print(error)
        return 1
    # Told to stop, it stops what it has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="gatehouse-clients-") as folder:
        results = run(Stage(binary, Path(folder)), Path(folder) / "results.jsonl", node, options)
    is_whole = not options.only and not options.case
    if is_whole:
        kept = install.CACHE / "results.jsonl"
        kept.write_text("".join(json.dumps(one) + "\n" for one in results))
        results.append(page(results))
    return summary(results, time.monotonic() - began)


def run(stage: Stage, file: Path, node: Path, options: argparse.Namespace) -> list[dict]:
    """Runs the clients and the matrix on a stage; what they wrote."""
    file.touch()
    crashed: list[dict] = []
    clients = [one for one in CLIENTS if options.only in (None, one.name, one.name.split(",")[0])]
    with stage:
        environment = {**os.environ, **stage.environment(), "CLIENTS_RESULTS": str(file)}
        with ThreadPoolExecutor(CLIENTS_MAX) as pool:
            for found in pool.map(lambda one: run_client(one, node, environment, options.case), clients):
                crashed += found
        for one in LAST:
            if options.only in (None, one.name):
                crashed += run_client(one, node, environment, "")
        rows = probe(stage) if options.only in (None, "matrix") else []
    written = [json.loads(line) for line in file.read_text().splitlines()]
    return written + rows + crashed


def run_client(client: Client, node: Path, environment: dict[str, str], case: str) -> list[dict]:
    """Runs one client's cases. Returns a failed result when it did not come to its end."""
    runner = install.python_of(client.environment) if client.environment else node
    own = {
        "CLIENTS_NODE": str(node),
        # What clients would otherwise ask the network for, or tell it.
        "LITELLM_LOCAL_MODEL_COST_MAP": "True",
        "LANGSMITH_TRACING": "false",
        "PYTHONPATH": str(HERE / "lib"),
        "NODE_NO_WARNINGS": "1",
    }
    began = time.monotonic()
    said = ""
    try:
        done = subprocess.run(
            [str(runner), str(client.script), *([case] if case else [])],
            env={**environment, **own},
            capture_output=True,
            text=True,
            timeout=CLIENT_SECONDS_MAX,
            check=False,
        )
        said = done.stdout + done.stderr
        came_to_its_end = done.returncode == 0 or "FAILED" in done.stdout
    except subprocess.TimeoutExpired as late:
        said = f"{late}\n{late.stdout!r}"
        came_to_its_end = False
    print(f"{client.name}: {time.monotonic() - began:.1f} s", flush=True)
    if came_to_its_end:
        print(said, end="" if said.endswith("\n") or not said else "\n") if "FAILED" in said else None
        return []
    print(f"FAILED {client.name} did not come to its end\n{said[-4_000:]}")
    return [{"client": client.name, "case": "the whole", "provider": "", "outcome": "failed", "said": said}]


def page(results: list[dict]) -> dict:
    """Writes the page; it has to be what it was, because it is part of the documentation."""
    problems = matrix.write(results, ROOT / "docs/matrix.md")
    for problem in problems:
        print(f"FAILED docs/matrix.md: {problem}")
    outcome = "failed" if problems else "passed"
    return {"client": "matrix", "case": "docs/matrix.md", "provider": "", "outcome": outcome}


def summary(results: list[dict], seconds: float) -> int:
    """Says how it went."""
    failed = [one for one in results if one["outcome"] == "failed"]
    if failed:
        print("\nFailed:")
    for one in failed:
        print(f"  {one['client']}: {one['case']} [{one['provider']}]")
    print(f"\nclients: {len(results) - len(failed)} passed, {len(failed)} failed in {seconds:.0f} s")
    return 1 if failed or not results else 0


if __name__ == "__main__":
    sys.exit(main())
