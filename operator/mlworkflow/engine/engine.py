"""The engine: turns of `decide` for each live workflow, and the effects they ask for.

Everything runs on one event loop; a workflow's turns never overlap. The engine holds no truth of its own: state after a restart is
the status, the attempts that the driver sees, and the records in the store.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from itertools import islice
from typing import TypeAlias

from msgspec import UNSET, structs

from mlworkflow.core import rerun, riders
from mlworkflow.core.actions import Action, Choose, Judge, LookUp, Order, Probe, Promote, Publish, Start, Stop
from mlworkflow.core.decide import Decision, decide
from mlworkflow.core.memory import Memory
from mlworkflow.core.observation import AttemptId, Observations, Probed, Result, Seen
from mlworkflow.core.plan import Plan
from mlworkflow.core.state import PENDING, Run
from mlworkflow.engine import listening, named, pruning, records
from mlworkflow.engine.cache import Cache
from mlworkflow.engine.choosing import ChoiceFailed, Chooser
from mlworkflow.engine.driver import Driver, NotNow, Refused
from mlworkflow.engine.live import Live
from mlworkflow.engine.recalling import NoSearch, recall, run_of
from mlworkflow.engine.sharing import NO_LIMITS, Limits, Sharing
from mlworkflow.engine.telling import Tell, Turned, nobody
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.errors import StoreError
from mlworkflow.store.records import Known

_log = logging.getLogger(__name__)
OVER = 10_000
"""Workflows that were closed, of which that is remembered: their last Pods are gone long before so many others are over."""
CREATE_AGAIN = 3.0
"""Seconds until what could not be created is tried again."""
AT_ONCE = 128
"""Attempts that are being created at the same time: more wait for the same few connections, each with all that it is made of."""
LOOK_AT_ALL = 600.0
"""Seconds after which a turn looks at everything, whether there is news or not."""
TURNS = 20
"""Turns in a row before others get theirs: far more than a workflow ever needs."""


_Effect: TypeAlias = Stop | Probe | Publish | LookUp | Promote | Choose | Judge


class Engine:
    """`wake(uid)` asks for a turn of a workflow; `clock` gives seconds since the epoch; `is_known` says that every workflow there is has been opened;
    `tell` hears of every turn that changed a run; `called` gives the runs of a namespace and a name that are kept elsewhere than here and in the
    archive, the newest first; `decide` is the one, or one that does the same and more."""

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
    ) -> None:
        self._decide = decide
        self.tell = tell
        self.called = called
        self.store = store
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
        self._creating = asyncio.Semaphore(AT_ONCE)

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
        again = await asyncio.gather(*(self._carry_out(live, action) for action in others), return_exceptions=True)
        for trouble in again:
            if isinstance(trouble, BaseException):  # once all of them have come to their end
                raise trouble
        was_in_trouble = bool(live.trouble)
        is_hit = await self._create(live)  # after the stops: what is not wanted any more is not created first
        is_past = was_in_trouble and not live.trouble
        return decision.wake_at, is_hit or is_past or any(again) or bool(live.refused)

    def _without_shared(self, live: Live, actions: list[_Effect]) -> list[_Effect]:
        """The actions, but a Pod that trials share is ended once, and only when none of them is under way any more: until then the gateway tells those
        that are not that they have been stopped."""
        if not live.plan.has_riders:
            return actions
        attempts, left, ended = self.driver.attempts(live.workflow.uid), list[_Effect](), set[str]()
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

    async def _create(self, live: Live) -> bool:
        """Create the first of what was decided on; the rest, and what cannot be created now, stays in `creating`. Whether the cache had the result of any.

        Only so many in one turn: what has ended meanwhile is followed up in the next one, and not once the last of ten thousand Pods is there. After
        trouble one, two, four, … until there is trouble again: a full quota is not asked for a thousand Pods.
        """
        seats, size = live.seats(list(islice(live.creating, AT_ONCE))), 1 if live.trouble else AT_ONCE
        is_hit, live.trouble = False, ""
        while seats and not live.trouble:
            hits = await asyncio.gather(*(self._started(live, orders) for orders in seats[:size]))
            is_hit |= any(hits)
            seats, size = seats[size:], size * 2
        return is_hit

    async def _started(self, live: Live, orders: Sequence[Order]) -> bool:
        async with self._creating:
            return await self._start(live, orders)

    async def _start(self, live: Live, orders: Sequence[Order]) -> bool:
        """Create attempts, which share a Pod where they are several, save those whose result the cache has. Whether it has any."""
        missing = [order for order in orders if not await self._is_cached(live, order)]
        if len(missing) < len(orders):
            live.seat(missing)
        if not missing:
            return True
        for data in [data for order in missing for data in order.literals.values()]:
            await records.put(self.store, live.workflow.namespace, data)
        try:
            await self.driver.start(*missing)
        except NotNow as trouble:
            live.trouble = str(trouble)
            return len(missing) < len(orders)
        except Refused as refusal:
            live.refused |= {(order.task, order.attempt): str(refusal) for order in missing}
        for order in missing:
            live.creating.pop((order.task, order.attempt), None)
        return len(missing) < len(orders)

    async def _is_cached(self, live: Live, order: Order) -> bool:
        """Whether an earlier result was taken for an attempt; one that is not wanted any more is not looked up."""
        attempt = (order.task, order.attempt)
        if not order.is_looked_up or attempt in live.missed or attempt not in live.creating:
            return False
        found = await self.cache.find(order)
        if found.result:
            await self._take(live, attempt, found.result)
            return True
        live.missed[attempt] = found.missed
        _log.info("%s: not cached: %s", live.workflow.subject(order.task), found.missed)
        return False

    async def _take(self, live: Live, attempt: AttemptId, result: Result) -> None:
        """Commit an earlier result as that of an attempt, which is not created."""
        now = self.clock()
        result = structs.replace(result, started_at=now, finished_at=now)
        live.take(attempt, await self.commit(live, attempt, result))
        live.curves.load({attempt: result})
        live.creating.pop(attempt, None)

    async def _carry_out(self, live: Live, action: Action) -> bool:
        """Do it. Whether another turn is due at once."""
        namespace, uid = live.workflow.namespace, live.workflow.uid
        if isinstance(action, Stop):
            live.creating.pop((action.task, action.attempt), None)
            await self.driver.stop(namespace, uid, (action.task, action.attempt), action.handle, action.grace)
            return False
        if isinstance(action, Probe):
            return await self._probe(live, (action.task, action.attempt), action.handle)
        if isinstance(action, LookUp | Promote):
            await self._settle(live, action)
        if isinstance(action, Choose):
            if action.task not in live.choosing:
                live.choosing[action.task] = asyncio.create_task(
                    self._aside(live, action.task, live.choosing, self._choose(live, action))
                )
            return False
        if isinstance(action, Judge):
            if action.task not in live.judging:
                live.judging[action.task] = asyncio.create_task(
                    self._aside(live, action.task, live.judging, pruning.judge(self, live, action))
                )
            return False
        if isinstance(action, Publish):
            await self._publish(live, action)
        return True

    async def _probe(self, live: Live, attempt: AttemptId, handle: str) -> bool:
        namespace, uid = live.workflow.namespace, live.workflow.uid
        if record := await records.read(self.store, live.key(attempt)):
            live.take(attempt, record)
            return True
        found = await self.driver.find(namespace, uid, attempt, handle)
        seen = self.driver.attempts(uid).get(attempt)
        if seen and seen.seen is Seen.ENDED and not seen.lost and seen.exit_code != 0:
            log = found.log
            logs = await records.put(self.store, namespace, log) if log else None
            result = records.spoken_for(seen, log, logs, self.clock())
            live.take(attempt, await self.commit(live, attempt, result))
        else:
            live.probed[attempt] = Probed(found.exists, records.tail(found.log))
        return True

    async def _choose(self, live: Live, action: Choose) -> None:
        """Have parameters chosen, and write them down. Raises ChoiceFailed, NoSearch, StoreError."""
        prior = await self._prior(live, action)
        chosen = await self.chooser.choose(action, live.chosen, prior)
        await records.keep_trials(self.store, live.key((action.task, 0)), chosen)
        live.chosen |= chosen
        for task in (*chosen, action.task):
            live.memory.note_task(task)

    async def _aside(
        self, live: Live, task: str, under_way: dict[str, asyncio.Task[None]], asking: Awaitable[None]
    ) -> None:
        """Ask Optuna by the side, for it may take long. The turn after it knows of the answer."""
        try:
            await asking
        except (ChoiceFailed, NoSearch) as failure:
            live.unchosen[task] = str(failure)
        except Exception as trouble:  # the store is away, or a bug: asked again
            is_known = isinstance(trouble, StoreError)
            _log.warning("%s: choosing: %s", live.workflow.subject(task), trouble, exc_info=not is_known)
            await asyncio.sleep(CREATE_AGAIN)
        finally:
            del under_way[task]
            live.memory.note_task(task)
            self.wake(live.workflow.uid)

    def _called(self, namespace: str, name: str) -> list[str]:
        """The runs of a name that are not in the archive, as far as they are known here."""
        found = [live.workflow for live in list(self.live.values())]
        mine = [workflow.uid for workflow in found if (workflow.namespace, workflow.name) == (namespace, name)]
        return list(dict.fromkeys([*mine, *self.called(namespace, name)]))

    async def _prior(self, live: Live, action: Choose) -> list[Known]:
        """What a search knows of another one: found once, and written down. Raises NoSearch."""
        wanted = action.study.warm_start
        if wanted is UNSET:
            return []
        known = live.priors.get(action.task)
        if known is None or known.source != wanted.from_:
            runs = await asyncio.to_thread(self._called, live.workflow.namespace, run_of(wanted))
            known = await asyncio.to_thread(recall, self.store, live.key((action.task, 0)), action.study, runs)
            await records.keep_prior(self.store, live.key((action.task, 0)), known)
            live.priors[action.task] = known
        return known.trials

    async def _publish(self, live: Live, action: Publish) -> None:
        attempt = (action.task, action.attempt)
        if attempt in live.results:
            return
        namespace, now = live.workflow.namespace, self.clock()
        made = [(name, data, "file") for name, data in action.files.items()]
        made += [(name, data, "collection") for name, data in action.collections.items()]
        files = {name: await records.put(self.store, namespace, data, type_) for name, data, type_ in made}
        result = Result(
            exit_code=0,
            outputs={**action.reuse, **files},
            parameters=action.parameters,
            started_at=live.run.tasks.get(action.task, PENDING).started_at or now,
            finished_at=now,
        )
        await self._write(live, action, result)

    async def _settle(self, live: Live, action: LookUp | Promote) -> None:
        """Commit what a name stands for, or that it does from now on, or why not."""
        if (action.task, action.attempt) in live.results:
            return
        known = list(live.results.values())
        done = await asyncio.to_thread(named.settled, self.store, live.workflow, known, action)
        now = self.clock()
        result = Result(
            exit_code=1 if done.reason else 0,
            reason=done.reason,
            message=done.message,
            outputs=done.outputs,
            parameters=done.parameters,
            cached_from=done.left_by,
            started_at=live.run.tasks.get(action.task, PENDING).started_at or now,
            finished_at=now,
        )
        inputs = action.inputs if isinstance(action, Promote) else {}
        published = Publish(action.step, action.task, action.attempt, {}, inputs=inputs, fingerprint=action.fingerprint)
        await self._write(live, published, result)

    async def _write(self, live: Live, action: Publish, result: Result) -> None:
        written = await records.publish(
            self.store, live.key((action.task, action.attempt)), live.workflow.name, action, result
        )
        live.take((action.task, action.attempt), written)

    async def commit(self, live: Live, attempt: AttemptId, result: Result) -> Result:
        """Write the record of an attempt, once; what the store holds afterwards."""
        order = live.order(attempt)
        image = self.driver.image_digest(live.workflow.uid, attempt) or ""
        missed = live.missed.get(attempt, "")
        return await records.commit(self.store, live.key(attempt), order, result, image_digest=image, missed=missed)

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
