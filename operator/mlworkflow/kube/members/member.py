"""One member: renews its Lease, reads those of all, and says when what is its own has changed.

Its conversation has a client of its own, so that it waits behind nothing else; what it can do late, or not at all, is `membership`'s to judge.
Caller: `__main__`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

from mlworkflow.kube.client import KubeClient
from mlworkflow.kube.errors import AlreadyExists, ApiError, Conflict, NotFound
from mlworkflow.kube.members.leases import LABEL, Identity, lease, micro, sighting
from mlworkflow.kube.members.membership import NOBODY, Membership, Terms
from mlworkflow.kube.objects import Json
from mlworkflow.kube.paths import LEASES

_log = logging.getLogger("mlworkflow.members")
BURIED = 60.0
"""Seconds after which the Lease is removed of whom nothing was heard."""


def uptime() -> float:
    """Seconds that only grow, and also while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Member:
    """`is_busy()` says whether something is under way for what is not owned any more; `changed()` is called when what is owned may be other than before;
    `stop()` breaks off all that is under way, and returns once it has."""

    def __init__(
        self,
        client: KubeClient,
        me: Identity,
        scheme: str,
        clock: Callable[[], float],
        terms: Terms = Terms(),  # noqa: B008
        now: Callable[[], float] = uptime,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client, self.me = client, me
        self._clock, self._now, self._sleep = clock, now, sleep
        self._terms = terms
        self.membership = Membership(me.name, scheme, micro(clock()), terms)
        self._version: str | None = None
        self._lapses = 0
        self._turn = asyncio.Lock()
        self._has_renewed = asyncio.Event()
        self.is_busy: Callable[[], bool] = lambda: False
        self.changed: Callable[[], None] = lambda: None
        self.stop: Callable[[], Awaitable[None]] = _nothing

    def owns(self, key: str) -> bool:
        """Whether a key is this member's now."""
        return self.membership.owns(key, self._now())

    def is_fenced(self) -> bool:
        """Whether others may have taken over by now, so that nothing may be written."""
        return self._now() >= self.membership.expires_at

    async def run(self) -> None:
        """Renew until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._watch_the_time())
            while True:
                has_renewed = await self.cycle()
                if not (has_renewed and self.membership.is_moving and not self.is_busy()):
                    await self._sleep(self._terms.every)

    async def cycle(self) -> bool:
        """Renew once, and read once; whether that came through. Trouble is logged, and what comes of it is a matter of time."""
        async with self._turn:
            await self._stop_if_lapsed()
            began = self._now()
            before = self.membership.acts_by
            view = self.membership.begin(began, is_busy=self.is_busy())
            try:
                await self._write(view)
                self.membership.renewed(began, self._now())
                await self._stop_if_lapsed()
                self._has_renewed.set()
                asked = self._now()
                listed = await self._list()
            except ApiError as error:
                _log.warning("the Lease %s cannot be renewed: %s", self.me.name, error)
                return False
            self.membership.seen([sighting(each) for each in listed], asked, self._now())
            if self.membership.acts_by != before:
                _log.info("member %s acts by: %s", self.me.name, ", ".join(sorted(self.membership.acts_by)) or "nobody")
            self.changed()
            await self._bury(listed)
            return True

    async def leave(self) -> None:
        """Begin nothing more, finish what is under way, and say so: others take over at once."""
        self.membership.leave()
        self.changed()
        async with self._turn:
            while self.is_busy() and not self.is_fenced():
                await self._sleep(0.02)
            try:
                await self._write(NOBODY, is_here=False)
            except ApiError as error:
                _log.warning("the Lease %s cannot be released: %s", self.me.name, error)

    def state(self) -> dict[str, Any]:
        """For people: who this is, and by whom it acts."""
        membership = self.membership
        phase = "fenced" if self.is_fenced() else "active" if membership.acts_by else "joining"
        return {"name": self.me.name, "state": phase, "members": sorted(membership.acts_by)}

    async def _watch_the_time(self) -> None:
        while True:
            left = self.membership.expires_at - self._now()
            if left > 0:
                await self._sleep(left)
                continue
            self._has_renewed.clear()
            await self._stop_if_lapsed()
            await self._has_renewed.wait()

    async def _stop_if_lapsed(self) -> None:
        self.membership.lapse_if_due(self._now())
        if self._lapses != self.membership.lapses:
            self._lapses = self.membership.lapses
            _log.warning("member %s could not renew its Lease in time: it stops, others take over", self.me.name)
            await self.stop()

    async def _write(self, view: frozenset[str], *, is_here: bool = True) -> None:
        me = self.me if is_here else Identity(self.me.name, "", self.me.namespace, self.me.group, "")
        membership = self.membership
        body = lease(me, membership.scheme, membership.since, view, self._clock(), self._terms)
        path = LEASES.path(me.namespace, me.name)
        if self._version is None:
            try:
                self._took(await self._client.create(LEASES.path(me.namespace), body))
                return
            except AlreadyExists:  # of an earlier process in this Pod, which is dead, or our own whose answer was lost
                self._took(await self._client.get(path))
        body["metadata"]["resourceVersion"] = self._version
        try:
            self._took(await self._client.merge_patch(path, body))
        except NotFound:
            self._version = None
            raise
        except Conflict:  # an earlier renewal of ours came through, whose answer was lost
            self._took(await self._client.get(path))
            raise

    def _took(self, found: Json) -> None:
        self._version = found["metadata"]["resourceVersion"]

    async def _list(self) -> list[Json]:
        path = LEASES.path(self.me.namespace)
        listed = await self._client.list(path, {"labelSelector": f"{LABEL}={self.me.group}"})
        return list(listed["items"])

    async def _bury(self, listed: list[Json]) -> None:
        dead = {it.name for it in self.membership.buried(self._now(), BURIED)}
        for each in listed:
            if each["metadata"]["name"] in dead:
                path = LEASES.path(self.me.namespace, each["metadata"]["name"])
                try:
                    await self._client.delete(path, resource_version=each["metadata"]["resourceVersion"])
                except (NotFound, Conflict):  # another was quicker, or it lives
                    continue
                except ApiError as error:
                    _log.warning("the Lease %s cannot be removed: %s", each["metadata"]["name"], error)


async def _nothing() -> None:
    return
