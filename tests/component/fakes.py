"""An engine small enough to read, and a gateway around it on a real port."""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from aiohttp import web
from mlworkflow.core.observation import Result
from mlworkflow.core.values import ArtifactRef
from mlworkflow.gateway.app import make_runner
from mlworkflow.gateway.errors import Forbidden, NotReady, Superseded
from mlworkflow.gateway.runs import Batch, Caller, Ended, Heard, OutputSpec, Point, Task, Waiting, WorkflowRef
from mlworkflow.store.layout import AttemptKey

KEY = AttemptKey("ml", "0b5ad1f0-uid", "train", 0)


def a_task(
    *,
    command: Sequence[str] = (),
    params: dict[str, Any] | None = None,
    inputs: dict[str, ArtifactRef] | None = None,
    outputs: dict[str, OutputSpec] | None = None,
    key: AttemptKey = KEY,
    checkpoint: ArtifactRef | None = None,
) -> Task:
    """The task of an attempt."""
    return Task(
        workflow=WorkflowRef("digits", key.namespace, key.uid),
        step=key.task.partition("/")[0],
        task=key.task,
        attempt=key.attempt,
        kind="container",
        command=command,
        params=params or {},
        inputs=inputs or {},
        outputs=outputs or {},
        checkpoint=checkpoint,
    )


class FakeRuns:
    """`Runs` over plain dictionaries; a commit is kept and ends the attempt."""

    def __init__(self) -> None:
        self.tasks: dict[AttemptKey, Task] = {}
        self.pods: dict[str, AttemptKey] = {}
        self.results: dict[AttemptKey, Result] = {}
        self.points: list[Point] = []
        self.batches: list[Batch] = []
        self.ended: dict[AttemptKey, Ended] = {}
        self.checkpoints: dict[AttemptKey, list[ArtifactRef]] = {}
        self.logs: dict[AttemptKey, ArtifactRef] = {}
        self.left: dict[AttemptKey, dict[str, ArtifactRef]] = {}
        self.waits: list[Waiting | None] = []
        self.stop = False
        self.is_ready = True

    def add(self, task: Task) -> AttemptKey:
        """Makes an attempt known; returns its key."""
        key = AttemptKey(task.workflow.namespace, task.workflow.uid, task.task, task.attempt)
        self.tasks[key] = task
        return key

    def attempt_of(self, caller: Caller) -> AttemptKey:
        if not self.is_ready:
            raise NotReady("the Pods are not known yet")
        if caller.pod_uid not in self.pods:
            raise Forbidden("the Pod is no step of ours")
        return self.pods[caller.pod_uid]

    def task(self, key: AttemptKey) -> Task:
        if key in self.results or key not in self.tasks:
            raise Superseded("the attempt is over")
        return self.tasks[key]

    def series(self, key: AttemptKey) -> list[Point]:
        return [] if key in self.results else self.points

    async def container_ended(self, key: AttemptKey, wait: float) -> Ended | None:
        deadline = asyncio.get_running_loop().time() + wait
        while key not in self.ended and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110  (set from threads)
            await asyncio.sleep(0.01)
        return self.ended.get(key)

    async def commit(self, key: AttemptKey, result: Result) -> None:
        if key in self.results:
            raise Superseded("the attempt is over")
        self.results[key] = result

    async def checkpoint(self, key: AttemptKey, checkpoint: ArtifactRef) -> None:
        self.task(key)
        self.checkpoints.setdefault(key, []).append(checkpoint)

    async def log(self, key: AttemptKey, log: ArtifactRef) -> None:
        self.logs[key] = log

    async def leave(self, key: AttemptKey, outputs: Mapping[str, ArtifactRef]) -> None:
        self.left[key] = dict(outputs)

    async def metrics(self, key: AttemptKey, batch: Batch) -> Heard:
        self.batches.append(batch)
        if batch.first is not None and batch.first > len(self.points):
            return Heard(again=True)
        self.points.extend(batch.metrics)
        return Heard(self.stop)

    def waiting(self, key: AttemptKey, waiting: Waiting | None) -> None:
        self.task(key)
        self.waits.append(waiting)


@contextmanager
def served(app: web.Application, port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Serves an application from a thread, for callers that block; yields its URL."""
    loop = asyncio.new_event_loop()
    runner = make_runner(app, shutdown_timeout=0.1)

    async def start() -> str:
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", port, ssl_context=tls)
        await site.start()
        return f"{'https' if tls else 'http'}://127.0.0.1:{runner.addresses[0][1]}"

    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield asyncio.run_coroutine_threadsafe(start(), loop).result(10)
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()
