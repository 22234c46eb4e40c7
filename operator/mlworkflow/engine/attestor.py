"""Sees to it that every run that has ended has its statement: in the background, a few at a time, again until it is there.

Nothing is noted anywhere: whether a statement is missing is seen from the store, so an operator that was killed makes it after its restart.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from mlworkflow.attest.evidence import attest, is_attested
from mlworkflow.attest.keys import SigningKey
from mlworkflow.attest.statement import Builder
from mlworkflow.core import status
from mlworkflow.core.errors import UsageError
from mlworkflow.store._protocol import ArtifactStore
from mlworkflow.store.errors import StoreError

_log = logging.getLogger(__name__)
AT_ONCE = 2
FIRST_WAIT, LONGEST_WAIT = 1.0, 60.0


class Attestor:
    """`key_file` is read anew for each statement, so that a changed Secret counts. `wake(uid)`: what was busy is no more. Close it in the end."""

    def __init__(
        self,
        store: ArtifactStore,
        key_file: Path,
        builder: Builder,
        wake: Callable[[str], None],
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._store, self._key_file, self._builder = store, key_file, builder
        self._wake, self._sleep = wake, sleep
        self._tasks: dict[str, tuple[str, asyncio.Task[None]]] = {}  # uid → the end it is of, and who sees to it
        self._done: dict[str, str] = {}
        self._slots = asyncio.Semaphore(AT_ONCE)

    def take(self, resource: Mapping[str, Any]) -> None:
        """A run has ended, and that is written down. One that never began has nothing to be told of."""
        uid, end = resource["metadata"]["uid"], resource["status"].get("finishedAt", "")
        if not end or self._done.get(uid) == end or status.is_invalid(resource["status"]):
            return
        known = self._tasks.get(uid)
        if known and known[0] == end:
            return
        if known:
            known[1].cancel()
        self._tasks[uid] = end, asyncio.create_task(self._see_to(resource, end), name=f"attest {uid}")

    def is_busy(self, uid: str) -> bool:
        return uid in self._tasks

    def forget(self, uid: str) -> None:
        """The workflow is gone."""
        self._done.pop(uid, None)
        if known := self._tasks.pop(uid, None):
            known[1].cancel()

    async def close(self) -> None:
        tasks = [task for _, task in self._tasks.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _see_to(self, resource: Mapping[str, Any], end: str) -> None:
        metadata, wait = resource["metadata"], FIRST_WAIT
        name = f"{metadata['namespace']}/{metadata['name']}"
        while True:
            try:
                async with self._slots:
                    await asyncio.to_thread(self._attest, resource)
                break
            except msgspec.DecodeError as error:
                _log.error("%s: no statement: a record in the store is none: %s", name, error)
                break
            except (StoreError, OSError, UsageError) as error:
                _log.warning("%s: no statement yet: %s; trying again in %.0f s", name, error, wait)
            except Exception:
                _log.exception("%s: no statement: a bug", name)
                break
            await self._sleep(wait)
            wait = min(2 * wait, LONGEST_WAIT)
        self._done[metadata["uid"]] = end
        del self._tasks[metadata["uid"]]
        self._wake(metadata["uid"])

    def _attest(self, resource: Mapping[str, Any]) -> None:
        if not is_attested(self._store, resource):
            attest(self._store, resource, SigningKey.read(self._key_file), self._builder)
