"""Sees to it that of every run that has ended is kept what is to be kept: what its resource told, and a signed statement of it. In the background, a
few runs at a time, again until it is done.

Nothing is noted anywhere: whether something is missing is seen from the store, so an operator that was killed does it after its restart.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from mlworkflow.attest.evidence import attest, is_attested
from mlworkflow.attest.keys import SigningKey
from mlworkflow.attest.statement import Builder
from mlworkflow.core import status
from mlworkflow.core.errors import UsageError
from mlworkflow.core.subject import Subject
from mlworkflow.store import archive
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.errors import StoreError

Duty: TypeAlias = Callable[[ArtifactStore, Mapping[str, Any]], None]
"""Does for a run that has ended what is not done yet; runs in a thread. Raises StoreError, OSError, UsageError, `msgspec.DecodeError`."""

_log = logging.getLogger(__name__)
AT_ONCE = 2
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0


def archiving(store: ArtifactStore, resource: Mapping[str, Any]) -> None:
    """The duty to keep what the resource told."""
    if not archive.is_archived(store, resource["metadata"]["name"], resource):
        archive.archive(store, resource["metadata"]["name"], resource)


def signing(key_file: Path, builder: Builder) -> Duty:
    """The duty to sign. The key is read anew for each statement, so that a changed Secret counts. A run that never began has nothing to be told of."""

    def sign(store: ArtifactStore, resource: Mapping[str, Any]) -> None:
        if not status.is_invalid(resource["status"]) and not is_attested(store, resource):
            attest(store, resource, SigningKey.read(key_file), builder)

    return sign


class Keeper:
    """`wake(uid)`: what was busy is no more. `aside` sees to the same runs, and is never waited for but in the end. Close it then."""

    def __init__(
        self,
        store: ArtifactStore,
        duties: Sequence[Duty],
        wake: Callable[[str], None],
        *,
        aside: Keeper | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store, self._duties = store, duties
        self._wake, self._sleep, self._aside = wake, sleep, aside
        self._tasks: dict[str, tuple[str, asyncio.Task[None]]] = {}  # uid → the end it is of, and who sees to it
        self._parting: set[asyncio.Task[None]] = set()
        self._done: dict[str, str] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)

    def take(self, resource: Mapping[str, Any]) -> None:
        """A run has ended, and that is written down."""
        if self._aside:
            self._aside.take(resource)
        uid, end = resource["metadata"]["uid"], resource["status"].get("finishedAt", "")
        if not end or self._done.get(uid) == end:
            return
        known = self._tasks.get(uid)
        if known and known[0] == end:
            return
        if known:
            known[1].cancel()
        self._tasks[uid] = end, asyncio.create_task(self._see_to(resource, end), name=f"keep {uid}")

    def is_busy(self, uid: str) -> bool:
        return uid in self._tasks

    @property
    def is_idle(self) -> bool:
        return not self._tasks and not self._parting

    def forget(self, uid: str) -> None:
        """The workflow is gone; what is under way for it is done all the same."""
        if self._aside:
            self._aside.forget(uid)
        self._done.pop(uid, None)
        if known := self._tasks.pop(uid, None):
            self._parting.add(known[1])
            known[1].add_done_callback(self._parting.discard)

    async def close(self) -> None:
        if self._aside:
            await self._aside.close()
        tasks = [*self._parting, *(task for _, task in self._tasks.values())]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _see_to(self, resource: Mapping[str, Any], end: str) -> None:
        metadata = resource["metadata"]
        about = Subject(metadata["namespace"], metadata["name"], metadata["uid"])
        for duty in self._duties:
            await self._fulfil(duty, resource, about)
        known = self._tasks.get(metadata["uid"])
        if known and known[1] is asyncio.current_task():
            self._done[metadata["uid"]] = end
            del self._tasks[metadata["uid"]]
            self._wake(metadata["uid"])

    async def _fulfil(self, duty: Duty, resource: Mapping[str, Any], about: Subject) -> None:
        wait = FIRST_WAIT
        while True:
            try:
                async with self._slots:
                    await asyncio.to_thread(duty, self._store, resource)
                return
            except msgspec.DecodeError as error:
                _log.error("%s: not kept in whole: a record in the store is none: %s", about, error)
                return
            except (StoreError, OSError, UsageError) as error:
                _log.warning("%s: not kept in whole yet: %s; trying again in %.0f s", about, error, wait)
            except Exception:
                _log.exception("%s: not kept in whole: a bug", about)
                return
            await self._sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)
