"""A workflow under way: everything the engine knows of it."""

from __future__ import annotations

import asyncio
import math
from collections import ChainMap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from mlworkflow.core import orders
from mlworkflow.core.actions import Order
from mlworkflow.core.decide import Usage
from mlworkflow.core.memory import Memory
from mlworkflow.core.model import Workflow
from mlworkflow.core.observation import Attempt, AttemptId, Observations, Probed, Recalled, Result, Room, Seen
from mlworkflow.core.plan import Plan
from mlworkflow.core.state import PENDING, Phase, Run
from mlworkflow.core.values import ArtifactRef
from mlworkflow.core.view import View
from mlworkflow.engine.curves import Curves
from mlworkflow.engine.waits import Waits
from mlworkflow.store.layout import AttemptKey
from mlworkflow.store.records import Chosen, Prior


@dataclass(slots=True)
class Live:
    """`results` mirrors the records in the store; `creating` are attempts that were decided on and do not exist yet, `trouble` why not, `announced` what the last
    turn was told of them, `shared` which of them are to share a Pod: all of them, also those that are not wanted any more, for the Pod may exist and be found by
    the name that the first gives it.

    `missed` says why the cache had no result for an attempt that is under way. `checkpoints` holds the last checkpoint of each task, for its next attempt, `curves` what trials say of their metric on the way, `judging` the tune steps for which it is being decided who goes on by it, `listening` those whose logs are followed for that, `is_overheard` whether a plan has any such, `waits` what attempts say that they wait for.
    `chosen` holds the parameters of trials that the store has, `priors` what searches were told of others, `choosing` the tune steps for which more are chosen at the moment, `unchosen` why that cannot be done. `usage` is what it
    took of what is shared after the last turn, `waiting_since` since when it waits for which locks. `probed` and `refused` are told to `decide`
    once. `is_settled` is false until the first decision after a start of the operator:
    before it, the state may not know of attempts that exist. `memory` is what the next turn knows of the last, which looked at everything when it was `looked_at`: whatever changes here that `decide` is told of
    is noted there.
    """

    plan: Plan
    run: Run
    results: dict[AttemptId, Result] = field(default_factory=dict)
    creating: dict[AttemptId, Order] = field(default_factory=dict)
    shared: dict[AttemptId, tuple[Order, ...]] = field(default_factory=dict)
    created_at: dict[AttemptId, float] = field(default_factory=dict)
    announced: dict[AttemptId, Attempt] = field(default_factory=dict)
    probed: dict[AttemptId, Probed] = field(default_factory=dict)
    refused: dict[AttemptId, str] = field(default_factory=dict)
    orders: dict[AttemptId, Order] = field(default_factory=dict)
    missed: dict[AttemptId, str] = field(default_factory=dict)
    trouble: str = ""
    checkpoints: dict[str, ArtifactRef] = field(default_factory=dict)
    waits: Waits = field(default_factory=Waits)
    memory: Memory = field(default_factory=Memory)
    looked_at: float = -math.inf
    is_settled: bool = False
    chosen: dict[str, Chosen] = field(default_factory=dict)
    priors: dict[str, Prior] = field(default_factory=dict)
    choosing: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    unchosen: dict[str, str] = field(default_factory=dict)
    judging: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    curves: Curves = field(init=False)
    listening: dict[AttemptId, asyncio.Task[None]] = field(default_factory=dict)
    is_overheard: tuple[Plan | None, bool] = (None, False)
    usage: Usage = field(default_factory=Usage)
    waiting_since: dict[str, float] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    turning: asyncio.Lock = field(default_factory=asyncio.Lock)

    def __post_init__(self) -> None:
        self.curves = Curves(lambda: self.plan.nodes, self.memory.note)
        self.curves.load(self.results)

    @property
    def workflow(self) -> Workflow:
        return self.plan.workflow

    def take(self, attempt: AttemptId, result: Result) -> None:
        """An attempt has committed."""
        self.results[attempt] = result
        self.memory.note(attempt)

    def seat(self, orders: Sequence[Order]) -> None:
        """Attempts are to share a Pod, where they are several."""
        for order in orders:
            self.shared.pop((order.task, order.attempt), None)
            if len(orders) > 1:
                self.shared[order.task, order.attempt] = tuple(orders)

    def seats(self, attempts: Sequence[AttemptId]) -> list[tuple[Order, ...]]:
        """What is to be created for some attempts of `creating`: each that has a Pod to itself, and those that share one together."""
        if not self.shared:
            return [(self.creating[attempt],) for attempt in attempts]
        found = [self.shared.get(attempt) or (self.creating[attempt],) for attempt in attempts]
        return list({(orders[0].task, orders[0].attempt): orders for orders in found}.values())

    def is_under_way(self, attempt: AttemptId) -> bool:
        """Whether an attempt is its task's current one and has not committed."""
        task = self.run.tasks.get(attempt[0], PENDING)
        return task.phase is Phase.RUNNING and task.attempt == attempt[1] and attempt not in self.results

    def key(self, attempt: AttemptId) -> AttemptKey:
        return AttemptKey(self.workflow.namespace, self.workflow.uid, *attempt)

    def order(self, attempt: AttemptId) -> Order:
        """The order of an attempt under way, as it was given or, after a restart, as it must have been given."""
        if attempt not in self.orders:
            task, number = attempt
            view = View(self.workflow, self.plan.nodes, self.run.tasks, self.run.verdict)
            self.orders[attempt] = orders.order(view, self.plan.nodes[task], number)
        return self.orders[attempt]

    def observations(self, attempts: Mapping[AttemptId, Attempt], waiting: str, room: Room, now: float) -> Observations:
        """What `decide` is told; what is told once is forgotten here."""
        created = {attempt: self._created(attempt) for attempt in self.creating if attempt not in attempts}
        probed, self.probed = self.probed, {}
        refused, self.refused = self.refused, {}
        news = [attempt for attempt, seen in created.items() if self.announced.get(attempt) is not seen]
        self.announced = created
        for attempt in (*news, *probed, *refused):
            self.memory.note(attempt)
        chosen = {task: found.params for task, found in self.chosen.items()}
        stuck = f"waiting to create Pods: {self.trouble}" if self.creating and self.trouble else ""
        said, waits = self.waits.last_shown, self.waits.shown(now)
        for attempt in said.keys() | waits.keys() if waits is not said else ():
            self.memory.note(attempt)
        return Observations(
            ChainMap(created, attempts) if created else attempts,  # type: ignore[arg-type]
            self.results,
            probed,
            refused,
            waiting or stuck,
            room,
            waits,
            chosen,
            frozenset(self.choosing),
            dict(self.unchosen),
            self.curves.shown,
            frozenset(self.judging),
            recalled={task: Recalled(len(prior.trials), prior.of) for task, prior in self.priors.items()},
        )

    def _created(self, attempt: AttemptId) -> Attempt:
        """An attempt that is being created: the same object for as long as nothing about it changes."""
        known, since = self.announced.get(attempt), self.created_at[attempt]
        if known and known.created_at == since and known.message == self.trouble:
            return known
        return Attempt(*attempt, handle="", seen=Seen.WAITING, created_at=since, message=self.trouble)

    def restart(self, run: Run) -> None:
        """Go on from a state in which tasks run again: what was on its way for their earlier attempts is dropped."""
        self.run = run
        self.unchosen.clear()
        for attempt in {*self.creating, *self.orders}:
            task = run.tasks.get(attempt[0], PENDING)
            if attempt[1] < task.since:
                self.forget(attempt)

    def forget_task(self, task: str) -> None:
        """As `forget`, of all attempts of a task that has ended."""
        for attempt in [(task, number) for number in range(self.run.tasks[task].attempt + 1)]:
            self.forget(attempt)

    def forget(self, attempt: AttemptId) -> None:
        """Drop what is needed only while an attempt is under way."""
        self.creating.pop(attempt, None)
        self.shared.pop(attempt, None)
        self.created_at.pop(attempt, None)
        self.orders.pop(attempt, None)
        self.missed.pop(attempt, None)
        self.waits.forget(attempt)
        self.curves.forget([attempt])
