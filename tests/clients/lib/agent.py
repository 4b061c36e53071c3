"""A coding agent as a process of its own: a home that no one else has, no way to the network but to the
gateway, and no terminal.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

BINARY = os.environ["CLIENTS_BINARY"]
STAGE = Path(os.environ["CLIENTS_FOLDER"])
# How long one task may take: less than a second for the native ones, some three for Gemini CLI.
TASK_SECONDS_MAX = 60
# How long a record may take from its call to the index, and the pause between two looks.
RECORD_SECONDS_MAX = 10
LOOK_SECONDS = 0.05
# Nothing listens there: what an agent asks elsewhere is refused at once, whatever it was told not to ask.
NOWHERE = "http://127.0.0.1:9"


def run(command: list[str], home: Path, **environment: str) -> str:
    """Runs an agent in `home/work` until it is done. What it printed; its standard error when it failed."""
    folder = work(home)
    own = {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "TERM": "dumb",
        "HTTP_PROXY": NOWHERE,
        "HTTPS_PROXY": NOWHERE,
        "NO_PROXY": "127.0.0.1",
    }
    done = subprocess.run(
        command,
        cwd=folder,
        env={**own, **environment},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=TASK_SECONDS_MAX,
        check=False,
    )
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def work(home: Path) -> Path:
    """The folder that the agent works in."""
    folder = home / "work"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def recorded(session: str, count: int) -> list[dict[str, Any]]:
    """The calls of a run, as soon as the record has so many."""
    place = ["--config", str(STAGE / "gatehouse.yaml"), "--data", str(STAGE / "data")]
    until = time.monotonic() + RECORD_SECONDS_MAX
    while True:
        said = subprocess.run(
            [BINARY, "audit", "query", "--json", "--run", session, *place],
            cwd=STAGE,
            env={**os.environ, "SIM_KEY": "-"},
            capture_output=True,
            text=True,
            check=True,
        )
        calls = json.loads(said.stdout)["calls"]
        if len(calls) >= count or time.monotonic() > until:
            return calls
        time.sleep(LOOK_SECONDS)
