"""Receivers of the record over TLS: syslog, and a webhook whose signature is checked with another implementation.

A gateway of its own, which trusts one certificate and no other. Runs when the clients are done.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import socket
import ssl
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from tls import server_side

SECRET = "whsec_" + base64.b64encode(b"a key of thirty-two bytes, for sinks").decode()
# How long anything may take.
SECONDS_MAX = 30
LOOK_SECONDS = 0.02


class Syslog:
    """A receiver of syslog over TLS: all that came, and how often somebody tried."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.lines: list[str] = []
        self.refused = 0
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            stream, _ = self._listener.accept()
            try:
                with self._context.wrap_socket(stream, server_side=True) as secured:
                    self.lines += framed(b"".join(iter(lambda: secured.recv(65536), b"")))
                    secured.unwrap()
            except (OSError, ssl.SSLError):
                self.refused += 1


def framed(data: bytes) -> Iterator[str]:
    """Each message after its length (RFC 5425)."""
    while data:
        length, data = data.split(b" ", 1)
        yield data[: int(length)].decode()
        data = data[int(length) :]


class Webhook(BaseHTTPRequestHandler):
    """Takes what is signed as https://www.standardwebhooks.com has it."""

    leaves: list[dict] = []
    faults: list[str] = []

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        signed = f"{self.headers['webhook-id']}.{self.headers['webhook-timestamp']}.".encode() + body
        key = base64.b64decode(SECRET.removeprefix("whsec_"))
        wanted = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        if wanted != self.headers["webhook-signature"]:
            Webhook.faults.append(f"{self.headers['webhook-signature']} is not {wanted}")
        Webhook.leaves += [json.loads(line) for line in body.splitlines()]
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def gateway(folder: Path, config: dict, trusts: Path) -> Iterator[tuple[str, str]]:
    """A gateway with this configuration: its address and its key."""
    file = folder / "gatehouse.yaml"
    file.write_text(json.dumps(config))
    command = [os.environ["CLIENTS_BINARY"], "serve", "--config", str(file), "--data", str(folder / "data")]
    environment = {**os.environ, "SSL_CERT_FILE": str(trusts), "SINK_SECRET": SECRET}
    environment.pop("SSL_CERT_DIR", None)
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        try:
            said = ""
            while "Or point an SDK" not in said:
                line = process.stdout.readline()
                if not line:
                    raise RuntimeError(f"it does not start: {said}")
                said += line
            yield re.search(r"calls +(http://\S+)", said).group(1), re.search(r"ghk_\S+", said).group(0)
        finally:
            process.terminate()
            process.stdout.close()
            process.wait(SECONDS_MAX)


def until(is_so: Callable[[], bool], what: str) -> None:
    """Waits for something that has no event."""
    end = time.monotonic() + SECONDS_MAX
    while not is_so():
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come about")
        time.sleep(LOOK_SECONDS)


def run() -> None:
    """One call, and what the receivers have of it."""
    with tempfile.TemporaryDirectory(prefix="gatehouse-sinks-") as name:
        folder = Path(name)
        (folder / "stranger").mkdir()
        own, trusts = server_side(folder)
        stranger, _ = server_side(folder / "stranger")
        syslog, other = Syslog(own), Syslog(stranger)
        server = ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
        server.socket = own.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        every = {"every": "100ms"}
        sinks = [
            {"name": "soc", "syslog": f"tls://127.0.0.1:{syslog.port}", **every},
            {"name": "other", "syslog": f"tls://127.0.0.1:{other.port}", **every},
            {
                "name": "siem",
                "webhook": f"https://127.0.0.1:{server.server_port}/in",
                "secret": "${SINK_SECRET}",
                **every,
            },
        ]
        config = {
            "listen": "127.0.0.1:0",
            "admin": {"listen": "127.0.0.1:0"},
            "providers": {"sim": {"api": "sim"}},
            "record": {"sinks": sinks},
        }
        with gateway(folder, config, trusts) as (address, key):
            body = {"model": "sim/small", "user": "anna", "messages": [{"role": "user", "content": "hello"}]}
            ask = urllib.request.Request(
                f"{address}/v1/chat/completions",
                json.dumps(body).encode(),
                {"content-type": "application/json", "authorization": f"Bearer {key}"},
            )
            with urllib.request.urlopen(ask, timeout=SECONDS_MAX) as answer:
                record = answer.headers["x-gatehouse-record"]
            is_end = lambda leaf: leaf["kind"] == "call.settled" and leaf["id"] == record  # noqa: E731
            until(lambda: any(map(is_end, Webhook.leaves)), "the webhook")
            until(lambda: any(record in line and "call.settled" in line for line in syslog.lines), "syslog")
            until(lambda: other.refused > 0, "an attempt to send to a stranger")
        assert not Webhook.faults, Webhook.faults
        assert not other.lines, other.lines
        assert all(line.startswith("<109>1 - r0-") for line in syslog.lines), syslog.lines[0]
        sent = json.dumps(Webhook.leaves) + "".join(syslog.lines)
        assert "anna" not in sent, "a name left the gateway"
        numbers = [leaf["seq"] for leaf in Webhook.leaves]
        assert numbers == list(range(len(numbers))), numbers


def main() -> int:
    """0 when all went well."""
    failed = ""
    try:
        run()
    except (AssertionError, RuntimeError, OSError) as error:
        failed = repr(error)
        print(f"FAILED {failed}")
    row = {"client": "sinks", "case": "over TLS", "provider": "", "outcome": "failed" if failed else "passed"}
    with open(os.environ["CLIENTS_RESULTS"], "a", encoding="utf-8") as results:
        results.write(json.dumps(row) + "\n")
    return int(bool(failed))


if __name__ == "__main__":
    sys.exit(main())
