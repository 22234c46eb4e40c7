"""The side effects of steps, written down where no fault reaches: on the host, at the one address that Pods reach it by.

`POST /` appends its body as a line. `GET /hold/NAME` is answered once the test opens that gate, so a step is where the test wants it, for
as long as the test wants it, and nobody sleeps.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from node.api import HOST_IP

from ..conftest import wait_for


class Lines:
    """Everything that steps said, in order, each with the moment it came (`at`, seconds of `time.monotonic`)."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.at: list[float] = []
        self.held: Counter[str] = Counter()
        self.lock = threading.Lock()
        self._gates: dict[str, threading.Event] = {}
        self._server = ThreadingHTTPServer((HOST_IP, 0), _handler(self))
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.address = f"{HOST_IP}:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        for gate in list(self._gates.values()):
            gate.set()
        self._server.shutdown()
        self._server.server_close()

    def gate(self, name: str) -> threading.Event:
        with self.lock:
            return self._gates.setdefault(name, threading.Event())

    def open(self, *names: str) -> None:
        """Let go whoever is held at these gates, now and later."""
        for name in names:
            self.gate(name).set()

    def wait_held(self, name: str, times: int = 1, timeout: float = 60) -> None:
        """Return once so many steps have come to a gate."""
        wait_for(lambda: self.held[name] >= times, timeout, lambda: f"{self.held} at the gates; said: {self.said}")

    def wait_said(self, line: str, timeout: float = 60) -> None:
        wait_for(lambda: line in self.said, timeout, lambda: f"no {line!r} in {self.said}")

    def counted(self) -> dict[str, int]:
        """How often each line was said."""
        return dict(Counter(self.said))


def _handler(lines: Lines) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            line = self.rfile.read(int(self.headers["Content-Length"])).decode()
            with lines.lock:
                lines.said.append(line)
                lines.at.append(time.monotonic())
            self._answer()

        def do_GET(self) -> None:
            name = self.path.rpartition("/")[2]
            gate = lines.gate(name)
            with lines.lock:
                lines.held[name] += 1
            gate.wait()
            self._answer()

        def _answer(self) -> None:
            with contextlib.suppress(OSError):  # whoever asked may be dead by now
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    return Handler
