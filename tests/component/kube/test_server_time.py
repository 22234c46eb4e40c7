"""The engine's clock is set by the API server's answers, however far this machine's clock is off."""

from __future__ import annotations

from email.utils import formatdate

import pytest
from aiohttp import web
from mlworkflow.engine.clock import EngineClock
from mlworkflow.kube.backoff import Backoff
from mlworkflow.kube.client import KubeClient
from mlworkflow.kube.server_time import set_by_server

from tests.component.kube.fake_api import FakeApi, Fault, reset
from tests.unit.kube.fake_clock import FakeClock

NOW = 1_700_000_000.0


def saying(date: str, code: int = 200) -> Fault:
    async def fault(request: web.Request) -> web.StreamResponse:
        return web.json_response({}, status=code, headers={"Date": date})

    return fault


async def set_clock(api: FakeApi, clock: EngineClock, fake: FakeClock) -> None:
    async with (
        api.served() as config,
        KubeClient(config, clock=fake, backoff=Backoff(base=0.1, cap=1.0, attempts=2, random=lambda: 1.0)) as client,
    ):
        await set_by_server(clock, client, fake.sleep)


@pytest.mark.parametrize("skew", [-3600.0, 0.0, 3600.0])
async def test_skew_between_the_machine_and_the_server_is_taken_out(skew: float) -> None:
    api, fake = FakeApi(), FakeClock()
    api.on("get", saying(formatdate(NOW, usegmt=True)))
    clock = EngineClock(NOW + skew, fake.now)
    await set_clock(api, clock, fake)
    assert clock() == NOW + 0.5
    fake.advance(7)
    assert clock() == NOW + 7.5


async def test_a_server_that_is_away_is_asked_until_it_answers() -> None:
    api, fake = FakeApi(), FakeClock()
    api.on("get", *[reset] * 6, saying(formatdate(NOW, usegmt=True)))
    clock = EngineClock(0.0, fake.now)
    await set_clock(api, clock, fake)
    assert clock() == NOW + 0.5
    assert len(fake.slept) >= 3


async def test_a_refusal_has_a_date_too() -> None:
    api, fake = FakeApi(), FakeClock()
    api.on("get", saying(formatdate(NOW, usegmt=True), 403))
    clock = EngineClock(0.0, fake.now)
    await set_clock(api, clock, fake)
    assert clock() == NOW + 0.5


@pytest.mark.parametrize("date", ["", "half past nine"])
async def test_a_server_that_does_not_say_leaves_the_machines_time(date: str) -> None:
    api, fake = FakeApi(), FakeClock()
    api.on("get", saying(date))
    clock = EngineClock(NOW, fake.now)
    await set_clock(api, clock, fake)
    assert clock() == NOW
