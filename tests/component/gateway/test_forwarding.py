"""What a step asks of the wrong one of several operators: it gets the right one's answer, or is told to ask again."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer
from mlworkflow.gateway._forwarding import FORWARDED, Forwarding
from mlworkflow.gateway._json import RIDER, errors_as_answers

from tests.component.certificates import Authority
from tests.component.servers import free_port


class Gateway:
    """Of a member: `where` says who owns the workflow."""

    def __init__(self, where: Callable[[str], str | None], tls: Callable[[], ssl.SSLContext] | None = None) -> None:
        self.where = where
        self.forwarding = Forwarding(lambda uid: self.where(uid), tls, "localhost" if tls else None)
        self.asked: list[tuple[str, str, bytes]] = []
        self.riders: list[str | None] = []
        self.pause: asyncio.Event | None = None

    async def _answer(self, request: web.Request) -> web.Response:
        self.forwarding.check("uid")
        self.asked.append((request.path_qs, request.headers.get("Authorization", ""), await request.read()))
        self.riders.append(request.headers.get(RIDER))
        if self.pause:
            await self.pause.wait()
        return web.json_response({"told": "so"}, status=422, headers={"Retry-After": "7"})

    @asynccontextmanager
    async def served(self, certificate: ssl.SSLContext | None = None) -> AsyncIterator[str]:
        app = web.Application(middlewares=[errors_as_answers, self.forwarding.middleware])
        app.router.add_route("*", "/{path:.*}", self._answer)
        server = TestServer(app, scheme="https" if certificate else "http")
        await server.start_server(shutdown_timeout=0, ssl=certificate)
        try:
            yield str(server.make_url("")).rstrip("/")
        finally:
            await server.close()
            await self.forwarding.close()


async def ask(gateway: str, **headers: str) -> tuple[int, str, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{gateway}/v1/outputs/a%2Fb?wait=1", data=b"{}", headers={"Authorization": "Bearer t", **headers}
        ) as answer,
    ):
        return answer.status, answer.headers.get("Retry-After", ""), await answer.text()


async def test_the_owner_answers_with_the_steps_own_token_before_it() -> None:
    owner = Gateway(lambda uid: None)
    async with owner.served() as there:
        other = Gateway(lambda uid: there)
        async with other.served() as here:
            assert await ask(here) == (422, "7", '{"told": "so"}')
            await ask(here, **{RIDER: "tune/3/0", "X-Other": "what nobody needs"})
    assert owner.asked == [("/v1/outputs/a%2Fb?wait=1", "Bearer t", b"{}")] * 2
    assert owner.riders == [None, "tune/3/0"]


async def test_two_that_each_take_the_other_for_the_owner_do_not_play_ball() -> None:
    one, two = Gateway(lambda uid: ""), Gateway(lambda uid: "")
    async with one.served() as first, two.served() as second:
        one.where, two.where = lambda uid: second, lambda uid: first
        assert (await ask(first))[0] == 503
        assert (await ask(first, **{FORWARDED: "1"}))[0] == 503


async def test_an_owner_that_does_not_answer_or_is_not_known_is_asked_again_later() -> None:
    other = Gateway(lambda uid: f"http://127.0.0.1:{free_port()}")
    async with other.served() as here:
        status, _, words = await ask(here)
        assert (status, "does not answer" in words) == (503, True)
        other.where = lambda uid: ""
        assert (await ask(here))[0] == 503


async def test_who_waits_for_an_owner_that_has_died_is_told_once_that_is_known() -> None:
    owner = Gateway(lambda uid: None)
    owner.pause = asyncio.Event()
    async with owner.served() as there:
        other = Gateway(lambda uid: there)
        async with other.served() as here:
            asking = asyncio.create_task(ask(here))
            async with asyncio.timeout(20):
                while not owner.asked:  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
                other.where = lambda uid: None
                assert (await asking)[0] == 503
            owner.pause.set()


async def test_with_tls_the_owners_certificate_is_checked_for_the_gateways_name(tmp_path: Path) -> None:
    authority, stranger = Authority(), Authority()
    authority.issue(tmp_path / "tls")
    served = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    served.load_cert_chain(tmp_path / "tls/tls.crt", tmp_path / "tls/tls.key")
    owner = Gateway(lambda uid: None)
    async with owner.served(served) as there:
        for trusted, expected in ((authority, 422), (stranger, 503)):
            trust = ssl.create_default_context(cadata=trusted.pem)
            other = Gateway(lambda uid: there, lambda trust=trust: trust)  # type: ignore[misc]
            async with other.served() as here:
                assert (await ask(here))[0] == expected
