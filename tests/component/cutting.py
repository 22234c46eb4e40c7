"""A bad connection: bytes go through it to a server and back until it breaks, as often as a test says."""

from __future__ import annotations

import contextlib
import select
import socket
import sys
import threading
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


class Cutter:
    """Forwards connections on `url` to an endpoint. Each of the next connections breaks after as many bytes, both ways together, as the next of `cuts` says; after
    `ends_after` bytes none goes through any more. `up` and `down` count bytes.
    """

    def __init__(self, endpoint: str) -> None:
        parts = urlsplit(endpoint)
        self._server = (parts.hostname or "", parts.port or 80)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._lock = threading.Lock()
        self.cuts: list[int] = []
        self.ends_after = sys.maxsize
        self.up = self.down = 0

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                with self._lock:
                    left = self.cuts.pop(0) if self.cuts else sys.maxsize
                threading.Thread(target=self._forward, args=(client, left), daemon=True).start()

    def _forward(self, client: socket.socket, left: int) -> None:
        with client, contextlib.suppress(OSError), socket.create_connection(self._server) as server:
            while left > 0 and self.up + self.down < self.ends_after:
                for ready in select.select([client, server], [], [])[0]:
                    data = ready.recv(min(left, 1 << 16))
                    if not data:
                        return
                    (server if ready is client else client).sendall(data)
                    left -= len(data)
                    with self._lock:
                        if ready is client:
                            self.up += len(data)
                        else:
                            self.down += len(data)
