"""Several workflows on one engine: who runs what is in the test's hands, and so is the store."""

from __future__ import annotations

from collections.abc import Mapping

from mlworkflow.core import status
from mlworkflow.core.actions import Order
from mlworkflow.core.cachefacts import Identity
from mlworkflow.core.observation import Attempt, AttemptId, Result, Seen
from mlworkflow.engine.engine import Engine
from mlworkflow.engine.runs import EngineRuns
from mlworkflow.engine.sharing import NO_LIMITS, Limits
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.layout import AttemptKey

from tests.builders import WorkflowBuilder

from .world import Fuse, World, WorldDriver


class Cluster(WorldDriver):
    """A driver of many workflows: what runs, in the order of its start. `images` says what is behind a name, `code` what a built-in kind runs."""

    def __init__(self) -> None:
        super().__init__(World(), Fuse())
        self.running: dict[tuple[str, AttemptId], Attempt] = {}
        self.images: dict[str, str] = {}
        self.code = ""
        self.is_open = False
        self.orders: dict[tuple[str, AttemptId], Order] = {}

    async def identity(self, order: Order) -> Identity:
        digest = self.images.get(order.image, "")
        unknown = "" if digest else f"the digest of the image {order.image} is not known"
        return Identity(digest, self.code, self.is_open, unknown)

    def image_digest(self, uid: str, attempt: AttemptId) -> str | None:
        order = self.orders.get((uid, attempt))
        return self.images.get(order.image) if order else None

    def attempts(self, uid: str) -> Mapping[AttemptId, Attempt]:
        return {key: attempt for (owner, key), attempt in self.running.items() if owner == uid}

    async def start(self, order: Order, *others: Order) -> None:
        key = (order.task, order.attempt)
        self.orders[(order.uid, key)] = order
        self.running[(order.uid, key)] = Attempt(*key, "pod", Seen.RUNNING, 0.0)


class Engines:
    """An engine, its workflows and the turns that it asks for; `restart` begins another over the same cluster and store."""

    def __init__(self, store: ArtifactStore, limits: Limits = NO_LIMITS, cluster: Cluster | None = None) -> None:
        self.store, self.limits = store, limits
        self.cluster = cluster or Cluster()
        self.now, self.is_known = 1000.0, True
        self.due: list[str] = []
        self.engine = Engine(store, self.cluster, self.due.append, lambda: self.now, limits, lambda: self.is_known)
        self.runs = EngineRuns(self.engine)
        self.written: dict[str, dict[str, object]] = {}

    async def add(self, name: str, builder: WorkflowBuilder, namespace: str = "ns") -> None:
        plan = builder.meta(uid=name, namespace=namespace).plan()
        run = status.read(self.written.get(name, {}), plan.nodes)
        await self.engine.open(plan, run)
        self.due.append(name)
        await self.settle()

    async def settle(self) -> None:
        """Turns for whoever is due, in the order asked for."""
        while self.due:
            name = self.due.pop(0)
            if live := self.engine.live.get(name):
                await self.engine.advance(live)
                self.written[name] = status.written(live.plan, live.run, self.written.get(name, {}), self.now)
                if live.run.phase.is_finished:
                    self.engine.close(name)

    async def end(self, name: str, task: str, exit_code: int = 0, result: Result | None = None) -> None:
        attempt = max(number for (owner, (known, number)) in self.cluster.running if (owner, known) == (name, task))
        namespace = self.engine.live[name].workflow.namespace
        self.now += 1
        await self.runs.commit(AttemptKey(namespace, name, task, attempt), result or Result(exit_code))
        del self.cluster.running[(name, (task, attempt))]
        self.engine.heard(name, (task, attempt))
        await self.settle()

    @property
    def running(self) -> list[str]:
        return [f"{owner}.{task}" for owner, (task, _) in self.cluster.running]

    async def restart(self, builders: Mapping[str, WorkflowBuilder], *, all_at_once: bool = True) -> Engines:
        again = Engines(self.store, self.limits, self.cluster)
        again.written, again.now, again.is_known = dict(self.written), self.now, all_at_once
        for name, builder in builders.items():
            await again.add(name, builder)
        return again
