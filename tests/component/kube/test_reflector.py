"""The reflector and the client together against a fake API server with faults: the copy always becomes the truth again."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import pytest
from aiohttp import web
from mlworkflow.kube.backoff import Backoff
from mlworkflow.kube.client import KubeClient
from mlworkflow.kube.reflector import Reflector

from tests.component.kube.fake_api import PODS, FakeApi, Fault, error_event, lines, reset, silence, status, until
from tests.unit.kube.fake_clock import FakeClock

Change = tuple[str, str | None, str | None]


def phase(pod: dict[str, Any]) -> str | None:
    value: str | None = pod.get("phase", "new")
    return value


class World:
    """A fake API server, a reflector on it, and the changes it has reported."""

    def __init__(self) -> None:
        self.api = FakeApi()
        self.clock = FakeClock()
        self.changes: list[Change] = []
        self.reflector: Reflector[str]

    @asynccontextmanager
    async def running(self, **options: Any) -> AsyncIterator[None]:
        async with (
            self.api.served() as config,
            KubeClient(config, clock=self.clock, backoff=Backoff(0.1, 1.0, 2)) as client,
        ):
            self.reflector = Reflector(
                client,
                PODS,
                project=phase,
                on_change=lambda *change: self.changes.append(change),
                clock=self.clock,
                **{"inactivity_timeout": 0.05, "chunk": 10} | options,
            )
            run = asyncio.create_task(self.reflector.run())
            try:
                await self.reflector.synced.wait()
                yield
                assert not run.done()
            finally:
                run.cancel()
                with suppress(asyncio.CancelledError):
                    await run

    async def settle(self) -> None:
        """Wait until all faults have struck and the copy is the truth."""
        await until(lambda: not any(self.api.faults.values()) and dict(self.reflector.objects) == self.truth())

    def truth(self) -> dict[str, str | None]:
        return {f"ns/{name}": phase(pod) for name, pod in self.api.pods.items()}


@pytest.fixture
def world() -> World:
    return World()


async def test_the_copy_follows_a_list_in_pages_and_then_the_events(world: World) -> None:
    for number in range(25):
        world.api.put(f"p{number}")
    async with world.running(params={"labelSelector": "app=x"}):
        await world.settle()
        assert len(world.api.requests("list")) == 3
        world.api.put("p0", phase="Running")
        world.api.put("p0", phase="Running", noise=1)
        world.api.put("late")
        world.api.remove("p1")
        await world.settle()
        assert world.changes[25:] == [("ns/p0", "new", "Running"), ("ns/late", None, "new"), ("ns/p1", "new", None)]
        assert world.reflector.get("ns/late") == "new"
        assert len(world.reflector) == 25
        assert world.reflector.statistics().lists == 1
    assert all(request.query["labelSelector"] == "app=x" for _, request in world.api.seen)


TROUBLE: dict[str, list[Fault]] = {
    "410 in mid-watch": [lines(error_event(410, "Expired"))],
    "410 as the answer": [status(410, "Expired")],
    "410 again and again": [lines(error_event(410, "Expired"))] * 5,
    "500 in mid-watch": [lines(error_event(500, "InternalError"))],
    "429 in mid-watch": [lines(error_event(429, "TooManyRequests"))],
    "503 as the answer": [status(503, "ServiceUnavailable")] * 3,
    "403 for a while": [status(403, "Forbidden")] * 3,
    "garbage": [lines(b"<html>oops\n")],
    "garbage that does not go away": [lines(b"<html>oops\n")] * 5,
    "half a line": [lines(b'{"type": "ADD')],
    "an event that is no Pod": [lines(b'{"type": "ADDED", "object": {"metadata": {"resourceVersion": "x"}}}\n')],
    "a half-closed connection": [lines(then=silence)],
    "no answer at all": [silence],
    "a reset": [lines(then=reset), reset],
    "an end": [lines()] * 4,
}


@pytest.mark.parametrize("faults", TROUBLE.values(), ids=TROUBLE.keys())
async def test_trouble_on_a_watch_is_survived_and_nothing_is_missed(world: World, faults: list[Fault]) -> None:
    world.api.put("stays")
    world.api.put("vanishes")

    async def meanwhile(request: web.Request) -> web.StreamResponse | None:
        for name in ("changes", "stays"):
            world.api.put(name, phase="Running")
        world.api.remove("vanishes")
        return await faults[0](request)

    world.api.on("watch", meanwhile, *faults[1:])
    async with world.running():
        await world.settle()
        world.api.put("afterwards")
        await world.settle()
    assert ("ns/vanishes", "new", None) in world.changes
    assert world.clock.slept == [] or max(world.clock.slept) <= 30


async def test_an_object_that_vanished_during_a_gap_is_reported_once(world: World) -> None:
    world.api.put("a")
    world.api.put("b")
    async with world.running():
        await until(lambda: world.api.watches)
        world.api.on("watch", silence)
        world.api.drop_watches()
        await until(lambda: not world.api.watches)
        world.api.remove("a")
        world.api.compact()
        await world.settle()
    assert world.changes.count(("ns/a", "new", None)) == 1


@pytest.mark.parametrize(
    "faults",
    [
        [reset],
        [reset] * 9,
        [status(500)] * 9,
        [status(410, "Expired")],
        [status(429, "TooManyRequests", Retry_After="1")],
    ],
    ids=["reset", "resets", "broken", "expired", "throttled"],
)
async def test_a_list_that_breaks_in_the_middle_is_done_again(world: World, faults: list[Fault]) -> None:
    async def fine(request: web.Request) -> None: ...

    for number in range(25):
        world.api.put(f"p{number}")
    world.api.on("list", fine, *faults)
    async with world.running():
        await world.settle()
    assert len(world.changes) == 25


async def test_pages_that_expire_are_replaced_by_one_big_page(world: World) -> None:
    async def slow(request: web.Request) -> None:
        if "continue" in request.query:
            world.api.remove("p3")
            world.api.compact()

    for number in range(25):
        world.api.put(f"p{number}")
    world.api.on("list", slow, slow)
    async with world.running():
        await world.settle()
    assert "limit" not in world.api.requests("list")[-1].query
    assert world.reflector.statistics().failures == 0


async def test_the_collection_is_listed_again_from_time_to_time(world: World) -> None:
    world.api.put("a")
    async with world.running(relist_every=300.0, inactivity_timeout=5.0):
        await until(lambda: world.api.watches)
        assert world.api.requests("watch")[0].query["timeoutSeconds"] == "300"
        world.api.history.clear()
        del world.api.pods["a"]  # a deletion that no watch will ever tell
        world.clock.advance(301)
        world.api.bookmark()
        await world.settle()
        assert world.reflector.statistics().lists == 2
    assert world.clock.slept == []


async def test_age_is_the_time_since_the_last_sign_of_life(world: World) -> None:
    async with world.running(inactivity_timeout=5.0):
        await until(lambda: world.api.watches)
        world.clock.advance(40)
        assert world.reflector.age() == 40
        world.api.bookmark()
        await until(lambda: world.reflector.age() == 0)
        assert world.reflector.resource_version == world.api.version
        assert world.changes == []


async def test_what_we_created_is_there_at_once_and_reported_once(world: World) -> None:
    async with world.running(inactivity_timeout=5.0):
        await until(lambda: world.api.watches)
        pod = world.api.put("ours")
        world.reflector.insert(pod)
        assert world.reflector.get("ns/ours") == "new"
        world.api.put("ours", phase="Running")
        await world.settle()
    assert world.changes == [("ns/ours", None, "new"), ("ns/ours", "new", "Running")]
