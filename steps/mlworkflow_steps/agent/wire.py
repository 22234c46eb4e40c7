"""One HTTP/1.1 request on one connection, or several small ones on a `Line`: the little that the agent needs of a client.

Not `http.client`, because that imports `ssl` and `email` and costs more than the rest of the agent's start. Every
failure on the way is an `OSError` (`BrokenAnswer` where the other side does not speak HTTP), so a caller has one
thing to retry on; `Unreadable` is the caller's own file.
"""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator

TYPE_CHECKING = False  # importing typing would cost more than all of this
if TYPE_CHECKING:
    from io import BufferedReader
    from ssl import SSLContext
    from typing import IO, Any

CONNECT_SECONDS = 10.0
ANSWER_SECONDS = 120.0
_CHUNK = 1 << 18
_SMALL = 1 << 16
_ENDLESS = 1 << 62
_LONGEST_LINE = 1 << 16
_SHORTER = "the file became shorter while it was sent"


class BrokenAnswer(OSError):
    """The answer ended early or is not HTTP."""


class Unreadable(Exception):
    """The body that was to be sent cannot be read: no matter of the connection."""


class Line:
    """A connection that is kept from one GET to the next, for one thread: with TLS, a new one costs more than a small file."""

    def __init__(self) -> None:
        self._place: tuple[str, str, int] | None = None
        self._connection: socket.socket | None = None

    def take(self, place: tuple[str, str, int]) -> socket.socket | None:
        """The kept connection, if it leads there; it is the caller's from now on."""
        connection, self._connection = self._connection, None
        if connection is not None and self._place != place:
            connection.close()
            return None
        return connection

    def give(self, place: tuple[str, str, int], connection: socket.socket) -> None:
        """Keeps a connection on which an answer has been read to its end."""
        self._place, self._connection = place, connection


class Answer:
    """A status, headers (lower case) and a body to be read once; on exit the connection is closed, or given to `keep`."""

    def __init__(self, connection: socket.socket, keep: Callable[[socket.socket], None] | None = None) -> None:
        self._connection = connection
        self._keep = keep
        self._is_read = False
        self._file: BufferedReader = connection.makefile("rb", _SMALL)  # type: ignore[assignment]
        self.status, self.headers = self._head()
        while self.status == 100:
            self.status, self.headers = self._head()
        self._pieces = self._lengths()
        self._left = 0

    def __enter__(self) -> Answer:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
        if self._is_read and self._keep is not None and self.headers.get("connection", "").lower() != "close":
            self._keep(self._connection)
        else:
            self._connection.close()

    def readinto(self, view: memoryview) -> int:
        """Puts into `view` what comes next of the body, and returns its size, which is 0 at the end; raises `BrokenAnswer` when the body ends
        before its length.
        """
        if not self._left:
            self._left = next(self._pieces, 0)
            if not self._left:
                return 0
        size = self._file.readinto1(view[: self._left])
        if not size and self._left != _ENDLESS:
            raise BrokenAnswer("the connection ended in the middle of an answer")
        if self._left != _ENDLESS:
            self._left -= size
        return size

    def read(self, limit: int = 8 << 20) -> bytes:
        """The whole of a small body; raises `BrokenAnswer` above `limit`."""
        data, window = bytearray(), memoryview(bytearray(_SMALL))
        while size := self.readinto(window):
            data += window[:size]
            if len(data) > limit:
                raise BrokenAnswer("the answer is too long")
        return bytes(data)

    def _lengths(self) -> Iterator[int]:
        """Of the pieces that the body comes in; each is read before the next is asked for."""
        if self.headers.get("transfer-encoding", "").lower() == "chunked":
            while size := self._number(self._line().partition(";")[0].strip(), 16):
                yield size
                self._line()
            while self._line():
                pass
        elif "content-length" in self.headers:
            if size := self._number(self.headers["content-length"], 10):
                yield size
        else:
            yield _ENDLESS
        self._is_read = True

    def _head(self) -> tuple[int, dict[str, str]]:
        words = self._line().split(None, 2)
        if len(words) < 2 or not words[0].startswith("HTTP/1.") or not words[1].isdigit():
            raise BrokenAnswer("the answer is not HTTP")
        headers: dict[str, str] = {}
        while line := self._line():
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        return int(words[1]), headers

    def _line(self) -> str:
        line = self._file.readline(_LONGEST_LINE)
        if not line.endswith(b"\n"):
            raise BrokenAnswer("the connection ended in the middle of an answer")
        return line.rstrip(b"\r\n").decode("latin-1")

    @staticmethod
    def _number(text: str, base: int) -> int:
        try:
            number = int(text, base)
        except ValueError:
            number = -1
        if number < 0:
            raise BrokenAnswer("the answer's length cannot be read")
        return number


