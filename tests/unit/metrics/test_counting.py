"""What is counted of turns, stores, queues and requests, by the numbers that a scrape would show."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from builders import a_workflow
from mlworkflow.core.plan import Plan
from mlworkflow.core.state import Phase, Run, Task
from mlworkflow.engine.telling import Turned
from mlworkflow.gateway._json import errors_as_answers
from mlworkflow.kube.errors import Unavailable
from mlworkflow.kube.queue import WorkQueue
from mlworkflow.metrics import hooks
from mlworkflow.metrics.lag import watch_lag
from mlworkflow.metrics.meter import Meter
from mlworkflow.metrics.snapshot import memory_limit
from mlworkflow.metrics.stores import measured
from mlworkflow.metrics.turns import Turns
from mlworkflow.store.directory import DirectoryStore
from mlworkflow.store.errors import NotFound, StoreUnavailable
from mlworkflow.store.signing import BlobSigner


def value(meter: Meter, name: str, **labels: str) -> float | None:
    return meter.registry.get_sample_value(f"mlworkflow_{name}", labels)


def a_plan() -> Plan:
    builder = a_workflow("w")
    for name in ("a", "b", "c", "d"):
        builder = builder.step(name)
    return Plan.of(builder.resource())


def test_steps_are_counted_by_how_they_end_and_attempts_by_why_they_are_tried_again() -> None:
    meter = Meter()
    turns = Turns(meter, lambda: 50.0)
    plan = a_plan()
    running = {name: Task(phase=Phase.RUNNING, attempt=0, started_at=10.0) for name in ("a", "b", "c", "d")}
    before = Run(phase=Phase.RUNNING, started_at=10.0, tasks=running)
    after = Run(
        phase=Phase.RUNNING,
        started_at=10.0,
        tasks={
            "a": Task(phase=Phase.SUCCEEDED, attempt=0, started_at=10.0, finished_at=13.0),
            "b": Task(phase=Phase.PENDING, attempt=0, failures=1, reason="Error"),
            "c": Task(phase=Phase.RUNNING, attempt=1, losses=1, started_at=10.0),  # lost and started again in one turn
            "d": Task(phase=Phase.FAILED, attempt=0, failures=1, reason="so a step says", started_at=10.0, finished_at=11.0),
        },
    )  # fmt: skip
    turns.tell(Turned.between(plan, before, after))
    assert value(meter, "steps_ended_total", kind="container", phase="Succeeded") == 1
    assert value(meter, "steps_ended_total", kind="container", phase="Failed") == 1
    assert value(meter, "step_failures_total", reason="Other") == 1, "a step cannot make labels"
    assert value(meter, "step_retries_total", kind="container", cause="failed") == 1
    assert value(meter, "step_retries_total", kind="container", cause="lost") == 1
    assert value(meter, "step_duration_seconds_sum", kind="container", phase="Succeeded") == 3.0
    assert turns.changed_at == {"uid-1": 50.0}
    turns.tell(
        Turned.between(plan, after, Run(phase=Phase.FAILED, started_at=10.0, finished_at=40.0, tasks=after.tasks))
    )
    assert value(meter, "workflow_duration_seconds_sum", phase="Failed") == 30.0
    assert value(meter, "steps_ended_total", kind="container", phase="Failed") == 1, (
        "what has not changed is not counted again"
    )
    assert turns.changed_at == {}


class Store(DirectoryStore):
    is_away = False

    def stat(self, key: str) -> int | None:
        if self.is_away:
            raise StoreUnavailable("no route")
        return super().stat(key)

    def list(self, prefix: str) -> Iterator[str]:
        yield from super().list(prefix)
        if self.is_away:
            raise StoreUnavailable("no route")


def test_calls_of_a_store_are_counted_by_outcome_with_their_bytes(tmp_path: Path) -> None:
    meter, inner = Meter(), Store(tmp_path, BlobSigner(b"0" * 32))
    store = measured(inner, meter)
    assert store.write_bytes("a/b", b"12345") is True
    assert store.write_bytes("a/b", b"12345", if_absent=True) is False
    assert store.read_bytes("a/b") == b"12345"
    assert b"".join(store.read("a/b")) == b"12345"
    assert list(store.list("a/")) == ["a/b"]
    with pytest.raises(NotFound):
        store.read_bytes("a/c")
    with pytest.raises(NotFound):
        store.read("a/c")
    inner.is_away = True
    with pytest.raises(StoreUnavailable):
        store.stat("a/b")
    with pytest.raises(StoreUnavailable):
        list(store.list("a/"))
    assert store.in_parts is inner.in_parts

    def count(operation: str, outcome: str) -> float | None:
        return value(meter, "store_requests_total", operation=operation, outcome=outcome)

    assert count("write_bytes", "ok") == 2
    assert (count("read_bytes", "ok"), count("read_bytes", "absent")) == (1, 1)
    assert (count("read", "ok"), count("read", "absent")) == (1, 1)
    assert (count("list", "ok"), count("list", "unavailable"), count("stat", "unavailable")) == (1, 1, 1)
    assert value(meter, "store_bytes_total", direction="read") == 10
    assert value(meter, "store_request_duration_seconds_count", operation="read_bytes") == 2


async def test_turns_are_timed_by_their_outcome() -> None:
    meter = Meter()
    trouble: list[Exception | None] = [None, Unavailable(0, "Unavailable", "no answer"), ValueError("a bug")]

    async def reconcile(key: str) -> float | None:
        error = trouble.pop(0)
        if error:
            raise error
        return 3.0

    timed = hooks.reconciled(meter, "workflows", reconcile)
    assert await timed("w") == 3.0
    for kind in (Unavailable, ValueError):
        with pytest.raises(kind):
            await timed("w")
    for outcome in ("ok", "api", "bug"):
        assert value(meter, "reconcile_duration_seconds_count", queue="workflows", outcome=outcome) == 1


async def test_how_long_a_key_waits_for_a_worker_is_told() -> None:
    waits: list[float] = []
    queue: WorkQueue[str] = WorkQueue(on_wait=waits.append)
    queue.add("a")
    queue.add("a")
    assert await queue.get() == "a"
    assert len(waits) == 1
    assert waits[0] >= 0


async def test_requests_to_the_gateway_are_counted_by_route_whatever_becomes_of_them() -> None:
    meter = Meter()
    requests = hooks.Requests(meter)

    async def fine(request: web.Request) -> web.Response:
        return web.Response()

    async def broken(request: web.Request) -> web.Response:
        raise ValueError("a bug")

    app = web.Application(middlewares=[requests.middleware, errors_as_answers])
    app.add_routes([web.get("/v1/inputs/{name}", fine), web.get("/broken", broken)])
    async with TestClient(TestServer(app)) as client:
        for path, status in (("/v1/inputs/a", 200), ("/v1/inputs/b", 200), ("/broken", 500), ("/etc/passwd", 404)):
            async with client.get(path) as response:
                assert response.status == status

    def count(route: str, code: str, method: str = "GET") -> float | None:
        return value(meter, "gateway_requests_total", method=method, route=route, code=code)

    assert count("/v1/inputs/{name}", "200") == 2
    assert count("/broken", "500") == 1
    assert count("-", "404", method="-") == 1, "paths that do not exist are no labels"
    assert requests.in_flight == 0


async def test_the_lag_is_what_a_sleep_took_too_long() -> None:
    noted: list[float] = []
    times = iter([10.0, 11.25, 11.25, 12.0])

    async def sleep(seconds: float) -> None:
        if len(noted) == 2:
            raise asyncio.CancelledError

    with pytest.raises((asyncio.CancelledError, StopIteration, RuntimeError)):
        await watch_lag(noted.append, lambda: next(times), sleep)
    assert noted == [0.25, 0.0]


@pytest.mark.parametrize(("text", "expected"), [("1048576\n", 1048576.0), ("max\n", None), ("9" * 19, None)])
def test_the_limit_of_memory_is_that_of_the_container_or_of_the_machine(
    tmp_path: Path, text: str, expected: float | None
) -> None:
    machine = memory_limit([tmp_path / "none"])
    assert machine > 1 << 28
    (tmp_path / "memory.max").write_text(text)
    assert memory_limit([tmp_path / "memory.max"]) == (machine if expected is None else expected)


def test_what_is_given_to_prometheus_keeps_its_rules() -> None:
    from mlworkflow.metrics.definitions import DEFINITIONS

    units = ("_seconds", "_bytes")
    for metric in DEFINITIONS:
        assert metric.name.startswith("mlworkflow_")
        assert not metric.name.endswith(("_total", "_count", "_sum", "_bucket"))
        assert metric.kind != "histogram" or metric.name.endswith(units)
        assert metric.help.endswith((".", "none such"))
        assert not {"workflow", "namespace", "pod", "step", "user", "name"} & set(metric.labels)
    found: list[Any] = [metric.name for metric in DEFINITIONS]
    assert len(found) == len(set(found))
