"""The page on this machine: a server on loopback alone, for whoever started it."""

from __future__ import annotations

import asyncio
import os
import secrets
import socket
import webbrowser
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager

import uvicorn

from mlworkflow.runs.errors import Usage
from mlworkflow.runs.places import Place
from mlworkflow.ui.app import make_app
from mlworkflow.ui.site import Site
from mlworkflow.ui.visitors import LinkDoor, Visitor

HOST = "127.0.0.1"
PATIENCE = 2
"""Seconds that requests have to end when the server does."""


async def serve(
    place: Place, *, port: int, browser: bool, say: Callable[[str], None], environ: Mapping[str, str] = os.environ
) -> None:
    """Serve the page until a signal. `say` is given the address with its token, once it answers. Raises RunsError."""
    with _listening(port) as page, _listening(0) as content:
        async with _site(place, environ) as site:
            token, number = secrets.token_urlsafe(32), page.getsockname()[1]
            other = content.getsockname()[1]
            names = [f"{HOST}:{number}", f"localhost:{number}"]
            app = make_app(
                LinkDoor(Visitor(site), token, number),
                hosts={*names, f"{HOST}:{other}"},
                content_port=other,
                content_origin=f"http://{HOST}:{other}",
                page_origins=" ".join(f"http://{name}" for name in names),
            )
            address = f"http://{HOST}:{number}/?token={token}"
            await site.start()
            server = _Server(_config(app), lambda: _announce(address, browser, say))
            await server.serve(sockets=[page, content])


class _Server(uvicorn.Server):
    """Says when it answers."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._started()


def _config(app: object) -> uvicorn.Config:
    """No log of requests: addresses of content are secrets for as long as they are good."""
    return uvicorn.Config(
        app,  # type: ignore[arg-type]
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=PATIENCE,
    )


def _announce(address: str, browser: bool, say: Callable[[str], None]) -> None:
    say(address)
    if browser:
        asyncio.get_running_loop().run_in_executor(None, webbrowser.open, address)


def _listening(port: int) -> socket.socket:
    """Raises Usage for a port that is taken."""
    found = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((HOST, port))
    except OSError as error:
        found.close()
        raise Usage(f"port {port}: {error.strerror}", "name another with --port, or 0 for any") from None
    return found


@asynccontextmanager
async def _site(place: Place, environ: Mapping[str, str]) -> AsyncGenerator[Site, None]:
    if place.is_local(environ):
        from mlworkflow.local.home import Home
        from mlworkflow.ui.local_site import LocalSite

        yield LocalSite(Home(place.find_home(environ)))
        return
    from mlworkflow.runs.cluster import client_at
    from mlworkflow.ui.cluster_site import ClusterSite

    async with client_at(place) as client:
        wanted = (place.namespace,) if place.namespace else ()
        yield ClusterSite(client, namespace=place.namespace, wanted=wanted, operator_namespace=place.operator_namespace)