def get(url: str, headers: dict[str, str], line: Line) -> Answer:
    """A GET on a kept connection, or on a new one that is kept; one that the other side has closed meanwhile costs nothing."""
    scheme, host, port, target = split(url)
    place = (scheme, host, port)
    head = _head("GET", scheme, host, port, target, headers)
    for connection in (line.take(place), None):
        is_kept = connection is not None
        if connection is None:
            connection = _connect(scheme, host, port)
        try:
            connection.settimeout(ANSWER_SECONDS)
            connection.sendall(head)
            return Answer(connection, lambda connection: line.give(place, connection))
        except BaseException as error:
            connection.close()
            if not (is_kept and isinstance(error, OSError)):
                raise
    raise AssertionError("a new connection answers or raises")


def _head(method: str, scheme: str, host: str, port: int, target: str, fields: dict[str, str]) -> bytes:
    netloc = host if port == _DEFAULT_PORTS[scheme] else f"{host}:{port}"
    lines = [f"{method} {target} HTTP/1.1", f"Host: {netloc}", *(f"{name}: {value}" for name, value in fields.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def request(
    method: str,
    url: str,
    headers: dict[str, str],
    body: bytes | Iterator[bytes] | IO[bytes] = b"",
    length: int | None = None,
    timeout: float = ANSWER_SECONDS,
) -> Answer:
    """Sends one request and reads the answer's head.

    `body` is bytes, chunks, or a file on disk that is sent from its position; of the latter two `length` is the
    size. Raises `OSError`.
    """
    scheme, host, port, target = split(url)
    connection = _connect(scheme, host, port)
    try:
        connection.settimeout(timeout)
        size = len(body) if isinstance(body, bytes) else length or 0
        fields = {"Connection": "close", **headers}
        if size or method in ("PUT", "POST"):
            fields["Content-Length"] = str(size)
        try:
            _send(connection, _head(method, scheme, host, port, target, fields), body, size)
        except (BrokenPipeError, ConnectionResetError):
            return Answer(connection)  # a server that refuses early answers before it has read everything
        return Answer(connection)
    except BaseException:
        connection.close()
        raise


_DEFAULT_PORTS = {"http": 80, "https": 443}


def split(url: str) -> tuple[str, str, int, str]:
    """``(scheme, host, port, target)`` of an absolute URL; raises `ValueError`."""
    scheme, separator, rest = url.partition("://")
    if not separator or scheme not in _DEFAULT_PORTS or "\r" in url or "\n" in url:
        raise ValueError("not a URL that this agent can reach")
    at = min((rest.find(mark) for mark in "/?" if mark in rest), default=len(rest))
    netloc, target = rest[:at], rest[at:]
    host, colon, port = netloc.rpartition(":") if not netloc.endswith("]") else (netloc, "", "")
    if not colon:
        host, port = netloc, ""
    return scheme, host, int(port) if port else _DEFAULT_PORTS[scheme], target if target[:1] == "/" else f"/{target}"


def _connect(scheme: str, host: str, port: int) -> socket.socket:
    connection: Any = socket.create_connection((host.strip("[]"), port), CONNECT_SECONDS)
    if scheme == "https":
        try:
            connection = _tls().wrap_socket(connection, server_hostname=host.strip("[]"))
        except BaseException:
            _contexts.clear()  # the authorities may be put right meanwhile
            connection.close()
            raise
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection  # type: ignore[no-any-return]


_contexts: list[SSLContext] = []


def _tls() -> SSLContext:
    """The one context of this process: the authorities of a system take 20 ms to load. To them come those in ``MLWF_CA`` (PEM)."""
    if not _contexts:
        import ssl  # several times the cost of all the rest

        context = ssl.create_default_context()
        if authorities := os.environ.get("MLWF_CA"):
            context.load_verify_locations(cadata=authorities)
        _contexts.append(context)
    return _contexts[0]


def _send(connection: socket.socket, head: bytes, body: bytes | Iterator[bytes] | IO[bytes], size: int) -> None:
    if isinstance(body, bytes):
        connection.sendall(head + body)
        return
    connection.sendall(head)
    if hasattr(body, "fileno"):
        file: IO[bytes] = body  # type: ignore[assignment]
        if hasattr(connection, "selected_alpn_protocol"):  # TLS, where sendfile is a loop over 8 KiB
            body = _read(file, size)
        elif not size or connection.sendfile(file, file.tell(), size) == size:
            return
        else:
            raise Unreadable(_SHORTER)
    for chunk in body:
        connection.sendall(chunk)


def _read(file: IO[bytes], size: int) -> Iterator[bytes]:
    while size:
        chunk = file.read(min(size, _CHUNK))
        if not chunk:
            raise Unreadable(_SHORTER)
        size -= len(chunk)
        yield chunk


def readable(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """The same chunks; an `OSError` in making them is `Unreadable`, so that it is not taken for a broken connection."""
    try:
        yield from chunks
    except OSError as error:
        raise Unreadable(str(error)) from error
