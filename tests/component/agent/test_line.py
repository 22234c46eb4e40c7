"""Kept connections: used again where that is possible, and never the reason of a failure."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from mlworkflow_steps.agent import wire
from mlworkflow_steps.agent.incoming import RANGE, Source, stream
from mlworkflow_steps.agent.patience import Patience

from tests.component.scripted import http, scripted

BIG = os.urandom(5 * RANGE + 7)


class Server(ThreadingHTTPServer):
    """Answers with the path of the request, or a range of `BIG`, and notes which connection each came on."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.callers: list[int] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Server

    def do_GET(self) -> None:
        self.server.callers.append(self.client_address[1])
        body = self.path.encode()
        if wanted := self.headers["Range"]:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            body = BIG[int(first) : int(last or len(BIG)) + 1]
        self.send_response(206 if wanted else 200)
        if self.path.startswith("/last"):
            self.send_header("Connection", "close")
        if self.path.startswith("/chunked"):
            self.send_header("Transfer-Encoding", "chunked")
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        else:
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture
def servers() -> Iterator[tuple[Server, Server]]:
    made = (Server(), Server())
    for server in made:
        threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    yield made
    for server in made:
        server.shutdown()
        server.server_close()


def read(line: wire.Line, url: str) -> bytes:
    with wire.get(url, {}, line) as answer:
        assert answer.status == 200
        return answer.read()


def test_one_connection_serves_many_requests_to_one_place(servers: tuple[Server, Server]) -> None:
    server, other = servers
    line = wire.Line()
    for path in ("/a", "/chunked", "/b", "/last", "/c"):
        assert read(line, server.url + path) == path.encode()
    assert read(line, other.url + "/d") == b"/d"
    assert read(line, server.url + "/e") == b"/e"
    first, second, third = server.callers[0], server.callers[4], server.callers[5]
    assert server.callers == [first] * 4 + [second, third]
    assert len({first, second, third}) == 3


def test_the_ranges_of_a_big_artifact_share_a_few_connections(servers: tuple[Server, Server]) -> None:
    server, _ = servers
    source = Source("input 'big'", lambda: f"{server.url}/big", Patience())
    artifact = {"type": "file", "size": len(BIG), "digest": f"sha256:{hashlib.sha256(BIG).hexdigest()}"}
    assert b"".join(bytes(piece) for piece in stream(source, artifact)) == BIG
    assert len(server.callers) == 6
    assert len(set(server.callers)) <= 3


def test_an_answer_that_was_not_read_to_its_end_ends_its_connection(servers: tuple[Server, Server]) -> None:
    line = wire.Line()
    with wire.get(servers[0].url + "/unread", {}, line):
        pass
    assert read(line, servers[0].url + "/next") == b"/next"
    assert len(set(servers[0].callers)) == 2


def test_a_connection_that_the_other_side_has_closed_meanwhile_costs_nothing() -> None:
    line = wire.Line()
    with scripted(http(200, b"one"), http(200, b"two"), http(200, b"three")) as (url, heads):
        assert [read(line, url) for _ in range(3)] == [b"one", b"two", b"three"]
    assert len(heads) == 3


def test_a_new_connection_that_breaks_is_the_caller_s_to_know() -> None:
    with scripted(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab") as (url, _):
        line = wire.Line()
        with pytest.raises(wire.BrokenAnswer):
            read(line, url)
    with pytest.raises(OSError, match="refused"):
        wire.get(url, {}, line)
