"""A driver in memory, and what outlives an engine: the attempts that exist and the status that was written last.

`World` is the cluster: attempts, their logs, and what each does once it runs. `WorldDriver` is one operator's view of it; a `Fuse` kills that operator at
its n-th call, before or after the call has taken effect. `Operator` is an engine with a reconciler's manners: it reads the status, advances, writes the status.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from mlworkflow.core import status
from mlworkflow.core.actions import Order
from mlworkflow.core.cachefacts import Identity
from mlworkflow.core.observation import Attempt, AttemptId, Result, Seen
from mlworkflow.core.state import PENDING, Phase, Task
from mlworkflow.engine.driver import ContainerEnd, Found
from mlworkflow.engine.engine import Engine
from mlworkflow.engine.live import Live
from mlworkflow.engine.runs import EngineRuns
from mlworkflow.store.directory import DirectoryStore
from mlworkflow.store.errors import StoreUnavailable
from mlworkflow.store.layout import AttemptKey
from mlworkflow.store.records import Record, load_run
from mlworkflow.store.signing import BlobSigner

from tests.builders import WorkflowBuilder

UID, NAMESPACE = "uid-1", "default"


class Killed(Exception):
    """The operator is no more."""


@dataclass
class Fuse:
    """Burns at the `at`-th call from now (never, where None); once burnt, nothing gets through."""

    at: int | None = None
    is_after: bool = False
    calls: int = 0

    @property
    def is_burnt(self) -> bool:
        return self.at is not None and self.calls >= self.at

    def before(self) -> None:
        if self.is_burnt:
            raise Killed
        self.calls += 1
        if self.is_burnt and not self.is_after:
            raise Killed

    def after(self) -> None:
        if self.is_burnt:
            raise Killed


class World:
    """What exists, and how often each attempt was created."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.attempts: dict[AttemptId, Attempt] = {}
        self.ends: dict[AttemptId, ContainerEnd] = {}
        self.logs: dict[AttemptId, bytes] = {}
        self.created: Counter[AttemptId] = Counter()
        self.stopped: list[AttemptId] = []
        self.found: list[AttemptId] = []
        self.refusals: list[Exception] = []
        self.hidden: set[AttemptId] = set()
        self.is_synced = True

    def runs(self, task: str, attempt: int = 0) -> None:
        self._see(task, attempt, seen=Seen.RUNNING)

    def ended(self, task: str, attempt: int = 0, exit_code: int | None = 0, **fields: Any) -> None:
        self._see(task, attempt, seen=Seen.ENDED, exit_code=exit_code, **fields)

    def vanished(self, task: str, attempt: int = 0) -> None:
        del self.attempts[(task, attempt)]

    def _see(self, task: str, attempt: int, **fields: Any) -> None:
        self.attempts[(task, attempt)] = replace(self.attempts[(task, attempt)], **fields)


class WorldDriver:
    """Implements the engine's `Driver`."""

    keeps_logs_apart = True

    def __init__(self, world: World, fuse: Fuse) -> None:
        self._world = world
        self._fuse = fuse

    @property
    def is_synced(self) -> bool:
        return self._world.is_synced

    def attempts(self, uid: str) -> Mapping[AttemptId, Attempt]:
        assert uid == UID
        return {key: attempt for key, attempt in self._world.attempts.items() if key not in self._world.hidden}

    async def start(self, order: Order, *others: Order) -> None:
        """A Pod that exists has whom it has: others who were to share it are not in it."""
        self._fuse.before()
        if self._world.refusals:
            raise self._world.refusals.pop(0)
        keys = [(each.task, each.attempt) for each in (order, *others)]
        if all(attempt.handle != _pod(keys[0]) for attempt in self._world.attempts.values()):
            aboard = tuple(keys) if others else ()
            for key in keys:
                self._world.created[key] += 1
                self._world.attempts[key] = Attempt(*key, _pod(keys[0]), Seen.WAITING, self._world.now, aboard=aboard)
        self._fuse.after()

    async def stop(self, namespace: str, uid: str, attempt: AttemptId, handle: str, grace: int | None = None) -> None:
        self._fuse.before()
        self._world.stopped.append(attempt)
        if attempt in self._world.attempts:
            self._world.attempts[attempt] = replace(self._world.attempts[attempt], leaving=True)
        self._fuse.after()

    async def find(self, namespace: str, uid: str, attempt: AttemptId, handle: str) -> Found:
        self._fuse.before()
        self._world.found.append(attempt)
        self._fuse.after()
        return Found(attempt in self._world.attempts, self._world.logs.get(attempt, b""))

    async def log(self, namespace: str, uid: str, attempt: AttemptId, handle: str) -> bytes:
        self._fuse.before()
        self._fuse.after()
        return self._world.logs.get(attempt, b"")

    async def follow(self, namespace: str, uid: str, attempt: AttemptId, handle: str) -> AsyncGenerator[bytes, None]:
        sent = 0
        while True:
            seen = self._world.attempts.get(attempt)
            is_over = seen is None or seen.seen is Seen.ENDED or attempt in self._world.ends
            log = self._world.logs.get(attempt, b"")
            if log[sent:]:
                yield log[sent:]
                sent = len(log)
            if is_over:
                return
            await asyncio.sleep(0.01)

    async def identity(self, order: Order) -> Identity:
        return Identity(unknown="nobody knows images here")

    def image_digest(self, uid: str, attempt: AttemptId) -> str | None:
        return ""

    def container_end(self, uid: str, attempt: AttemptId) -> ContainerEnd | None:
        return self._world.ends.get(attempt)

    def identify(self, namespace: str, pod: str, pod_uid: str, rider: str = "") -> tuple[str, AttemptId] | None:
        known = {_pod(key): key for key in self._world.attempts}
        return (UID, known[pod]) if pod in known and pod_uid == f"uid-of-{pod}" else None

    def command(self, order: Order) -> tuple[str, ...]:
        return ("as", "the", "driver", "says", *order.command)


