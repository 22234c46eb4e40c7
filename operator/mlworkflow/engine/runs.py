"""The gateway's window on the engine: whose Pod is this, what is its task, and the moment a result is committed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable, Mapping, Sequence

from msgspec.structs import replace

from mlworkflow.core.errors import ExpressionError
from mlworkflow.core.memory import work
from mlworkflow.core.names import Reason
from mlworkflow.core.observation import AttemptId, Seen
from mlworkflow.core.state import PENDING, Phase, value_named
from mlworkflow.core.study import objectives_of
from mlworkflow.core.subject import Subject
from mlworkflow.core.values import ArtifactRef
from mlworkflow.engine import pruning, records
from mlworkflow.engine.choosing import ChoiceFailed
from mlworkflow.engine.engine import Engine
from mlworkflow.engine.live import Live
from mlworkflow.engine.series import Series
from mlworkflow.gateway.errors import Forbidden, NotReady, Superseded
from mlworkflow.gateway.runs import Batch, Caller, Ended, Heard, OutputSpec, Point, Task, Waiting, WorkflowRef
from mlworkflow.store.errors import StoreError
from mlworkflow.store.layout import AttemptKey
from mlworkflow.store.records import Result

_log = logging.getLogger(__name__)
CAUSE = 5.0
"""Seconds that the result of an attempt which was told to end waits for the word of who ended it."""
JUDGED = 5.0
"""Seconds that the answer to metrics waits for the word whether their trial goes on: else a later answer says it."""


class EngineRuns:
    """Implements the gateway's `Runs` protocol. `may_be_ours` says of a Pod, by its uid, whether it may be that of a step although it is not known here."""

    def __init__(
        self, engine: Engine, cause: float = CAUSE, may_be_ours: Callable[[str], bool] = lambda pod_uid: False
    ) -> None:
        self._engine = engine
        self._may_be_ours = may_be_ours
        self._cause = cause
        self._series = Series()

    def attempt_of(self, caller: Caller) -> AttemptKey:
        driver = self._engine.driver
        found = driver.identify(caller.namespace, caller.pod, caller.pod_uid, caller.rider)
        if found is None:
            if not driver.is_synced:
                raise NotReady("the operator has just started and does not know its Pods yet")
            if self._may_be_ours(caller.pod_uid):
                raise NotReady("this operator has not heard of this Pod yet")
            raise Forbidden("this Pod has no such trial" if caller.rider else "this Pod is no step of a workflow")
        uid, attempt = found
        return AttemptKey(caller.namespace, uid, *attempt)

    def task(self, key: AttemptKey) -> Task:
        live = self._current(key)
        try:
            order = live.order((key.task, key.attempt))
        except (ExpressionError, KeyError) as error:
            raise NotReady(f"the task cannot be worked out: {error}") from None
        return Task(
            workflow=WorkflowRef(order.workflow, order.namespace, order.uid),
            step=order.step.name,
            task=order.task,
            attempt=order.attempt,
            kind=order.step.kind.name,
            spec=order.spec,
            command=self._engine.driver.command(order),
            params=dict(order.params),
            inputs=dict(order.inputs),
            outputs={
                name: OutputSpec(output.type, output.optional, output.keep) for name, output in order.outputs.items()
            },
            checkpoint=live.checkpoints.get(key.task) if key.attempt else None,
        )

    async def container_ended(self, key: AttemptKey, wait: float) -> Ended | None:
        deadline = asyncio.get_running_loop().time() + wait
        while True:
            live = self._current(key)
            news = live.changed
            if end := self._engine.driver.container_end(key.uid, (key.task, key.attempt)):
                return Ended(end.exit_code, end.reason)
            try:
                async with asyncio.timeout_at(deadline):
                    await news.wait()
            except TimeoutError:
                return None

    async def commit(self, key: AttemptKey, result: Result) -> None:
        live = self._current(key)
        attempt = (key.task, key.attempt)
        order = live.order(attempt)
        result = self._by_our_clock(result)
        if not order.has_agent and self._engine.driver.keeps_logs_apart:
            result = await self._with_log(live, key, result)
        if result.reason == Reason.TERMINATED:
            await self._cause_known(live, key)
            self._current(key)
        result = await self._with_printed(live, key, result)
        trial = live.curves.trial_of(attempt)
        result = replace(result, curve=live.curves.of(trial).values if trial else ())
        record = await self._engine.commit(live, attempt, result)
        if record.is_success and order.step.is_cached:  # before anybody who waits for it may look
            is_awaited = self._engine.sharing.is_awaited(live, work(record.fingerprint))
            await self._engine.cache.keep(key, order, record, is_awaited=is_awaited)
        live.take(attempt, record)
        self._engine.wake(key.uid)
        if points := self._series.end(key):
            try:
                await records.keep_series(self._engine.store, key, points)
            except StoreError as trouble:  # what is lost is to be looked at, and nothing goes by it
                _log.warning("%s %s: its metrics on the way are not kept: %s", key.uid, key.task, trouble)

    def series(self, key: AttemptKey) -> Sequence[Point]:
        """What an attempt that runs has said of its metrics so far."""
        return self._series.of(key)

    def _by_our_clock(self, result: Result) -> Result:
        """A result that ends now: the clock of the node that it comes from may be another, and time limits go by ours."""
        now = self._engine.clock()
        return replace(result, started_at=now - max(0.0, result.finished_at - result.started_at), finished_at=now)

    async def _cause_known(self, live: Live, key: AttemptKey) -> None:
        """Who is told to end is not told why; whoever ends it says so, before or a moment later. Where it went over a limit of its own, that
        is what counts: by then it has been judged by that, and cannot commit any more."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._cause):
                while True:
                    news = live.changed
                    seen = self._engine.driver.attempts(key.uid).get((key.task, key.attempt))
                    if seen is None or seen.leaving or seen.seen is Seen.ENDED:
                        return
                    await news.wait()

    async def _with_printed(self, live: Live, key: AttemptKey, result: Result) -> Result:
        """What a trial has printed of its metrics, where it says them in no other way."""
        node = live.plan.nodes[key.task]
        if node.trial is None or not result.is_success or result.logs is None:
            return result
        found = {}
        for metric in objectives_of(node.owner.body):
            if metric.pattern and value_named(result, metric.name) is None:
                log = await records.end_of(self._engine.store, key.namespace, result.logs)
                try:
                    found[metric.name] = float(await self._engine.chooser.search(metric.pattern, log) or "nan")
                except (ChoiceFailed, ValueError) as trouble:
                    _log.warning("%s: '%s': %s", Subject(key.namespace, "", key.uid, key.task), metric.pattern, trouble)
        return replace(result, metrics={**result.metrics, **{n: v for n, v in found.items() if math.isfinite(v)}})

    async def _with_log(self, live: Live, key: AttemptKey, result: Result) -> Result:
        """What no agent could keep of a container that none started: its log, read once now, and the words of who ran it."""
        attempt = (key.task, key.attempt)
        driver = self._engine.driver
        log = await driver.log(key.namespace, key.uid, attempt, live.run.tasks[key.task].handle)
        logs = await records.put(self._engine.store, key.namespace, log) if log else None
        if result.is_success:
            return replace(result, logs=logs)
        end = driver.container_end(key.uid, attempt)
        said = [result.message, end.message if end else "", records.tail(log)]
        return replace(result, logs=logs, message="\n".join(text for text in said if text))

    async def checkpoint(self, key: AttemptKey, checkpoint: ArtifactRef) -> None:
        live = self._newest(key)
        await records.keep_checkpoint(self._engine.store, key, checkpoint)
        live.checkpoints[key.task] = checkpoint

    async def log(self, key: AttemptKey, log: ArtifactRef) -> None:
        await records.keep_log(self._engine.store, key, log)

    async def leave(self, key: AttemptKey, outputs: Mapping[str, ArtifactRef]) -> None:
        await records.keep_left(self._engine.store, key, outputs)

    async def metrics(self, key: AttemptKey, batch: Batch) -> Heard:
        attempt = (key.task, key.attempt)
        if (known := self._engine.live.get(key.uid)) and pruning.is_pruned(known, attempt):
            return Heard(stop=True)
        live = self._current(key)
        is_known = self._series.note(key, batch)
        if (trial := live.curves.trial_of(attempt)) is None:
            return Heard(again=not is_known)
        if not live.curves.note(attempt, trial, batch):
            return Heard(again=True)
        if live.curves.of(trial).is_open:
            self._engine.wake(key.uid)
            await self._judged(live, trial)
        return Heard(stop=pruning.is_pruned(live, attempt))

    async def _judged(self, live: Live, trial: AttemptId) -> None:
        """Wait until it has been decided whether a trial goes on, or for a while."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(JUDGED):
                while live.curves.of(trial).is_open:
                    await live.changed.wait()

    def waiting(self, key: AttemptKey, waiting: Waiting | None) -> None:
        live = self._current(key)
        if live.waits.note((key.task, key.attempt), waiting, self._engine.clock()):
            self._engine.heard(key.uid, (key.task, key.attempt))

    def _current(self, key: AttemptKey) -> Live:
        """The workflow of an attempt that is its task's current one and has not committed."""
        live = self._newest(key)
        if live.run.tasks[key.task].phase is not Phase.RUNNING or (key.task, key.attempt) in live.results:
            raise Superseded("this attempt has been replaced or has committed")
        return live

    def _newest(self, key: AttemptKey) -> Live:
        """The workflow of an attempt that no other has replaced: it runs, or was told to end and another will follow."""
        live = self._engine.live.get(key.uid)
        if live is None and self._engine.is_over(key.uid):
            raise Superseded("the workflow is over")
        if live is None or not live.is_settled:
            raise NotReady("the operator has not taken up this workflow yet")
        if live.workflow.namespace != key.namespace:
            raise Forbidden("the workflow is of another namespace")
        task = live.run.tasks.get(key.task, PENDING)
        if task.is_finished or task.attempt != key.attempt or key.attempt < task.since:
            raise Superseded("this attempt has been replaced or has committed")
        return live
