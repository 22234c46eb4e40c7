"""When is every workflow that existed known to have been looked at? Against an API server whose lists and events come when a test says."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from mlworkflow.kube import priming
from mlworkflow.kube.client import KubeClient
from mlworkflow.kube.priming import Priming

from tests.builders import a_workflow
from tests.component.kube.fake_api import until

from .cluster import QUICK, ApiServer, operating, refused

BODY = {"image": "i", "command": ["c"], "agent": True}


def with_workflows(count: int, phase: str = "") -> ApiServer:
    api = ApiServer()
    for number in range(count):
        resource = a_workflow(f"w{number}").meta(uid=f"uid-{number}").kind("a", "container", BODY).resource()
        api.put("mlworkflows", resource, **({"status": {"phase": phase}} if phase else {}))
    return api


@asynccontextmanager
async def priming_of(api: ApiServer, known: set[str]) -> AsyncIterator[tuple[Priming, list[float]]]:
    """Priming alone; its sleeps are over at once, and kept."""
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await asyncio.sleep(0.001)

    async with api.served() as config, KubeClient(config, backoff=QUICK) as client:
        found = Priming(client, known.__contains__)
        running = asyncio.create_task(found.run(["default"], sleep))
        try:
            yield found, slept
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


async def test_it_waits_for_every_workflow_of_every_page() -> None:
    count = priming.PAGE + 3
    api = with_workflows(count)
    known = {f"uid-{number}" for number in range(count)}
    async with priming_of(api, known) as (found, _):
        await until(lambda: api.calls["list mlworkflows"] == 2)
        for number in range(count):
            await asyncio.sleep(0)
            assert not found.primed.is_set()
            found.seen(f"uid-{number}")
        async with asyncio.timeout(5):
            await found.primed.wait()
        assert api.calls["get mlworkflows"] == 0, "whom kopf has brought nobody asks for"


async def test_what_was_looked_at_before_the_list_came_counts() -> None:
    api = with_workflows(1)
    async with priming_of(api, {"uid-0"}) as (found, _):
        found.seen("uid-0")
        async with asyncio.timeout(5):
            await found.primed.wait()


async def test_finished_workflows_are_not_waited_for() -> None:
    async with priming_of(with_workflows(3, "Succeeded"), set()) as (found, _), asyncio.timeout(5):
        await found.primed.wait()


async def test_one_that_vanished_before_kopf_could_bring_it_is_not_waited_for() -> None:
    api = with_workflows(2)
    async with priming_of(api, set()) as (found, _):
        await until(lambda: api.calls["get mlworkflows"] >= 2)
        assert not found.primed.is_set()
        api.remove("mlworkflows", "w0")
        api.put("mlworkflows", {**api.workflow("w1"), "metadata": {**api.workflow("w1")["metadata"], "uid": "another"}})
        async with asyncio.timeout(5):
            await found.primed.wait()


async def test_a_server_in_trouble_is_asked_again() -> None:
    api = with_workflows(1, "Failed")
    api.on("list mlworkflows", *[refused(503, "ServiceUnavailable")] * 4, refused(410, "Expired"))
    async with priming_of(api, set()) as (found, slept):
        async with asyncio.timeout(5):
            await found.primed.wait()
        assert len(slept) == 3
        assert slept[0] < slept[2]


async def test_an_operator_is_primed_when_it_has_looked_at_them_all_well_or_ill(tmp_path: Path) -> None:
    api = with_workflows(3)
    unsound = api.workflow("w1")["spec"]["steps"][0]
    api.edit("w1", steps=[{**unsound, "after": ["nowhere"]}])
    api.on("create pods", refused(403, "Forbidden", "no"))
    async with operating(api, tmp_path) as operator:
        await operator.reconciler.priming.run(["default"], asyncio.sleep)
        assert operator.reconciler.primed.is_set()
        assert {name: api.status(name)["phase"] for name in ("w0", "w1", "w2")} == {
            "w0": "Failed",
            "w1": "Failed",
            "w2": "Running",
        }


async def test_one_whose_reconcile_breaks_does_not_hold_up_the_others(tmp_path: Path) -> None:
    api = with_workflows(2)
    api.on("patch mlworkflows/status", *[refused(500, "InternalError")] * 2)
    async with operating(api, tmp_path) as operator:
        async with asyncio.timeout(10):
            await operator.reconciler.priming.run(["default"], asyncio.sleep)
        assert operator.reconciler.primed.is_set()
