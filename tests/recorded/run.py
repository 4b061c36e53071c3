"""Looks for the recordings and the clients, then hands over to `replay.py` in the clients' environment.

    run.py [PART OF A FILE'S NAME]

`GATEHOUSE_RECORDED` names the folder of recordings; by default it is looked for beside the repository.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
CLIENTS = HERE.parent / "clients"
sys.path.insert(0, str(CLIENTS / "lib"))

import install  # noqa: E402 - the path has to be set before.

# The environment of `tests/clients/requirements/` that has the three clients.
ENVIRONMENT = "sdks"


def main() -> int:
    """Runs it; 0 when all is equal or there is nothing to run."""
    recorded = Path(os.environ.get("GATEHOUSE_RECORDED", ROOT.parent / "shared/data/recorded"))
    if not (recorded / "INDEX.jsonl").is_file():
        print("recorded: skipped, there are no recordings (GATEHOUSE_RECORDED names their folder)")
        return 0
    binary = Path(os.environ.get("GATEHOUSE_BIN", ROOT / "target/debug/gatehouse")).resolve()
    if not binary.exists():
        print(f"there is no {binary}; build it with `cargo build`, or name another in GATEHOUSE_BIN")
        return 2
    try:
        install.install()
    except install.InstallError as error:
        print(error)
        return 1
    proxies = {"http_proxy", "https_proxy", "all_proxy"}
    environment = {name: value for name, value in os.environ.items() if name.lower() not in proxies}
    environment |= {
        "GATEHOUSE_BIN": str(binary),
        "GATEHOUSE_RECORDED": str(recorded.resolve()),
        "PYTHONPATH": os.pathsep.join([str(HERE / "lib"), str(CLIENTS / "lib")]),
        "NO_PROXY": "127.0.0.1",
    }
    command = [str(install.python_of(ENVIRONMENT)), str(HERE / "replay.py"), *sys.argv[1:]]
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
