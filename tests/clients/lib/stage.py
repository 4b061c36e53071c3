"""The stage: a simulated provider and a gateway before it, on free ports of the loopback, with a data
folder that is gone afterwards.
"""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

# How long either process may take to be ready.
READY_SECONDS_MAX = 20
# Pause between two looks at something that has no event to wait for.
LOOK_SECONDS = 0.02
# The kinds of providers and what follows the simulator's address in theirs.
BASES = {
    "openai": "/v1",
    "anthropic": "",
    "gemini": "",
    "azure": "",
    "bedrock": "",
    "vertex": "",
    "cohere": "",
    "mistral": "/v1",
    "groq": "/openai/v1",
    "deepseek": "",
    "xai": "/v1",
    "together": "/v1",
    "fireworks": "/inference/v1",
    "openrouter": "/api/v1",
    "perplexity": "",
    "ollama": "/v1",
    "vllm": "/v1",
    "llamacpp": "/v1",
    "tgi": "/v1",
    "compatible": "/v1",
}
# What else some kinds need to know.
SETTINGS = {
    "bedrock": {"aws_region": "eu-central-1"},
    "vertex": {"project": "sim", "location": "europe-west4"},
}
# The model of each provider that answers ordinarily.
PLAIN = {"anthropic": "claude-sim", "gemini": "gemini-2.5-sim", "vertex": "gemini-2.5-sim"}
PLAIN_ELSE = "small"
# What callers may put before `-on-<provider>`, and the simulator's model that does it.
BEHAVIOURS = {
    "missing": "missing-model",
    "broken": "error-500",
    "limited": "ratelimit-60",
    "cut": "cut-7",
    "failing": "fail-7",
    "filtered": "filter",
    "signed": "gemini-3-sim",
}


class Stage:
    """Both processes, from `with` to its end."""

    def __init__(self, binary: Path, folder: Path) -> None:
        self._binary = binary
        self._folder = folder
        self._data = folder / "data"
        self._running: list[subprocess.Popen[bytes]] = []
        self._environment = {**os.environ, "SIM_KEY": "key-of-the-simulator", "GATEHOUSE_LOG": "warn"}
        self.gateway = ""
        self.simulator = ""
        self.key = ""

    def __enter__(self) -> Stage:
        try:
            self.simulator = self._start_simulator()
            calls, admin = _free_port(), _free_port()
            self._write_configuration(calls, admin)
            self.key = self._new_key()
            self.gateway = f"http://127.0.0.1:{calls}"
            self._start("gateway", ["serve", *self._place()])
            self._until_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._running:
            # The first signal lets calls end, the second does not wait for them.
            for _ in range(2):
                if process.poll() is None:
                    process.send_signal(signal.SIGTERM)
                    try:
                        process.wait(3)
                    except subprocess.TimeoutExpired:
                        continue
            if process.poll() is None:
                process.kill()
                process.wait()

    def environment(self) -> dict[str, str]:
        """What a client's tests need to know, and nothing that would lead a client elsewhere."""
        proxies = {"http_proxy", "https_proxy", "all_proxy"}
        kept = {name: value for name, value in os.environ.items() if name.lower() not in proxies}
        return {
            **kept,
            "CLIENTS_GATEWAY": self.gateway,
            "CLIENTS_SIMULATOR": self.simulator,
            "CLIENTS_KEY": self.key,
            # To ask for the record.
            "CLIENTS_BINARY": str(self._binary),
            "CLIENTS_FOLDER": str(self._folder),
            "NO_PROXY": "127.0.0.1",
        }

    def audit(self, *filters: str) -> list[dict[str, Any]]:
        """The calls that the record has, newest first."""
        said = self._command(["audit", "query", "--json", "--limit", "10000", *filters, *self._place()])
        return json.loads(said)["calls"]

    def log(self) -> str:
        """The end of what the gateway said."""
        return (self._folder / "gateway.log").read_text(errors="replace")[-4_000:]

    def _place(self) -> list[str]:
        return ["--config", str(self._folder / "gatehouse.yaml"), "--data", str(self._data)]

    def _start_simulator(self) -> str:
        listen = "127.0.0.1:0"
        process = self._start("simulator", ["sim", "--listen", listen, "--control", "--open"])
        log = self._folder / "simulator.log"
        found: list[str] = []

        def is_there() -> bool:
            found[:] = re.findall(r"simulated providers on (http://\S+)", log.read_text(errors="replace"))
            return bool(found)

        _await("the simulated provider", process, is_there, log)
        return found[0]

    def _start(self, name: str, arguments: list[str]) -> subprocess.Popen[bytes]:
        with open(self._folder / f"{name}.log", "wb") as log:
            process = subprocess.Popen(
                [str(self._binary), *arguments],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        self._running.append(process)
        return process

    def _command(self, arguments: list[str]) -> str:
        command = [str(self._binary), *arguments]
        done = subprocess.run(
            command, cwd=self._folder, env=self._environment, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
        return done.stdout

    def _new_key(self) -> str:
        said = self._command(["key", "create", "--json", "--team", "clients", *self._place()])
        return json.loads(said)["key"]

    def _write_configuration(self, calls: int, admin: int) -> None:
        providers = {
            name: {
                "api": name,
                "base_url": self.simulator + base,
                "api_key": "${SIM_KEY}",
                "prices": {"*": {"input": "1", "output": "2"}},
                **SETTINGS.get(name, {}),
            }
            for name, base in BASES.items()
        }
        # Three that callers may pass through to.
        for name in ("openai", "anthropic", "gemini"):
            providers[f"through-{name}"] = {**providers[name], "passthrough": True}
        models = {f"on-{name}": f"{name}/{PLAIN.get(name, PLAIN_ELSE)}" for name in BASES}
        for behaviour, there in BEHAVIOURS.items():
            models.update({f"{behaviour}-on-{name}": f"{name}/{there}" for name in BASES})
        configuration = {
            "listen": f"127.0.0.1:{calls}",
            "admin": {"listen": f"127.0.0.1:{admin}"},
            "providers": providers,
            "models": {name: {"targets": [target]} for name, target in models.items()},
            # Every byte of what was said, so that the record's own part is tried too.
            # What the disk says about it is another test's business: it would decide how long this one takes.
            "record": {"content": "full", "durability": "async"},
        }
        # JSON is YAML, and the standard library can write it.
        (self._folder / "gatehouse.yaml").write_text(json.dumps(configuration, indent=1))

    def _until_ready(self) -> None:
        def is_ready() -> bool:
            try:
                with urllib.request.urlopen(f"{self.gateway}/readyz", timeout=2) as answer:
                    return answer.status == 200
            except (urllib.error.URLError, OSError):
                return False

        _await("the gateway", self._running[-1], is_ready, self._folder / "gateway.log")


def _await(what: str, process: subprocess.Popen[bytes], is_there, log: Path) -> None:
    until = time.monotonic() + READY_SECONDS_MAX
    while not is_there():
        if process.poll() is not None or time.monotonic() > until:
            raise RuntimeError(f"{what} did not start:\n{log.read_text(errors='replace')}")
        time.sleep(LOOK_SECONDS)


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]
