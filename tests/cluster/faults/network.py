"""Cuts in the node's network, made where its packets pass: in its own namespace. Each is undone at the end of its `with`."""

from __future__ import annotations

import contextlib
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from node.api import HOST_IP
from node.constants import API_PORT, NETNS

_IN_NODE = ("nsenter", f"--net=/run/netns/{NETNS}")
STORE_PORT = 9000


@contextlib.contextmanager
def rule(table: str, chain: str, *words: str) -> Iterator[None]:
    """A rule of the node's firewall, before all others."""
    iptables = [*_IN_NODE, "iptables", "-w", "-t", table]
    subprocess.run([*iptables, "-I", chain, *words], check=True)
    try:
        yield
    finally:
        subprocess.run([*iptables, "-D", chain, *words], check=True)


@contextlib.contextmanager
def operator_cut_off(pod_ip: str) -> Iterator[None]:
    """No packet of the operator reaches the API server, and nothing tells it so."""
    with rule("filter", "INPUT", "-s", pod_ip, "-p", "tcp", "--dport", str(API_PORT), "-j", "DROP"):
        yield


@contextlib.contextmanager
def store_answers_503() -> Iterator[None]:
    """Every request to the store, on new connections and old, meets a server that is there and says 503."""
    server = ThreadingHTTPServer((HOST_IP, 0), _Unavailable)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    here = f"{HOST_IP}:{server.server_address[1]}"
    try:
        with rule("nat", "PREROUTING", "-p", "tcp", "--dport", str(STORE_PORT), "-j", "DNAT", "--to-destination", here):
            forget_connections()
            yield
    finally:
        forget_connections()
        server.shutdown()
        server.server_close()


def forget_connections() -> None:
    """Connections to the store that are open go the way of new ones from their next packet on."""
    subprocess.run([*_IN_NODE, "conntrack", "-D", "-p", "tcp", "--dport", str(STORE_PORT)], capture_output=True)


class _Unavailable(BaseHTTPRequestHandler):
    """Says 503 as S3 does when it is overloaded."""

    def answer(self) -> None:
        body = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
        with contextlib.suppress(OSError):
            self.send_response(503)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(body if self.command != "HEAD" else b"")

    def log_message(self, *_: object) -> None:
        pass


for _method in ("GET", "PUT", "POST", "HEAD", "DELETE"):
    setattr(_Unavailable, f"do_{_method}", _Unavailable.answer)
