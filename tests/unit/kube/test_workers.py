"""The workers: one key's trouble is that key's alone."""

import asyncio
import logging

import pytest
from mlworkflow.kube.backoff import Backoff
from mlworkflow.kube.errors import Conflict
from mlworkflow.kube.queue import WorkQueue
from mlworkflow.kube.workers import run_workers

from tests.unit.kube.fake_clock import FakeClock


async def test_keys_are_worked_on_side_by_side_but_never_one_key_twice() -> None:
    queue: WorkQueue[str] = WorkQueue()
    working: list[str] = []
    most = 0

    async def reconcile(key: str) -> None:
        nonlocal most
        assert key not in working
        working.append(key)
        most = max(most, len(working))
        await asyncio.sleep(0)
        working.remove(key)

    for key in "abcabc":
        queue.add(key)
    queue.shut_down()
    await run_workers(queue, 2, reconcile)
    assert most == 2
    assert queue.statistics().in_flight == 0


@pytest.mark.parametrize(
    ("error", "level", "words"),
    [
        (Conflict(409, "Conflict", "stale"), logging.WARNING, "the API server says"),
        (KeyError("x"), logging.ERROR, "a bug"),
    ],
)
async def test_a_failure_is_logged_with_its_key_and_backs_off_that_key(
    error: Exception, level: int, words: str, caplog: pytest.LogCaptureFixture
) -> None:
    clock = FakeClock()
    queue: WorkQueue[str] = WorkQueue(clock=clock, backoff=Backoff(base=1, cap=8, random=lambda: 1.0))
    calls: list[str] = []

    async def reconcile(key: str) -> None:
        calls.append(key)
        if key == "bad" and calls.count("bad") < 3:
            raise error

    workers = asyncio.create_task(run_workers(queue, 1, reconcile))
    queue.add("bad")
    queue.add("good")
    await asyncio.sleep(0.001)
    assert calls == ["bad", "good"]
    assert queue.failures("bad") == 1
    clock.advance(1)
    await asyncio.sleep(0.001)
    assert queue.failures("bad") == 2
    clock.advance(2)
    await asyncio.sleep(0.001)
    assert (calls.count("bad"), queue.failures("bad"), queue.statistics().waiting) == (3, 0, 0)
    queue.shut_down()
    await workers
    assert [record.levelno for record in caplog.records] == [level] * 2
    assert all("bad" in record.message and words in record.message for record in caplog.records)


async def test_a_key_is_seen_again_when_it_asks_for_that() -> None:
    clock = FakeClock()
    queue: WorkQueue[str] = WorkQueue(clock=clock)
    calls = 0

    async def reconcile(key: str) -> float | None:
        nonlocal calls
        calls += 1
        return 30.0 if calls == 1 else None

    workers = asyncio.create_task(run_workers(queue, 3, reconcile))
    queue.add("a")
    await asyncio.sleep(0.001)
    clock.advance(29)
    assert calls == 1
    clock.advance(1)
    await asyncio.sleep(0.001)
    assert (calls, queue.statistics().waiting) == (2, 0)
    workers.cancel()
    await asyncio.wait([workers])


async def test_cancelling_the_workers_ends_what_they_do() -> None:
    queue: WorkQueue[str] = WorkQueue()

    async def reconcile(key: str) -> None:
        await asyncio.Event().wait()

    workers = asyncio.create_task(run_workers(queue, 2, reconcile))
    queue.add("a")
    await asyncio.sleep(0.001)
    assert queue.statistics().in_flight == 1
    workers.cancel()
    await asyncio.wait([workers])
    assert queue.statistics().in_flight == 0
