"""The engine: turns of `decide` for each live workflow, and the effects they ask for.

Everything runs on one event loop; a workflow's turns never overlap. The engine holds no truth of its own: state after a restart is
the status, the attempts that the driver sees, and the records in the store.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from mlworkflow.core import rerun, riders
from mlworkflow.core.actions import Start, Stop
from mlworkflow.core.decide import Decision, decide
from mlworkflow.core.memory import Memory
from mlworkflow.core.observation import AttemptId, Observations, Result
from mlworkflow.core.plan import Plan
from mlworkflow.core.state import Run
from mlworkflow.engine import creating, effects, listening, records
from mlworkflow.engine.cache import Cache
from mlworkflow.engine.choosing import Chooser
from mlworkflow.engine.creating import AT_ONCE, CREATE_AGAIN
from mlworkflow.engine.driver import Driver
from mlworkflow.engine.effects import Effect
from mlworkflow.engine.live import Live
from mlworkflow.engine.sharing import NO_LIMITS, Limits, Sharing
from mlworkflow.engine.telling import Tell, Turned, nobody
from mlworkflow.store._protocol import ArtifactStore

_log = logging.getLogger(__name__)
OVER = 10_000
"""Workflows that were closed, of which that is remembered: their last Pods are gone long before so many others are over."""
LOOK_AT_ALL = 600.0
"""Seconds after which a turn looks at everything, whether there is news or not."""
TURNS = 20
"""Turns in a row before others get theirs: far more than a workflow ever needs."""


class Engine:
    """`wake(uid)` asks for a turn of a workflow; `clock` gives seconds since the epoch; `is_known` says that every workflow there is has been opened;
    `tell` hears of every turn that changed a run; `called` gives the runs of a namespace and a name that are kept elsewhere than here and in the
    archive, the newest first; `decide` is the one, or one that does the same and more; `write_new` writes records, where the store
    has a faster way than its own."""

    def __init__(
        self,
        store: ArtifactStore,
        driver: Driver,
        wake: Callable[[str], None],
        clock: Callable[[], float],
        limits: Limits = NO_LIMITS,
        is_known: Callable[[], bool] = lambda: True,
        tell: Tell = nobody,
        called: Callable[[str, str], Sequence[str]] = lambda namespace, name: (),
        decide: Callable[[Plan, Run, Observations, float, Memory], Decision] = decide,
        write_new: records.WriteNew | None = None,
    ) -> None:
        self._decide = decide
        self.tell = tell
        self.called = called
        self.store = store
        self.write_new = write_new or records.in_threads(store)
        self._over: dict[str, None] = {}  # in the order of closing
        self.driver = driver
        self.wake = wake
        self.clock = clock
        self.waiting = ""
        self.is_store_known = False  # whether it has answered, or been waited for, since the start
        self.live: dict[str, Live] = {}
        self.sharing = Sharing(self.live, limits, is_known)
        self.cache = Cache(store, driver, clock)
        self.chooser = Chooser()
        self.slots = asyncio.Semaphore(AT_ONCE)

    async def open(self, plan: Plan, run: Run) -> Live:
        """Take up a workflow: `run` is what its status says, the store's records say the rest."""
        results, kept = await records.load(self.store, plan.workflow.namespace, plan.workflow.uid)
        recorded = {record.task: record.params for record in kept.records.values()}
        run = rerun.with_points(plan, rerun.with_records(run, results), recorded)
        live = self.live[plan.workflow.uid] = Live(
            plan,
            run,
            results,
            checkpoints=kept.checkpoints,
            chosen=kept.trials,
            priors=kept.priors,
        )
        return live

    def close(self, uid: str) -> None:
        """Forget a workflow, but that it is over: an attempt of it that still asks is nobody's any more."""
        self._over[uid] = None
        if len(self._over) > OVER:
            del self._over[next(iter(self._over))]
        self.release(uid)

    def release(self, uid: str) -> None:
        """Forget a workflow, which goes on elsewhere or is opened again."""
        if live := self.live.pop(uid, None):
            live.changed.set()
            for asking in (*live.choosing.values(), *live.judging.values(), *live.listening.values()):
                asking.cancel()
            self._wake_all(self.sharing.leave(live))

    def heard(self, uid: str, attempt: AttemptId) -> None:
        """The driver has seen something new of an attempt."""
        if live := self.live.get(uid):
            live.memory.note(attempt)
        self.wake(uid)

    def _wake_all(self, uids: list[str]) -> None:
        for uid in uids:
            self.wake(uid)

    async def advance(self, live: Live) -> float | None:
        """Turns until nothing changes; when to look again, in seconds since the epoch."""
        async with live.turning:
            is_first = not live.is_settled
            if self.clock() - live.looked_at >= LOOK_AT_ALL:
                live.memory.clear()
                live.looked_at = self.clock()
            try:
                wake_at = None
                for _ in range(TURNS):
                    wake_at, again = await self._turn(live)
                    if not again:
                        break
            except BaseException:
                live.memory.clear()  # what was not done is decided on again
                raise
            wake_at = min(wake_at or math.inf, live.looked_at + LOOK_AT_ALL)
            if live.creating:
                wake_at = min(wake_at, self.clock() + (CREATE_AGAIN if live.trouble else 0.0))
            if (due := live.waits.due()) < math.inf:
                wake_at = min(wake_at or math.inf, due)
            listening.listen(self, live, is_known=is_first)
            self.changed(live)
            return wake_at

    def is_over(self, uid: str) -> bool:
        """Whether a workflow has been closed, and not been opened since."""
        return uid in self._over and uid not in self.live

    async def drop_checkpoints(self, live: Live, tasks: Sequence[str]) -> None:
        """Forget the checkpoints of tasks whose next attempt has to begin anew."""
        for task in tasks:
            if live.checkpoints.pop(task, None):
                await records.drop_checkpoint(self.store, live.key((task, 0)))

    def changed(self, live: Live) -> None:
        """Let those who wait for news of a workflow look again."""
        live.changed.set()
        live.changed = asyncio.Event()

    async def _turn(self, live: Live) -> tuple[float | None, bool]:
        uid = live.workflow.uid
        room, now = self.sharing.room(live), self.clock()
        seen = live.observations(self.driver.attempts(uid), self.waiting, room, now)
        decision = self._decide(live.plan, live.run, seen, now, live.memory)
        self._log_changes(live, decision)
        before, live.run, live.is_settled = live.run, decision.run, True
        if decision.changed or live.run.phase is not before.phase:
            self.tell(Turned(live.plan, before, live.run, decision.changed))
        self._wake_all(self.sharing.settle(live, decision.usage, self.clock()))
        for task in decision.changed:
            if live.run.tasks[task].is_finished:
                live.forget_task(task)
        started = [action.order for action in decision.actions if isinstance(action, Start)]
        if ordered := {(order.task, order.attempt): order for order in started}:
            live.orders |= ordered
            live.created_at |= dict.fromkeys(ordered, self.clock())
            live.creating = ordered | live.creating  # what follows up on something goes before those that wait anyway
        for orders in riders.seated(started) if live.plan.has_riders else ():
            live.seat(orders)
        others = self._without_shared(live, [action for action in decision.actions if not isinstance(action, Start)])
        again = await asyncio.gather(
            *(effects.carry_out(self, live, action) for action in others), return_exceptions=True
        )
        for trouble in again:
            if isinstance(trouble, BaseException):  # once all of them have come to their end
                raise trouble
        was_in_trouble = bool(live.trouble)
        is_hit = await creating.create(self, live)  # after the stops: what is not wanted any more is not created first
        is_past = was_in_trouble and not live.trouble
        return decision.wake_at, is_hit or is_past or any(again) or bool(live.refused)

    def _without_shared(self, live: Live, actions: list[Effect]) -> list[Effect]:
        """The actions, but a Pod that trials share is ended once, and only when none of them is under way any more: until then the gateway tells those
        that are not that they have been stopped."""
        if not live.plan.has_riders:
            return actions
        attempts, left, ended = self.driver.attempts(live.workflow.uid), list[Effect](), set[str]()
        for action in actions:
            if isinstance(action, Stop) and (seen := attempts.get((action.task, action.attempt))) and seen.aboard:
                after = seen.aboard[seen.aboard.index((action.task, action.attempt)) + 1 :]
                has_ended = any(other in live.results for other in after)  # its Pod is past it, and ends by itself
                if seen.handle in ended or has_ended or any(map(live.is_under_way, seen.aboard)):
                    continue
                ended.add(seen.handle)
                action = replace(action, handle=seen.handle)
            left.append(action)
        return left

    async def commit(self, live: Live, attempt: AttemptId, result: Result) -> Result:
        """Write the record of an attempt, once; what the store holds afterwards."""
        order = live.order(attempt)
        image = self.driver.image_digest(live.workflow.uid, attempt) or ""
        missed = live.missed.get(attempt, "")
        return await records.commit(
            self.store, self.write_new, live.key(attempt), order, result, image_digest=image, missed=missed
        )

    def _log_changes(self, live: Live, decision: Decision) -> None:
        """One line per decision."""
        run, workflow = decision.run, live.workflow
        for name, before in decision.changed.items():
            task = run.tasks[name]
            if task.phase is not before.phase or task.attempt != before.attempt:
                _log.info("%s: %s -> phase=%s attempt=%d reason=%s", workflow.subject(name), before.phase, task.phase,
                          task.attempt, task.reason or "-")  # fmt: skip
        if run.phase is not live.run.phase:
            _log.info(
                "%s: %s -> phase=%s reason=%s %s",
                workflow.subject(),
                live.run.phase,
                run.phase,
                run.reason or "-",
                run.message,
            )
