"""Probes, asked over HTTP: what makes them fail, and what they say then."""

from __future__ import annotations

from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from mlworkflow.health import HANGS, STALE, Health, make_app
from mlworkflow.kube.queue import QueueStatistics


class Operator:
    """What the probes look at, as it should be."""

    def __init__(self) -> None:
        self.age = 30.0
        self.longest = 5.0
        self.is_synced = self.is_primed = True
        self.store: str | None = ""
        queues = {"workflows": lambda: QueueStatistics(0, 1, 0, 0.0, self.longest)}
        self.health = Health(
            lambda: self.age, queues, lambda: self.is_synced, lambda: self.is_primed, lambda: self.store
        )
        self.health.serves = True

    async def asked(self, path: str) -> tuple[int, dict[str, Any]]:
        async with TestClient(TestServer(make_app(self.health))) as client, client.get(path) as response:
            return response.status, (await response.json())["conditions"]


async def test_all_is_well() -> None:
    operator = Operator()
    assert await operator.asked("/startupz") == (200, {"serving": "ok"})
    assert await operator.asked("/healthz") == (200, {"watch": "ok", "workers.workflows": "ok"})
    assert await operator.asked("/readyz") == (200, dict.fromkeys(("serving", "pods", "workflows", "store"), "ok"))


@pytest.mark.parametrize(
    ("path", "field", "value", "condition", "message"),
    [
        ("/healthz", "age", STALE, "watch", "nothing was heard of Pods for 180 s"),
        ("/healthz", "longest", HANGS, "workers.workflows", "one is busy with the same key for 1800 s"),
        ("/readyz", "is_synced", False, "pods", "not every Pod is known yet"),
        ("/readyz", "is_primed", False, "workflows", "not every workflow has had its first turn yet"),
        ("/readyz", "store", None, "store", "it has not answered yet"),
        (
            "/readyz",
            "store",
            "waiting for the object store: no route",
            "store",
            "waiting for the object store: no route",
        ),
    ],
)
async def test_what_is_the_matter_is_said(path: str, field: str, value: object, condition: str, message: str) -> None:
    operator = Operator()
    setattr(operator, field, value)
    status, conditions = await operator.asked(path)
    assert status == 503
    assert {name: said for name, said in conditions.items() if said != "ok"} == {condition: message}


async def test_an_operator_that_does_not_serve_yet_has_not_started() -> None:
    operator = Operator()
    operator.health.serves = False
    assert (await operator.asked("/startupz"))[0] == 503
    assert (await operator.asked("/healthz"))[0] == 200


async def test_a_store_that_goes_away_later_is_told_and_takes_nobody_the_gateway() -> None:
    operator = Operator()
    assert (await operator.asked("/readyz"))[0] == 200
    operator.store = "waiting for the object store: no route"
    assert await operator.asked("/readyz") == (
        200,
        {"serving": "ok", "pods": "ok", "workflows": "ok", "store": "waiting for the object store: no route"},
    )
