"""Of several operators each serves the gateway, and one of them decides about a workflow: what a step asks of another is passed on to that one.

The step's own token goes along, and is checked again there: no member speaks for a step. What was passed on once is not passed on again, so that two
members of different opinions do not play ball; the step asks again (503) until they agree. Caller: `app`.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
from collections.abc import Awaitable, Callable

import aiohttp
from aiohttp import web

from mlworkflow.gateway._json import BODY_SECONDS, BODY_TIME, RIDER
from mlworkflow.gateway.errors import NotReady, TooSlow

FORWARDED = "X-Mlworkflow-Forwarded"
_KEPT = ("Authorization", "Content-Type", "Accept", RIDER)
_TIMEOUT = aiohttp.ClientTimeout(total=90.0, sock_connect=2.0)
LOOK = 1.0
"""Seconds after which it is looked again whether the owner is still the same: one that has died never answers."""


class Elsewhere(Exception):
    """The workflow is another member's, whose gateway is at `address`; empty where nobody is known to have it now."""

    def __init__(self, uid: str, address: str) -> None:
        super().__init__(uid)
        self.uid, self.address = uid, address


class Forwarding:
    """`where(uid)` is the address of the gateway of the member that owns a workflow, None for this one. `tls` is what its certificate is checked with, for the
    name `server_name`. Close it in the end."""

    def __init__(
        self,
        where: Callable[[str], str | None],
        tls: Callable[[], ssl.SSLContext] | None = None,
        server_name: str | None = None,
    ) -> None:
        self._where, self._tls, self._server_name = where, tls, server_name
        self._session: aiohttp.ClientSession | None = None

    def check(self, uid: str) -> None:
        """Raises `Elsewhere` for a workflow that is not ours."""
        address = self._where(uid)
        if address is not None:
            raise Elsewhere(uid, address)

    @web.middleware
    async def middleware(
        self, request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
    ) -> web.StreamResponse:
        """Passes on what raises `Elsewhere`."""
        try:
            return await handler(request)
        except Elsewhere as found:
            if not found.address or FORWARDED in request.headers:
                raise NotReady("the workflow is being handed over to another operator") from None
            return await self._pass_on(request, found)

    async def _pass_on(self, request: web.Request, found: Elsewhere) -> web.Response:
        try:
            async with asyncio.timeout(request.app.get(BODY_TIME, BODY_SECONDS)):
                data = await request.read()
        except TimeoutError:
            raise TooSlow("the body did not arrive in time") from None
        asking = asyncio.ensure_future(self._ask(request, found.address, data))
        try:
            while not (await asyncio.wait([asking], timeout=LOOK))[0]:
                if self._where(found.uid) != found.address:
                    raise NotReady("the workflow is being handed over to another operator")
            return asking.result()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise NotReady(f"the operator that has this workflow does not answer ({type(error).__name__})") from None
        finally:
            asking.cancel()
            with contextlib.suppress(BaseException):
                await asking

    async def _ask(self, request: web.Request, address: str, data: bytes) -> web.Response:
        headers = {name: request.headers[name] for name in _KEPT if name in request.headers}
        async with self._opened().request(
            request.method,
            f"{address}{request.rel_url}",
            headers={**headers, FORWARDED: "1"},
            data=data or None,
            allow_redirects=False,
            ssl=self._tls() if self._tls else True,
            server_hostname=self._server_name if self._tls else None,
        ) as answer:
            told = {name: answer.headers[name] for name in ("Content-Type", "Retry-After") if name in answer.headers}
            return web.Response(status=answer.status, body=await answer.read(), headers=told)

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=_TIMEOUT, cookie_jar=aiohttp.DummyCookieJar())
        return self._session

    async def close(self) -> None:
        if self._session:
            await self._session.close()