class FusedStore(DirectoryStore):
    """A store whose writes the fuse counts too; `is_away` makes it answer nothing."""

    def __init__(self, root: Path, fuse: Fuse) -> None:
        super().__init__(root, BlobSigner(b"0" * 32))
        self.fuse = fuse
        self.is_away = False

    def read_bytes(self, key: str) -> bytes:
        self._look()
        return super().read_bytes(key)

    def write_bytes(self, key: str, data: bytes, *, if_absent: bool = False) -> bool:
        self._look()
        self.fuse.before()
        written = super().write_bytes(key, data, if_absent=if_absent)
        self.fuse.after()
        return written

    def check(self) -> None:
        self._look()

    def _look(self) -> None:
        if self.is_away:
            raise StoreUnavailable("nobody answers")


@dataclass
class Operator:
    """One life of an operator. `written` is the status that it wrote last."""

    workflow: WorkflowBuilder
    world: World
    folder: Path
    written: Mapping[str, Any] = field(default_factory=dict)
    fuse: Fuse = field(default_factory=Fuse)
    woken: list[str] = field(default_factory=list)
    seen: dict[AttemptId, Attempt] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.store = FusedStore(self.folder, self.fuse)
        self.driver = WorldDriver(self.world, self.fuse)
        self.engine = Engine(self.store, self.driver, self.woken.append, lambda: self.world.now)
        self.runs = EngineRuns(self.engine)

    async def open(self) -> Live:
        plan = self.workflow.plan()
        return await self.engine.open(plan, status.read(self.written, plan.nodes))

    @property
    def live(self) -> Live:
        return self.engine.live[UID]

    async def turn(self, after: float = 0.0) -> float | None:
        """`after` seconds later, what a reconcile does; when the next one is due."""
        self.world.now += after
        live = self.engine.live.get(UID) or await self.open()
        before, self.seen = self.seen, dict(self.driver.attempts(UID))
        for attempt in before.keys() | self.seen.keys():
            if before.get(attempt) != self.seen.get(attempt):
                live.memory.note(attempt)
        wake_at = await self.engine.advance(live)
        self.written = status.written(live.plan, live.run, self.written, self.world.now)
        return wake_at

    async def commit(self, task: str, attempt: int = 0, exit_code: int = 0, **fields: Any) -> None:
        """What the agent of an attempt says last."""
        await self.runs.commit(key(task, attempt), Result(exit_code, **fields))

    def again(self, fuse: Fuse | None = None) -> Operator:
        """The next life, over the same world, the same store and the status written last."""
        return Operator(self.workflow, self.world, self.folder, self.written, fuse or Fuse())

    def task(self, name: str) -> Task:
        return self.live.run.tasks.get(name, PENDING)

    def is_(self, name: str, phase: Phase, reason: str = "") -> bool:
        return (self.task(name).phase, self.task(name).reason) == (phase, reason)

    def records(self) -> dict[AttemptId, Record]:
        found = load_run(DirectoryStore(self.folder, BlobSigner(b"0" * 32)), NAMESPACE, UID).records
        return {(where.task, where.attempt): record for where, record in found.items()}


def key(task: str, attempt: int = 0) -> AttemptKey:
    return AttemptKey(NAMESPACE, UID, task, attempt)


def _pod(attempt: AttemptId) -> str:
    return f"pod-of-{attempt[0]}-{attempt[1]}"
