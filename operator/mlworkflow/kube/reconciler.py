"""From a key to a finished turn: read the resource, let the engine advance it, and see to it that its status is written.

Nothing depends on a status that is written, so no turn waits for one: `publish` writes them beside the turns, one patch at a time for each
workflow, which carries all that has changed since the last. A patch carries the resource version it was worked out from, so a conflict means that
we looked at an old one. A resource that is not sound gets a status that says so, and never a Pod.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial
from typing import Any

from mlworkflow.core import rerun, status
from mlworkflow.core.errors import SpecError
from mlworkflow.core.observation import Attempt, Seen
from mlworkflow.core.plan import Plan
from mlworkflow.core.state import Phase
from mlworkflow.engine.engine import Engine
from mlworkflow.engine.keeper import Keeper
from mlworkflow.engine.live import Live
from mlworkflow.engine.webhook_sender import WebhookSender
from mlworkflow.engine.webhooks import is_owed
from mlworkflow.kube import retention
from mlworkflow.kube.cleanup import Cleanup
from mlworkflow.kube.client import KubeClient
from mlworkflow.kube.errors import Conflict, NotFound
from mlworkflow.kube.members.assignment import Alone, Assignment
from mlworkflow.kube.members.turns import BrokenOff, Turns
from mlworkflow.kube.objects import Json, namespaced_name, resource_version
from mlworkflow.kube.paths import MLWORKFLOWS
from mlworkflow.kube.priming import Priming
from mlworkflow.kube.retention import is_finished
from mlworkflow.kube.wanted import PAUSE, Status, Wanted, Wish
from mlworkflow.store.errors import StoreError

RETRY_STORE = 5.0


class Reconciler:
    """Holds the resources by ``namespace/name``; `enqueue(key)` asks for a `reconcile`, `report(key)` for a `publish`. `primed` is set once every
    workflow that existed has had a turn. `assigned` says which workflows are this operator's: of the others it only keeps the resources.
    """

    def __init__(
        self,
        client: KubeClient,
        engine: Engine,
        enqueue: Callable[[str], None],
        report: Callable[[str], None],
        clock: Callable[[], float],
        webhooks: WebhookSender | None = None,
        keeper: Keeper | None = None,
        pause: float = PAUSE,
        assigned: Assignment = Alone(),  # noqa: B008
    ) -> None:
        self._assigned = assigned
        self._turns = Turns()
        self._mine: set[str] = set()  # uids of those that this operator has begun to look after
        self._fresh: set[str] = set()  # of these, the ones read anew since
        self._standing: object = None
        self._report = report
        self._wanted = Wanted(pause)
        self._keeper = keeper
        self._webhooks = webhooks
        self._client = client
        self._engine = engine
        self._enqueue = enqueue
        self._clock = clock
        self._resources: dict[str, Json] = {}
        self._keys: dict[str, str] = {}  # uid → key
        self._cleanup = Cleanup(engine.driver)
        self.priming = Priming(client, self._keys.__contains__, self._is_ours, self.wake_all)

    @property
    def primed(self) -> asyncio.Event:
        return self.priming.primed

    def observe(self, event: str | None, resource: Json) -> None:
        """Take in an event of a resource (kopf gives None for those listed at the start)."""
        key, uid = namespaced_name(resource), resource["metadata"]["uid"]
        if event == "DELETED" or "deletionTimestamp" in resource["metadata"]:
            if self._assigned.owns(uid):
                self._keep_what_was(key, uid)
            self._forget(key, uid)  # its Pods go with it; a new one would be one too many
        elif self._take(resource) and self._assigned.owns(uid):
            self._mine.add(uid)
            self._enqueue(key)

    def wake(self, uid: str) -> None:
        """Something happened to a workflow's attempts."""
        if (key := self._keys.get(uid)) and self._assigned.owns(uid):
            self._enqueue(key)

    def reassign(self) -> None:
        """What is this operator's may be other than before: what is new is looked at, what is another's is let go once nothing is under way for it."""
        before, self._standing = self._standing, self._assigned.standing()
        if before != self._standing:
            self.priming.again()
        for uid, key in self._keys.items():
            if self._assigned.owns(uid):
                self._mine.add(uid)
            elif uid in self._mine and not self._is_under_way(uid):
                self._let_go(key, uid)
        for uid in self._mine - self._fresh:
            self._enqueue(self._keys[uid])

    def is_busy(self) -> bool:
        """Whether something is under way for what is not this operator's any more."""
        return any(self._is_under_way(uid) and not self._assigned.owns(uid) for uid in self._mine)

    def _is_under_way(self, uid: str) -> bool:
        live = self._engine.live.get(uid)
        return self._turns.is_under_way(uid) or bool(live and (live.choosing or live.judging))

    async def stop(self) -> None:
        """Break off what is under way, and let everything go: others may have taken over."""
        await self._turns.break_off()
        for uid in list(self._mine):
            self._let_go(self._keys[uid], uid)

    def _let_go(self, key: str, uid: str) -> None:
        """Forget what is known of a workflow, but its resource."""
        self._mine.discard(uid)
        self._fresh.discard(uid)
        self._wanted.forget(key)
        self._engine.release(uid)
        self._cleanup.forget(uid)
        if self._webhooks:
            self._webhooks.forget(uid)
        if self._keeper:
            self._keeper.forget(uid)
        self.priming.seen(uid)

    def _is_ours(self, resource: Json) -> bool:
        self._assigned.note(resource)
        return self._assigned.owns(resource["metadata"]["uid"])

    def home(self, uid: str) -> str | None:
        """The namespace of a workflow; None for one that is not known."""
        key = self._keys.get(uid)
        return key.partition("/")[0] if key else None

    def phases(self) -> Counter[str]:
        """How many workflows there are in each phase, by what their status says."""
        return Counter(
            (resource.get("status") or {}).get("phase") or str(Phase.PENDING) for resource in self._resources.values()
        )

    def wake_all(self) -> None:
        """Something happened that every live workflow waits for."""
        for uid in self._engine.live:
            self.wake(uid)

    async def reconcile(self, key: str) -> float | None:
        """One turn; seconds until the next one is due, if nothing happens before."""
        resource = self._resources.get(key)
        if resource is None:
            return None
        uid = resource["metadata"]["uid"]
        try:
            if not self._assigned.is_shared:
                return await self._turn(key, resource)
            return await self._within_bounds(key, uid, self._shared_turn)
        finally:
            self.priming.seen(uid)

    async def _within_bounds(
        self, key: str, uid: str, work: Callable[[str, Json], Awaitable[float | None]]
    ) -> float | None:
        """Do something for a workflow while it is this operator's; what is under way when it lapses is broken off."""
        if not self._assigned.owns(uid) or self._turns.is_closed:
            return None
        try:
            async with self._turns.under(uid):
                return await work(key, self._resources[key])
        except BrokenOff:
            return None
        finally:
            if uid in self._mine and not self._assigned.owns(uid) and not self._is_under_way(uid):
                self._let_go(key, uid)

    async def _shared_turn(self, key: str, resource: Json) -> float | None:
        """A turn, the first one with the resource as it is now: another member may have written to it later than we have heard."""
        metadata = resource["metadata"]
        if metadata["uid"] not in self._fresh and not is_finished(resource.get("status") or {}):
            try:
                current = await self._client.get(MLWORKFLOWS.path(metadata["namespace"], metadata["name"]))
            except NotFound:  # its deletion is on its way to us
                return None
            if current["metadata"]["uid"] != metadata["uid"]:
                return None
            self._take(current)
        self._fresh.add(metadata["uid"])
        return await self._turn(key, self._resources[key])

    async def _turn(self, key: str, resource: Json) -> float | None:
        before = _status_of(resource)
        if self._is_over(resource, before) and not self._cleanup.is_due(resource):
            self._report(key)
            return None
        try:
            live = await self._live(resource, before)
            if rerun.is_asked(live.plan, live.run):
                return await self._run_again(key, resource, live)
            wake_at = await self._engine.advance(live)
            self._want(key, lambda before: status.written(live.plan, live.run, before, self._clock()))
            return None if wake_at is None else max(0.0, wake_at - self._clock())
        except SpecError as error:
            generation = int(resource["metadata"].get("generation") or 1)
            self._want(key, partial(_unsound, error, generation, self._clock()))
            await self._stop_leftovers(resource)
            return None
        except StoreError as error:
            self._want(key, partial(_without_store, error))
            return RETRY_STORE

    def _want(self, key: str, wish: Wish) -> None:
        self._wanted.put(key, wish)
        self._report(key)

    async def publish(self, key: str) -> float | None:
        """Write the status of a workflow as it is now, if it is another, and do what follows once it is written; seconds until this is due again."""
        resource = self._resources.get(key)
        if resource is None:
            return None
        if not self._assigned.is_shared:
            return await self._publish(key, resource)
        return await self._within_bounds(key, resource["metadata"]["uid"], self._publish)

    async def _publish(self, key: str, resource: Json) -> float | None:
        live = self._engine.live.get(resource["metadata"]["uid"])
        if wanted := self._wanted.get(key):
            began, is_last = time.monotonic(), live is None or live.run.phase.is_finished
            if (due := self._wanted.due(key)) > began and not is_last:
                return due - began
            after = wanted(_status_of(resource))
            made = time.monotonic()
            if after != (resource.get("status") or {}):
                if not await self._write(key, resource, after):
                    return None
                now = time.monotonic()
                self._wanted.rest(key, now, made=made - began, written=now - made)
        live = self._engine.live.get(resource["metadata"]["uid"])
        if live and self._webhooks:
            self._webhooks.take(live)
        if live:
            await self._cleanup.clean(live)
        written = self._resources.get(key)
        if written and is_finished(written.get("status") or {}):
            return await self._retire(key, written)
        return None

    async def _run_again(self, key: str, resource: Json, live: Live) -> float | None:
        """Take up a request to run steps again: it is written down first, and carried out in the next turn."""
        again = rerun.honour(live.plan, live.run, self._clock())
        await self._engine.drop_checkpoints(live, again.stale)
        after = status.written(live.plan, again.run, resource.get("status") or {}, self._clock())
        if await self._write(key, resource, after):
            live.restart(again.run)
        return 0.0

    async def _retire(self, key: str, resource: Json) -> float | None:
        """A workflow that has ended: forgotten once nothing of it is left, deleted when its time is over."""
        metadata = resource["metadata"]
        if self._webhooks and self._webhooks.is_busy(metadata["uid"]):
            return None  # whoever is called last wakes us
        if self._is_over(resource, resource["status"]):
            self._engine.close(metadata["uid"])
            self._wanted.forget(key)
        if self._keeper:
            self._keeper.take(resource)
            if self._keeper.is_busy(metadata["uid"]):
                return None  # it wakes us, and nothing is deleted before
        due = retention.delete_at(resource)
        if due is None or self._clock() < due:
            return None if due is None else due - self._clock()
        with suppress(NotFound, Conflict):  # gone, and perhaps another of its name
            path = MLWORKFLOWS.path(metadata["namespace"], metadata["name"])
            await self._client.delete(path, uid=metadata["uid"], propagation="Background")
        return None

    async def _live(self, resource: Json, before: Mapping[str, Any]) -> Live:
        """The workflow as the engine knows it, with the spec as it is now. Raises SpecError."""
        metadata = resource["metadata"]
        live = self._engine.live.get(metadata["uid"])
        if live and live.workflow.generation == metadata.get("generation"):
            return live
        plan = Plan.of(resource)
        if live is None:
            return await self._engine.open(plan, status.read(before, plan.nodes))
        live.plan = plan
        return live

    async def _write(self, key: str, resource: Json, after: Mapping[str, Any]) -> bool:
        """Whether the status is now as it should be; if not, another turn follows, or none is due any more."""
        known: Mapping[str, Any] = resource.get("status") or {}
        changes = {field: after.get(field) for field in {*known, *after} if known.get(field) != after.get(field)}
        if not changes:
            return True
        metadata = resource["metadata"]
        patch = {"metadata": {"resourceVersion": metadata["resourceVersion"]}, "status": changes}
        try:
            version = await self._client.patch_status(MLWORKFLOWS.path(metadata["namespace"], metadata["name"]), patch)
        except NotFound:
            self._forget(key, metadata["uid"])
        except Conflict:
            current = await self._client.get(MLWORKFLOWS.path(metadata["namespace"], metadata["name"]))
            if metadata["uid"] in self._keys:
                self._take(current)
                self._enqueue(key)
        else:
            if metadata["uid"] in self._keys:  # else its deletion overtook this answer
                self._take({**resource, "metadata": {**metadata, "resourceVersion": version}, "status": dict(after)})
            return True
        return False

    def _is_over(self, resource: Json, written: Mapping[str, Any]) -> bool:
        """Whether nothing is left to do for a workflow with this status."""
        asked = ((resource.get("spec") or {}).get("rerun") or {}).get("id", "")
        if (
            not is_finished(written)
            or self._leftovers(resource["metadata"]["uid"])
            or asked != written.get("rerun", "")
        ):
            return False
        return self._webhooks is None or not is_owed({"spec": resource.get("spec"), "status": written})

    def _leftovers(self, uid: str) -> list[Attempt]:
        return [
            attempt
            for attempt in self._engine.driver.attempts(uid).values()
            if (attempt.seen is not Seen.ENDED or attempt.lingering) and not attempt.leaving
        ]

    async def _stop_leftovers(self, resource: Json) -> None:
        """An edit took away what they are attempts of."""
        namespace, uid = resource["metadata"]["namespace"], resource["metadata"]["uid"]
        self._engine.close(uid)
        for attempt in {attempt.handle: attempt for attempt in self._leftovers(uid)}.values():
            await self._engine.driver.stop(namespace, uid, (attempt.task, attempt.number), attempt.handle)

    def _take(self, resource: Json) -> bool:
        """Keep a resource unless we know a newer version. Whether it was news."""
        key = namespaced_name(resource)
        known = self._resources.get(key)
        if known and resource_version(known) >= resource_version(resource):
            return False
        if known and known["metadata"]["uid"] != resource["metadata"]["uid"]:
            self._forget(key, known["metadata"]["uid"])
        resource["metadata"].pop("managedFields", None)
        self._resources[key] = resource
        self._keys[resource["metadata"]["uid"]] = key
        self._assigned.note(resource)
        return True

    def _keep_what_was(self, key: str, uid: str) -> None:
        """A workflow is gone that had begun and not ended: this is its end, as we last knew it."""
        known = self._resources.get(key)
        if self._keeper and known and known["metadata"]["uid"] == uid and uid in self._keys:
            before = known.get("status") or {}
            if before.get("startedAt") and not is_finished(before):
                self._keeper.take({**known, "status": status.cut_off(before, "deleted before its end", self._clock())})

    def _forget(self, key: str, uid: str) -> None:
        if self._keys.pop(uid, None):
            self._wanted.forget(key)
        self._engine.close(uid)
        self._assigned.forget(uid)
        self._mine.discard(uid)
        self._fresh.discard(uid)
        self._cleanup.forget(uid)
        if self._webhooks:
            self._webhooks.forget(uid)
        if self._keeper:
            self._keeper.forget(uid)
        self.priming.seen(uid)
        if self._resources.get(key, {}).get("metadata", {}).get("uid") == uid:
            del self._resources[key]


def _status_of(resource: Json) -> Status:
    """The status so far; nothing of a workflow that never ran and has been edited since: a new chance."""
    known: Status = resource.get("status") or {}
    is_edited = known.get("observedGeneration") != resource["metadata"].get("generation")
    return {} if status.is_invalid(known) and is_edited else known


def _unsound(error: SpecError, generation: int, now: float, before: Status) -> Status:
    is_known = status.is_invalid(before) or is_finished(before)
    return before if is_known else status.invalid(error.problems, before, generation, now)


def _without_store(error: StoreError, before: Status) -> Status:
    message = f"waiting for the object store: {error}"
    return (
        before
        if is_finished(before)
        else {**before, "phase": before.get("phase") or str(Phase.PENDING), "message": message}
    )
