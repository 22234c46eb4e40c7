"""A loopback proxy in front of a real server, which does to connections what a test says."""

from __future__ import annotations

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

Fault = Callable[["Link"], bool]
"""What happens to a new connection; whether it is then passed on."""


class Link:
    """One connection of a client, and how to reach the server behind."""

    def __init__(self, client: socket.socket, server: tuple[str, int]) -> None:
        self.client = client
        self._server = server
        self.limit: int | None = None

    def run(self) -> None:
        """Passes bytes on in both directions, at most `limit` of the client's; then both ends are reset."""
        with socket.create_connection(self._server, 5) as server:
            back = threading.Thread(target=_pump, args=(server, self.client, None), daemon=True)
            back.start()
            if _pump(self.client, server, self.limit):
                back.join(60)
            else:
                _reset(server)
                _reset(self.client)


class Proxy:
    """`fault` is asked for every connection, and may be changed at any time; `seen` counts them."""

    def __init__(self, server: str, context: ssl.SSLContext | None = None, port: int = 0) -> None:
        parts = urlsplit(server)
        self._server = (parts.hostname or "", parts.port or 0)
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = self._listener.getsockname()[1]
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.port}"
        self.fault: Fault = passed
        self.seen = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.seen += 1
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            if self._context is not None:
                client = self._context.wrap_socket(client, server_side=True)
            with client:
                link = Link(client, self._server)
                if self.fault(link):
                    link.run()

    def close(self) -> None:
        """Takes no more connections."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@contextlib.contextmanager
def proxied(server: str, context: ssl.SSLContext | None = None, port: int = 0) -> Iterator[Proxy]:
    """A proxy in front of the server at this URL."""
    proxy = Proxy(server, context, port)
    try:
        yield proxy
    finally:
        proxy.close()


def passed(_: Link) -> bool:
    """Nothing happens to it."""
    return True


def refused(link: Link) -> bool:
    """It is reset before a byte was read."""
    _reset(link.client)
    return False


def answered(status: int, body: bytes) -> Fault:
    """Its request is read whole and answered by somebody in between."""

    def fault(link: Link) -> bool:
        read_request(link.client)
        link.client.sendall(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body)
        return False

    return fault


def cut_after(count: int) -> Fault:
    """It breaks once so many bytes of the client have been passed on."""

    def fault(link: Link) -> bool:
        link.limit = count
        return True

    return fault


def late_by(seconds: float) -> Fault:
    """It hangs for a while before anything is passed on."""

    def fault(_: Link) -> bool:
        time.sleep(seconds)
        return True

    return fault


def read_request(client: socket.socket) -> bytes:
    """The head of a request, once its body has been read too."""
    data = b""
    while b"\r\n\r\n" not in data and (chunk := client.recv(65536)):
        data += chunk
    head, _, body = data.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    left = (int(lengths[0].split(b":")[1]) if lengths else 0) - len(body)
    while left > 0 and (chunk := client.recv(65536)):
        left -= len(chunk)
    return head


def _pump(source: socket.socket, target: socket.socket, limit: int | None) -> bool:
    """Passes bytes on; False once `limit` of them have been."""
    with contextlib.suppress(OSError):
        while chunk := source.recv(65536 if limit is None else min(65536, limit)):
            target.sendall(chunk)
            if limit is not None and (limit := limit - len(chunk)) <= 0:
                return False
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
    return True


def _reset(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()
