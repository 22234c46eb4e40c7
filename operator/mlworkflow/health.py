"""Probes: alive is who still hears from the API server, ready is who knows every Pod."""

from __future__ import annotations

from collections.abc import Callable

from aiohttp import web

STALE = 180.0
"""Seconds without a sign of life from a watch (bookmarks come every minute) after which the operator is better restarted."""


def make_app(age: Callable[[], float], is_ready: Callable[[], bool]) -> web.Application:
    """`age` is the age of the stalest watch in seconds."""

    async def healthz(_: web.Request) -> web.Response:
        seconds = age()
        return web.json_response({"watchAgeSeconds": round(seconds, 1)}, status=200 if seconds < STALE else 503)

    async def readyz(_: web.Request) -> web.Response:
        ready = is_ready()
        return web.json_response({"ready": ready}, status=200 if ready else 503)

    app = web.Application()
    app.add_routes([web.get("/healthz", healthz), web.get("/readyz", readyz)])
    return app
